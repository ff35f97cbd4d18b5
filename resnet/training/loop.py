"""The training loop: phases of epochs of steps, validation, early stopping, checkpoints.

The loop is written out because `keras.Model.fit` of Keras 3 cannot train among several workers
(https://github.com/keras-team/keras/issues/20585) nor go on in the middle of an epoch. Model,
layers, optimizers and schedules are Keras', distribution and checkpoints TensorFlow's.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray
from tqdm import tqdm

from resnet.errors import OptionError
from resnet.preprocess import InputSpec
from resnet.progress import progress
from resnet.training.checkpoints import Checkpoints, Progress
from resnet.training.events import EventLog
from resnet.training.pictures import Pictures
from resnet.training.pipeline import Targets, training_batches, validation_batches
from resnet.training.recipe import Phase, Recipe
from resnet.training.steps import Batch, averaged, make_optimizer, measuring_step, set_learning, training_step


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
        soft_labels: NDArray[np.float16] | None = None,
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
            soft_labels: (pictures, classes) probabilities to learn from besides the classes.
            log: Folder for TensorBoard; None for none.
            quiet: Without progress bars.
        """
        self._model = model
        self._recipe = recipe
        self._pictures = pictures
        self._rows = rows["training"]
        self._validation = _sample(rows["validation"], recipe)
        self._spec = spec
        self._checkpoints = Checkpoints(folder, model)
        self._targets = Targets(model.output_shape[-1], soft_labels, recipe.soft_share)
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
        latest = self._checkpoints.latest() if resume else None
        saved = None
        if latest:
            saved, self.progress = latest
        for number in range(self.progress.phase, len(phases)):
            self._run_phase(number, phases[number], saved)
            saved = None
            self.progress.phase, self.progress.step, self.progress.sums = number + 1, 0, [0.0, 0.0, 0.0]
        if self.progress.best:
            self._checkpoints.take_best(self.progress.best["file"])
        return self.progress.history

    def _run_phase(self, number: int, phase: Phase, saved: str | None) -> None:
        recipe, progress = self._recipe, self.progress
        steps = phase.epochs * self.steps_per_epoch
        with self._strategy.scope():
            set_learning(self._model, phase)
            optimizer = make_optimizer(recipe, phase, steps)
            optimizer.build(self._model.trainable_variables)
        manager = self._checkpoints.of(optimizer, saved)
        learn = training_step(self._model, optimizer, recipe, self._weights, self._strategy)
        measure = measuring_step(self._model, self._strategy)
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
                    targets=self._targets,
                )
            )
        )
        started = time.monotonic() - progress.seconds
        saved_at = time.monotonic()
        while progress.step < steps:
            epoch = progress.step // self.steps_per_epoch
            done = progress.step % self.steps_per_epoch
            with self._bar(f"{phase.name}, epoch {epoch + 1}/{phase.epochs}", done, self.steps_per_epoch) as bar:
                for _ in range(done, self.steps_per_epoch):
                    self._count(learn(next(batches)))
                    bar.set_postfix(loss=f"{progress.sums[0] / progress.sums[2]:.3f}", refresh=False)
                    bar.update()
                    if self._due(saved_at) and progress.step % self.steps_per_epoch:
                        progress.seconds = time.monotonic() - started
                        self._checkpoints.save(manager, progress)
                        saved_at = time.monotonic()
            with averaged(optimizer):
                row = self._end_of_epoch(number, phase, epoch, optimizer, measure, started)
                stop = self._judge(number, row)
            if stop:
                progress.step = steps
            self._checkpoints.save(manager, progress)
            saved_at = time.monotonic()
            if stop:
                break

    def _due(self, saved_at: float) -> bool:
        """Whether a checkpoint is due; several workers' clocks differ, and they can only save together."""
        if self._recipe.strategy == "multiworker":
            return False
        return time.monotonic() - saved_at > self._recipe.checkpoint_minutes * 60

    def _count(self, sums: tf.Tensor) -> None:
        progress = self.progress
        progress.sums = [old + float(new) for old, new in zip(progress.sums, sums.numpy(), strict=True)]
        progress.step += 1
        progress.total_steps += 1
        self._check_number(progress.sums[0])

    def _check_number(self, loss: float) -> None:
        if not math.isfinite(loss):
            raise OptionError(
                "The loss is no number any more after step {}; please try a lower rate.", self.progress.total_steps
            )

    def _end_of_epoch(
        self,
        number: int,
        phase: Phase,
        epoch: int,
        optimizer: keras.optimizers.Optimizer,
        measure: Callable[[Batch], tf.Tensor],
        started: float,
    ) -> dict[str, Any]:
        progress = self.progress
        loss, correct, images = progress.sums
        measured = self._validate(measure)
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
            self._log.write(
                progress.total_steps, {name: value for name, value in row.items() if isinstance(value, float)}
            )
        return row

    def _validate(self, measure: Callable[[Batch], tf.Tensor]) -> dict[str, float]:
        batches = validation_batches(self._pictures, self._validation, self._spec, self._recipe.batch_size)
        sums = np.zeros(4)
        with self._bar("validation", 0, -(-len(self._validation) // self._recipe.batch_size)) as bar:
            for batch in self._strategy.experimental_distribute_dataset(batches):
                sums += measure(batch).numpy()
                bar.update()
        return {"val_loss": sums[0] / sums[3], "val_top1": sums[1] / sums[3], "val_top5": sums[2] / sums[3]}

    def _judge(self, number: int, row: Mapping[str, Any]) -> bool:
        """Keep the weights if they are the best so far; whether the phase has been without progress too long."""
        progress = self.progress
        self._check_number(row["val_loss"])
        if not progress.best or row["val_loss"] < progress.best["loss"]:
            name = f"best-{progress.total_steps}"
            self._checkpoints.keep_best(name)
            progress.best = {"file": name, "loss": row["val_loss"], "row": len(progress.history) - 1}
        own = [old["val_loss"] for old in progress.history if old["phase"] == number]
        since = len(own) - 1 - int(np.argmin(own))
        return bool(self._recipe.patience) and since >= self._recipe.patience

    def _bar(self, name: str, done: int, total: int) -> tqdm[Any]:
        return progress(initial=done, total=total, unit="step", desc=name, quiet=self._quiet, mininterval=0.5)


def _sample(rows: NDArray[np.int64], recipe: Recipe) -> NDArray[np.int64]:
    """The pictures looked at after each epoch, the same ones each time."""
    if not recipe.validation_images or recipe.validation_images >= len(rows):
        return rows
    return np.sort(np.random.default_rng(recipe.seed).permutation(rows)[: recipe.validation_images])
