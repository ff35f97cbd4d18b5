"""The manifest that comes with each set of weights: what they are and how to use them."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from math import isfinite
from pathlib import Path
from typing import Any

from resnet.errors import OptionError, WeightsError
from resnet.network.calibration import HIGHEST, LOWEST
from resnet.network.labels import ClassLabel, ClassNames, imagenet_names, label_classes, read_class_file
from resnet.options import repr_of
from resnet.photo.preprocess import InputSpec
from resnet.stages import DEPTHS, STEM_POOLS
from resnet.text import decode, is_printable

MANIFEST_NAME = "manifest.json"
MOST_CLASSES = 22_000
"""Of a network; ImageNet as a whole has 21,843."""

WEIGHT_SUFFIXES = (".npz", ".weights.h5", ".keras")


@dataclass(frozen=True)
class Manifest:
    """Description of a set of weights.

    Attributes:
        name: Short name, shown on the page and in every export.
        depth: 50, 101 or 152.
        classes: Number of classes.
        stem_pool: "same" or "centered".
        input: How the photo must be prepared.
        file: Name of the file of weights, in the manifest's folder.
        sha256: Of that file, in hexadecimal.
        class_file: Name of the file of classes, in the manifest's folder; empty for the 1,000
            classes of ImageNet.
        data: What the weights were trained on.
        accuracy: Name of a data set → {"images": count, "top1": share, "top5": share}, the last only of more than five
            classes.
        licence: Under which the weights may be used.
        temperature: What the logits are divided by before they become probabilities, see `resnet.network.calibration`.
        training: How they were made by `python -m resnet train`: start, data, options, versions.
        folder: Where the manifest was read from; not part of the file.
    """

    name: str
    depth: int
    classes: int
    stem_pool: str
    input: InputSpec
    file: str
    sha256: str
    class_file: str = ""
    data: str = ""
    accuracy: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    licence: str = ""
    temperature: float = 1.0
    training: Mapping[str, Any] = field(default_factory=dict)
    folder: Path = field(default=Path(), compare=False)

    @cached_property
    def identity(self) -> str:
        """A hash of all that an answer depends on: the weights' file, what the network gets, what its outputs mean.

        Raises:
            WeightsError: The classes cannot be read.
        """
        about = (self.sha256, self.name, self.depth, self.classes, self.stem_pool, self.input, self.temperature)
        parts = (*about, self.labels)
        return hashlib.sha256(repr(parts).encode()).hexdigest()

    @cached_property
    def labels(self) -> tuple[ClassLabel, ...]:
        """The classes in the order of the network's outputs."""
        path = self.folder / self.class_file
        labels = read_class_file(path) if self.class_file else label_classes(imagenet_names())
        if len(labels) != self.classes:
            raise WeightsError(
                "{} names {} classes, but the manifest of {} says {}.",
                self.class_file or "ImageNet",
                len(labels),
                self.name,
                self.classes,
            )
        return labels

    def class_named(self, name: str) -> int:
        """Index of the class with a name, a WordNet id or a synonym; capitals, hyphens and underscores do not matter.

        Raises:
            OptionError: There is none, or several.
        """
        found = self._names.find(name)
        if not found:
            raise OptionError("The weights {} have no class {}.", self.name, repr_of(name))
        if len(found) > 1:
            names = ", ".join(self.labels[index].name for index in found)
            raise OptionError("Several classes of {} are called {}: {}.", self.name, repr_of(name), names)
        return found[0]

    @cached_property
    def _names(self) -> ClassNames:
        return ClassNames(self.labels)

    @property
    def weights_path(self) -> Path:
        """The file of weights."""
        return self.folder / self.file

    def to_json(self) -> dict[str, Any]:
        """The manifest's file as a dictionary."""
        content = asdict(self)
        del content["folder"]
        if not content["training"]:
            del content["training"]
        if content["temperature"] == 1:
            del content["temperature"]
        return content


def _plain_name(value: object, key: str) -> str:
    """A file name without a folder, so that a manifest cannot point outside its own."""
    if not isinstance(value, str) or not is_printable(value) or Path(value).name != (value or None) or "\\" in value:
        raise WeightsError("The manifest's {!r} must be a file name without a folder; it is {!r}.", key, value)
    return value


def _check(condition: bool, rule: str, value: object) -> None:
    if not condition:
        raise WeightsError("The manifest's {}; it is {!r}.", rule, value)


