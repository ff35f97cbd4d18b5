"""From feature maps to pictures: (height, width, channels) → one map → colour → over the photo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import Literal

import matplotlib
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet.errors import OptionError
from resnet.preprocess import Geometry
from resnet.stages import Block

AGGREGATIONS = ("mean", "max", "l2", "channel", "pca")
SCALES = ("each", "shared")
COLORMAPS = ("turbo", "viridis", "magma", "inferno", "cividis", "gray")
FLAT_TOLERANCE = 1e-5
"""A map whose range is below this share of its largest value has only rounding noise to show."""
DIMMED = 0.3
"""Brightness of what lies outside the network's view."""

Note = Literal["", "flat", "zero", "no_channel"]


@dataclass(frozen=True)
class ViewOptions:
    """How feature maps are shown; nothing here needs the network again.

    Attributes:
        aggregation: How channels become one map: "mean", "max", "l2" (Euclidean norm), "channel"
            (one of them), or "pca" (the first three principal components as red, green and blue).
        channel: Which one, from 0, for "channel".
        colormap: A name of `COLORMAPS`, from matplotlib's registry.
        opacity: Of the map over the photo, 0 to 1.
        scale: "each" spreads every map's own range over the colours, "shared" the range of all five.
        smooth: Interpolate between cells; otherwise every cell is a block.

    Raises:
        OptionError: An unknown name, or a number outside its range.
    """

    aggregation: str = "mean"
    channel: int = 0
    colormap: str = "turbo"
    opacity: float = 0.55
    scale: str = "each"
    smooth: bool = True

    def __post_init__(self) -> None:
        """Check every option."""
        for name, value, known in (
            ("map", self.aggregation, AGGREGATIONS),
            ("colormap", self.colormap, COLORMAPS),
            ("scale", self.scale, SCALES),
        ):
            if value not in known:
                raise OptionError(f"The {name} must be one of {', '.join(known)}; received {value!r}.")
        if not 0 <= self.opacity <= 1:
            raise OptionError(f"The opacity must be 0 to 1; received {self.opacity!r}.")
        if self.channel < 0:
            raise OptionError(f"The channel must be at least 0; received {self.channel!r}.")


@dataclass(frozen=True)
class Heatmap:
    """One stage's map.

    Attributes:
        block: The stage.
        values: (height, width) float32, or (height, width, 3) for principal components; empty if
            the stage lacks the channel.
        minimum, maximum, mean: Of `values`, in units of the activation.
        low, high: The values at the two ends of the colour scale.
        note: "flat" or "zero" where there is nothing to spread over the colours, "no_channel" where
            the stage has no such channel, else empty.
        explained: For principal components, the share of the variance that the three explain.
    """

    block: Block
    values: NDArray[np.float32]
    minimum: float
    maximum: float
    mean: float
    low: float
    high: float
    note: Note = ""
    explained: float | None = None


def aggregate(activations: NDArray[np.float32], options: ViewOptions) -> NDArray[np.float32]:
    """One map from all channels.

    Args:
        activations: (height, width, channels) float32.
        options: Aggregation and channel are used.

    Returns:
        (height, width) float32; (height, width, 3) for "pca", see `principal_components`.

    Raises:
        OptionError: The channel does not exist.
    """
    match options.aggregation:
        case "mean":
            return activations.mean(axis=-1)
        case "max":
            return activations.max(axis=-1)
        case "l2":
            return np.sqrt(np.einsum("hwc,hwc->hw", activations, activations))
        case "channel":
            channels = activations.shape[-1]
            if options.channel >= channels:
                raise OptionError(f"The channel must be 0 to {channels - 1}; received {options.channel}.")
            return activations[..., options.channel]
        case _:
            return principal_components(activations)[0]


def principal_components(
    activations: NDArray[np.float32], count: int = 3
) -> tuple[NDArray[np.float32], float]:
    """The strongest directions in which the cells of a map differ.

    The eigenvectors are taken of whichever is smaller, the channels' covariance or the cells' Gram
    matrix; both give the same scores (Jolliffe 2002, "Principal Component Analysis", section 3.5).

    Args:
        activations: (height, width, channels) float32.
        count: Number of components.

    Returns:
        Scores (height, width, count) float32, zero where there are fewer components; each
        component's sign is such that its largest score in size is positive. And the share of the
        variance that they explain, 0 to 1; 0 for a map without variance.
    """
    height, width, channels = activations.shape
    cells = activations.reshape(-1, channels).astype(np.float64)
    cells -= cells.mean(axis=0)
    variance = float((cells * cells).sum())
    scores = np.zeros((height * width, count))
    if variance <= FLAT_TOLERANCE**2 * float((activations.astype(np.float64) ** 2).sum()):
        return scores.reshape(height, width, count).astype(np.float32), 0.0
    by_cells = len(cells) < channels
    eigenvalues, vectors = np.linalg.eigh(cells @ cells.T if by_cells else cells.T @ cells)
    strongest = np.argsort(-eigenvalues)[:count]
    sizes = np.sqrt(np.maximum(eigenvalues[strongest], 0))
    found = vectors[:, strongest] * sizes if by_cells else cells @ vectors[:, strongest]
    found *= np.sign(found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])]) + (sizes == 0)
    scores[:, : found.shape[1]] = found
    explained = float((sizes**2).sum() / variance)
    return scores.reshape(height, width, count).astype(np.float32), explained


