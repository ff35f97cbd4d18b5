"""Does the server's memory stay flat? A thousand visitors one after another, each with a photo, as the page asks.

    python -m benchmarks.memory [--rounds ANSWERS] [--json]

Photos are of many sizes, up to 12 megapixels, and no two are the same. Memory is what the server's own `/metrics`
say of the process, in MB; a part of it is answers that are remembered, up to a limit.
"""

from __future__ import annotations

import io
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.served import numbers
from benchmarks.tables import Tables, main
from benchmarks.whole import Visit, server
from resnet.network.labels import ASSETS

FIRST, LATER = 50, 350


def photos(count: int) -> list[tuple[int, int]]:
    """Sizes in pixels, the same ones each time."""
    generator = np.random.default_rng(0)
    return [(int(width), int(width * generator.uniform(0.6, 0.75))) for width in generator.integers(600, 4000, count)]


def measure(answers: int) -> Tables:
    """Memory after some answers, and the part of it that is remembered answers."""
    process: dict[str, float] = {}
    remembered: dict[str, float] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        server(Path(folder)) as (client, _),
        Image.open(ASSETS / "examples" / "raccoon.jpg") as original,
    ):
        for number, size in enumerate(photos(answers), start=1):
            photo = original.resize(size)
            photo.putpixel((0, 0), (number % 256, number // 256, 0))
            content = io.BytesIO()
            photo.save(content, "JPEG", quality=80)
            another = content.getvalue() + number.to_bytes(2, "big")  # so that no answer is remembered
            Visit(client, f"visitor{number}").whole(another)
            if number in (FIRST, LATER, answers):
                found = numbers(client.get("/metrics").text)
                process[f"after {number}"] = found["process_resident_memory_bytes"] / 1e6
                remembered[f"after {number}"] = found["resnet_cache_bytes"] / 1e6
    return {"memory of the server, MB": process, "of it remembered answers, MB": remembered}


if __name__ == "__main__":
    main(__doc__, measure, rounds=1000)
