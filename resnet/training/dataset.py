"""Labelled photos on disk: a folder per class, or a sheet of tiles per class."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from resnet.errors import DataError
from resnet.images import SUFFIXES, find_photos, read_photo
from resnet.labels import ClassLabel

TILE = 64


@dataclass(frozen=True)
class LabelledFile:
    """A picture file of one class.

    Attributes:
        path: The file.
        class_index: Position of its class among the network's outputs.
        tile: Side in pixels of the square tiles that the file is a sheet of; None for one photo.
    """

    path: Path
    class_index: int
    tile: int | None = None

    def images(self) -> Iterator[Image.Image]:
        """The photo, or the sheet's tiles row by row, as RGB.

        Raises:
            ImageError: The file cannot be decoded.
            DataError: The sheet's sides are no multiples of the tile's.
        """
        if self.tile is None:
            yield read_photo(self.path).image
            return
        sheet = np.asarray(read_photo(self.path, reduce=False).image)
        height, width, _ = sheet.shape
        if height % self.tile or width % self.tile:
            raise DataError(
                "{} has {} x {} pixels, which is no multiple of the {}-pixel tile.",
                self.path.name,
                width,
                height,
                self.tile,
            )
        for top in range(0, height, self.tile):
            for left in range(0, width, self.tile):
                yield Image.fromarray(sheet[top : top + self.tile, left : left + self.tile])


def find_labelled(root: Path, labels: Sequence[ClassLabel], tile: int = TILE) -> list[LabelledFile]:
    """The pictures below `root` with their classes.

    Two layouts are known: `root/<class>/…` with photos, and `root/<class>.jpg` with a sheet of
    square tiles. `<class>` is a WordNet id or a name of one of the network's classes.

    Args:
        root: Folder of the data set.
        labels: Classes of the network.
        tile: Side of a sheet's tiles in pixels.

    Raises:
        DataError: There is no such folder, no picture in it, or a class that the network lacks.
    """
    try:
        entries = sorted(path for path in root.iterdir() if not path.name.startswith("."))
    except OSError as error:
        raise DataError("The data set must be a folder; {} is none: {}.", root, error.strerror) from error
    by_name = {key.casefold(): label.index for label in labels for key in (label.wnid, label.name) if key}
    files: list[LabelledFile] = []
    for entry in entries:
        sheet = entry.suffix.lower() in SUFFIXES
        if not (sheet or entry.is_dir()):
            continue
        key = (entry.stem if sheet else entry.name).casefold()
        if key not in by_name:
            raise DataError("{} is none of the {} classes that these weights know.", entry.name, len(labels))
        found = [(entry, tile)] if sheet else [(path, None) for path in find_photos(entry)]
        files += [LabelledFile(path, by_name[key], side) for path, side in found]
    if not files:
        raise DataError("{} holds no pictures: expected {}/<class>/… or {}/<class>.jpg.", root, root, root)
    return files
