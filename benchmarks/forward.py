"""Speed of one forward pass with all five stages, and of a change of view, in one process.

    python -m benchmarks.forward [--rounds N] [--json]

The networks have random weights: time does not depend on them. Other engines take part if they are
installed (`requirements-peers.txt`), after a check that they compute the same; ours in bfloat16 where the
processor has instructions for it.
"""

from __future__ import annotations

import sys
import tempfile
from functools import partial
from itertools import cycle
from pathlib import Path

import gradio as gr
import keras
import numpy as np
import tensorflow as tf
from PIL import Image

from benchmarks.peers import installed_peers
from benchmarks.tables import Tables, main, medians
from resnet.network.engine import Engine
from resnet.network.imagenet import IMAGENET_MANIFEST, move_from_keras
from resnet.network.labels import ASSETS
from resnet.network.precision import multiplies_bfloat16
from resnet.network.sources import load_bundled
from resnet.network.weights import fold
from resnet.service.explorer import Explorer, Shown
from resnet.service.provider import EngineProvider
from resnet.stages import block_table, head_multiply_accumulates
from resnet.ui.language import ENGLISH
from resnet.ui.layout import Layout
from resnet.ui.page import Page


def forward(rounds: int, images: int) -> dict[str, float]:
    """Images of 224 pixels through ResNet101 with 1,000 classes, by us and by all peers that are installed."""
    published = keras.applications.ResNet101(weights=None)
    arrays = move_from_keras(published)
    engine = Engine(IMAGENET_MANIFEST, arrays)
    peers, missing = installed_peers(engine, fold(arrays))
    for name in missing:
        print(f"not installed: {name}", file=sys.stderr)
    pixels = np.random.default_rng(0).uniform(-120, 130, (images, 224, 224, 3)).astype(np.float32)
    ours = {"ours: scores and C1 to C5": partial(engine.run, pixels)}
    if multiplies_bfloat16():
        quick = Engine(IMAGENET_MANIFEST, arrays)
        quick.use_bfloat16()
        ours["ours in bfloat16: scores and C1 to C5"] = partial(quick.run, pixels)
    compiled = tf.function(lambda image: published(image, training=False))
    matrix = tf.random.normal((2048, 2048))
    multiply = tf.function(lambda: tf.matmul(matrix, matrix))
    found = medians(
        {
            "keras.applications.ResNet101.predict: scores only": lambda: published.predict(pixels, verbose=0),
            "tf.function of the same: scores only": lambda: compiled(pixels).numpy(),
            **ours,
            **{f"{name}: scores and C1 to C5": partial(peer, pixels) for name, peer in peers.items()},
            "matrix product of 2048": lambda: multiply().numpy(),
        },
        rounds,
    )
    speed = 2 * 2048**3 / found.pop("matrix product of 2048") / 1e6
    costs = sum(block.multiply_accumulates for block in block_table(101)) + head_multiply_accumulates(1000)
    found[f"the same sums at TensorFlow's matrix speed here ({speed:.0f} GFLOP/s)"] = 2 * images * costs / speed / 1e6
    return found


def views(engine: Engine, photo: Path, rounds: int) -> dict[str, float]:
    """An explanation from scratch, and changes of view of the same, as the page's handlers do them."""
    colormaps = cycle(["turbo", "magma"])

    def view(aggregation: str = "mean") -> dict[str, object]:
        drawing = {"colormap": next(colormaps), "opacity": 55, "smooth": True, "cut": 0}
        return {"aggregation": aggregation, "channel": 0, "scale": "each", **drawing}

    page = Page(ENGLISH, Explorer(EngineProvider.serving(engine)))
    with gr.Blocks() as demo:
        layout = Layout(demo, page)

    def answer() -> Shown | None:
        shown: Shown | None = layout.column.explain(str(photo), "crop", "server")[page.result]
        return shown

    def scratch() -> None:
        page.explorer.cache.clear()
        shown = answer()
        layout.column.classes(shown, 5)
        layout.maps.show(shown, "C5", **view())

    restyle = partial(layout.maps.restyle, answer(), "C5", is_open="", count=4, look="", point="", path=None)
    return medians(
        {
            "explanation from scratch": scratch,
            "another colormap": lambda: restyle(**view()),
            "principal components": lambda: restyle(**view("pca")),
            "principal components, another colormap": lambda: restyle(**view("pca")),
        },
        rounds,
    )


def measure(rounds: int) -> Tables:
    """All tables of this module."""
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large.jpg"
        example = ASSETS / "examples" / "raccoon.jpg"
        with Image.open(example) as photo:
            photo.resize((4000, 3000), Image.Resampling.BICUBIC).save(large, quality=90)
        bundled = load_bundled()
        published = Engine(IMAGENET_MANIFEST, move_from_keras(keras.applications.ResNet101(weights=None)))
        return {
            "forward pass, one image of 224 px, ms": forward(rounds, 1),
            "forward pass, eight images of 224 px, ms": forward(max(3, rounds // 4), 8),
            "page, bundled weights, 800 x 600 photo, ms": views(bundled, example, rounds),
            "page, bundled weights, 12-megapixel JPEG, ms": views(bundled, large, rounds),
            "page, ImageNet network, 800 x 600 photo, ms": views(published, example, rounds),
            "page, ImageNet network, 12-megapixel JPEG, ms": views(published, large, rounds),
        }


if __name__ == "__main__":
    main(__doc__, measure)
