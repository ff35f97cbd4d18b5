"""Labelled photos on disk: a folder per class, a sheet of tiles per class, or a CSV file that lists them."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from resnet.errors import DataError
from resnet.images import SUFFIXES, find_photos, read_photo
from resnet.labels import ClassLabel, imagenet_names, label_classes
from resnet.tables import unguarded, write_table
from resnet.text import is_printable, printable

TILE = 64
TRAINING_NAMES, VALIDATION_NAMES = ("train", "training"), ("val", "validation", "valid")
COLUMNS = ("path", "label", "tile", "position")


@dataclass(frozen=True)
class LabelledFile:
    """A picture file of one class.

    Attributes:
        path: The file.
        class_index: Position of its class among the network's outputs.
        tile: Side in pixels of the square tiles that the file is a sheet of; None for one photo.
        positions: Which of the sheet's tiles, counted row by row from 0; None for all.
    """

    path: Path
    class_index: int
    tile: int | None = None
    positions: tuple[int, ...] | None = None

    def images(self) -> Iterator[tuple[int, Image.Image]]:
        """The photo, or the sheet's tiles row by row, as (position, RGB).

        Raises:
            ImageError: The file cannot be decoded.
            DataError: The sheet's sides are no multiples of the tile's, or it has too few tiles.
        """
        if self.tile is None:
            yield 0, read_photo(self.path).image
            return
        sheet = np.asarray(read_photo(self.path, reduce=False).image)
        height, width, _ = sheet.shape
        rows, columns = _grid(self.path, (width, height), self.tile)
        for position in range(rows * columns) if self.positions is None else self.positions:
            if position >= rows * columns:
                raise DataError("{} has {} tiles; there is no position {}.", self.path, rows * columns, position)
            top, left = position // columns * self.tile, position % columns * self.tile
            yield position, Image.fromarray(sheet[top : top + self.tile, left : left + self.tile])

    def name(self, position: int = 0) -> str:
        """What to call one of its pictures."""
        name = printable(self.path.name)
        return name if self.tile is None else f"{name}, tile {position}"


def _grid(path: Path, size: tuple[int, int], tile: int) -> tuple[int, int]:
    width, height = size
    if width % tile or height % tile:
        raise DataError("{} has {} x {} pixels, which is no multiple of the {}-pixel tile.", path.name, *size, tile)
    return height // tile, width // tile


@dataclass(frozen=True)
class LabelledData:
    """A data set to train on.

    Attributes:
        labels: Its classes, sorted by name.
        training: Files to learn from.
        validation: Files to measure with; empty where a part of `training` is to be set aside.
    """

    labels: tuple[ClassLabel, ...]
    training: tuple[LabelledFile, ...]
    validation: tuple[LabelledFile, ...]


def _entries(root: Path) -> list[Path]:
    try:
        return sorted(path for path in root.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError("The data set must be a folder; {} is none: {}.", root, error.strerror) from error


def find_labelled(
    root: Path, labels: Sequence[ClassLabel], tile: int | None = TILE, *, outside: bool = False
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

    Raises:
        DataError: There is no such folder, no picture in it, a class that the network lacks, or a picture outside.
    """
    by_name = {key.casefold(): label.index for label in labels for key in (label.wnid, label.name) if key}

    def index_of(name: str) -> int:
        if name.casefold() not in by_name:
            raise DataError("{} is none of the {} classes that are known here.", name, len(labels))
        return by_name[name.casefold()]

    if root.suffix.lower() == ".csv" and not root.is_dir():
        files = _from_rows(root, [(row, index_of(row["label"])) for row in _read_rows(root)])
        if not outside:
            _check_inside(root, files)
        return files
    files = []
    unreadable: list[str] = []
    folders, sheets = _classes_in(root, tile)
    for sheet in sheets:
        files.append(LabelledFile(sheet, index_of(sheet.stem), tile))
    for folder in folders:
        index = index_of(folder.name)
        photos = find_photos(folder, unreadable)
        files += [LabelledFile(path, index) for path in photos if not _is_hidden(path.relative_to(folder))]
    if unreadable:
        raise DataError(unreadable[0])
    if not files:
        raise DataError("{} holds no pictures: expected {}/<class>/… or {}/<class>.jpg.", root, root, root)
    return files


def _classes_in(root: Path, tile: int | None) -> tuple[list[Path], list[Path]]:
    """The folders of a data set, or its sheets where it has no folders: a picture beside folders is none."""
    entries = _entries(root)
    folders = [entry for entry in entries if entry.is_dir()]
    if folders or tile is None:
        return folders, []
    return [], [entry for entry in entries if entry.suffix.lower() in SUFFIXES]


def _is_hidden(path: Path) -> bool:
    return any(part.startswith(".") for part in path.parts)


