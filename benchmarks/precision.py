"""Answers in bfloat16 against float32, of the bundled weights on the example photos.

    python -m benchmarks.precision

Per photo the largest change of a probability, in points, and of each map, in percent of its maximum; and what the
second engine costs. As the page computes them, with oneDNN.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
os.environ.setdefault("TF_ONEDNN_ASSUME_FROZEN_WEIGHTS", "1")

import numpy as np

from resnet.network.labels import EXAMPLES
from resnet.network.sources import load_bundled
from resnet.photo.images import read_photo
from resnet.photo.preprocess import prepare


def resident_megabytes() -> float:
    """Memory of this process, on Linux."""
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 1e6


def main() -> None:
    engine = load_bundled()
    memory, start = resident_megabytes(), time.perf_counter()
    twin = engine.in_bfloat16()
    print("photo             points      C1     C2     C3     C4     C5, %")
    for path in EXAMPLES:
        photo = read_photo(path)
        pixels = prepare(photo.image, engine.manifest.input, "crop", photo.size).pixels[None]
        exact, quick = engine.run(pixels), twin.run(pixels)
        points = 100 * np.abs(quick.probabilities - exact.probabilities).max()
        shares = (100 * np.abs(quick.maps[name] - maps).max() / maps.max() for name, maps in exact.maps.items())
        print(f"{path.stem:<18}{points:.2f}    {'   '.join(f'{share:.2f}' for share in shares)}")
    print(f"{time.perf_counter() - start:.1f} s and {resident_megabytes() - memory:.0f} MB for all of it")


if __name__ == "__main__":
    main()
