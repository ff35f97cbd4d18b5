"""See what a ResNet sees: top-k classes and the feature maps C1 to C5 of a photo.

Importing this package loads neither TensorFlow nor Gradio; the modules that need them do.
"""

__version__ = "0.1.0"
