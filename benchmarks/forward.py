"""How fast: one forward pass with all five stages, and a change of view, side by side in one process.

    python -m benchmarks.forward [--rounds N] [--json]

Every round measures each contender once, in turn, so that a busy machine slows all alike; the table
gives medians and their ratios. The networks have random weights: time does not depend on them.
"""

from __future__ import annotations

import argparse
import json
import statistics
import tempfile
import time
from collections.abc import Callable
from functools import partial
from itertools import cycle
from pathlib import Path

import gradio as gr
import keras
import numpy as np
import tensorflow as tf
from PIL import Image
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2

from resnet.engine import Engine
from resnet.explorer import Explorer, Shown
from resnet.imagenet import IMAGENET_MANIFEST, move_from_keras
from resnet.labels import ASSETS
from resnet.provider import EngineProvider, load_bundled
from resnet.stages import block_table, head_multiply_accumulates
from resnet.ui.language import ENGLISH
from resnet.ui.layout import Layout
from resnet.ui.page import Page


def medians(contenders: dict[str, Callable[[], object]], rounds: int) -> dict[str, float]:
    """Median milliseconds of each contender, measured in turn after two rounds to warm up."""
    times: dict[str, list[float]] = {name: [] for name in contenders}
    for number in range(rounds + 2):
        for name, run in contenders.items():
            start = time.perf_counter()
            run()
            if number >= 2:
                times[name].append((time.perf_counter() - start) * 1000)
    return {name: statistics.median(values) for name, values in times.items()}


def forward(rounds: int) -> dict[str, float]:
    """One 224-pixel image through ResNet101 with 1,000 classes."""
    published = keras.applications.ResNet101(weights=None)
    arrays = move_from_keras(published)
    start = time.perf_counter()
    engine = Engine(IMAGENET_MANIFEST, arrays)
    ready = time.perf_counter()
    pixels = np.random.default_rng(0).uniform(-120, 130, (1, 224, 224, 3)).astype(np.float32)
    frozen = convert_variables_to_constants_v2(engine._forward.get_concrete_function())
    frozen(tf.constant(pixels))
    frozen_ready = time.perf_counter()
    compiled = tf.function(lambda image: published(image, training=False))
    matrix = tf.random.normal((2048, 2048))
    multiply = tf.function(lambda: tf.matmul(matrix, matrix))
    found = medians(
        {
            "ours, scores and C1 to C5": lambda: engine.run(pixels),
            "ours, frozen to constants": lambda: [part.numpy() for part in frozen(tf.constant(pixels))],
            "keras.applications.ResNet101.predict, scores only": lambda: published.predict(pixels, verbose=0),
            "tf.function of the same, scores only": lambda: compiled(pixels).numpy(),
            "matrix product of 2048": lambda: multiply().numpy(),
        },
        rounds,
    )
    speed = 2 * 2048**3 / found.pop("matrix product of 2048") / 1e6
    costs = sum(block.multiply_accumulates for block in block_table(101)) + head_multiply_accumulates(1000)
    found["(once: our engine, from arrays to its first pass)"] = (ready - start) * 1000
    found["(once: freezing it, to its first pass)"] = (frozen_ready - ready) * 1000
    found[f"the same sums at this machine's matrix speed ({speed:.0f} GFLOP/s)"] = 2 * costs / speed / 1e6
    return found


def views(engine: Engine, photo: Path, rounds: int) -> dict[str, float]:
    """An explanation from scratch, and changes of view of the same, as the page's handlers do them."""
    colormaps = cycle(["turbo", "magma"])

    def view(aggregation: str = "mean") -> tuple[object, ...]:
        return (aggregation, 0, next(colormaps), "each", 55, True)

    page = Page(ENGLISH, Explorer(EngineProvider.serving(engine)))
    with gr.Blocks() as demo:
        layout = Layout(demo, page)

    def answer() -> Shown | None:
        return layout.column.explain(str(photo), "crop", "server")[1]

    def scratch() -> None:
        page.explorer.cache.clear()
        shown = answer()
        layout.column.classes(shown, 5)
        layout.maps.show(shown, "C5", *view())

    restyle = partial(layout.maps.restyle, answer(), "C5")
    return medians(
        {
            "explanation from scratch": scratch,
            "another colormap": lambda: restyle(*view()),
            "principal components": lambda: restyle(*view("pca")),
            "principal components, another colormap": lambda: restyle(*view("pca")),
        },
        rounds,
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large.jpg"
        example = ASSETS / "examples" / "raccoon.jpg"
        with Image.open(example) as photo:
            photo.resize((4000, 3000), Image.Resampling.BICUBIC).save(large, quality=90)
        bundled = load_bundled()
        published = Engine(IMAGENET_MANIFEST, move_from_keras(keras.applications.ResNet101(weights=None)))
        tables = {
            "forward pass, 224 px": forward(options.rounds),
            "page, bundled weights, 800 x 600 photo": views(bundled, example, options.rounds),
            "page, bundled weights, 12-megapixel JPEG": views(bundled, large, options.rounds),
            "page, ImageNet network, 800 x 600 photo": views(published, example, options.rounds),
            "page, ImageNet network, 12-megapixel JPEG": views(published, large, options.rounds),
        }
    if options.json:
        print(json.dumps(tables, indent=2))
        return
    for title, table in tables.items():
        print(f"\n{title}")
        reference = next(name for name in table if "predict" in name or "scratch" in name)
        first = table[reference]
        for name, milliseconds in table.items():
            print(f"  {name:<66}{milliseconds:8.1f} ms{milliseconds / first:7.2f}")


if __name__ == "__main__":
    main()
