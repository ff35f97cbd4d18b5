"""From answers to files: JSON, CSV, figures, charts, folders of many photos.

It knows neither who asked nor where the files go afterwards.
"""
