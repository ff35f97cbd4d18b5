"""From a manifest to arrays, and from arrays to the network that answers.

Arrays are named `<layer>/<part>`: `conv3_block2_1_conv/kernel`, `conv3_block2_1_bn/gamma`, …, as
float32 in Keras' order of axes. A `.npz` of this project may hold them as they are, or a kernel as
int8 with a `kernel_scale` per output channel; biases of 0 may be left out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from resnet.errors import WeightsError
from resnet.network.archives import check_keras, check_npz
from resnet.network.manifest import Manifest, verify
from resnet.network.model import BATCH_NORM_EPSILON, build_network
from resnet.stages import blocks_of_depth

Arrays = dict[str, NDArray[np.float32]]

CLIPPING = tuple(1 - step / 50 for step in range(26))
"""Shares of a channel's largest weight that are tried as the largest that is kept."""

_NORM_PARTS = ("gamma", "beta", "moving_mean", "moving_variance")


def network_of(manifest: Manifest, *, folded: bool = False) -> keras.Model:
    """The network that a manifest describes, for input of any size, with weights still to be set.

    Args:
        manifest: Depth, classes and pooling are taken from it.
        folded: Without batch normalisation, for arrays from `fold`.
    """
    return build_network(
        blocks_of_depth(manifest.depth),
        input_shape=(None, None, 3),
        classes=manifest.classes,
        stem_pool=manifest.stem_pool,
        folded=folded,
    )


def read_arrays(manifest: Manifest) -> Arrays:
    """Verify and read the weights of a manifest.

    Raises:
        WeightsError: The file is missing, damaged, of an unsafe kind, or not of this network.
    """
    verify(manifest)
    path = manifest.weights_path
    try:
        arrays = _read_npz(manifest) if path.suffix == ".npz" else _read_keras(manifest)
        faulty = [key for key, values in arrays.items() if not np.isfinite(values).all()]
        if faulty:
            raise ValueError(f"{faulty[0]} is missing, or holds NaN or infinite values.")
        return arrays
    except Exception as error:  # a damaged archive can raise anything
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError("The weights {} do not fit {}: {}", path, manifest.name, reason) from error


def _read_npz(manifest: Manifest) -> Arrays:
    path = manifest.weights_path
    check_npz(path, manifest)
    with np.load(path, allow_pickle=False) as stored:
        return _numbers({key: stored[key] for key in stored.files})


def _numbers(stored: Mapping[str, NDArray[Any]]) -> Arrays:
    """Return the values that `quantise` stored, as float32."""
    arrays: Arrays = {}
    for key, kept in stored.items():
        layer, _, part = key.rpartition("/")
        if part == "kernel_scale":
            continue
        values = kept.astype(np.float32)
        if part == "kernel" and f"{layer}/kernel_scale" in stored:
            values *= stored[f"{layer}/kernel_scale"]
        arrays[key] = values
    return arrays


def _read_keras(manifest: Manifest) -> Arrays:
    check_keras(manifest.weights_path, manifest)
    # Only the numbers are read, into a network built here: no configuration from the file is run.
    model = network_of(manifest)
    for layer in model.layers:
        for variable in layer.weights:
            variable.assign(np.full(variable.shape, np.nan, np.float32))
    # Where the file lacks a layer, Keras only warns and leaves the layer as it was: not a number.
    model.load_weights(str(manifest.weights_path))
    return arrays_of(model)


def arrays_of(model: keras.Model) -> Arrays:
    """All weights of a network by layer and part."""
    return {
        f"{layer.name}/{variable.path.rsplit('/', 1)[-1]}": variable.numpy().astype(np.float32, copy=False)
        for layer in model.layers
        for variable in layer.weights
    }


def assign(model: keras.Model, arrays: Mapping[str, NDArray[np.float32]]) -> None:
    """Set all weights of a network.

    Raises:
        WeightsError: An array is missing, left over, or has the wrong shape.
    """
    expected = {
        f"{layer.name}/{variable.path.rsplit('/', 1)[-1]}": variable
        for layer in model.layers
        for variable in layer.weights
    }
    left_over = sorted(arrays.keys() - expected.keys())
    if left_over:
        raise WeightsError("The weights hold {}, which this network does not have.", left_over[0])
    for key, variable in expected.items():
        values = arrays.get(key)
        if values is None and key.endswith("/bias"):
            values = np.zeros(variable.shape, np.float32)
        if values is None:
            raise WeightsError("The weights lack {}, which this network needs.", key)
        if values.shape != tuple(variable.shape):
            raise WeightsError(
                "The weights' {} has shape {}; this network needs {}.", key, values.shape, tuple(variable.shape)
            )
        variable.assign(values)


