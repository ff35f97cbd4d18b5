"""State of a run on disk, saved after every epoch, so that an interrupted run can continue."""

from __future__ import annotations

import json
import math
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from resnet.errors import DataError, OptionError
from resnet.network.manifest import write_text
from resnet.network.weights import arrays_of, assign
from resnet.training.recipe import Phase, Recipe

PROGRESS_NAME = "progress.json"


class RunState(keras.callbacks.Callback):
    """Keeps history, best weights and the state of learning, and ends a phase that gets no better.

    Keras' own callbacks for these suit a run of one `fit`. In one of several, BackupAndRestore gives its epoch to the
    next `fit` as well, and ModelCheckpoint and EarlyStopping forget the best loss and the patience of a run that goes
    on. A state counts once the progress names its file, which is written last.

    Attributes:
        history: One row an epoch, of all phases.
    """

    def __init__(self, folder: Path, recipe: Recipe, steps: int) -> None:
        """Look after a folder.

        Args:
            folder: Exists.
            recipe: Its patience and batch size are used.
            steps: In an epoch.
        """
        super().__init__()
        self.history: list[dict[str, Any]] = []
        self._folder, self._recipe, self._steps = folder, recipe, steps
        self._names: dict[str, str] = {}
        self._number, self._phase = 0, recipe.phases()[0]
        self._started = time.monotonic()

    def read(self) -> None:
        """Take up what a run left that was ended.

        Raises:
            DataError: It cannot be read.
        """
        path = self._folder / PROGRESS_NAME
        if not path.exists():
            return
        try:
            content = json.loads(path.read_text(encoding="utf-8"))
            self.history, self._names = list(content["history"]), dict(content["files"])
            self._started -= self.history[-1]["seconds"]
        except (OSError, ValueError, LookupError, TypeError) as error:
            raise self._damaged(PROGRESS_NAME) from error

    @property
    def steps(self) -> int:
        """Steps done in all phases."""
        return len(self.history) * self._steps

    def begin(self, number: int, phase: Phase, model: keras.Model) -> tuple[int, int]:
        """Begin a phase, or go on in it with weights and optimizer as they were.

        Args:
            number: Of the phase, from 0.
            phase: The phase.
            model: Compiled for it.

        Returns:
            Epochs done, and the epoch to end after.

        Raises:
            DataError: The state to go on from is damaged.
        """
        self._number, self._phase = number, phase
        done = len(self._rows())
        if done:
            stored = self._stored("latest")
            try:
                assign(model, {key: value for key, value in stored.items() if key.partition("/")[0] not in _OWN})
                model.optimizer.load_own_variables(_part(stored, "optimizer"))
                for name, variable in _seeds(model).items():
                    variable.assign(stored[f"seed/{name}"])
            except (LookupError, ValueError) as error:
                raise self._damaged(self._names["latest"]) from error
        return done, done if self._is_over() else phase.epochs

    def is_behind(self, number: int) -> bool:
        """Tell whether a phase was ended before the state was written."""
        return bool(self.history) and number < self.history[-1]["phase"]

    def restore_best(self, model: keras.Model) -> None:
        """Give a model the weights with the lowest validation loss."""
        assign(model, self._stored("best"))

    def on_train_batch_end(self, batch: int, logs: Mapping[str, float] | None = None) -> None:
        """Stop the training when the loss is NaN or infinite."""
        self._check_number((logs or {})["loss"], self.steps + batch + 1)

    def on_test_end(self, logs: Mapping[str, float] | None = None) -> None:
        """Keep the weights if they are the best so far; here the averaged ones are in place, if there are any."""
        loss = (logs or {})["loss"]
        self._check_number(loss, self.steps + self._steps)
        if all(loss < row["val_loss"] for row in self.history):
            self._names["best"] = self._store(f"best-{self.steps + self._steps}.npz", arrays_of(self.model))

    def on_epoch_end(self, epoch: int, logs: Mapping[str, float] | None = None) -> None:
        """Write the state."""
        measured = {name: float(value) for name, value in (logs or {}).items() if name != "top5"}
        self.history.append({
            "phase": self._number,
            "name": self._phase.name,
            "epoch": epoch + 1,
            "images": (self.steps + self._steps) * self._recipe.batch_size,
            "seconds": round(time.monotonic() - self._started, 1),
            "rate": float(self.model.optimizer.learning_rate),
            **measured,
        })  # fmt: skip
        optimizer: dict[str, NDArray[Any]] = {}
        self.model.optimizer.save_own_variables(optimizer)
        state = {
            **arrays_of(self.model),
            **{f"optimizer/{key}": value for key, value in optimizer.items()},
            **{f"seed/{key}": variable.numpy() for key, variable in _seeds(self.model).items()},
        }
        self._names["latest"] = self._store(f"state-{self.steps}.npz", state)
        try:
            write_text(self._folder / PROGRESS_NAME, json.dumps({"history": self.history, "files": self._names}))
        except OSError as error:
            raise self._unwritable(error) from error
        for old in {*self._folder.glob("best-*"), *self._folder.glob("state-*")}:
            if old.name not in self._names.values():
                old.unlink(missing_ok=True)
        self.model.stop_training = self._is_over()

    def _rows(self) -> list[dict[str, Any]]:
        """Return the rows of the current phase."""
        return [row for row in self.history if row["phase"] == self._number]

    def _is_over(self) -> bool:
        losses = [row["val_loss"] for row in self._rows()]
        patience = self._recipe.patience
        return bool(patience and losses) and len(losses) - 1 - int(np.argmin(losses)) >= patience

    def _check_number(self, loss: float, step: int) -> None:
        if not math.isfinite(loss):
            raise OptionError(
                "Training diverged: the loss is not a number after step {}. Try a lower learning rate.", step
            )

    def _store(self, name: str, arrays: Mapping[str, NDArray[Any]]) -> str:
        try:
            np.savez(self._folder / name, **arrays)  # type: ignore[arg-type]
        except OSError as error:
            raise self._unwritable(error) from error
        return name

    def _stored(self, which: str) -> dict[str, NDArray[Any]]:
        name = self._names.get(which, which)
        try:
            with np.load(self._folder / name, allow_pickle=False) as stored:
                return {key: stored[key] for key in stored.files}
        except Exception as error:  # a damaged archive can raise anything
            raise self._damaged(name) from error

    def _damaged(self, name: str) -> DataError:
        return DataError("The checkpoint {} is damaged; the run cannot be resumed from it.", self._folder / name)

    def _unwritable(self, error: OSError) -> DataError:
        return DataError("The checkpoint cannot be written to {}: {}.", self._folder, error.strerror or error)


_OWN = ("optimizer", "seed")


def _part(stored: Mapping[str, NDArray[Any]], part: str) -> dict[str, NDArray[Any]]:
    return {key.partition("/")[2]: value for key, value in stored.items() if key.startswith(f"{part}/")}


def _seeds(model: keras.Model) -> dict[str, Any]:
    """Return the state of dropout's random numbers, which Keras does not count among a layer's weights."""
    return {layer.name: layer.seed_generator.state for layer in model.layers if hasattr(layer, "seed_generator")}
