"""The strong part of a map: all above a share of its colour scale, its outline and its box.

So Zhou et al. 2016 (https://arxiv.org/abs/1512.04150) find an object in a class activation map: the box of the largest
connected part above 20 % of the maximum, on a scale from 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import contourpy
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from resnet.maps.heatmaps import Heatmap, cut_level
from resnet.maps.overlays import interpolation
from resnet.photo.preprocess import Box, Geometry

EDGE = 1e-6
"""Width of the step between two cells that are shown as blocks, as a share of a cell."""

LINE = 400
"""A line is as wide as the longer side of the picture divided by this, in pixels."""

BOX_COLOUR = "#ffd60a"


@dataclass(frozen=True)
class Cut:
    """The strong part of a map, as it is drawn over the photo.

    Attributes:
        level: The value that it reaches at least; on a scale that is centred on 0, the size.
        area: Its share of what the network saw of the photo, 0 to 1.
        outlines: Closed lines around it and around its holes, each (points, 2) x and y in photo pixels.
        box: Around its largest connected piece, in photo pixels: left, top, right, bottom. Blocks that touch at a
            corner alone may count as one piece. None if no value is as large, as on a scale of all stages.
    """

    level: float
    area: float
    outlines: tuple[NDArray[np.float64], ...]
    box: Box | None


def cut_map(heatmap: Heatmap, geometry: Geometry, share: float, *, smooth: bool = True) -> Cut | None:
    """Find the strong part of a map, exactly as far as the map is drawn; None where nothing is cut.

    Args:
        heatmap: The map.
        geometry: Where the network's input lies on the photo.
        share: See `heatmaps.cut_level`.
        smooth: Whether the map is interpolated between cells; otherwise every cell is a block.
    """
    level = cut_level(heatmap, share)
    if level is None:
        return None
    (columns, across), (rows, down) = (_knots(heatmap, geometry, axis, smooth=smooth) for axis in (0, 1))
    values = down @ heatmap.values.astype(np.float64) @ across.T
    largest = float(np.abs(values).max())
    # What the scale ends with belongs to the part, also where rounding has taken a little from it.
    level -= EDGE * largest
    parts = []
    for side in (values, -values) if heatmap.is_centred else (values,):
        generator = contourpy.contour_generator(columns, rows, side, fill_type="OuterOffset")
        for points, offsets in zip(*generator.filled(level, level + 2 * largest), strict=True):
            parts.append([points[start:end] for start, end in pairwise(offsets)])
    if not parts:
        return Cut(level, 0.0, (), None)
    areas = [_area(outer) - sum(map(_area, holes)) for outer, *holes in parts]
    left, top, right, bottom = geometry.seen
    piece = parts[int(np.argmax(areas))][0]
    box = (*piece.min(axis=0).tolist(), *piece.max(axis=0).tolist())
    return Cut(
        level, sum(areas) / ((right - left) * (bottom - top)), tuple(line for part in parts for line in part), box
    )


def _knots(
    heatmap: Heatmap, geometry: Geometry, axis: int, *, smooth: bool
) -> tuple[NDArray[np.float64], NDArray[np.float32]]:
    """Return where a map's slope changes along one side of the photo, and which cells it is made of there.

    Returns:
        (knots,) photo pixels, rising, from one end of what the network saw to the other, and (knots, cells) weights.
    """
    block = heatmap.block
    cells, first = block.shape[1 - axis], block.centre[1 - axis]
    ends = np.array([geometry.seen[axis], geometry.seen[axis + 2]])
    low, high = ((end * geometry.scale[axis] + geometry.offset[axis] - first) / block.stride for end in ends)
    if smooth:
        inner = np.arange(cells, dtype=np.float64)
    else:
        borders = np.arange(cells - 1) + 0.5
        inner = np.stack([borders - EDGE, borders + EDGE], axis=-1).ravel()
    positions = np.concatenate([[low], inner[(inner > low) & (inner < high)], [high]])
    pixels = (positions * block.stride + first - geometry.offset[axis]) / geometry.scale[axis]
    return pixels, interpolation(positions, cells, smooth)


def _area(line: NDArray[np.float64]) -> float:
    """Return the area inside a closed line, by Gauss's formula."""
    x, y = line[:, 0], line[:, 1]
    return abs(float(np.dot(x[:-1], y[1:]) - np.dot(x[1:], y[:-1]))) / 2


def draw_cut(picture: Image.Image, cut: Cut, photo_size: tuple[int, int]) -> None:
    """Draw the outlines of a strong part, and the box of its largest piece, into a picture of the photo.

    Args:
        picture: RGB, of the whole photo.
        cut: The part.
        photo_size: (width, height) of the photo in pixels, which the part is given in.
    """
    draw = ImageDraw.Draw(picture)
    width = max(1, round(max(picture.size) / LINE))
    factor = np.array(picture.size) / photo_size
    lines = [(line, "white") for line in cut.outlines]
    if cut.box:
        left, top, right, bottom = cut.box
        lines.append((np.array([(left, top), (right, top), (right, bottom), (left, bottom), (left, top)]), BOX_COLOUR))
    # Dark below light can be told from any photo and any colour of a map.
    for dark in (True, False):
        for line, colour in lines:
            points = [tuple(point) for point in np.clip(line * factor, 0, np.array(picture.size) - 1)]
            draw.line(points, "black" if dark else colour, width + 2 if dark else width, joint="curve")


def cut_dictionary(cut: Cut | None) -> dict[str, object] | None:
    """Return a strong part as plain values, ready for JSON: above, area (0 to 1), box in photo pixels."""
    return None if cut is None else {"above": cut.level, "area": cut.area, "box": list(cut.box) if cut.box else None}
