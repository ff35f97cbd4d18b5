"""What a run leaves on disk to go on from after it was ended at any moment."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf

from resnet.errors import DataError
from resnet.manifest import write_text


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


class Checkpoints:
    """The last two states of a run and its best weights, in a folder.

    A state is `ckpt-<steps>` (weights and optimizer, by TensorFlow) and `ckpt-<steps>.json` (the
    progress). It counts once TensorFlow has written its index, which comes last, so a run that ends
    in the middle of writing goes on from the state before.
    """

    def __init__(self, folder: Path, model: keras.Model) -> None:
        """Look after a folder.

        Args:
            folder: Exists.
            model: Whose weights are kept.
        """
        self._folder = folder
        self._model = model

    def latest(self) -> tuple[str, Progress] | None:
        """Name and progress of the last complete state, if there is one.

        Raises:
            DataError: Its progress cannot be read.
        """
        name = tf.train.latest_checkpoint(str(self._folder))
        if name is None:
            return None
        try:
            return name, Progress(**json.loads(Path(f"{name}.json").read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError) as error:
            raise self._damaged(name) from error

    def of(self, optimizer: keras.optimizers.Optimizer, saved: str | None) -> tf.train.CheckpointManager:
        """What saves weights and an optimizer together.

        Args:
            optimizer: Of the phase.
            saved: A state to take both from.

        Raises:
            DataError: That state is damaged.
        """
        checkpoint = tf.train.Checkpoint(model=self._model, optimizer=optimizer, seeds=_seeds(self._model))
        manager = tf.train.CheckpointManager(checkpoint, str(self._folder), max_to_keep=2)
        if saved:
            try:
                checkpoint.restore(saved).assert_existing_objects_matched()
            except (tf.errors.OpError, AssertionError, ValueError, IndexError) as error:
                raise self._damaged(saved) from error
        return manager

    def save(self, manager: tf.train.CheckpointManager, progress: Progress) -> None:
        """Write a state and remove what is older than the one before.

        Raises:
            DataError: It cannot be written.
        """
        try:
            write_text(self._folder / f"ckpt-{progress.total_steps}.json", json.dumps(vars(progress)))
            manager.save(checkpoint_number=progress.total_steps)
        except (tf.errors.OpError, OSError) as error:
            raise self._unwritable(error) from error
        kept = {Path(path).name for path in manager.checkpoints}
        best = progress.best.get("file")
        for old in (*self._folder.glob("ckpt-*.json"), *self._folder.glob("best-*")):
            if old.name.partition(".")[0] not in kept | {best}:
                old.unlink(missing_ok=True)

    def keep_best(self, name: str) -> None:
        """Write the weights alone.

        Raises:
            DataError: They cannot be written.
        """
        try:
            tf.train.Checkpoint(model=self._model).write(str(self._folder / name))
        except tf.errors.OpError as error:
            raise self._unwritable(error) from error

    def take_best(self, name: str) -> None:
        """Give the model the weights that `keep_best` wrote."""
        tf.train.Checkpoint(model=self._model).read(str(self._folder / name)).expect_partial()

    def _damaged(self, name: str) -> DataError:
        return DataError("The checkpoint {} is damaged; the run cannot go on from it.", name)

    def _unwritable(self, error: Exception) -> DataError:
        reason = getattr(error, "strerror", None) or getattr(error, "message", None) or str(error)
        return DataError("The checkpoint cannot be written to {}: {}.", self._folder, reason.splitlines()[0])


def _seeds(model: keras.Model) -> list[tf.Variable]:
    """Where dropout is in its random numbers: Keras does not count that among a layer's weights."""
    return [
        variable.value
        for layer in model.layers
        for variable in layer.variables
        if not any(variable is weight for weight in layer.weights)
    ]
