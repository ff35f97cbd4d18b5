"""From a folder of labelled pictures to weights that the page loads."""

from __future__ import annotations

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
from resnet.errors import DataError, OptionError
from resnet.labels import ClassLabel
from resnet.manifest import MANIFEST_NAME, Manifest, file_sha256, write_manifest
from resnet.model import build_network
from resnet.preprocess import InputSpec
from resnet.stages import blocks_of_depth
from resnet.training.dataset import LabelledData, LabelledFile, find_training_data, write_rows
from resnet.training.loop import Loop
from resnet.training.machine import faster_precision, policy
from resnet.training.pictures import Pictures, decode_all, write_text
from resnet.training.pipeline import in_training_units
from resnet.training.recipe import Recipe
from resnet.training.split import Split, split
from resnet.weights import Arrays, arrays_of, assign

STATE, LOGS = "state", "logs"
RUN_NAME, WEIGHTS_NAME, CLASSES_NAME, VALIDATION_NAME = "run.json", "model.weights.h5", "classes.txt", "validation.csv"
HEAD_LAYERS = ("dense_1024", "predictions")


@dataclass(frozen=True)
class Start:
    """What training starts from.

    Attributes:
        manifest: Of trained weights, or what describes random ones: its depth, pooling and input count.
        arrays: By layer and part; None for random weights.
    """

    manifest: Manifest
    arrays: Arrays | None


@dataclass(frozen=True)
class Trained:
    """What a run left.

    Attributes:
        manifest: Of the new weights, still without accuracy.
        history: One row an epoch.
        validation: The files that were set aside.
        skipped: Sentences about pictures that could not be read or were there twice.
        chief: Whether this process is the one of several that writes.
    """

    manifest: Manifest
    history: list[dict[str, Any]]
    validation: list[LabelledFile]
    skipped: tuple[str, ...]
    chief: bool


def prepare_folder(out: Path, worker: int = 0, *, resume: bool) -> None:
    """Make the folder of a run, or find the run to go on with.

    Args:
        out: The folder.
        worker: Number of this worker; each has checkpoints of its own.
        resume: Whether to go on with the run in it.

    Raises:
        OptionError: It cannot be written, holds another run, or holds no run to go on with.
    """
    state = out / STATE / f"worker{worker}"
    if resume:
        if not state.exists():
            raise OptionError("The run in {} is complete; there is nothing to go on with.", out)
        return
    if out.exists() and not out.is_dir():
        raise OptionError("The result needs a folder; {} is a file.", out)
    if worker == 0 and ((out / RUN_NAME).exists() or (out / MANIFEST_NAME).exists()):
        raise OptionError("{} already holds a run; go on with it by --resume, or choose another folder.", out)
    try:
        shutil.rmtree(state, ignore_errors=True)  # of a run that ended before it began to learn
        state.mkdir(parents=True)
    except OSError as error:
        raise OptionError("The folder {} cannot be made: {}.", out, error.strerror) from error


def read_run(out: Path) -> dict[str, Any]:
    """What `train` wrote about a run in its folder: choice of weights, options, input, data.

    Raises:
        OptionError: There is none, or it cannot be read.
    """
    try:
        content: dict[str, Any] = json.loads((out / RUN_NAME).read_text(encoding="utf-8"))
        return content
    except FileNotFoundError as error:
        raise OptionError("{} holds no run to go on with; start one without --resume.", out) from error
    except (OSError, ValueError) as error:
        raise OptionError("The run in {} cannot be read: {}.", out, error) from error


def build_start(start: Start, labels: tuple[ClassLabel, ...], *, keep_head: bool) -> keras.Model:
    """The network to train: the start's layers, in training's units, with a new head unless `keep_head`."""
    manifest = start.manifest
    model = build_network(
        blocks_of_depth(manifest.depth),
        input_shape=(None, None, 3),
        classes=len(labels),
        stem_pool=manifest.stem_pool,
        name=f"resnet{manifest.depth}",
    )
    if start.arrays is None:
        return model  # the random values are meant for input of about 1, as training's units are
    arrays = start.arrays
    if not keep_head:
        own = {key: value for key, value in arrays_of(model).items() if key.split("/")[0] in HEAD_LAYERS}
        arrays = {key: value for key, value in arrays.items() if key.split("/")[0] not in HEAD_LAYERS} | own
    assign(model, in_training_units(arrays, manifest.input))
    return model


