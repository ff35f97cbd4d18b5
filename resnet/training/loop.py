"""The training loop: steps over all workers, validation, early stopping, and checkpoints to go on from.

The loop is written out because `keras.Model.fit` of Keras 3 cannot train among several workers
(https://github.com/keras-team/keras/issues/20585) nor go on in the middle of an epoch. Model,
layers, optimizers and schedules are Keras', distribution and checkpoints TensorFlow's.
"""

from __future__ import annotations

import json
import math
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tqdm import tqdm

from resnet.errors import DataError, OptionError
from resnet.preprocess import InputSpec
from resnet.stages import STAGE_NAMES
from resnet.training.events import EventLog
from resnet.training.pictures import Pictures, write_text
from resnet.training.pipeline import one_hot, training_batches, validation_batches
from resnet.training.recipe import Phase, Recipe

TOP_K = 5
WARM_UP = 0.1
"""Share of a phase's steps in which the rate rises; it falls along a cosine afterwards."""


@dataclass
class Progress:
    """How far a run is: what a checkpoint holds besides the weights.

    Attributes:
        phase: Number of the phase, from 0.
        step: Steps done in it.
        total_steps: Steps done in all phases.
        seconds: Spent so far.
        history: One row an epoch.
        best: Name of the checkpoint with the lowest validation loss, and that loss.
        sums: Of the epoch so far: loss, correct answers, images.
    """

    phase: int = 0
    step: int = 0
    total_steps: int = 0
    seconds: float = 0.0
    history: list[dict[str, Any]] = field(default_factory=list)
    best: dict[str, Any] = field(default_factory=dict)
    sums: list[float] = field(default_factory=lambda: [0.0, 0.0, 0.0])


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
    if recipe.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(schedule, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay)
    else:
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=recipe.weight_decay)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