def _parse(content: Mapping[str, Any], folder: Path) -> Manifest:
    spec = InputSpec(**{**content["input"], "mean": tuple(map(float, content["input"]["mean"]))})
    manifest = Manifest(**{**content, "input": spec, "folder": folder})
    _plain_name(manifest.file, "file")
    if manifest.class_file:
        _plain_name(manifest.class_file, "class_file")
    depths = ", ".join(map(str, DEPTHS))
    _check(manifest.depth in DEPTHS, f"depth must be one of {depths}", manifest.depth)
    _check(manifest.stem_pool in STEM_POOLS, "stem_pool must be same or centered", manifest.stem_pool)
    counted = isinstance(manifest.classes, int) and 2 <= manifest.classes <= MOST_CLASSES
    _check(counted, f"classes must be 2 to {MOST_CLASSES:,}", manifest.classes)
    _check(isinstance(spec.size, int) and 32 <= spec.size <= 1024, "input size must be 32 to 1024", spec.size)
    _check(0 < spec.crop_fraction <= 1, "crop_fraction must be above 0 and at most 1", spec.crop_fraction)
    _check(spec.detail is None or 1 <= spec.detail <= spec.size, "detail must be 1 to the size", spec.detail)
    _check(spec.channels in ("RGB", "BGR"), "channels must be RGB or BGR", spec.channels)
    _check(len(spec.mean) == 3 and all(map(isfinite, spec.mean)), "mean must have three numbers", spec.mean)
    _check(isinstance(spec.scale, int | float) and abs(spec.scale) < 1e9, "scale must be a number", spec.scale)
    warm = isinstance(manifest.temperature, int | float) and LOWEST <= manifest.temperature <= HIGHEST
    _check(warm, f"temperature must be {LOWEST:g} to {HIGHEST:g}", manifest.temperature)
    _check(isinstance(manifest.sha256, str), "sha256 must be a text", manifest.sha256)
    _check(isinstance(manifest.name, str) and bool(manifest.name), "name must be a text", manifest.name)
    for key in ("name", "data", "licence"):
        value = getattr(manifest, key)
        _check(isinstance(value, str) and is_printable(value), f"{key} must be a text in one line", value)
    for name, values in manifest.accuracy.items():
        numbers = [values["images"], values["top1"], values.get("top5", 0)]
        _check(all(isinstance(one, int | float) for one in numbers), f"accuracy on {name} must be numbers", numbers)
    suffixes = ", ".join(WEIGHT_SUFFIXES)
    _check(manifest.file.endswith(WEIGHT_SUFFIXES), f"file must end in one of {suffixes}", manifest.file)
    return manifest


def read_manifest(path: Path) -> Manifest:
    """Read and check a manifest.

    Args:
        path: The manifest, the folder it lies in, or the file of weights beside it.

    Raises:
        WeightsError: It is missing, not valid JSON, or a value breaks a rule.
    """
    try:
        path.stat()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise WeightsError("There are no weights at {}: {}.", path, reason.lower()) from error
    named = ""
    if path.is_dir():
        path = path / MANIFEST_NAME
    elif path.suffix != ".json":
        _check(path.name.endswith(WEIGHT_SUFFIXES), "weights must be a .npz, .weights.h5 or .keras file", path.name)
        named, path = path.name, path.parent / MANIFEST_NAME
    try:
        manifest = _parse(json.loads(decode(path.read_bytes())), path.parent)
    except FileNotFoundError as error:
        raise WeightsError("Weights need a {} beside them; {} does not exist.", MANIFEST_NAME, path) from error
    except (OSError, ValueError, TypeError, KeyError, AttributeError, RecursionError, OverflowError) as error:
        raise WeightsError("The manifest {} cannot be read: {}.", path, error) from error
    if named and named != manifest.file:
        raise WeightsError("The manifest {} describes {}, not {}.", path, manifest.file, named)
    return manifest


def write_manifest(manifest: Manifest, folder: Path) -> Path:
    """Write `manifest.json` into `folder` and return its path."""
    path = folder / MANIFEST_NAME
    write_text(path, json.dumps(manifest.to_json(), indent=2, ensure_ascii=False) + "\n")
    return path


def write_text(path: Path, text: str) -> None:
    """Write a file whole or not at all."""
    temporary = path.with_name(path.name + ".new")
    with temporary.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)


def file_sha256(path: Path) -> str:
    """The sha256 of a file in hexadecimal, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(manifest: Manifest) -> None:
    """Compare the file of weights with the manifest.

    Raises:
        WeightsError: The file is missing, unreadable or not the one that the manifest describes.
    """
    path = manifest.weights_path
    try:
        received = file_sha256(path)
    except OSError as error:
        raise WeightsError("The weights {} cannot be read: {}.", path, error.strerror) from error
    if received != manifest.sha256:
        raise WeightsError(
            "The weights {} are damaged or belong to another manifest: their sha256 is {}…, the manifest says {}….",
            path,
            received[:12],
            manifest.sha256[:12],
        )
