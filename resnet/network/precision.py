"""In how many bits the network multiplies: float32, or bfloat16 where that is faster.

bfloat16 (https://en.wikipedia.org/wiki/Bfloat16_floating-point_format) keeps the range of float32 and 8 of its 24 bits.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnet.errors import OptionError
from resnet.stages import STAGE_NAMES

PRECISIONS = ("auto", "float32", "bfloat16")

MOST_OF_A_MAP = 0.02
"""Largest change of a map's values that counts as the same, as a share of the map's largest value."""

TIE = 0.005
"""Two classes whose probabilities are no further apart may change places."""


def chosen_precision() -> str:
    """Return what `RESNET_PRECISION` asks the server for, "auto" if it asks for nothing.

    Raises:
        OptionError: It is none of `PRECISIONS`.
    """
    wanted = os.environ.get("RESNET_PRECISION") or "auto"
    if wanted not in PRECISIONS:
        raise OptionError("RESNET_PRECISION must be one of {}; received {!r}.", ", ".join(PRECISIONS), wanted)
    return wanted


def multiplies_bfloat16() -> bool:
    """Return True if the processor has instructions for products in bfloat16; known on Linux alone."""
    try:
        words = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(words)


def difference(exact: Sequence[NDArray[np.float32]], other: Sequence[NDArray[np.float32]]) -> str:
    """Return in words by which two answers to the same images are not the same; empty if they are.

    Args:
        exact: Probabilities, (images, classes), and C1 to C5, (images, height, width, channels).
        other: The same, computed in another way.
    """
    for place, (before, after) in enumerate(zip(exact[0], other[0], strict=True), start=1):
        if before.argmax() != after.argmax():
            return f"the likeliest class of photo {place} is another"
        apart = before[:, None] - before > TIE
        if (apart & (after[:, None] <= after)).any():
            return f"two classes of photo {place} change places"
    for name, before, after in zip(STAGE_NAMES, exact[1:], other[1:], strict=True):
        change = np.abs(after - before).max(axis=(1, 2, 3)) / np.maximum(before.max(axis=(1, 2, 3)), 1e-12)
        if change.max() > MOST_OF_A_MAP:
            return f"{name} changes by up to {change.max():.1%} of its maximum"
    return ""
