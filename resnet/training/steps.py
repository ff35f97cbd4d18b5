"""One step of learning or of measuring, on one device or on several."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import keras
import tensorflow as tf

from resnet.stages import STAGE_NAMES
from resnet.training.recipe import Phase, Recipe

TOP_K = 5
NO_DECAY = ["bias", "gamma", "beta"]
"""Of these a decay would take what batch normalisation has learnt (He et al. 2018, https://arxiv.org/abs/1812.01187)."""
WARM_UP = 0.1
"""Share of a phase's steps in which the rate rises; it falls along a cosine afterwards."""

Batch = tuple[tf.Tensor, ...]


def set_learning(model: keras.Model, phase: Phase) -> None:
    """Let the layers of a phase learn and freeze all others.

    A batch normalisation that is frozen works with its running statistics, in training, too.
    """
    first = len(STAGE_NAMES) if phase.learns_from == "head" else STAGE_NAMES.index(phase.learns_from)
    for layer in model.layers:
        stage = int(layer.name[4]) - 1 if layer.name.startswith("conv") else len(STAGE_NAMES)
        norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = stage >= first and not (norm and phase.frozen_norms)


def make_optimizer(recipe: Recipe, phase: Phase, steps: int) -> keras.optimizers.Optimizer:
    """The optimizer of a phase: the rate rises for a tenth of the steps, then falls to 0 along a cosine."""
    warm_up = max(1, round(steps * WARM_UP))
    schedule = keras.optimizers.schedules.CosineDecay(
        phase.rate / 10, max(1, steps - warm_up), warmup_target=phase.rate, warmup_steps=warm_up
    )
    same: dict[str, Any] = {"weight_decay": recipe.weight_decay}
    if recipe.average_steps:
        reach = min(recipe.average_steps, max(1, steps // 5))  # or what a short phase began with would never leave it
        same |= {"use_ema": True, "ema_momentum": 1 - 1 / reach}
    if recipe.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, **same)
    else:
        optimizer = keras.optimizers.AdamW(schedule, **same)
    optimizer.exclude_from_weight_decay(var_names=NO_DECAY)
    return optimizer


@contextlib.contextmanager
def averaged(optimizer: keras.optimizers.Optimizer) -> Iterator[None]:
    """Inside, the model has the averaged weights that its optimizer keeps, if it keeps any."""
    if not optimizer.use_ema:
        yield
        return
    swap = keras.callbacks.SwapEMAWeights()
    swap.set_model(SimpleNamespace(optimizer=optimizer))  # all of a model that it looks at
    swap.on_test_begin()
    try:
        yield
    finally:
        swap.on_test_end()


def training_step(
    model: keras.Model,
    optimizer: keras.optimizers.Optimizer,
    recipe: Recipe,
    class_weights: tf.Tensor,
    strategy: tf.distribute.Strategy,
) -> Callable[[Batch], tf.Tensor]:
    """A function from a batch to (3,) float32: the sum of its losses, its right answers, its images."""

    def on_replica(images: tf.Tensor, indices: tf.Tensor, counted: tf.Tensor, targets: tf.Tensor) -> tf.Tensor:
        weights = tf.gather(class_weights, indices) * counted
        with tf.GradientTape() as tape:
            answers = model(images, training=True)
            losses = keras.losses.categorical_crossentropy(targets, answers, label_smoothing=recipe.smoothing)
            loss = tf.reduce_sum(losses * weights)
            share = loss / recipe.batch_size  # the replicas' gradients are added up
        variables = model.trainable_variables
        optimizer.apply_gradients(zip(tape.gradient(share, variables), variables, strict=True))
        return tf.stack([loss, _hits(answers, indices, counted, 1), tf.reduce_sum(counted)])

    return _on_all(on_replica, strategy)


def measuring_step(model: keras.Model, strategy: tf.distribute.Strategy) -> Callable[[Batch], tf.Tensor]:
    """A function from a batch to (4,) float32: sum of losses, right answers, right among five, images."""
    classes = model.output_shape[-1]

    def on_replica(images: tf.Tensor, indices: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
        answers = model(images, training=False)
        losses = keras.losses.categorical_crossentropy(tf.one_hot(indices, classes), answers)
        top1, top5 = (_hits(answers, indices, counted, count) for count in (1, min(TOP_K, classes)))
        return tf.stack([tf.reduce_sum(losses * counted), top1, top5, tf.reduce_sum(counted)])

    return _on_all(on_replica, strategy)


def _on_all(on_replica: Callable[..., tf.Tensor], strategy: tf.distribute.Strategy) -> Callable[[Batch], tf.Tensor]:
    """A step on every replica, and the sum of what it gives."""

    @tf.function
    def step(batch: Any) -> tf.Tensor:
        return strategy.reduce(tf.distribute.ReduceOp.SUM, strategy.run(on_replica, args=batch), axis=None)

    return step


def _hits(answers: tf.Tensor, indices: tf.Tensor, counted: tf.Tensor, count: int) -> tf.Tensor:
    """How many of the counted pictures have their class among the first `count` answers."""
    found = tf.math.in_top_k(indices, tf.cast(answers, tf.float32), count)
    return tf.reduce_sum(tf.cast(found, tf.float32) * counted)