def make_heatmaps(
    maps: Sequence[NDArray[np.float32]], blocks: Sequence[Block], options: ViewOptions
) -> tuple[Heatmap, ...]:
    """Heatmaps of several stages, on scales as the options say.

    Args:
        maps: Per stage (height, width, channels) float32.
        blocks: The stages, in the same order.
        options: How channels become one map, and the scale.
    """
    single = [_single(values, block, options) for values, block in zip(maps, blocks, strict=True)]
    if options.scale == "each" or options.aggregation == "pca":
        return tuple(single)
    shown = [heatmap for heatmap in single if heatmap.note != "no_channel"]
    low = min((heatmap.minimum for heatmap in shown), default=0.0)
    high = max((heatmap.maximum for heatmap in shown), default=0.0)
    return tuple(
        Heatmap(**{**heatmap.__dict__, "low": low, "high": high}) if heatmap in shown else heatmap
        for heatmap in single
    )


def _single(activations: NDArray[np.float32], block: Block, options: ViewOptions) -> Heatmap:
    if options.aggregation == "channel" and options.channel >= activations.shape[-1]:
        return Heatmap(block, np.empty((0, 0), np.float32), 0, 0, 0, 0, 0, "no_channel")
    explained = None
    if options.aggregation == "pca":
        values, explained = principal_components(activations)
    else:
        values = aggregate(activations, options)
    low, high, mean = float(values.min()), float(values.max()), float(values.mean())
    largest = max(abs(low), abs(high))
    note: Note = ""
    if largest == 0:
        note = "zero"
    elif high - low <= FLAT_TOLERANCE * largest:
        note = "flat"
    return Heatmap(block, values, low, high, mean, low, high, note, explained)


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


def _cell_positions(size: int, scale: float, offset: float, factor: float, first: float, stride: int) -> NDArray[np.float64]:
    """Where the pixels of a picture's row lie, in cells: 0 is the centre of the first cell."""
    photo = (np.arange(size) + 0.5) * factor
    return (photo * scale + offset - first) / stride


def _interpolation(positions: NDArray[np.float64], cells: int, smooth: bool) -> NDArray[np.float32]:
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
    columns, rows = (
        _interpolation(
            _cell_positions(
                size[axis],
                geometry.scale[axis],
                geometry.offset[axis],
                geometry.photo_size[axis] / size[axis],
                block.centre[1 - axis],
                block.stride,
            ),
            values.shape[1 - axis],
            smooth,
        )
        for axis in (0, 1)
    )
    if values.ndim == 2:
        return rows @ values @ columns.T
    return np.stack([rows @ values[..., part] @ columns.T for part in range(values.shape[2])], axis=-1)


def fitted_size(size: tuple[int, int], side: int) -> tuple[int, int]:
    """(width, height) of a picture of that aspect whose longer side is at most `side` pixels."""
    factor = min(1.0, side / max(size))
    return max(1, round(size[0] * factor)), max(1, round(size[1] * factor))


def overlay(
    photo: Image.Image, heatmap: Heatmap, geometry: Geometry, options: ViewOptions, side: int
) -> Image.Image:
    """The map over the photo; what the network did not see is dimmed.

    A flat map has nothing to show, so the photo is left as it is.

    Args:
        photo: Upright RGB photo, any size of the photo's aspect.
        heatmap: The stage's map and scale.
        geometry: Where the network's input lies on the photo.
        options: Colormap, opacity and smoothness.
        side: Longer side of the result in pixels, at most the photo's.

    Returns:
        An RGB picture of the whole photo.
    """
    size = fitted_size(photo.size, side)
    picture = photo.resize(size, Image.Resampling.BILINEAR, reducing_gap=2.0)
    factors = [size[axis] / geometry.photo_size[axis] for axis in (0, 1, 0, 1)]
    left, top, right, bottom = (
        round(edge * factor) for edge, factor in zip(geometry.seen, factors, strict=True)
    )
    box = (left, top, max(right, left + 1), max(bottom, top + 1))
    seen = picture.crop(box)
    if not heatmap.note:
        spread = project(unit_values(heatmap), heatmap.block, geometry, size, smooth=options.smooth)
        indices = np.rint(spread[top : box[3], left : box[2]] * 255).astype(np.uint8)
        colours = indices if indices.ndim == 3 else colour_table(options.colormap)[indices]
        seen = Image.blend(seen, Image.fromarray(colours), options.opacity)
    if box == (0, 0, *size):
        return seen
    dimmed = picture.point(lambda value: int(value * DIMMED))
    dimmed.paste(seen, box[:2])
    return dimmed