def fold(arrays: Mapping[str, NDArray[np.float32]]) -> Arrays:
    """Fold each batch normalisation into the convolution before it.

    At inference a batch normalisation is a multiplication and an addition per channel (Ioffe and
    Szegedy 2015, https://arxiv.org/abs/1502.03167, algorithm 2), so that a convolution with scaled
    kernel and shifted bias gives the same result with a third of the network's layers fewer.

    Raises:
        WeightsError: A part of a batch normalisation or its convolution is missing.
    """
    folded = {key: values for key, values in arrays.items() if "_bn/" not in key}
    for layer in sorted({key.rpartition("/")[0] for key in arrays if "_bn/" in key}):
        convolution = layer.removesuffix("_bn") + "_conv"
        try:
            gamma, beta, mean, variance = (arrays[f"{layer}/{part}"] for part in _NORM_PARTS)
            kernel = arrays[f"{convolution}/kernel"]
        except KeyError as error:
            raise WeightsError("The weights lack {}, which this network needs.", error.args[0]) from error
        factor = gamma / np.sqrt(variance + np.float32(BATCH_NORM_EPSILON))
        bias = arrays.get(f"{convolution}/bias", np.float32(0))
        folded[f"{convolution}/kernel"] = kernel * factor
        folded[f"{convolution}/bias"] = beta + (bias - mean) * factor
    return folded


def write_npz(arrays: Mapping[str, NDArray[Any]], path: Path, *, compress: bool = True) -> None:
    """Write arrays as an `.npz`, small (compressed) or fast to read."""
    save: Callable[..., None] = np.savez_compressed if compress else np.savez
    save(path, **arrays)


def quantise(arrays: Mapping[str, NDArray[np.float32]], bits: int = 8) -> dict[str, NDArray[np.generic]]:
    """Arrays for a small `.npz`: convolutions as integers of `bits` bits, dense kernels as float16.

    Each output channel has its own scale, symmetric around 0 (Krishnamoorthi 2018,
    https://arxiv.org/abs/1806.08342, section 3), by which the squares of the errors are least: its largest weights may
    be clipped (Banner et al. 2019, https://arxiv.org/abs/1810.05723, section 4). Biases of 0 are left out.

    Args:
        arrays: By layer and part, float32.
        bits: 2 to 8; stored in int8 in any case, where fewer bits compress better.
    """
    stored: dict[str, NDArray[np.generic]] = {}
    levels = 2 ** (bits - 1) - 1
    for key, values in arrays.items():
        if key.endswith("_conv/kernel"):
            stored[key], stored[f"{key}_scale"] = _rounded_kernel(values, levels)
        elif key.endswith("/kernel"):
            stored[key] = values.astype(np.float16)
        elif not (key.endswith("/bias") and not values.any()):
            stored[key] = values
    return stored


def _rounded_kernel(values: NDArray[np.float32], levels: int) -> tuple[NDArray[np.int8], NDArray[np.float32]]:
    """Integers from `-levels` to `levels` and the scale of each output channel.

    Args:
        values: (height, width, in, out).
        levels: The largest integer.
    """
    axes = (0, 1, 2)
    top = np.maximum(np.abs(values).max(axis=axes), np.finfo(np.float32).tiny)
    best, least = top / levels, np.full(top.shape, np.inf, np.float32)
    for share in CLIPPING:
        scale = top * np.float32(share / levels)
        error = ((np.clip(np.round(values / scale), -levels, levels) * scale - values) ** 2).sum(axis=axes)
        best, least = np.where(error < least, scale, best), np.minimum(error, least)
    whole = np.clip(np.round(values / best), -levels, levels)
    # For these integers, the scale that fits best.
    squares = (whole * whole).sum(axis=axes, dtype=np.float64)
    fitted = np.where(squares > 0, (whole * values).sum(axis=axes, dtype=np.float64) / np.maximum(squares, 1), best)
    return whole.astype(np.int8), fitted.astype(np.float32)


def rounded(arrays: Mapping[str, NDArray[np.float32]], bits: int) -> Arrays:
    """Arrays as they are after `quantise` and reading."""
    return _numbers(quantise(arrays, bits))
