"""In how many bits the network multiplies: float32, or bfloat16 where that is faster.

bfloat16 (https://en.wikipedia.org/wiki/Bfloat16_floating-point_format) keeps the range of float32 and 8 of its 24 bits.
"""

from __future__ import annotations

import logging
import os
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from resnet.errors import OptionError
from resnet.network.labels import EXAMPLES
from resnet.photo.images import read_photo
from resnet.photo.preprocess import prepare

if TYPE_CHECKING:
    from resnet.network.engine import Engine, PassResult

PROCESSOR = Path("/proc/cpuinfo")

_log = logging.getLogger(__name__)

PRECISIONS = ("auto", "float32", "bfloat16")

MOST_OF_A_MAP = 0.02
"""Largest change of a map's values that counts as none, as a share of the map's largest value."""

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
    """Return True if TensorFlow computes on a processor with instructions for bfloat16, by oneDNN; known on Linux."""
    from resnet.network.engine import find_devices

    if os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0" or any("GPU" in device for device in find_devices()):
        return False
    try:
        words = PROCESSOR.read_text(encoding="utf-8", errors="replace").split()
    except OSError:
        return False
    return not {"avx512_bf16", "amx_bf16"}.isdisjoint(words)


def faster(engine: Engine) -> Engine:
    """Return an engine's twin in bfloat16 if `RESNET_PRECISION` asks for it, or leaves it open and that is as good.

    As good: faster here, and the same answers to the example photos, see `difference`. Else the engine itself.
    """
    wanted = chosen_precision()
    if wanted == "float32" or (wanted == "auto" and not multiplies_bfloat16()):
        return engine
    twin = engine.in_bfloat16()
    spec = engine.manifest.input
    for path in EXAMPLES if wanted == "auto" else ():
        photo = read_photo(path)
        pixels = prepare(photo.image, spec, "crop", photo.size).pixels[None]
        if found := difference(engine.run(pixels), twin.run(pixels)):
            _log.info("Answering in float32: in bfloat16 the example %s has %s.", path.stem, found)
            return engine
    _log.info("Answering in bfloat16.")
    return twin


def difference(exact: PassResult, other: PassResult) -> str:
    """Return in words by which an answer is not the same as another to one photo; empty if it is."""
    (before,), (after,) = exact.probabilities, other.probabilities
    if before.argmax() != after.argmax():
        return "another likeliest class"
    apart = before[:, None] - before > TIE
    if not (after[:, None] > after)[apart].all():
        return "two classes in another order"
    for name, values in exact.maps.items():
        change, most = np.abs(other.maps[name] - values).max(), values.max()
        if not change <= MOST_OF_A_MAP * most:
            return f"a {name} that differs by {change / most:.1%} of its maximum"
    return ""
