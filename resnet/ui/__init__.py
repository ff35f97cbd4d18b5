"""From a visitor's photo and clicks to the page, and from a program's call to JSON and pictures.

It knows neither TensorFlow nor how anything is computed: it asks `service`, and is the only part that imports Gradio.
"""
