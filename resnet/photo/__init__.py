"""From a picture file in any format to the network's input, with the geometry back to the photo's pixels.

It knows neither networks nor maps, and imports neither TensorFlow nor Gradio.
"""
