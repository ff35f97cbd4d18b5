"""From activations and gradients to maps over the photo: what the network saw, what speaks for a class, what holds.

It knows neither files of results nor the page, and works in NumPy.
"""
