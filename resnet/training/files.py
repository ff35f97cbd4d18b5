"""A picture file of a data set: one photo, or a sheet of tiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from resnet.errors import DataError
from resnet.photo.images import read_photo
from resnet.text import printable


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
        """Return the name of one of its pictures."""
        name = printable(self.path.name)
        return name if self.tile is None else f"{name}, tile {position}"


def _grid(path: Path, size: tuple[int, int], tile: int) -> tuple[int, int]:
    width, height = size
    if width % tile or height % tile:
        raise DataError("{} has {} x {} pixels, which is not a multiple of the {}-pixel tile.", path.name, *size, tile)
    return height // tile, width // tile
