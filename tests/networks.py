"""Small and randomised networks that several tests use."""

from __future__ import annotations

import numpy as np

from resnet.network.model import build_network

TINY_BLOCKS = (1, 2, 1, 1)
TINY_FILTERS = ((2, 3, 4), (3, 2, 5), (2, 3, 6), (3, 2, 7))


def tiny_network(**options):
    """A network of the same blocks with a few filters each."""
    return build_network(TINY_BLOCKS, TINY_FILTERS, stem_filters=3, hidden_units=8, classes=4, **options)


def randomise(model, seed):
    """Random weights and statistics that keep activations in a sensible range through all blocks."""
    generator = np.random.default_rng(seed)
    for layer in model.layers:
        for variable in layer.weights:
            part = variable.path.rsplit("/", 1)[-1]
            shape = tuple(variable.shape)
            if part == "kernel":
                fan_in = int(np.prod(shape[:-1]))
                gain = 0.1 if layer.name == "predictions" else 1  # or all probability falls on a few classes
                values = generator.standard_normal(shape, np.float32) * np.float32(gain * np.sqrt(2 / fan_in))
            elif part == "gamma":
                # The last normalisation of a branch is small, or 36 additions would explode.
                high = 0.3 if "_3_bn" in layer.name else 1.2
                values = generator.uniform(0.05, high, shape)
            elif part == "moving_variance":
                # Pixels are near 80 in size, what follows near 1; small variances make the
                # difference of the two epsilons visible.
                scale = 2 * 80**2 if layer.name == "conv1_bn" else 1
                values = generator.uniform(0.05, 1.5, shape) * scale
            else:
                values = generator.uniform(-0.3, 0.3, shape)
            variable.assign(values.astype(np.float32))
