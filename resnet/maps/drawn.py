"""A part of a photo that somebody draws, hidden from the network."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from resnet.errors import OptionError
from resnet.maps.observation import Observation
from resnet.maps.occlusion import Hidden, hide_pixels, photo_box
from resnet.options import number, repr_of
from resnet.photo.preprocess import Box

if TYPE_CHECKING:
    from resnet.network.engine import Engine

MOST_SHAPES, MOST_POINTS = 100, 1000
"""In one drawing; the points are those of all its lines."""

FARTHEST = 1e6
"""Largest coordinate and width, in pixels of the photo."""

Point = tuple[float, float]


@dataclass(frozen=True)
class Line:
    """A stroke of a round brush.

    Attributes:
        points: (x, y) in pixels of the photo, at least one.
        width: Of the brush, in pixels of the photo.
    """

    points: tuple[Point, ...]
    width: float


@dataclass(frozen=True)
class Drawing:
    """Rectangles and strokes on a photo.

    Attributes:
        boxes: Left, top, right and bottom in pixels of the photo.
        lines: Strokes.
    """

    boxes: tuple[Box, ...] = ()
    lines: tuple[Line, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Return True if nothing is drawn."""
        return not (self.boxes or self.lines)

    def shapes(self) -> list[dict[str, Any]]:
        """Return it as `read_drawing` takes it."""
        boxes: list[dict[str, Any]] = [{"box": list(box)} for box in self.boxes]
        return boxes + [{"line": [list(point) for point in line.points], "width": line.width} for line in self.lines]


def read_drawing(shapes: object) -> Drawing:
    """Read a drawing as programs and the page write it.

    Args:
        shapes: A list of {"box": [left, top, right, bottom]} and {"line": [[x, y], ...], "width": number}, all in
            pixels of the photo. What lies beyond the photo's border is left out.

    Raises:
        OptionError: It is something else, or there are more than `MOST_SHAPES` shapes or `MOST_POINTS` points.
    """
    if not isinstance(shapes, list):
        raise OptionError("A drawing is a list of boxes and lines; received {}.", repr_of(shapes))
    if len(shapes) > MOST_SHAPES:
        raise OptionError("A drawing has at most {} shapes; received {}.", MOST_SHAPES, len(shapes))
    boxes, lines, points = [], [], 0
    for shape in shapes:
        match shape:
            case {"box": [_, _, _, _] as edges, **rest} if not rest:
                boxes.append(_box(edges))
            case {"line": [_, *_] as places, "width": width, **rest} if not rest:
                points += len(places)
                if points > MOST_POINTS:
                    raise OptionError("The lines of a drawing have at most {} points; received more.", MOST_POINTS)
                wide = number("width of a line", width, 0, FARTHEST)
                lines.append(Line(tuple(_point(place) for place in places), wide))
            case _:
                raise OptionError(
                    "A shape is a box (left, top, right, bottom), or a line (points x, y) with its width; received {}.",
                    repr_of(shape),
                )
    return Drawing(tuple(boxes), tuple(lines))


def _coordinate(value: object) -> float:
    return number("coordinate", value, -FARTHEST, FARTHEST)


def _point(place: object) -> Point:
    match place:
        case [x, y]:
            return _coordinate(x), _coordinate(y)
    raise OptionError("A point of a line is [x, y]; received {}.", repr_of(place))


def _box(edges: Sequence[object]) -> Box:
    left, top, right, bottom = map(_coordinate, edges)
    if left > right or top > bottom:
        raise OptionError("A box is left, top, right, bottom; received {}.", repr_of(edges))
    return left, top, right, bottom


def drawn_pixels(drawing: Drawing, observation: Observation) -> NDArray[np.int64]:
    """Return the pixels of the network's input whose centres lie in a drawing, as flat indices; padding is left out.

    Args:
        drawing: On the photo.
        observation: Of the photo.
    """
    geometry = observation.geometry
    rows, columns = observation.pixels.shape[:2]
    left, top, right, bottom = photo_box(observation)
    x = (np.arange(columns) + 0.5 - geometry.offset[0]) / geometry.scale[0]
    y = (np.arange(rows) + 0.5 - geometry.offset[1]) / geometry.scale[1]
    drawn = np.zeros((rows, columns), bool)
    for box in drawing.boxes:
        drawn |= ((y >= box[1]) & (y <= box[3]))[:, None] & ((x >= box[0]) & (x <= box[2]))
    for line in drawing.lines:
        for start, end in zip(line.points, line.points[1:] or line.points, strict=False):
            _stroke(drawn, x, y, start, end, line.width / 2)
    inside = np.zeros_like(drawn)
    inside[top:bottom, left:right] = drawn[top:bottom, left:right]
    return np.flatnonzero(inside)


def _stroke(
    drawn: NDArray[np.bool_],
    x: NDArray[np.floating[Any]],
    y: NDArray[np.floating[Any]],
    start: Point,
    end: Point,
    radius: float,
) -> None:
    """Mark the pixels that are no farther than `radius` from the way between two points."""
    (first, last), (upper, lower) = (
        (
            np.searchsorted(values, min(start[axis], end[axis]) - radius),
            np.searchsorted(values, max(start[axis], end[axis]) + radius, "right"),
        )
        for axis, values in enumerate((x, y))
    )
    along = end[0] - start[0], end[1] - start[1]
    squared = along[0] ** 2 + along[1] ** 2  # 0 as well where the two are as good as one
    right, down = x[None, first:last] - start[0], y[upper:lower, None] - start[1]
    share = np.clip((right * along[0] + down * along[1]) / squared, 0, 1) if squared else np.zeros(())
    near = np.hypot(right - share * along[0], down - share * along[1]) <= radius
    drawn[upper:lower, first:last] |= near


def hide_drawn(observation: Observation, engine: Engine, drawing: Drawing, fill: str) -> Hidden:
    """Hide what is drawn and classify again: one forward pass.

    Args:
        observation: Of the photo, made by the same engine.
        engine: The network.
        drawing: On the photo.
        fill: "blur" or "mean" colour of the photo.

    Raises:
        OptionError: No such fill.
    """
    return hide_pixels(observation, engine, drawn_pixels(drawing, observation), fill)
