"""A step of learning of the whole network, as `train` does it.

    python -m benchmarks.training [--rounds N] [--json]

Batches of 64 images of 128 px, random numbers for pictures. In bfloat16 as well only where this machine multiplies
faster in it: elsewhere a step takes many times as long.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as `train` does

import time
from collections.abc import Callable

import numpy as np

from benchmarks.tables import Tables, main, medians
from resnet.network.model import build_network
from resnet.stages import blocks_of_depth
from resnet.training.fit import compile_for
from resnet.training.precision import faster_precision, policy
from resnet.training.recipe import Recipe

BATCH, SIZE, CLASSES = 64, 128, 200


def step(precision: str, kind: str, images: int = BATCH) -> tuple[Callable[[], object], float]:
    """Return a step on one batch, the same each time, and the seconds to the end of its first."""
    recipe = Recipe(head_epochs=0, unfreeze="C1", batch_norm="trained", optimizer=kind, batch_size=images)
    (phase,) = recipe.phases()
    with policy(precision):
        model = build_network(blocks_of_depth(101), input_shape=(None, None, 3), classes=CLASSES)
    generator = np.random.default_rng(0)
    pixels = generator.normal(size=(images, SIZE, SIZE, 3)).astype(np.float32)
    targets = np.eye(CLASSES, dtype=np.float32)[generator.integers(0, CLASSES, images)]
    start = time.perf_counter()
    compile_for(model, recipe, phase, 1000)

    def learn() -> object:
        return model.train_on_batch(pixels, targets)

    learn()
    return learn, time.perf_counter() - start


def measure(rounds: int) -> Tables:
    """Measure milliseconds a step, by precision, and seconds to the end of the first."""
    precisions = dict.fromkeys((faster_precision(), "float32"))
    return {
        f"whole network, a step of {BATCH} images of {SIZE} px, ms": medians(
            {precision: step(precision, "sgd")[0] for precision in precisions}, rounds
        ),
        "to the end of the first step, 8 images, float32, s": {
            kind: step("float32", kind, images=8)[1] for kind in ("adamw", "sgd")
        },
    }


if __name__ == "__main__":
    main(__doc__, measure, rounds=7)
