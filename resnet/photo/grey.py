"""Grey pictures of more than 8 bits, of signed numbers or of floating point: to 8 bits by one stated rule.

| numbers | black and white are |
|---|---|
| integers, 0 to at most 65,535 | 0 and the largest of 8, 10, 12, 14 or 16 bits: of the fewest that hold all |
| floating point within 0 to 1 | 0 and 1 |
| others: signed, larger, floating point | the lowest and the highest number of the picture; NaN counts as the lowest |

Cameras for X-rays and microscopes write 10, 12 or 14 bits into 16, programs 8 bits into 32. A note says where fewer
bits are taken than the file could hold, or the picture's own range. TIFF's "white is zero" (tag 262) turns it round.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet.errors import Note

BITS = (8, 10, 12, 14, 16)
_BAND_PIXELS = 2_000_000
_BITS_PER_SAMPLE, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # TIFF 6.0, section 8
_WHITE_IS_ZERO, _UNSIGNED, _SIGNED = 0, 1, 2


def to_eight_bits(image: Image.Image) -> tuple[Image.Image, tuple[Note, ...]]:
    """Return a picture in 8 bits a channel, see the module's table, and a note where its range had to be guessed.

    Args:
        image: Loaded, in any mode; pictures that are not grey, or have 8 bits already, are returned as they are.
    """
    if image.mode == "1":
        return image.convert("L"), ()
    tags = getattr(image, "tag_v2", {})
    signed_bytes = image.mode == "L" and _first(tags, _SAMPLE_FORMAT, _UNSIGNED) == _SIGNED
    if not (signed_bytes or image.mode.startswith(("I", "F"))):
        return image, ()
    dtype = _dtype(image, tags)
    low, high = _range(image, dtype)
    whole, notes = _whole(low, high, dtype)
    shown = np.empty((image.height, image.width), np.uint8)
    for top, values in _bands(image, dtype):
        if whole is not None:
            band = values >> (whole - 8)
        else:
            scaled = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
            band = np.rint((scaled - low) * (255 / ((high - low) or 1.0)))
        shown[top : top + len(values)] = band
    if _first(tags, _PHOTOMETRIC, 1) == _WHITE_IS_ZERO:
        shown = 255 - shown
    return Image.fromarray(shown), notes


def _first(tags: Any, tag: int, otherwise: int) -> int:
    value = tags.get(tag, otherwise)
    return int(value[0] if isinstance(value, tuple) else value)


def _dtype(image: Image.Image, tags: Any) -> np.dtype[Any]:
    """Return the kind of the numbers: Pillow has no modes for signed bytes and large unsigned integers."""
    if image.mode == "L":
        return np.dtype(np.int8)
    if image.mode == "I" and _first(tags, _BITS_PER_SAMPLE, 0) == 32 and _first(tags, _SAMPLE_FORMAT, 1) == _UNSIGNED:
        return np.dtype(np.uint32)
    return np.asarray(image.crop((0, 0, 1, 1))).dtype


def _bands(image: Image.Image, dtype: np.dtype[Any]) -> Iterator[tuple[int, NDArray[Any]]]:
    """Rows of a picture, some at a time: the first's number, and their values.

    A copy of all pixels as numbers would take hundreds of megabytes.
    """
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        yield top, np.asarray(image.crop((0, top, image.width, bottom))).view(dtype)


def _range(image: Image.Image, dtype: np.dtype[Any]) -> tuple[float, float]:
    """The lowest and the highest finite number; 0 and 0 where there is none."""
    low, high = np.inf, -np.inf
    for _, values in _bands(image, dtype):
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:
        return 0.0, 0.0
    if dtype.kind == "f" and low >= 0 and high <= 1:
        return 0.0, 1.0
    return low, high


def _whole(low: float, high: float, dtype: np.dtype[Any]) -> tuple[int | None, tuple[Note, ...]]:
    """Return the bits from black to white, or None for the picture's own range, and a note about it."""
    if dtype.kind in "iu" and low >= 0 and high <= 2 ** BITS[-1] - 1:
        bits, held = next(bits for bits in BITS if high <= 2**bits - 1), 8 * dtype.itemsize
        if bits == held or high == 0:
            return bits, ()
        return bits, (Note("Its grey values reach {:.0f} of {} bits; they are taken as {} bits.", (high, held, bits)),)
    if dtype.kind == "f" and (low, high) in ((0.0, 1.0), (0.0, 0.0)):
        return None, ()
    return None, (
        Note("Its grey values, {:g} to {:g}, are shown by their own range, from black to white.", (low, high)),
    )
