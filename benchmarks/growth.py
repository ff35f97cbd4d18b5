"""Growth of cost with the photo, the network's input, the batch, k, and the number of visitors.

    python -m benchmarks.growth [--rounds N] [--json]

Bundled weights. Visitors ask at the same time, each as soon as its last answer has come.
"""

from __future__ import annotations

import io
import threading
import time
from functools import partial

import numpy as np
from PIL import Image

from benchmarks.tables import Tables, main, medians
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import MAXIMUM_TOP_K, Observation, observe
from resnet.network.engine import Engine
from resnet.network.labels import ASSETS
from resnet.network.sources import load_bundled
from resnet.photo.images import Photo, read_photo
from resnet.photo.preprocess import InputSpec, prepare
from resnet.ui.language import ENGLISH
from resnet.ui.markup import bars, data_uri

EXAMPLE = ASSETS / "examples" / "raccoon.jpg"


def enlarged(width: int, height: int) -> bytes:
    """A JPEG of the example at any size."""
    buffer = io.BytesIO()
    with Image.open(EXAMPLE) as photo:
        photo.resize((width, height), Image.Resampling.BICUBIC).save(buffer, "JPEG", quality=90)
    return buffer.getvalue()


def decode(content: bytes, spec: InputSpec) -> Photo:
    """From a file to the network's input."""
    photo = read_photo(content)
    prepare(photo.image, spec, "crop", photo.size)
    return photo


def five_overlays(observation: Observation, side: int) -> None:
    """Five maps drawn over the photo and encoded, as the page's strip."""
    view = ViewOptions()
    for heatmap in observation.heatmaps(view):
        data_uri(observation.overlay(heatmap, view, side))


def images_per_second(engine: Engine, visitors: int, images: int) -> float:
    """Return the images answered per second for all visitors together."""
    pixels = np.random.default_rng(0).uniform(-100, 100, (1, 128, 128, 3)).astype(np.float32)
    each = max(1, images // visitors)

    def visit() -> None:
        for _ in range(each):
            engine.run(pixels)

    threads = [threading.Thread(target=visit) for _ in range(visitors)]
    start = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return visitors * each / (time.perf_counter() - start)


def measure(rounds: int) -> Tables:
    """All tables of this module."""
    engine = load_bundled()
    spec = engine.manifest.input
    sizes = [(640, 480), (1280, 960), (2000, 1500), (4000, 3000), (8000, 6000)]
    files = {f"{width}x{height}": enlarged(width, height) for width, height in sizes}
    random = np.random.default_rng(0)
    inputs = {
        side: random.uniform(-100, 100, (1, side, side, 3)).astype(np.float32) for side in (64, 128, 224, 320, 448)
    }
    batches = {count: np.repeat(inputs[128], count, axis=0) for count in (1, 2, 4, 8, 16)}
    observation = observe(read_photo(EXAMPLE), engine)
    together: dict[int, list[float]] = {visitors: [] for visitors in (1, 2, 4, 8, 16)}
    for _ in range(max(3, rounds // 3)):
        for visitors, speeds in together.items():
            speeds.append(images_per_second(engine, visitors, 64))
    found = medians({f"batch {count}": partial(engine.run, values) for count, values in batches.items()}, rounds)
    return {
        "decode and prepare a JPEG, ms": medians(
            {name: partial(decode, file, spec) for name, file in files.items()}, rounds
        ),
        "forward pass by side of the input, ms": medians(
            {f"{side} px": partial(engine.run, values) for side, values in inputs.items()}, rounds
        ),
        "forward pass by batch at 128 px, ms per image": {
            name: value / count for (name, value), count in zip(found.items(), batches, strict=True)
        },
        "k likeliest classes as HTML, ms": medians(
            {f"k = {k}": lambda k=k: bars(ENGLISH, observation.predictions(k)) for k in (1, 5, MAXIMUM_TOP_K)},
            rounds,
            rest=0,
        ),
        "five overlays drawn and encoded, ms": medians(
            {f"{side} px": partial(five_overlays, observation, side) for side in (384, 768)}, rounds
        ),
        "visitors at once, images per second": {
            f"{visitors} visitors": float(np.median(speeds)) for visitors, speeds in together.items()
        },
    }


if __name__ == "__main__":
    main(__doc__, measure)
