"""Labelled photos on disk: a folder per class, a sheet of tiles per class, or a CSV file that lists them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from resnet.errors import DataError
from resnet.network.labels import ClassLabel, ClassNames, imagenet_names, label_classes
from resnet.photo.folders import find_pictures, is_picture
from resnet.text import composed, escaped, is_printable, key_of
from resnet.training.files import LabelledFile
from resnet.training.layout import check_classes, entries_of, find_parts
from resnet.training.lists import files_of_rows, read_rows

TILE = 64


@dataclass(frozen=True)
class LabelledData:
    """A data set to train on.

    Attributes:
        labels: Its classes, sorted by name.
        training: Files to learn from.
        validation: Files to choose the best epoch by; empty where a part of `training` is to be set aside.
        test: Files to measure the result with, which had no part in it; empty where there are none.
        notes: Sentences about what is left out.
    """

    labels: tuple[ClassLabel, ...]
    training: tuple[LabelledFile, ...]
    validation: tuple[LabelledFile, ...]
    test: tuple[LabelledFile, ...] = ()
    notes: tuple[str, ...] = ()


def find_labelled(
    root: Path,
    labels: Sequence[ClassLabel],
    tile: int | None = TILE,
    *,
    outside: bool = False,
    notes: list[str] | None = None,
) -> list[LabelledFile]:
    """The pictures of a data set with their classes.

    Three layouts are known: `root/<class>/…` with photos, `root/<class>.jpg` with a sheet of square
    tiles, and a CSV file with the columns `path` (from the CSV file's folder) and `label`, and for
    sheets `tile` (side in pixels) and `position`. A class is a WordNet id or a name.

    Args:
        root: Folder of the data set, or the CSV file.
        labels: Classes of the network.
        tile: Side of a sheet's tiles in pixels; None where pictures beside the folders are a mistake.
        outside: Whether a CSV file may name pictures outside of its own folder.
        notes: Gets sentences about files that are left out.

    Raises:
        DataError: There is no such folder, no picture in it, a class that the network lacks, or a picture outside.
    """
    names = ClassNames(labels)

    def index_of(name: str) -> int:
        found = names.find(name)
        if len(found) != 1:
            which = "several" if found else "none"
            raise DataError("{} is {} of the {} classes that are known here.", name, which, len(labels))
        return found[0]

    if root.suffix.lower() == ".csv" and not root.is_dir():
        return files_of_rows(root, [(row, index_of(row["label"])) for row in read_rows(root)], outside=outside)
    files = []
    folders, sheets = _classes_in(root, tile)
    for sheet in sheets:
        files.append(LabelledFile(sheet, index_of(sheet.stem), tile))
    for folder in folders:
        index = index_of(folder.name)
        found = find_pictures(folder)
        if found.unreadable:
            raise DataError(found.unreadable[0])
        if notes is not None and (sentence := found.left_out(folder)):
            notes.append(sentence)
        files += [LabelledFile(path, index) for path in found.pictures]
    if not files:
        raise DataError("{} holds no pictures: expected {}/<class>/… or {}/<class>.jpg.", root, root, root)
    return files


def _classes_in(root: Path, tile: int | None) -> tuple[list[Path], list[Path]]:
    """The folders of a data set, or its sheets where it has no folders: a picture beside folders is none."""
    entries = entries_of(root)
    folders = [entry for entry in entries if entry.is_dir()]
    if folders or tile is None:
        return folders, []
    return [], [entry for entry in entries if is_picture(entry)]


def _class_names(root: Path, tile: int | None) -> list[str]:
    if root.suffix.lower() == ".csv" and not root.is_dir():
        return sorted({composed(row["label"]) for row in read_rows(root)})
    folders, sheets = _classes_in(root, tile)
    loose = [entry for entry in entries_of(root) if is_picture(entry)]
    if loose and not folders and not sheets:
        raise DataError(
            "{} holds {} pictures without a folder; put the pictures of each class into a folder of its own.",
            root,
            len(loose),
        )
    check_classes(root, folders)
    return sorted(
        {composed(name) for name in [*(folder.name for folder in folders), *(sheet.stem for sheet in sheets)]}
    )


def _check_names(names: Sequence[str], source: Path) -> None:
    """Every class needs a name that can be written in a line and that no other class has.

    Raises:
        DataError: One has not.
    """
    taken: dict[str, str] = {}
    for name in names:
        if not is_printable(name) or name != name.strip() or not name:
            raise DataError(
                "A class of {} is called {!r}; a name must not begin or end with whitespace, or contain line breaks or "
                "unprintable characters.",
                source,
                name,
            )
        known = imagenet_names().get(name)
        for key in {key_of(name), *([key_of(known[0])] if known else [])}:
            if key in taken:
                raise DataError("The classes {} and {} of {} have the same name.", taken[key], name, source)
            taken[key] = name


def find_training_data(root: Path, tile: int | None = None, *, outside: bool = False) -> LabelledData:
    """The classes and the pictures of a data set to train on.

    Args:
        root: A layout of `find_labelled`, or a folder of parts, see `layout.find_parts`.
        tile: Side of a sheet's tiles in pixels; None if there are no sheets.
        outside: Whether CSV files may name pictures outside of their own folder.

    Raises:
        DataError: There is no picture, only one class, a class without pictures, or a class that only
            the validation knows.
    """
    parts = find_parts(root, tile)
    names = _class_names(parts.training, tile)
    if len(names) < 2:
        found = f"one ({names[0]})" if names else "none"
        raise DataError("At least two classes are needed, a folder for each; {} has {}.", parts.training, found)
    _check_names(names, parts.training)
    labels = label_classes(names)
    notes = list(parts.notes)
    files = find_labelled(parts.training, labels, tile, outside=outside, notes=notes)
    counts = [0] * len(labels)
    for file in files:
        counts[file.class_index] += 1
    empty = [label.name for label in labels if not counts[label.index]]
    if empty:
        raise DataError("The class {} of {} has no pictures; {} classes in all.", empty[0], parts.training, len(labels))
    measured, test = (
        find_labelled(part, labels, tile, outside=outside, notes=notes) if part is not None else []
        for part in (parts.validation, parts.test)
    )
    for file in (*files, *measured, *test):
        if not is_printable(str(file.path)):
            raise DataError("The name of the file {!r} cannot be written in a list; please rename it.", str(file.path))
    return LabelledData(labels, tuple(files), tuple(measured), tuple(test), tuple(map(escaped, notes)))
