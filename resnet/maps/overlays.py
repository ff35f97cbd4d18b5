"""From a heatmap to a picture: colours from a table, laid over the photo where the cells look."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache, lru_cache

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet.maps.heatmaps import Heatmap, ViewOptions, cut_level
from resnet.photo.preprocess import Geometry
from resnet.stages import Block

DIMMED = 0.3
"""Brightness of what lies outside the network's view."""


@cache
def colour_table(colormap: str) -> NDArray[np.uint8]:
    """(256, 3) uint8 RGB of a matplotlib colormap, from the lowest value to the highest."""
    return (matplotlib.colormaps[colormap](np.linspace(0, 1, 256))[:, :3] * 255).round().astype(np.uint8)


def unit_values(heatmap: Heatmap) -> NDArray[np.float32]:
    """The map's values on its colour scale, 0 to 1; principal components each by their own range.

    A scale without a range gives 0.5 everywhere.
    """
    values = heatmap.values
    if values.ndim == 3:
        low, high = values.min(axis=(0, 1)), values.max(axis=(0, 1))
    else:
        low, high = np.float32(heatmap.low), np.float32(heatmap.high)
    span = high - low
    with np.errstate(invalid="ignore", divide="ignore"):
        unit = np.where(span > 0, (values - low) / span, 0.5)
    return np.clip(unit, 0, 1).astype(np.float32)


def _cell_positions(
    size: int, scale: float, offset: float, factor: float, first: float, stride: int
) -> NDArray[np.float64]:
    """Return the positions of a picture row's pixels, in cells: 0 is the centre of the first cell."""
    photo = (np.arange(size) + 0.5) * factor
    return (photo * scale + offset - first) / stride


def interpolation(positions: NDArray[np.float64], cells: int, smooth: bool) -> NDArray[np.float32]:
    """(positions, cells) weights: linear between the two nearest cells, or all on the nearest.

    Beyond the outer cells' centres the outer cells' values go on.
    """
    clipped = np.clip(positions, 0, cells - 1)
    before = np.floor(clipped if smooth else clipped + 0.5).astype(int).clip(0, cells - 1)
    weights = np.zeros((len(positions), cells), np.float32)
    rows = np.arange(len(positions))
    weights[rows, before] = 1
    if smooth:
        share = (clipped - before).astype(np.float32)
        after = np.minimum(before + 1, cells - 1)
        weights[rows, before] -= share
        weights[rows, after] += share
    return weights


@lru_cache(maxsize=64)  # the same photo is drawn again with each change of view
def _weights(
    block: Block, geometry: Geometry, size: tuple[int, int], smooth: bool
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Weights of a picture's rows and columns over a map's rows and columns."""
    columns, rows = (
        interpolation(
            _cell_positions(
                size[axis],
                geometry.scale[axis],
                geometry.offset[axis],
                geometry.photo_size[axis] / size[axis],
                block.centre[1 - axis],
                block.stride,
            ),
            block.shape[1 - axis],
            smooth,
        )
        for axis in (0, 1)
    )
    return rows, columns


def project(
    values: NDArray[np.float32], block: Block, geometry: Geometry, size: tuple[int, int], *, smooth: bool
) -> NDArray[np.float32]:
    """Spread a map over a picture of the whole photo, each cell at the centre of what it sees.

    Args:
        values: (height, width) or (height, width, 3), a map of the stage.
        block: The stage: its stride and the centre of its first cell.
        geometry: Where the network's input lies on the photo.
        size: (width, height) of the picture in pixels.
        smooth: Interpolate linearly, or show each cell as a block.

    Returns:
        (size[1], size[0]) or (size[1], size[0], 3) float32.
    """
    rows, columns = _weights(block, geometry, size, smooth)
    if values.ndim == 2:
        return np.asarray(rows @ values @ columns.T)
    parts = np.asarray(rows @ np.moveaxis(values, -1, 0) @ columns.T, np.float32)
    return np.moveaxis(parts, 0, -1)


def fitted_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """(width, height) of a picture of that aspect whose longer side is at most `side` pixels."""
    factor = min(1.0, side / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


@dataclass(frozen=True)
class Canvas:
    """A photo made ready for overlays of one size: what every view of it has in common.

    Attributes:
        geometry: Where the network's input lies on the photo.
        dimmed: RGB picture of the whole photo, darkened.
        seen: RGB picture of the part that the network saw.
        box: Where that part lies on the picture, in whole pixels.
    """

    geometry: Geometry
    dimmed: Image.Image
    seen: Image.Image
    box: tuple[int, int, int, int]


def make_canvas(photo: Image.Image, geometry: Geometry, side: int) -> Canvas:
    """Reduce a photo to at most `side` pixels on its longer side and find what the network saw.

    Args:
        photo: Upright RGB photo, any size of the photo's aspect.
        geometry: Where the network's input lies on the photo.
        side: In pixels; a smaller photo is not enlarged.
    """
    size = fitted_size(photo.size, side)
    picture = photo.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    factors = [size[axis] / geometry.photo_size[axis] for axis in (0, 1, 0, 1)]
    left, top, right, bottom = (round(edge * factor) for edge, factor in zip(geometry.seen, factors, strict=True))
    box = (left, top, max(right, left + 1), max(bottom, top + 1))
    return Canvas(geometry, picture.point(lambda value: int(value * DIMMED)), picture.crop(box), box)


def overlay(canvas: Canvas, heatmap: Heatmap, options: ViewOptions) -> Image.Image:
    """The map over the photo; what the network did not see is dimmed.

    A flat map has nothing to show, so the photo is left as it is. So is what a map is cut off below.

    Args:
        canvas: The photo at the wanted size.
        heatmap: The stage's map and scale.
        options: Colormap, opacity, smoothness and cut.

    Returns:
        An RGB picture of the whole photo.
    """
    left, top, right, bottom = canvas.box
    seen = canvas.seen
    if not heatmap.note:
        size = canvas.dimmed.size
        spread = project(unit_values(heatmap), heatmap.block, canvas.geometry, size, smooth=options.smooth)
        indices = np.rint(spread[top:bottom, left:right] * 255).astype(np.uint8)
        colours = Image.fromarray(indices)
        if indices.ndim == 2:
            colours.putpalette(colour_table(options.colormap).tobytes())  # far faster than a look-up in numpy
            colours = colours.convert("RGB")
        coloured = Image.blend(seen, colours, options.opacity)
        level = cut_level(heatmap, options.cut)
        if level is not None:
            values = project(heatmap.values, heatmap.block, canvas.geometry, size, smooth=options.smooth)
            sizes = np.abs(values) if heatmap.is_centred else values
            strong = Image.fromarray((sizes >= level)[top:bottom, left:right])
            coloured = Image.composite(coloured, seen, strong)
        seen = coloured
    if canvas.box == (0, 0, *canvas.dimmed.size):
        return seen.copy() if heatmap.note else seen
    picture = canvas.dimmed.copy()
    picture.paste(seen, (left, top))
    return picture
