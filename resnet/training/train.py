"""From a folder of labelled pictures to weights that the page loads."""

from __future__ import annotations

import contextlib
import json
import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from resnet import __version__
from resnet.errors import DataError, OptionError, ResNetError
from resnet.network.labels import CLASSES_NAME, ClassLabel, write_class_file
from resnet.network.manifest import Manifest, file_sha256, write_manifest, write_text
from resnet.network.model import build_network
from resnet.network.weights import Arrays, arrays_of, assign
from resnet.stages import blocks_of_depth
from resnet.training.dataset import LabelledData, find_training_data
from resnet.training.files import LabelledFile
from resnet.training.fit import fit
from resnet.training.lists import write_rows
from resnet.training.pictures import Pictures, decode_all
from resnet.training.pipeline import in_training_units
from resnet.training.precision import faster_precision, policy
from resnet.training.recipe import Recipe
from resnet.training.soft_labels import read_soft_labels
from resnet.training.split import Split, split
from resnet.training.start import WEIGHTS_NAME, Start, build_start, same_classes

STATE, LOGS = "state", "logs"
RUN_NAME, VALIDATION_NAME = "run.json", "validation.csv"


@dataclass(frozen=True)
class Trained:
    """Result of a run.

    Attributes:
        manifest: Of the new weights, still without accuracy.
        history: One row an epoch.
        validation: The files that were set aside.
        skipped: Sentences about files that could not be read.
        dropped: Sentences about pictures that were there twice.
        notes: Sentences about files of the data set that are left out.
        test: The files of the test part, which had no part in the run; empty where there is none.
    """

    manifest: Manifest
    history: list[dict[str, Any]]
    validation: list[LabelledFile]
    skipped: tuple[str, ...]
    dropped: tuple[str, ...]
    notes: tuple[str, ...] = ()
    test: tuple[LabelledFile, ...] = ()


def prepare_folder(out: Path) -> None:
    """Make the folder of a new run.

    Args:
        out: New, empty, or what a run left that ended before it began to learn.

    Raises:
        OptionError: It holds something, or cannot be written.
    """
    state = out / STATE
    try:
        if out.exists() and not out.is_dir():
            raise OptionError("The result needs a folder; {} is a file.", out)
        if (out / RUN_NAME).exists():
            raise OptionError("{} already holds a run; resume it with --resume, or choose another folder.", out)
        if out.exists() and {entry.name for entry in out.iterdir()} - {STATE}:
            raise OptionError("The result needs a new folder; {} exists and is not empty.", out)
        shutil.rmtree(state, ignore_errors=True)
        state.mkdir(parents=True)
    except OSError as error:
        raise OptionError("The folder {} cannot be created: {}.", out, error.strerror) from error


def read_run(out: Path) -> dict[str, Any]:
    """Read the description of a run from its folder: choice of weights, options, input, data.

    Raises:
        OptionError: There is none, or it cannot be read.
    """
    try:
        content: dict[str, Any] = json.loads((out / RUN_NAME).read_text(encoding="utf-8"))
        return content
    except FileNotFoundError as error:
        raise OptionError("{} holds no run to resume; start one without --resume.", out) from error
    except (OSError, ValueError) as error:
        raise OptionError("The run in {} cannot be read: {}.", out, error) from error