class Loop:
    """Trains a model through all phases of a recipe; what it does is in `folder` after every checkpoint."""

    def __init__(
        self,
        model: keras.Model,
        recipe: Recipe,
        pictures: Pictures,
        rows: Mapping[str, NDArray[np.int64]],
        spec: InputSpec,
        folder: Path,
        *,
        strategy: tf.distribute.Strategy,
        log: Path | None = None,
        quiet: bool = False,
    ) -> None:
        """Prepare.

        Args:
            model: From images to probabilities, made in the scope of `strategy`.
            recipe: What to do.
            pictures: Decoded.
            rows: "training" and "validation" → rows of `pictures`.
            spec: How the network wants its input.
            folder: For checkpoints.
            strategy: Of distribution.
            log: Folder for TensorBoard; None for none.
            quiet: Without progress bars.
        """
        self._model = model
        self._recipe = recipe
        self._pictures = pictures
        self._rows = rows["training"]
        self._validation = _sample(rows["validation"], recipe)
        self._spec = spec
        self._folder = folder
        self._strategy = strategy
        self._log = EventLog(log) if log else None
        self._quiet = quiet
        self._weights = tf.constant(self._class_weights())
        self.progress = Progress()

    @property
    def steps_per_epoch(self) -> int:
        """Steps between two validations."""
        return self._recipe.steps_per_epoch or max(1, len(self._rows) // self._recipe.batch_size)

    def _class_weights(self) -> NDArray[np.float32]:
        """Per class; such that all classes count the same and the mean over the pictures is 1."""
        counts = np.bincount(self._pictures.classes[self._rows], minlength=self._model.output_shape[-1])
        if not self._recipe.class_weights:
            return np.ones(len(counts), np.float32)
        present = np.maximum(counts, 1)
        return (len(self._rows) / (np.count_nonzero(counts) * present)).astype(np.float32)

    def run(self, *, resume: bool = False) -> list[dict[str, Any]]:
        """Train, from the last checkpoint if there is one and that is wanted, and take the best weights.

        Returns:
            One row an epoch.
        """
        phases = self._recipe.phases()
        saved = tf.train.latest_checkpoint(str(self._folder)) if resume else None
        if saved:
            self.progress = Progress(**json.loads(Path(f"{saved}.json").read_text(encoding="utf-8")))
        for number in range(self.progress.phase, len(phases)):
            self._run_phase(number, phases[number], saved)
            saved = None
            self.progress.phase, self.progress.step, self.progress.sums = number + 1, 0, [0.0, 0.0, 0.0]
        if self.progress.best:
            best = str(self._folder / self.progress.best["file"])
            tf.train.Checkpoint(model=self._model).read(best).expect_partial()
        return self.progress.history

    def _run_phase(self, number: int, phase: Phase, saved: str | None) -> None:
        recipe, progress = self._recipe, self.progress
        steps = phase.epochs * self.steps_per_epoch
        with self._strategy.scope():
            set_learning(self._model, phase)
            optimizer = make_optimizer(recipe, phase, steps)
            optimizer.build(self._model.trainable_variables)
        manager = tf.train.CheckpointManager(
            tf.train.Checkpoint(model=self._model, optimizer=optimizer), str(self._folder), max_to_keep=2
        )
        if saved:
            manager.checkpoint.restore(saved).assert_existing_objects_matched()
        train_step, test_step = self._train_step(optimizer), self._test_step()
        before = progress.total_steps - progress.step
        batches = iter(
            self._strategy.experimental_distribute_dataset(
                training_batches(
                    self._pictures,
                    self._rows,
                    self._spec,
                    size=recipe.train_size or self._spec.size,
                    batch_size=recipe.batch_size,
                    augmentation=recipe.augmentation,
                    seed=recipe.seed,
                    first_step=progress.total_steps,
                    last_step=before + steps,
                )
            )
        )
        started = saved_at = time.monotonic() - progress.seconds
        saved_at = time.monotonic()
        while progress.step < steps:
            epoch = progress.step // self.steps_per_epoch
            done = progress.step % self.steps_per_epoch
            with self._bar(f"{phase.name}, epoch {epoch + 1}/{phase.epochs}", done, self.steps_per_epoch) as bar:
                for _ in range(done, self.steps_per_epoch):
                    self._count(train_step(next(batches)))
                    bar.set_postfix(loss=f"{progress.sums[0] / progress.sums[2]:.3f}", refresh=False)
                    bar.update()
                    if self._due(saved_at) and progress.step % self.steps_per_epoch:
                        progress.seconds = time.monotonic() - started
                        self._save(manager)
                        saved_at = time.monotonic()
            row = self._end_of_epoch(number, phase, epoch, optimizer, test_step, started)
            stop = self._judge(number, row)
            if stop:
                progress.step = steps
            self._save(manager)
            saved_at = time.monotonic()
            if stop:
                break

    def _due(self, saved_at: float) -> bool:
        return time.monotonic() - saved_at > self._recipe.checkpoint_minutes * 60

    def _count(self, sums: tf.Tensor) -> None:
        progress = self.progress
        progress.sums = [old + float(new) for old, new in zip(progress.sums, sums.numpy(), strict=True)]
        progress.step += 1
        progress.total_steps += 1
        if not math.isfinite(progress.sums[0]):
            raise OptionError(
                "The loss is no number any more after step {}; please try a lower rate.", progress.total_steps
            )

    def _end_of_epoch(
        self,
        number: int,
        phase: Phase,
        epoch: int,
        optimizer: keras.optimizers.Optimizer,
        test_step: Callable[[Any], tf.Tensor],
        started: float,
    ) -> dict[str, Any]:
        progress = self.progress
        loss, correct, images = progress.sums
        measured = self._validate(test_step)
        progress.seconds = time.monotonic() - started
        row = {
            "phase": number,
            "name": phase.name,
            "epoch": epoch + 1,
            "images": progress.total_steps * self._recipe.batch_size,
            "seconds": round(progress.seconds, 1),
            "rate": float(optimizer.learning_rate),
            "loss": loss / images,
            "top1": correct / images,
            **measured,
        }
        progress.history.append(row)
        progress.sums = [0.0, 0.0, 0.0]
        if self._log:
            self._log.write(progress.total_steps, {name: value for name, value in row.items() if isinstance(value, float)})
        return row

    def _validate(self, test_step: Callable[[Any], tf.Tensor]) -> dict[str, float]:
        batches = validation_batches(self._pictures, self._validation, self._spec, self._recipe.batch_size)
        sums = np.zeros(4)
        with self._bar("validation", 0, -(-len(self._validation) // self._recipe.batch_size)) as bar:
            for batch in self._strategy.experimental_distribute_dataset(batches):
                sums += test_step(batch).numpy()
                bar.update()
        return {"val_loss": sums[0] / sums[3], "val_top1": sums[1] / sums[3], "val_top5": sums[2] / sums[3]}

    def _judge(self, number: int, row: Mapping[str, Any]) -> bool:
        """Keep the weights if they are the best so far; whether the phase has been without progress too long."""
        progress = self.progress
        if not progress.best or row["val_loss"] < progress.best["loss"]:
            name = f"best-{progress.total_steps}"
            tf.train.Checkpoint(model=self._model).write(str(self._folder / name))
            progress.best = {"file": name, "loss": row["val_loss"], "row": len(progress.history) - 1}
        own = [old["val_loss"] for old in progress.history if old["phase"] == number]
        since = len(own) - 1 - int(np.argmin(own))
        return bool(self._recipe.patience) and since >= self._recipe.patience

    def _save(self, manager: tf.train.CheckpointManager) -> None:
        try:
            # First what belongs to the checkpoint: it counts only once the checkpoint is complete.
            name = self._folder / f"ckpt-{self.progress.total_steps}.json"
            write_text(name, json.dumps(vars(self.progress)))
            manager.save(checkpoint_number=self.progress.total_steps)
        except (tf.errors.ResourceExhaustedError, OSError) as error:
            raise DataError(
                "The checkpoint cannot be written to {}: {}.", self._folder, getattr(error, "strerror", "disk full")
            ) from error
        kept = {Path(path).name for path in manager.checkpoints}
        for old in self._folder.glob("ckpt-*.json"):
            if old.stem not in kept:
                old.unlink(missing_ok=True)
        best = self.progress.best.get("file")
        for old in self._folder.glob("best-*"):
            if old.name.split(".")[0] != best:
                old.unlink(missing_ok=True)

    def _train_step(self, optimizer: keras.optimizers.Optimizer) -> Callable[[Any], tf.Tensor]:
        model, recipe, classes = self._model, self._recipe, self._model.output_shape[-1]

        def replica_step(images: tf.Tensor, indices: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
            weights = tf.gather(self._weights, indices) * counted
            with tf.GradientTape() as tape:
                answers = model(images, training=True)
                losses = keras.losses.categorical_crossentropy(
                    one_hot(indices, classes), answers, label_smoothing=recipe.smoothing
                )
                loss = tf.reduce_sum(losses * weights)
                share = loss / recipe.batch_size  # the workers' gradients are added up
            variables = model.trainable_variables
            optimizer.apply_gradients(zip(tape.gradient(share, variables), variables, strict=True))
            return tf.stack([loss, _hits(answers, indices, counted, 1), tf.reduce_sum(counted)])

        return self._on_all(replica_step)

    def _test_step(self) -> Callable[[Any], tf.Tensor]:
        model, classes = self._model, self._model.output_shape[-1]

        def replica_step(images: tf.Tensor, indices: tf.Tensor, counted: tf.Tensor) -> tf.Tensor:
            answers = model(images, training=False)
            losses = keras.losses.categorical_crossentropy(one_hot(indices, classes), answers)
            top1, top5 = (_hits(answers, indices, counted, count) for count in (1, min(TOP_K, classes)))
            return tf.stack([tf.reduce_sum(losses * counted), top1, top5, tf.reduce_sum(counted)])

        return self._on_all(replica_step)

    def _on_all(self, replica_step: Callable[..., tf.Tensor]) -> Callable[[Any], tf.Tensor]:
        """A step on every replica, and the sum of what it gives."""

        @tf.function
        def step(batch: Any) -> tf.Tensor:
            return self._strategy.reduce(
                tf.distribute.ReduceOp.SUM, self._strategy.run(replica_step, args=batch), axis=None
            )

        return step

    def _bar(self, name: str, done: int, total: int) -> tqdm[Any]:
        return tqdm(initial=done, total=total, unit="step", desc=name, disable=self._quiet, mininterval=0.5)


def _hits(answers: tf.Tensor, indices: tf.Tensor, counted: tf.Tensor, count: int) -> tf.Tensor:
    """How many of the counted pictures have their class among the first `count` answers."""
    found = tf.math.in_top_k(indices, tf.cast(answers, tf.float32), count)
    return tf.reduce_sum(tf.cast(found, tf.float32) * counted)


def _sample(rows: NDArray[np.int64], recipe: Recipe) -> NDArray[np.int64]:
    """The pictures looked at after each epoch, the same ones each time."""
    if not recipe.validation_images or recipe.validation_images >= len(rows):
        return rows
    return np.sort(np.random.default_rng(recipe.seed).permutation(rows)[: recipe.validation_images])
