"""From a photo to the network's input, with the geometry that leads from a cell back to the photo.

All coordinates are continuous and start at the top left corner: pixel p covers p to p + 1. A box is
(left, top, right, bottom).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet.errors import OptionError
from resnet.options import one_of
from resnet.stages import MINIMUM_SIDE, Block

Box = tuple[float, float, float, float]

FRAMINGS = ("crop", "whole")
LONGEST_SIDE_FACTOR = 4
"""A whole photo's longer side is at most this many times the trained input size."""


@dataclass(frozen=True)
class InputSpec:
    """Input format of a set of weights, from the manifest.

    Attributes:
        size: Side of the square input in pixels that the network was trained with.
        crop_fraction: Side of the centre crop as a share of the photo's shorter side.
        detail: If given, the crop is first reduced to this side, unless it is smaller, then enlarged to `size`: the
            weights were trained on enlarged small pictures.
        channels: "RGB" or "BGR", the order of the input's channels.
        mean: Subtracted per channel, in that order, on the scale 0 to 255.
        scale: Multiplied afterwards.
    """

    size: int
    crop_fraction: float = 1.0
    detail: int | None = None
    channels: str = "BGR"
    mean: tuple[float, float, float] = (103.939, 116.779, 123.68)
    scale: float = 1.0


@dataclass(frozen=True)
class Geometry:
    """Position of the network's input on the photo.

    An input coordinate is `photo * scale + offset`, for x and y alike.

    Attributes:
        photo_size: (width, height) of the upright photo in its own pixels.
        input_size: (width, height) of the network's input.
        scale: (x, y) input pixels per photo pixel.
        offset: (x, y) of the photo's top left corner in input pixels: negative where the photo
            was cropped, positive where the input was padded.
    """

    photo_size: tuple[int, int]
    input_size: tuple[int, int]
    scale: tuple[float, float]
    offset: tuple[float, float]

    def to_photo(self, box: Box) -> Box:
        """A box of input pixels as a box of photo pixels."""
        return self._map(box, inverse=True)

    def to_input(self, box: Box) -> Box:
        """A box of photo pixels as a box of input pixels."""
        return self._map(box, inverse=False)

    def _map(self, box: Box, *, inverse: bool) -> Box:
        (scale_x, scale_y), (offset_x, offset_y) = self.scale, self.offset
        left, top, right, bottom = box
        if inverse:
            return (
                (left - offset_x) / scale_x,
                (top - offset_y) / scale_y,
                (right - offset_x) / scale_x,
                (bottom - offset_y) / scale_y,
            )
        return (
            left * scale_x + offset_x,
            top * scale_y + offset_y,
            right * scale_x + offset_x,
            bottom * scale_y + offset_y,
        )

    @property
    def seen(self) -> Box:
        """The part of the photo that the network saw, in photo pixels."""
        left, top, right, bottom = self.to_photo((0.0, 0.0, float(self.input_size[0]), float(self.input_size[1])))
        width, height = self.photo_size
        return max(left, 0.0), max(top, 0.0), min(right, float(width)), min(bottom, float(height))

    def cell_at(self, block: Block, x: float, y: float) -> tuple[int, int]:
        """Row and column of the cell whose centre is nearest to a point of the photo, in photo pixels."""
        left, top, _, _ = self.to_input((x, y, x, y))
        rows, columns, _ = block.shape
        row = round((top - block.centre[0]) / block.stride)
        column = round((left - block.centre[1]) / block.stride)
        return min(max(row, 0), rows - 1), min(max(column, 0), columns - 1)

    def cell_box(self, block: Block, row: int, column: int) -> Box:
        """The square of one stride around a cell's centre, in photo pixels.

        Neighbouring cells' boxes touch. The box can reach beyond the photo's border.
        """
        return self._box_around(block, row, column, block.stride)

    def receptive_box(self, block: Block, row: int, column: int) -> Box:
        """All of the photo that can change a cell, in photo pixels; can reach beyond its border."""
        return self._box_around(block, row, column, block.receptive_field)

    def _box_around(self, block: Block, row: int, column: int, side: int) -> Box:
        rows, columns, _ = block.shape
        if not (0 <= row < rows and 0 <= column < columns):
            raise OptionError(
                "{} has {} x {} cells; received row {}, column {}.", block.stage, rows, columns, row, column
            )
        y = block.centre[0] + row * block.stride
        x = block.centre[1] + column * block.stride
        half = side / 2
        return self.to_photo((x - half, y - half, x + half, y + half))


@dataclass(frozen=True)
class NetworkInput:
    """One photo as the network takes it.

    Attributes:
        pixels: (height, width, 3) float32, channels and range as the weights want them.
        geometry: Where the input lies on the photo.
    """

    pixels: NDArray[np.float32]
    geometry: Geometry


def _crop_geometry(photo_size: tuple[int, int], spec: InputSpec) -> Geometry:
    width, height = photo_size
    side = min(width, height) * spec.crop_fraction
    scale = spec.size / side
    left, top = (width - side) / 2, (height - side) / 2
    return Geometry(photo_size, (spec.size, spec.size), (scale, scale), (-left * scale, -top * scale))


