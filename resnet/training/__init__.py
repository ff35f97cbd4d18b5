"""From a data set to weights with a manifest, and from weights and pictures to what is measured on them.

It knows neither the page nor visitors; with `network` it is the only part that imports TensorFlow.
"""
