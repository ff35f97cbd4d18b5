"""From the network's input to probabilities and the maps C1 to C5, by weights that a manifest describes.

It knows nothing of overlays, files of results or visitors; with `training` it is the only part that imports TensorFlow.
"""