def same_classes(start: Start, labels: tuple[ClassLabel, ...]) -> bool:
    """Whether the start already knows exactly these classes in this order, so that its head can stay."""
    if start.arrays is None:
        return False
    return [(one.wnid, one.name) for one in start.manifest.labels] == [(one.wnid, one.name) for one in labels]


def train(
    recipe: Recipe,
    data: Path,
    out: Path,
    start: Start,
    strategy: tf.distribute.Strategy,
    worker: int = 0,
    *,
    choice: str = "",
    tile: int | None = None,
    resume: bool = False,
    quiet: bool = False,
) -> Trained:
    """Train and write weights, classes, manifest and the list of validation pictures into a folder.

    Args:
        recipe: What to do.
        data: Data set, see `dataset.find_training_data`.
        out: The folder, from `prepare_folder`.
        start: What to start from; its manifest says how the input is prepared.
        strategy: From `make_strategy`.
        worker: From `make_strategy`.
        choice: What `start` came from, for a run that goes on.
        tile: Side of the data set's tiles in pixels, if it has sheets.
        resume: Whether to go on with the run in `out`.
        quiet: Without progress bars.

    Raises:
        DataError: The data set cannot be trained on, has changed since the run began, or the disk is full.
        OptionError: The loss is no number any more.
    """
    chief = worker == 0
    quiet = quiet or not chief
    state = out / STATE / f"worker{worker}"
    keras.utils.set_random_seed(recipe.seed)
    if recipe.deterministic:
        tf.config.experimental.enable_op_determinism()
    found = find_training_data(data, tile)
    files = found.training + found.validation
    spec = start.manifest.input
    pictures = decode_all(files, spec, state, quiet=quiet)
    parts = split(
        pictures,
        files,
        found.labels,
        given=len(found.training) if found.validation else None,
        share=recipe.validation_share,
        seed=recipe.seed,
    )
    record = _record(recipe, data, tile, start, found, pictures, parts)
    if resume and (before := read_run(out))["data"]["sha256"] != record["data"]["sha256"]:
        raise DataError("The data set {} is another one than when the run in {} began ({} then, {} now).", data, out,
                        before["data"]["sha256"][:12], record["data"]["sha256"][:12])  # fmt: skip
    if chief and not resume:
        write_text(out / RUN_NAME, json.dumps({"weights": choice, **record}, indent=2, ensure_ascii=False) + "\n")
    precision = recipe.precision if recipe.precision != "auto" else faster_precision()
    with strategy.scope(), policy(precision):
        model = build_start(start, found.labels, keep_head=same_classes(start, found.labels))
    loop = Loop(
        model,
        recipe,
        pictures,
        {"training": parts.training, "validation": parts.validation},
        spec,
        state,
        strategy=strategy,
        log=out / LOGS if chief else None,
        quiet=quiet,
    )
    history = loop.run(resume=resume)
    record["training"] = {"epochs": len(history), "seconds": round(loop.progress.seconds), "precision": precision}
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
        licence="",
        training=record,
        folder=out,
    )
    if chief:
        manifest = _write(manifest, found.labels, arrays, history, measured)
    return Trained(manifest, history, measured, (*pictures.skipped, *parts.dropped), chief)


def _record(
    recipe: Recipe, data: Path, tile: int | None, start: Start, found: LabelledData, pictures: Pictures, parts: Split
) -> dict[str, Any]:
    """What a run is, for its folder and for the manifest."""

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
        (out / CLASSES_NAME).write_text("".join(f"{one.wnid or one.name}\n" for one in labels), encoding="utf-8")
        write_rows(out / VALIDATION_NAME, measured, labels)
        write_text(out / "history.json", json.dumps(history, indent=1) + "\n")
        manifest = replace(manifest, sha256=file_sha256(out / WEIGHTS_NAME))
        write_manifest(manifest, out)
    except OSError as error:
        raise DataError("The result cannot be written to {}: {}.", out, error.strerror or error) from error
    return manifest


def finish(out: Path) -> None:
    """Remove what only a run that is to go on needs: checkpoints and decoded pictures."""
    shutil.rmtree(out / STATE, ignore_errors=True)


def start_from_scratch(depth: int, spec: InputSpec) -> Start:
    """Random weights of a depth."""
    return Start(Manifest("random weights", depth, 2, "same", spec, WEIGHTS_NAME, ""), None)
