"""A step of learning of the whole network: batch normalisation as here, and as Keras has it.

    python -m benchmarks.training [--rounds N] [--json]

Batches of 64 images of 128 px, random numbers for pictures; the networks in turn. In bfloat16 as well only where
this machine multiplies faster in it: elsewhere a step takes many times as long.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as `train` does

import time
from collections.abc import Callable
from unittest.mock import patch

import keras
import tensorflow as tf

from benchmarks.tables import Tables, main, medians
from resnet.model import BatchNormalization, build_network
from resnet.stages import blocks_of_depth
from resnet.training.machine import faster_precision, policy
from resnet.training.recipe import Recipe
from resnet.training.steps import make_optimizer, set_learning, training_step

BATCH, SIZE, CLASSES = 64, 128, 200


def step(precision: str, kind: str, images: int = BATCH) -> tuple[Callable[[], object], float]:
    """A step on one batch, the same each time, and the seconds to the end of its first."""
    recipe = Recipe(head_epochs=0, unfreeze="C1", batch_norm="trained", optimizer=kind, batch_size=images)
    (phase,) = recipe.phases()
    with policy(precision):
        model = build_network(blocks_of_depth(101), input_shape=(None, None, 3), classes=CLASSES)
    set_learning(model, phase)
    indices = tf.random.uniform((images,), 0, CLASSES, tf.int64)
    batch = (tf.random.normal((images, SIZE, SIZE, 3)), indices, tf.ones(images), tf.one_hot(indices, CLASSES))
    start = time.perf_counter()
    optimizer = make_optimizer(recipe, phase, 1000)
    optimizer.build(model.trainable_variables)
    learn = training_step(model, optimizer, recipe, tf.ones(CLASSES), tf.distribute.get_strategy())
    learn(batch).numpy()
    return lambda: learn(batch).numpy(), time.perf_counter() - start


def measure(rounds: int) -> Tables:
    """Milliseconds a step, by precision, and seconds to the end of the first."""
    tables: Tables = {}
    for precision in dict.fromkeys((faster_precision(), "float32")):
        # The function is traced in `step`, while Keras' layer is in place.
        with patch.object(BatchNormalization, "call", keras.layers.BatchNormalization.call):
            plain, _ = step(precision, "sgd")
        contenders = {"Keras' own normalisation": plain, "fused normalisation": step(precision, "sgd")[0]}
        tables[f"whole network, a step of {BATCH} images of {SIZE} px, {precision}, ms"] = medians(contenders, rounds)
    tables["to the end of the first step, 8 images, float32, s"] = {
        kind: step("float32", kind, images=8)[1] for kind in ("adamw", "sgd")
    }
    return tables


if __name__ == "__main__":
    main(__doc__, measure, rounds=7)
