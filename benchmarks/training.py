"""A step of learning of the whole network: batch normalisation as here, and as Keras' own layer does it.

    python -m benchmarks.training [--rounds N] [--json]

Batches of 64 images of 128 px, random numbers for pictures; both networks in turn.
"""

from __future__ import annotations

import os

os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as `train` does

from collections.abc import Callable
from unittest.mock import patch

import keras
import tensorflow as tf

from benchmarks.tables import Tables, main, medians
from resnet.model import BatchNormalization, build_network
from resnet.stages import blocks_of_depth
from resnet.training.machine import policy
from resnet.training.recipe import Recipe
from resnet.training.steps import make_optimizer, set_learning, training_step

BATCH, SIZE, CLASSES = 64, 128, 200


def step(precision: str) -> Callable[[], object]:
    """A step on one batch, the same each time."""
    recipe = Recipe(head_epochs=0, unfreeze="C1", batch_norm="trained", optimizer="sgd", batch_size=BATCH)
    (phase,) = recipe.phases()
    with policy(precision):
        model = build_network(blocks_of_depth(101), input_shape=(None, None, 3), classes=CLASSES)
    set_learning(model, phase)
    optimizer = make_optimizer(recipe, phase, 1000)
    optimizer.build(model.trainable_variables)
    learn = training_step(model, optimizer, recipe, tf.ones(CLASSES), tf.distribute.get_strategy())
    indices = tf.random.uniform((BATCH,), 0, CLASSES, tf.int64)
    batch = (tf.random.normal((BATCH, SIZE, SIZE, 3)), indices, tf.ones(BATCH), tf.one_hot(indices, CLASSES))
    return lambda: learn(batch).numpy()


def measure(rounds: int) -> Tables:
    """Milliseconds a step, by precision."""
    tables: Tables = {}
    for precision in ("bfloat16", "float32"):
        with patch.object(BatchNormalization, "call", keras.layers.BatchNormalization.call):
            plain = step(precision)
            plain()  # the function is traced now, while Keras' layer is in place
        contenders = {"Keras' own normalisation": plain, "fused normalisation": step(precision)}
        tables[f"whole network, a step of {BATCH} images of {SIZE} px, {precision}, ms"] = medians(contenders, rounds)
    return tables


if __name__ == "__main__":
    main(__doc__, measure, rounds=7)
