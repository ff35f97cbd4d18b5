"""Lists of labelled pictures as CSV files: read as people's programs write them, written as spreadsheets read them."""

from __future__ import annotations

import csv
import os
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from resnet.errors import DataError
from resnet.network.labels import ClassLabel
from resnet.output.tables import unguarded, write_table
from resnet.text import decode, key_of
from resnet.training.files import LabelledFile

COLUMNS = ("path", "label", "tile", "position")


def read_rows(path: Path) -> list[dict[str, str]]:
    """Return the rows of a CSV file with at least a path and a label each, by column.

    Commas, semicolons and tabs separate; columns may be written with capitals.

    Raises:
        DataError: The file cannot be read, or a column or a value is missing.
    """
    try:
        text = decode(path.read_bytes())
    except UnicodeDecodeError as error:
        raise DataError("The list {} is not UTF-8 text; please save it as “CSV UTF-8”.", path) from error
    except OSError as error:
        raise DataError("The list {} cannot be read: {}.", path, error.strerror or error) from error
    lines = text.splitlines(keepends=True)
    separator = max(",;\t", key=(lines or [""])[0].count)
    try:
        reader = csv.reader(lines, delimiter=separator)
        columns = [key_of(column.strip()) for column in next(reader, [])]
        rows = [
            {key: unguarded(value.strip()) for key, value in zip(columns, row, strict=False)} for row in reader if row
        ]
    except csv.Error as error:
        raise DataError("The list {} cannot be read: {}.", path, error) from error
    missing = [column for column in COLUMNS[:2] if column not in columns]
    if missing:
        raise DataError("{} lacks the column {}; its first line must be path,label.", path, missing[0])
    for line, row in enumerate(rows, start=2):
        if not row.get("path") or not row.get("label"):
            raise DataError("{}, row {}: path and label must both be given.", path, line)
    if not rows:
        raise DataError("{} lists no pictures.", path)
    return rows


def _existing(folder: Path, name: str) -> Path:
    """The file that a list names: with Windows' separators and composed or decomposed characters, too."""
    slashes = name.replace("\\", "/")
    for form in (name, slashes, unicodedata.normalize("NFC", slashes), unicodedata.normalize("NFD", slashes)):
        if os.path.isfile(folder / form):  # noqa: PTH113 - takes any text
            return folder / form
    return folder / name


def files_of_rows(
    path: Path, rows: Sequence[tuple[dict[str, str], int]], *, outside: bool = False
) -> list[LabelledFile]:
    """Return the files that a list names.

    Args:
        path: Of the list.
        rows: Of `read_rows`, each with the index of its class.
        outside: Whether they may lie outside of the list's folder.

    Raises:
        DataError: A file lies outside, does not exist, or a tile's number is none.
    """
    if not outside:
        for row, _ in rows:
            _check_inside(path, row["path"])
    grouped: dict[tuple[Path, int, int | None], list[int]] = defaultdict(list)
    for row, index in rows:
        numbers = [row.get(column, "") for column in COLUMNS[2:]]
        if not all(number == "" or (number.isdecimal() and len(number) < 10) for number in numbers):
            raise DataError("{}: tile and position of {} must be whole numbers.", path, row["path"])
        tile, position = (int(number) if number else None for number in numbers)
        grouped[_existing(path.parent, row["path"]), index, tile or None].append(-1 if position is None else position)
    lost = [file for file, _, _ in grouped if not os.path.isfile(file)]  # noqa: PTH113 - takes any text
    if lost:
        raise DataError("{} lists {} pictures that do not exist; the first is {}.", path, len(lost), lost[0])
    return [
        LabelledFile(file, index, tile, None if tile is None or -1 in positions else tuple(positions))
        for (file, index, tile), positions in grouped.items()
    ]


def _check_inside(path: Path, name: str) -> None:
    """Refuse a picture elsewhere: whoever wrote the list may want to see files of whoever runs it.

    By its name at first, since to look at some names asks other machines, then by where links lead.

    Raises:
        DataError: It lies outside of the list's folder.
    """
    folder = os.path.realpath(path.parent)
    file = os.path.normpath(os.path.join(folder, name.replace("\\", "/")))  # noqa: PTH118 - takes any text
    inside = folder.rstrip(os.sep) + os.sep
    if not file.startswith(inside) or not os.path.realpath(file).startswith(inside):
        raise DataError(
            "{} names {}, which lies outside of the list's folder. If you trust the list, allow it with --outside.",
            path,
            name,
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
