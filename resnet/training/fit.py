"""Learning by Keras' own loop: one `fit` for each phase of a recipe."""

from __future__ import annotations

import importlib.util
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tqdm.keras import TqdmCallback

from resnet.photo.preprocess import InputSpec
from resnet.progress import progress
from resnet.stages import STAGE_NAMES
from resnet.training.pictures import Pictures
from resnet.training.pipeline import Targets, training_batches, validation_batches
from resnet.training.recipe import Phase, Recipe
from resnet.training.state import RunState

TOP_K = 5
NO_DECAY = ["bias", "gamma", "beta"]
"""Of these a decay would take what batch normalisation has learnt (He et al. 2018, https://arxiv.org/abs/1812.01187)."""
WARM_UP = 0.1
"""Share of a phase's steps in which the rate rises; it falls along a cosine afterwards."""


def fit(
    model: keras.Model,
    recipe: Recipe,
    pictures: Pictures,
    rows: Mapping[str, NDArray[np.int64]],
    spec: InputSpec,
    folder: Path,
    *,
    strategy: tf.distribute.Strategy,
    soft_labels: NDArray[np.float16] | None = None,
    log: Path | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> list[dict[str, Any]]:
    """Train a model through all phases of a recipe, and take the weights with the lowest validation loss.

    Args:
        model: From images to probabilities, made in the scope of `strategy`.
        recipe: What to do.
        pictures: Decoded.
        rows: "training" and "validation" → rows of `pictures`.
        spec: How the network wants its input.
        folder: Gets the state after every epoch.
        strategy: Of distribution.
        soft_labels: (pictures, classes) probabilities to learn from besides the classes.
        log: Folder for TensorBoard's curves, written if the package `tensorboard` is installed; None for none.
        resume: Whether to go on from the state in `folder`, if there is one; an epoch that was interrupted is repeated.
        quiet: Without progress bars.

    Returns:
        One row an epoch.

    Raises:
        DataError: The state is damaged, or cannot be written.
        OptionError: Training diverged.
    """
    classes = model.output_shape[-1]
    training, validation = rows["training"], _sample(rows["validation"], recipe)
    steps = recipe.steps_per_epoch or max(1, len(training) // recipe.batch_size)
    weights = class_weights(pictures.classes[training], classes) if recipe.class_weights else None
    targets = Targets(classes, soft_labels, recipe.soft_share, recipe.smoothing, weights)
    measured_batches = validation_batches(pictures, validation, spec, recipe.batch_size, classes)
    state = RunState(folder, recipe, steps)
    if resume:
        state.read()
    for number, phase in enumerate(recipe.phases()):
        if state.is_behind(number):
            continue
        with strategy.scope():
            compile_for(model, recipe, phase, phase.epochs * steps)
            done, last = state.begin(number, phase, model)
        curves = log / f"{number + 1} {phase.name}" if log else None
        model.fit(
            training_batches(
                pictures,
                training,
                spec,
                size=recipe.train_size or spec.size,
                batch_size=recipe.batch_size,
                augmentation=recipe.augmentation,
                seed=recipe.seed,
                first_step=state.steps,
                last_step=state.steps + (last - done) * steps,
                targets=targets,
            ),
            initial_epoch=done,
            epochs=last,
            steps_per_epoch=steps,
            validation_data=measured_batches,
            callbacks=_callbacks(state, recipe, phase, curves, steps, quiet),
            shuffle=False,
            verbose=0,
        )
    state.restore_best(model)
    return state.history


def compile_for(model: keras.Model, recipe: Recipe, phase: Phase, steps: int) -> None:
    """Make a model ready for the steps of a phase."""
    set_learning(model, phase)
    model.compile(
        make_optimizer(recipe, phase, steps),
        keras.losses.CategoricalCrossentropy(),
        metrics=[
            keras.metrics.CategoricalAccuracy("top1"),
            keras.metrics.TopKCategoricalAccuracy(min(TOP_K, model.output_shape[-1]), "top5"),
        ],
        jit_compile=False,  # oneDNN's convolutions, as in the forward pass, not XLA's
    )
    model.optimizer.build(model.trainable_variables)  # or the first step would be traced twice


def _callbacks(
    state: RunState, recipe: Recipe, phase: Phase, log: Path | None, steps: int, quiet: bool
) -> list[keras.callbacks.Callback]:
    callbacks: list[keras.callbacks.Callback] = [state]  # before the exchange, so that it sees the averaged weights
    if recipe.average_steps:
        callbacks.append(keras.callbacks.SwapEMAWeights())
    if log and importlib.util.find_spec("tensorboard"):
        callbacks.append(keras.callbacks.TensorBoard(str(log), write_graph=False))
    callbacks.append(
        TqdmCallback(data_size=steps, batch_size=1, tqdm_class=progress, quiet=quiet, desc=phase.name, mininterval=0.5)
    )
    return callbacks


def class_weights(indices: NDArray[np.int64], classes: int) -> NDArray[np.float32]:
    """Weigh pictures such that all classes count the same and the mean over the pictures is 1.

    Args:
        indices: (pictures,) class of each.
        classes: How many there are.

    Returns:
        (classes,) weight of a picture.
    """
    counts = np.bincount(indices, minlength=classes)
    return (len(indices) / (np.count_nonzero(counts) * np.maximum(counts, 1))).astype(np.float32)


def set_learning(model: keras.Model, phase: Phase) -> None:
    """Make the layers of a phase trainable and freeze all others.

    A batch normalisation that is frozen works with its running statistics, in training, too.
    """
    first = len(STAGE_NAMES) if phase.learns_from == "head" else STAGE_NAMES.index(phase.learns_from)
    for layer in model.layers:
        stage = int(layer.name[4]) - 1 if layer.name.startswith("conv") else len(STAGE_NAMES)
        norm = isinstance(layer, keras.layers.BatchNormalization)
        layer.trainable = stage >= first and not (norm and phase.frozen_norms)


def make_optimizer(recipe: Recipe, phase: Phase, steps: int) -> keras.optimizers.Optimizer:
    """Make the optimizer of a phase: the rate rises for a tenth of the steps, then falls to 0 along a cosine."""
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


def _sample(rows: NDArray[np.int64], recipe: Recipe) -> NDArray[np.int64]:
    """The pictures looked at after each epoch, the same ones each time."""
    if not recipe.validation_images or recipe.validation_images >= len(rows):
        return rows
    return np.sort(np.random.default_rng(recipe.seed).permutation(rows)[: recipe.validation_images])
