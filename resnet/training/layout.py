"""The parts of a data set: which of its folders or lists are for learning, which for measuring."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resnet.errors import DataError
from resnet.photo.folders import is_hidden

_TRAINING = {"train", "training", "trn"}
_VALIDATION = {"val", "valid", "validation", "validate", "dev", "development", "eval", "evaluation"}
_TEST = {"test", "testing", "tst", "holdout"}
# Words that say nothing: training_set, seg_train, test_images, train2017.
_FILLING = {
    "set",
    "data",
    "dataset",
    "seg",
    "images",
    "image",
    "imgs",
    "photos",
    "pictures",
    "split",
    "folder",
    "raw",
    "",
}
_SHARED = 2
"""Names of sub-folders that folders may not share if they are to be classes."""


@dataclass(frozen=True)
class Parts:
    """The parts of a data set, as folders or CSV files.

    Attributes:
        training: To learn from; the data set itself if it has no parts.
        validation: To measure with while learning, or None.
        test: To measure with at the end, or None.
        notes: Sentences about what is left out.
    """

    training: Path
    validation: Path | None = None
    test: Path | None = None
    notes: tuple[str, ...] = ()

    @property
    def measured(self) -> Path | None:
        """The part to measure a finished network with: the test, else the validation."""
        return self.test or self.validation


def part_named(name: str) -> str:
    """Return "training", "validation" or "test" for the usual names of a part in any case, else an empty text."""
    words = set(re.split(r"[^a-z]", name.casefold())) - _FILLING
    for part, known in (("training", _TRAINING), ("validation", _VALIDATION), ("test", _TEST)):
        if len(words) == 1 and words <= known:
            return part
    return ""


def find_parts(root: Path, tile: int | None = None) -> Parts:
    """Find the parts of a data set by the names of its folders or CSV files.

    Args:
        root: Folder of the data set, or a CSV file, which is one part.
        tile: Side of a sheet's tiles in pixels; None if there are no sheets.

    Raises:
        DataError: The folder cannot be read, has two parts for the same, or folders beside its parts.
    """
    if not root.is_dir():
        return Parts(root)
    entries = entries_of(root)
    found: dict[str, list[Path]] = {}
    others: list[Path] = []
    for entry in entries:
        is_list = entry.suffix.lower() == ".csv" and not entry.is_dir()
        part = part_named(entry.stem if is_list else entry.name)
        if part and (is_list or entry.is_dir()):
            found.setdefault(part, []).append(entry)
        elif entry.is_dir():
            others.append(entry)
    if "training" not in found or (len(found) == 1 and others):
        return Parts(root)  # or the one that is called so is a class like the others
    for part, places in found.items():
        if len(places) > 1:
            raise DataError("{} has two parts for the {}: {} and {}.", root, part, places[0].name, places[1].name)
    if others:
        names = ", ".join(place.name for places in found.values() for place in places)
        raise DataError(
            "{} holds {}, and {} beside them: are these classes, or the parts of a data set?",
            root,
            names,
            ", ".join(entry.name for entry in others[:3]),
        )
    parts = {part: _inner(places[0]) for part, places in found.items()}
    notes = []
    if "test" in parts and tile is None and _is_unlabelled(parts["test"]):
        notes.append(f"The pictures in {parts['test']} have no folders of classes; they are left out.")
        del parts["test"]
    return Parts(parts["training"], parts.get("validation"), parts.get("test"), tuple(notes))


def check_classes(root: Path, folders: Sequence[Path]) -> None:
    """Refuse folders as classes that hold folders of the same names, as the parts of a data set do.

    Raises:
        DataError: Two of them do.
    """
    seen: dict[str, Path] = {}
    for folder in folders:
        inner = {entry.name.casefold() for entry in entries_of(folder) if entry.is_dir()}
        for other in {seen[name] for name in inner & seen.keys()}:
            shared = sorted(name for name in inner if seen.get(name) == other)
            if len(shared) >= _SHARED:
                raise DataError(
                    "{} and {} in {} hold folders of the same names ({}): parts of a data set are called train, val "
                    "and test; the folders of classes hold pictures.",
                    other.name,
                    folder.name,
                    root,
                    ", ".join(shared[:3]),
                )
        seen.update(dict.fromkeys(inner - seen.keys(), folder))


def entries_of(folder: Path) -> list[Path]:
    """Return what a folder holds, sorted, without what is hidden or the system's.

    Raises:
        DataError: It cannot be read.
    """
    try:
        return sorted(path for path in folder.iterdir() if not is_hidden(path.name))
    except OSError as error:
        raise DataError("The data set must be a folder; {} is none: {}.", folder, error.strerror) from error


def _inner(part: Path) -> Path:
    """A part's own folder, or the one in it that is called like a part as well: seg_train/seg_train/<class>."""
    if part.is_dir():
        entries = entries_of(part)
        if len(entries) == 1 and entries[0].is_dir() and part_named(entries[0].name) == part_named(part.name):
            return entries[0]
    return part


def _is_unlabelled(part: Path) -> bool:
    return part.is_dir() and not any(entry.is_dir() for entry in entries_of(part))
