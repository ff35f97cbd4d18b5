"""Weights in the forms that other programs take: a SavedModel to serve, a small `.npz` to publish."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import keras
import tensorflow as tf

from resnet.errors import OptionError
from resnet.network.labels import CLASSES_NAME, write_class_file
from resnet.network.manifest import Manifest, file_sha256, write_manifest
from resnet.network.model import block_output
from resnet.network.weights import Arrays, assign, fold, network_of, quantise, write_npz
from resnet.stages import block_table, stage_table


def check_version(folder: Path) -> Path:
    """The folder of a SavedModel's first version, which must not be there yet.

    Raises:
        OptionError: It is.
    """
    version = folder / "1"
    if version.exists():
        raise OptionError("{} exists already; please choose another folder.", version)
    return version


def check_new(folder: Path) -> None:
    """Check that a folder for small weights is new or empty.

    Raises:
        OptionError: It is not.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OptionError("The weights need a new folder; {} exists and is not empty.", folder)


def write_saved_model(manifest: Manifest, arrays: Arrays, folder: Path) -> Path:
    """Write a SavedModel as TensorFlow Serving wants it, with the manifest and the classes beside it.

    Both signatures take `image`, (batch, height, width, 3) uint8 RGB: photos cropped and resized as
    the manifest's `input` says; channel order, mean and scale are applied inside.

    - `scores` (also the default): `probabilities`, (batch, classes) float32.
    - `stages`: `C1` to `C5`, (batch, height, width, channels) float32, and `probabilities`.

    Args:
        manifest: Of the weights.
        arrays: The weights by layer and part.
        folder: Gets `1/`, the first version in TensorFlow Serving's sense; the folder is its model base path.

    Returns:
        The folder of the version.

    Raises:
        OptionError: There is such a version already, or it cannot be written.
    """
    version = check_version(folder)
    model = network_of(manifest, folded=True)
    assign(model, fold(arrays))
    stages = stage_table(block_table(manifest.depth))
    network = keras.Model(model.input, [model.output, *(block_output(model, block.name) for block in stages)])
    spec = manifest.input

    class Served(tf.Module):
        """The network behind its preprocessing."""

        def __init__(self) -> None:
            super().__init__()
            self.variables_of_network = network.variables

        def run(self, image: tf.Tensor) -> list[tf.Tensor]:
            # Without the batch's dimension a convolution would end the process that serves it.
            pixels = tf.cast(tf.ensure_shape(image, (None, None, None, 3)), tf.float32)
            pixels = pixels[..., ::-1] if spec.channels == "BGR" else pixels
            probabilities, *maps = network((pixels - tf.constant(spec.mean)) * spec.scale, training=False)
            if manifest.temperature != 1:
                probabilities = tf.nn.softmax(tf.math.log(probabilities) / manifest.temperature)
            return [probabilities, *maps]

        def scores(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
            return {"probabilities": self.run(image)[0]}

        def stages(self, image: tf.Tensor) -> dict[str, tf.Tensor]:
            probabilities, *maps = self.run(image)
            names = (block.stage for block in stages)
            return {"probabilities": probabilities, **dict(zip(names, maps, strict=True))}

    served = Served()
    image = tf.TensorSpec((None, None, None, 3), tf.uint8, "image")
    scores = tf.function(served.scores, input_signature=[image])
    signatures = {
        "serving_default": scores,
        "scores": scores,
        "stages": tf.function(served.stages, input_signature=[image]),
    }
    try:
        tf.saved_model.save(served, str(version), signatures=signatures)
        extra = version / "assets.extra"
        extra.mkdir()
        write_class_file(manifest.labels, extra / CLASSES_NAME)
        write_manifest(replace(manifest, class_file=CLASSES_NAME), extra)
    except (OSError, tf.errors.OpError) as error:
        shutil.rmtree(version, ignore_errors=True)
        reason = getattr(error, "strerror", None) or str(error)
        raise OptionError("The SavedModel cannot be written to {}: {}.", version, reason) from error
    return version


def write_compact(manifest: Manifest, arrays: Arrays, folder: Path, bits: int = 8) -> Path:
    """Write weights of few bits, classes and manifest: a folder for `--weights`, small enough to publish.

    The manifest's accuracy is left out: it was that of other numbers.

    Args:
        manifest: Of the weights.
        arrays: The weights by layer and part.
        folder: New or empty.
        bits: Of each number of a convolution, see `weights.quantise`.

    Returns:
        The file of weights.

    Raises:
        OptionError: The folder is not empty, or cannot be written.
    """
    check_new(folder)
    path = folder / f"weights-{bits}bit.npz"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_npz(quantise(arrays, bits), path)
        write_class_file(manifest.labels, folder / CLASSES_NAME)
        compact = replace(
            manifest, file=path.name, sha256=file_sha256(path), class_file=CLASSES_NAME, accuracy={}, folder=folder
        )
        write_manifest(compact, folder)
    except OSError as error:
        for begun in folder.glob("*"):  # or the folder would be refused when there is room again
            begun.unlink(missing_ok=True)
        raise OptionError("The weights cannot be written to {}: {}.", folder, error.strerror) from error
    return path