def train(
    recipe: Recipe,
    data: Path,
    out: Path,
    start: Start,
    *,
    choice: str = "",
    tile: int | None = None,
    soft_labels: Path | None = None,
    outside: bool = False,
    resume: bool = False,
    quiet: bool = False,
) -> Trained:
    """Train and write weights, classes, manifest and the list of validation pictures into a folder.

    Args:
        recipe: What to do.
        data: Data set, see `dataset.find_training_data`.
        out: The folder; new or empty, but for a run that goes on.
        start: What to start from; its manifest says how the input is prepared.
        choice: What `start` came from, for a run that goes on.
        tile: Side of the data set's tiles in pixels, if it has sheets.
        soft_labels: File of another classifier's answers, see `soft_labels.read_soft_labels`.
        outside: Whether CSV files may name pictures outside of their own folder.
        resume: Whether to go on with the run in `out`.
        quiet: Without progress bars.

    Raises:
        DataError: The data set cannot be trained on, has changed since the run began, or the disk is full.
        OptionError: The folder holds something else, the weights are not those that the run began with,
            or the loss is NaN.
    """
    state = out / STATE
    keras.utils.set_random_seed(recipe.seed)
    if recipe.deterministic:
        tf.config.experimental.enable_op_determinism()
    if recipe.precision == "auto":  # a stopwatch does not always say the same
        recipe = replace(recipe, precision="float32" if recipe.deterministic else faster_precision())
    found = find_training_data(data, tile, outside=outside)
    files = found.training + found.validation
    spec = start.manifest.input
    if resume and not state.exists():
        raise OptionError("The run in {} is complete, or its checkpoints are gone: it cannot be resumed.", out)
    if not resume:
        prepare_folder(out)
    try:
        pictures = decode_all(files, found.labels, spec, state, quiet=quiet)
        parts = split(
            pictures,
            files,
            found.labels,
            given=len(found.training) if found.validation else None,
            share=recipe.validation_share,
            seed=recipe.seed,
        )
        soft = read_soft_labels(soft_labels, pictures, parts.training, len(found.labels)) if soft_labels else None
    except ResNetError:
        if not resume:  # nothing was learnt yet
            finish(out)
            with contextlib.suppress(OSError):
                out.rmdir()
        raise
    record = _record(recipe, data, tile, soft_labels, start, found, pictures, parts)
    if resume:
        _check_same(record, read_run(out), out, choice, soft_labels)
    else:
        command = {"weights": choice, "soft_labels": str(soft_labels.resolve()) if soft_labels else None}
        write_text(out / RUN_NAME, json.dumps({**command, **record}, indent=2, ensure_ascii=False) + "\n")
    mirrored = recipe.strategy == "mirrored"
    strategy = tf.distribute.MirroredStrategy() if mirrored else tf.distribute.get_strategy()
    with strategy.scope(), policy(recipe.precision):
        model = build_start(start, found.labels, keep_head=same_classes(start, found.labels), dropout=recipe.dropout)
    history = fit(
        model,
        recipe,
        pictures,
        {"training": parts.training, "validation": parts.validation},
        spec,
        state,
        strategy=strategy,
        soft_labels=soft,
        log=out / LOGS,
        resume=resume,
        quiet=quiet,
    )
    record["training"] = {"epochs": len(history), "seconds": round(history[-1]["seconds"])}
    arrays = in_training_units(arrays_of(model), spec, back=True)
    measured = pictures.files_of(parts.validation, files)
    manifest = replace(
        start.manifest,
        name=out.resolve().name,
        classes=len(found.labels),
        class_file=CLASSES_NAME,
        file=WEIGHTS_NAME,
        sha256="",
        data=f"{len(parts.training):,} pictures of {len(found.labels)} classes from {data.resolve().name}",
        accuracy={},
        temperature=1.0,
        licence="",
        training=record,
        folder=out,
    )
    manifest = _write(manifest, found.labels, arrays, history, measured)
    return Trained(manifest, history, measured, pictures.skipped, parts.dropped, found.notes, found.test)


def _check_same(
    record: dict[str, Any], before: dict[str, Any], out: Path, choice: str, soft_labels: Path | None
) -> None:
    """Refuse to resume a run whose weights or soft labels have changed."""
    if before["start"] != record["start"]:
        raise OptionError("The run in {} began from other weights than those of {} now.", out, choice)
    if before["data"].get("soft_labels") != record["data"]["soft_labels"]:
        raise OptionError("The run in {} began with other soft labels than those of {} now.", out, soft_labels)


def _record(
    recipe: Recipe,
    data: Path,
    tile: int | None,
    soft_labels: Path | None,
    start: Start,
    found: LabelledData,
    pictures: Pictures,
    parts: Split,
) -> dict[str, Any]:
    """Return the description of a run for its folder and for the manifest."""

    def counts(rows: NDArray[np.int64]) -> dict[str, int]:
        count = np.bincount(pictures.classes[rows], minlength=len(found.labels))
        return {label.name: int(count[label.index]) for label in found.labels}

    manifest = start.manifest
    return {
        "start": {"name": manifest.name, "sha256": manifest.sha256} if start.arrays is not None else "random weights",
        "data": {
            "name": data.resolve().name,
            "tile": tile,
            "sha256": pictures.digest,
            "soft_labels": file_sha256(soft_labels) if soft_labels else None,
            "training": counts(parts.training),
            "validation": counts(parts.validation),
            "skipped": len(pictures.skipped) + len(parts.dropped),
        },
        "options": recipe.to_json(),
        "input": {"size": manifest.input.size, "detail": manifest.input.detail},
        "versions": {"resnet": __version__, "tensorflow": tf.__version__, "keras": keras.__version__},
    }


def _write(
    manifest: Manifest,
    labels: tuple[ClassLabel, ...],
    arrays: Arrays,
    history: list[dict[str, Any]],
    measured: list[LabelledFile],
) -> Manifest:
    out = manifest.folder
    try:
        plain = build_network(
            blocks_of_depth(manifest.depth), input_shape=(None, None, 3), classes=len(labels),
            stem_pool=manifest.stem_pool,
        )  # fmt: skip
        assign(plain, arrays)
        plain.save_weights(str(out / WEIGHTS_NAME))
        write_class_file(labels, out / CLASSES_NAME)
        write_rows(out / VALIDATION_NAME, measured, labels)
        write_text(out / "history.json", json.dumps(history, indent=1) + "\n")
        manifest = replace(manifest, sha256=file_sha256(out / WEIGHTS_NAME))
        write_manifest(manifest, out)
    except (OSError, RuntimeError) as error:  # h5py's errors are the one or the other
        raise DataError(
            "The result cannot be written to {}: {}.", out, getattr(error, "strerror", None) or error
        ) from error
    return manifest


def finish(out: Path) -> None:
    """Remove what only a run that is to go on needs: checkpoints and decoded pictures."""
    shutil.rmtree(out / STATE, ignore_errors=True)