def _whole_geometry(photo_size: tuple[int, int], spec: InputSpec) -> Geometry:
    """Fit the whole photo, shorter side near `spec.size`, into sides that are multiples of 32.

    Of the frames that are near enough, the one with the least padding is taken; the photo keeps
    its aspect (but for the rounding to whole pixels) and lies in the middle.
    """
    width, height = photo_size
    shorter, longer = sorted(photo_size)
    ideal = min(spec.size / shorter, spec.size * LONGEST_SIDE_FACTOR / longer)
    unit = MINIMUM_SIDE

    def frame(factor: float) -> tuple[float, int, int]:
        scale = ideal * factor
        columns = max(1, round(width * scale / unit))
        rows = max(1, round(height * scale / unit))
        fitted = min(columns * unit / width, rows * unit / height)
        padding = 1 - width * height * fitted * fitted / (columns * rows * unit * unit)
        return padding + abs(np.log(fitted / ideal)) / 4, columns * unit, rows * unit

    _, input_width, input_height = min(frame(factor) for factor in np.linspace(0.8, 1.25, 46))
    fitted = min(input_width / width, input_height / height)
    inner_width = min(input_width, max(1, round(width * fitted)))
    inner_height = min(input_height, max(1, round(height * fitted)))
    return Geometry(
        photo_size,
        (input_width, input_height),
        (inner_width / width, inner_height / height),
        ((input_width - inner_width) // 2, (input_height - inner_height) // 2),
    )


def input_geometry(photo_size: tuple[int, int], spec: InputSpec, framing: str = "crop") -> Geometry:
    """Compute the position of the input on a photo of `photo_size` (width, height).

    Args:
        photo_size: (width, height) of the upright photo.
        spec: How the weights want their input.
        framing: "crop" for the centre square that the weights were measured with; "whole" for all
            of the photo, its aspect kept, with sides that are multiples of 32.

    Raises:
        OptionError: An unknown framing.
    """
    one_of("framing", framing, FRAMINGS)
    return (_crop_geometry if framing == "crop" else _whole_geometry)(photo_size, spec)


def prepare(
    image: Image.Image, spec: InputSpec, framing: str = "crop", photo_size: tuple[int, int] | None = None
) -> NetworkInput:
    """Resize, crop or pad, and normalise a photo.

    Args:
        image: RGB, any size.
        spec: How the weights want their input.
        framing: "crop" or "whole".
        photo_size: (width, height) that the geometry refers to, where `image` is a reduced copy.

    Returns:
        Padding is 0 after normalisation, which is what the first convolution pads with, too.

    Raises:
        OptionError: An unknown framing.
    """
    geometry = input_geometry(photo_size or image.size, spec, framing)
    left, top, right, bottom = (round(edge) for edge in geometry.to_input(geometry.seen))
    inner = (right - left, bottom - top)
    factor_x, factor_y = (image.size[axis] / geometry.photo_size[axis] for axis in (0, 1))
    part: Box = (
        geometry.seen[0] * factor_x,
        geometry.seen[1] * factor_y,
        geometry.seen[2] * factor_x,
        geometry.seen[3] * factor_y,
    )
    box: Box | None = part
    reduced = reduced_size(geometry, spec)
    if reduced is not None:
        image, box = image.resize(reduced, Image.Resampling.BILINEAR, box=part), None
    resized = image.resize(inner, Image.Resampling.BILINEAR, box=box)
    pixels = np.zeros((geometry.input_size[1], geometry.input_size[0], 3), np.float32)
    pixels[top:bottom, left:right] = normalise(np.asarray(resized), spec)
    return NetworkInput(pixels, geometry)


def reduced_size(geometry: Geometry, spec: InputSpec) -> tuple[int, int] | None:
    """(width, height) in pixels to which what is seen of a photo is first reduced; None if it is taken as it is."""
    if spec.detail is None:
        return None
    left, top, right, bottom = (round(edge) for edge in geometry.to_input(geometry.seen))
    width, height = (max(1, round(side * spec.detail / spec.size)) for side in (right - left, bottom - top))
    first, second, third, fourth = geometry.seen
    return (width, height) if third - first > width or fourth - second > height else None


def denormalise(pixels: NDArray[np.float32], spec: InputSpec) -> Image.Image:
    """An RGB picture of (height, width, 3) float32 as the weights want it, the reverse of `normalise`."""
    values = pixels / np.float32(spec.scale) + np.asarray(spec.mean, np.float32)
    ordered = values[..., ::-1] if spec.channels == "BGR" else values
    return Image.fromarray(np.clip(np.rint(ordered), 0, 255).astype(np.uint8))


def normalise(pixels: NDArray[np.uint8], spec: InputSpec) -> NDArray[np.float32]:
    """RGB 0 to 255, (..., 3) uint8, in the channel order and range that the weights want."""
    ordered = pixels[..., ::-1] if spec.channels == "BGR" else pixels
    mean = np.asarray(spec.mean, np.float32)
    return np.asarray((ordered.astype(np.float32) - mean) * np.float32(spec.scale), np.float32)
