"""Calibration: probabilities with a temperature, so that "60 %" is right six times of ten.

Guo, Pleiss, Sun, Weinberger: "On Calibration of Modern Neural Networks" (https://arxiv.org/abs/1706.04599), sec. 4.2.
The order of the classes stays as it is, and so do logits and what is made from them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LOWEST, HIGHEST = 0.05, 20.0
"""Temperatures that a manifest may have."""

_STEPS = 80


def tempered(probabilities: NDArray[Any], temperature: float) -> NDArray[np.float32]:
    """Return the probabilities of logits divided by a temperature.

    Args:
        probabilities: (…, classes) floats, by softmax.
        temperature: Below 1 makes the likeliest classes likelier, above 1 less likely; 1 changes nothing.

    Returns:
        The same shape, float32, adding up to 1.
    """
    if temperature == 1:
        return np.asarray(probabilities, np.float32)
    with np.errstate(divide="ignore"):  # what has no probability gets none
        logarithms = np.log(probabilities, dtype=np.float64) / temperature
    shares = np.exp(logarithms - logarithms.max(axis=-1, keepdims=True))
    return np.asarray(shares / shares.sum(axis=-1, keepdims=True), np.float32)


def fit_temperature(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> float:
    """Find the temperature under which the true classes are likeliest, by the mean of their logarithms.

    That mean is concave in the temperature's inverse, so a search by thirds finds its top.

    Args:
        probabilities: (images, classes), by softmax.
        truth: (images,) class indices.
    """
    logarithms = np.log(np.maximum(probabilities, np.finfo(np.float32).tiny), dtype=np.float64)
    own = logarithms[np.arange(len(truth)), truth]

    def likelihood(inverse: float) -> float:
        scaled = logarithms * inverse
        top = scaled.max(axis=1)
        return float((own * inverse - top - np.log(np.exp(scaled - top[:, None]).sum(axis=1))).mean())

    low, high = 1 / HIGHEST, 1 / LOWEST
    for _ in range(_STEPS):
        first, second = low + (high - low) / 3, high - (high - low) / 3
        if likelihood(first) < likelihood(second):
            low = first
        else:
            high = second
    return 2 / (low + high)