def _read_rows(path: Path) -> list[dict[str, str]]:
    """Rows of a CSV file with at least a path and a label each."""
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            reader = csv.DictReader(file)
            missing = [column for column in COLUMNS[:2] if column not in (reader.fieldnames or ())]
            if missing:
                raise DataError("{} lacks the column {}; its first line must be path,label.", path, missing[0])
            rows = [{key: unguarded((value or "").strip()) for key, value in row.items() if key} for row in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise DataError("The list {} cannot be read: {}.", path, getattr(error, "strerror", None) or error) from error
    for line, row in enumerate(rows, start=2):
        if not row["path"] or not row["label"]:
            raise DataError("{}, row {}: path and label must both be given.", path, line)
    if not rows:
        raise DataError("{} lists no pictures.", path)
    return rows


def _from_rows(path: Path, rows: Sequence[tuple[dict[str, str], int]]) -> list[LabelledFile]:
    grouped: dict[tuple[Path, int, int | None], list[int]] = defaultdict(list)
    for row, index in rows:
        numbers = [row.get(column, "") for column in COLUMNS[2:]]
        if not all(number == "" or (number.isdecimal() and len(number) < 10) for number in numbers):
            raise DataError("{}: tile and position of {} must be whole numbers.", path, row["path"])
        tile, position = (int(number) if number else None for number in numbers)
        grouped[path.parent / row["path"], index, tile or None].append(-1 if position is None else position)
    lost = [file for file, _, _ in grouped if not os.path.exists(file)]  # noqa: PTH110 - takes any text
    if lost:
        raise DataError("{} lists {} pictures that do not exist; the first is {}.", path, len(lost), lost[0])
    return [
        LabelledFile(file, index, tile, None if tile is None or -1 in positions else tuple(positions))
        for (file, index, tile), positions in grouped.items()
    ]


def _check_inside(path: Path, files: Sequence[LabelledFile]) -> None:
    """Refuse a list of pictures elsewhere: whoever wrote it may want to see files of whoever runs it.

    Raises:
        DataError: It names one.
    """
    folder = path.parent.resolve()
    for file in files:
        if not file.path.resolve().is_relative_to(folder):
            raise DataError(
                "{} names {}, which lies outside of the list's folder. If you trust the list, allow it with --outside.",
                path,
                file.path,
            )


def write_rows(path: Path, files: Sequence[LabelledFile], labels: Sequence[ClassLabel]) -> None:
    """Write a list of pictures that `find_labelled` reads."""
    rows = (
        {
            "path": str(one.path.resolve()),
            "label": labels[one.class_index].wnid or labels[one.class_index].name,
            "tile": one.tile or "",
            "position": position,
        }
        for one in files
        for position in one.positions or ("",)
    )
    write_table(path, COLUMNS, rows)


def _class_names(root: Path, tile: int | None) -> list[str]:
    if root.suffix.lower() == ".csv" and not root.is_dir():
        return sorted({row["label"] for row in _read_rows(root)})
    folders, sheets = _classes_in(root, tile)
    loose = [entry for entry in _entries(root) if entry.suffix.lower() in SUFFIXES]
    if loose and not folders and not sheets:
        raise DataError(
            "{} holds {} pictures without a folder; put the pictures of each class into a folder of its own.",
            root,
            len(loose),
        )
    return sorted([folder.name for folder in folders] + [sheet.stem for sheet in sheets])


def _check_names(names: Sequence[str], source: Path) -> None:
    """Every class needs a name that can be written in a line and that no other class has.

    Raises:
        DataError: One has not.
    """
    taken: dict[str, str] = {}
    for name in names:
        if not is_printable(name) or name != name.strip() or not name:
            raise DataError(
                "A class of {} is called {!r}; a name must not begin or end with a blank, nor hold line breaks or "
                "letters that cannot be printed.",
                source,
                name,
            )
        known = imagenet_names().get(name)
        for key in {name.casefold(), *([known[0].casefold()] if known else [])}:
            if key in taken:
                raise DataError("The classes {} and {} of {} have the same name.", taken[key], name, source)
            taken[key] = name


def _parts(root: Path) -> tuple[Path | None, Path | None]:
    """The folders or lists of training and validation, if there are both; they may be classes otherwise."""
    if not root.is_dir():
        return None, None
    found = []
    for names in (TRAINING_NAMES, VALIDATION_NAMES):
        places = [root / (name + suffix) for name in names for suffix in ("", ".csv")]
        found.append(next((place for place in places if place.exists()), None))
    training, validation = found
    if training is None or validation is None:
        return None, None
    others = [entry.name for entry in _entries(root) if entry.is_dir() and entry not in found and entry.name != "test"]
    if others:
        raise DataError(
            "{} holds {} and {}, and {} beside them: are these classes, or the parts of a data set?",
            root,
            training.name,
            validation.name,
            ", ".join(others[:3]),
        )
    return training, validation


def find_training_data(root: Path, tile: int | None = None, *, outside: bool = False) -> LabelledData:
    """The classes and the pictures of a data set to train on.

    Args:
        root: A layout of `find_labelled`, or a folder of two: `train` and `val`, as folders or CSV files.
        tile: Side of a sheet's tiles in pixels; None if there are no sheets.
        outside: Whether CSV files may name pictures outside of their own folder.

    Raises:
        DataError: There is no picture, only one class, a class without pictures, or a class that only
            the validation knows.
    """
    training, validation = _parts(root)
    source = training or root
    names = _class_names(source, tile)
    if len(names) < 2:
        found = f"one ({names[0]})" if names else "none"
        raise DataError("At least two classes are needed, a folder for each; {} has {}.", source, found)
    _check_names(names, source)
    labels = label_classes(names)
    files = find_labelled(source, labels, tile, outside=outside)
    counts = [0] * len(labels)
    for file in files:
        counts[file.class_index] += 1
    empty = [label.name for label in labels if not counts[label.index]]
    if empty:
        raise DataError("The class {} of {} has no pictures; {} classes in all.", empty[0], source, len(labels))
    measured = find_labelled(validation, labels, tile, outside=outside) if validation is not None else []
    for file in (*files, *measured):
        if not is_printable(str(file.path)):
            raise DataError("The name of the file {!r} cannot be written in a list; please rename it.", str(file.path))
    return LabelledData(labels, tuple(files), tuple(measured))
