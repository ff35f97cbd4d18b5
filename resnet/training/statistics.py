"""Batch normalisation's means and variances, estimated anew for kernels that are not those they were gathered with."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from resnet.errors import DataError
from resnet.network.manifest import Manifest
from resnet.network.weights import Arrays, assign, network_of
from resnet.progress import progress
from resnet.training.files import LabelledFile
from resnet.training.pictures import decode_all
from resnet.training.pipeline import in_training_units, validation_batches

BATCH = 64
FEWEST_IMAGES = 100
"""Fewer say too little about channels that seldom answer."""


def estimate_statistics(model: keras.Model, batches: Iterable[tf.Tensor]) -> Arrays:
    """The mean and the variance of all values that each batch normalisation of a network gets.

    While it is estimated each batch is normalised by its own mean and variance, as in training, so batches should be
    large and mixed. The network's own statistics are lost.

    Args:
        model: With batch normalisation.
        batches: (batch, height, width, 3) float32, as the network wants them.

    Returns:
        `<layer>/moving_mean` and `<layer>/moving_variance`, (channels,) float32.
    """
    norms = [layer for layer in model.layers if isinstance(layer, keras.layers.BatchNormalization)]
    for norm in norms:
        norm.momentum = 0.0  # what it remembers is the last batch alone

    @tf.function
    def of_batch(images: tf.Tensor) -> tuple[list[tf.Tensor], list[tf.Tensor]]:
        model(images, training=True)
        return [tf.identity(norm.moving_mean) for norm in norms], [tf.identity(norm.moving_variance) for norm in norms]

    images = 0
    sums: list[NDArray[np.float64]] = []
    squares: list[NDArray[np.float64]] = []
    for batch in batches:
        count = len(batch)
        means, variances = ([value.numpy().astype(np.float64) for value in values] for values in of_batch(batch))
        moments = [variance + mean**2 for mean, variance in zip(means, variances, strict=True)]
        if not images:
            sums, squares = [0.0 * mean for mean in means], [0.0 * mean for mean in means]
        sums = [old + count * new for old, new in zip(sums, means, strict=True)]
        squares = [old + count * new for old, new in zip(squares, moments, strict=True)]
        images += count
    found: Arrays = {}
    for norm, total, square in zip(norms, sums, squares, strict=True):
        mean = total / images
        found[f"{norm.name}/moving_mean"] = mean.astype(np.float32)
        found[f"{norm.name}/moving_variance"] = np.maximum(square / images - mean**2, 0).astype(np.float32)
    return found


def with_new_statistics(
    manifest: Manifest,
    arrays: Arrays,
    files: Sequence[LabelledFile],
    *,
    images: int,
    seed: int = 0,
    quiet: bool = False,
) -> tuple[Arrays, int]:
    """Weights with statistics of pictures as the network sees them.

    Kernels that were rounded, or averaged over steps of training, give other values than those that the statistics
    were gathered from (for averages: Izmailov et al. 2018, https://arxiv.org/abs/1803.05407).

    Args:
        manifest: Of the weights.
        arrays: The weights by layer and part, the kernels as they will be used.
        files: Pictures like those the network is for; not those it is measured with.
        images: How many of them, taken at random.
        seed: Of the choice.
        quiet: Without progress bars.

    Returns:
        The weights, and how many pictures were used.

    Raises:
        DataError: There are too few pictures, or they cannot be read.
    """
    spec = manifest.input
    with tempfile.TemporaryDirectory(prefix="resnet-") as folder:
        pictures = decode_all(files, manifest.labels, spec, Path(folder), quiet=quiet)
        if len(pictures.items) < FEWEST_IMAGES:
            raise DataError("Statistics need at least {} pictures; received {}.", FEWEST_IMAGES, len(pictures.items))
        rows = np.random.default_rng(seed).permutation(len(pictures.items))[:images]
        model = network_of(manifest)
        assign(model, in_training_units(arrays, spec))
        batches = (batch for batch, _ in validation_batches(pictures, rows, spec, BATCH, 1))
        steps = -(-len(rows) // BATCH)
        found = estimate_statistics(model, progress(batches, total=steps, unit="step", desc="statistics", quiet=quiet))
    return {**arrays, **found}, len(rows)
