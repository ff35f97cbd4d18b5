"""From feature maps to heatmaps: (height, width, channels) → one map with its scale."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from resnet.errors import OptionError
from resnet.options import flag, number, one_of, whole_number
from resnet.stages import STAGE_FILTERS, Block

AGGREGATIONS = ("mean", "max", "l2", "channel", "pca")
SCALES = ("each", "shared")
HIGHEST_CHANNEL = STAGE_FILTERS[-1][-1] - 1
COLORMAPS = ("turbo", "viridis", "magma", "inferno", "cividis", "gray")
DIVERGING = "coolwarm"
"""For differences, centred on 0."""

FLAT_TOLERANCE = 1e-5
"""A map whose range is below this share of its largest value has only rounding noise to show."""

NOISE = 1e-6
MAXIMUM_ITERATIONS, ITERATIONS_A_CHECK, SETTLED = 8, 4, 1e-5

HeatmapNote = Literal["", "flat", "zero", "against", "no_channel"]


@dataclass(frozen=True)
class ViewOptions:
    """Display options of feature maps; none of them needs a new forward pass.

    Attributes:
        aggregation: How channels become one map: "mean", "max", "l2" (Euclidean norm), "channel"
            (one of them), or "pca" (the first three principal components as red, green and blue).
        channel: Which one, from 0, for "channel".
        colormap: A name of `COLORMAPS`, or `DIVERGING`, from matplotlib's registry.
        opacity: Of the map over the photo, 0 to 1.
        scale: "each" spreads every map's own range over the colours, "shared" the range of all five.
        smooth: Interpolate between cells; otherwise every cell is a block.
        cut: Show only what lies above this share of the colour scale, 0 to 1; see `cut_level`.

    Raises:
        OptionError: An unknown name, or a number outside its range.
    """

    aggregation: str = "mean"
    channel: int = 0
    colormap: str = "turbo"
    opacity: float = 0.55
    scale: str = "each"
    smooth: bool = True
    cut: float = 0.0

    def __post_init__(self) -> None:
        """Check every option."""
        one_of("map", self.aggregation, AGGREGATIONS)
        one_of("colormap", self.colormap, (*COLORMAPS, DIVERGING))
        one_of("scale", self.scale, SCALES)
        number("opacity", self.opacity, 0, 1)
        number("cut", self.cut, 0, 1)
        object.__setattr__(self, "channel", whole_number("channel", self.channel, 0, HIGHEST_CHANNEL))
        flag("smoothness", self.smooth)


@dataclass(frozen=True)
class Heatmap:
    """One stage's map.

    Attributes:
        block: The stage.
        values: (height, width) float32, or (height, width, 3) for principal components; empty if
            the stage lacks the channel.
        minimum, maximum, mean: Of `values`, in units of the activation.
        low, high: The values at the two ends of the colour scale.
        note: "flat" or "zero" where there is nothing to spread over the colours, "against" where that is because all
            is negative and left out, "no_channel" where the stage has no such channel, else empty.
        signed: The values before negative ones were left out, or None if none were.
        explained: For principal components, the share of the variance that the three explain.
    """

    block: Block
    values: NDArray[np.float32]
    minimum: float
    maximum: float
    mean: float
    low: float
    high: float
    note: HeatmapNote = ""
    explained: float | None = None
    signed: NDArray[np.float32] | None = None

    @property
    def whole(self) -> NDArray[np.float32]:
        """The values with their signs, (height, width) float32, or those of principal components."""
        return self.values if self.signed is None else self.signed

    @property
    def is_centred(self) -> bool:
        """Return True if the colour scale is centred on 0."""
        return self.low == -self.high


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
            return np.asarray(activations.mean(axis=-1))
        case "max":
            return np.asarray(activations.max(axis=-1))
        case "l2":
            return np.asarray(np.linalg.norm(activations, axis=-1))
        case "channel":
            channels = activations.shape[-1]
            if options.channel >= channels:
                raise OptionError("The channel must be 0 to {}; received {}.", channels - 1, options.channel)
            return activations[..., options.channel]
        case _:
            return principal_components(activations)[0]


def principal_components(activations: NDArray[np.float32], count: int = 3) -> tuple[NDArray[np.float32], float]:
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
    largest = float(np.abs(activations).max())
    cells = activations.reshape(-1, channels) / np.float32(largest or 1)
    cells -= cells.mean(axis=0)
    variance = float(np.vdot(cells, cells))
    scores = np.zeros((height * width, count), np.float32)
    if variance <= FLAT_TOLERANCE**2 * cells.size:
        return scores.reshape(height, width, count), 0.0
    by_cells = len(cells) < channels
    eigenvalues, vectors = _strongest_eigenvectors(cells @ cells.T if by_cells else cells.T @ cells, count)
    # Below this share of the first, a component of float32 numbers is rounding noise.
    eigenvalues = np.where(eigenvalues > NOISE * eigenvalues[0], eigenvalues, 0)
    sizes = np.sqrt(eigenvalues)
    found = vectors * sizes if by_cells else (cells @ vectors) * (sizes > 0)
    found *= np.where(found[np.abs(found).argmax(axis=0), np.arange(found.shape[1])] < 0, -1, 1)
    scores[:, : found.shape[1]] = found * largest
    return scores.reshape(height, width, count), min(1.0, float((sizes**2).sum() / variance))


def _strongest_eigenvectors(matrix: NDArray[np.float32], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """The largest eigenvalues of a symmetric matrix, in falling order, with their eigenvectors.

    A large matrix is not decomposed whole, which would take longer than a forward pass, but by
    simultaneous iteration with a Rayleigh-Ritz step (Golub and Van Loan, "Matrix Computations",
    4th edition, section 8.2.4). If that has not settled, the whole decomposition decides.
    """
    side = len(matrix)
    count, subspace = min(count, side), 4 * count
    if side > 4 * subspace:
        exact = matrix.astype(np.float64)
        basis = np.linalg.qr(np.random.default_rng(0).standard_normal((side, subspace)))[0]
        for _ in range(MAXIMUM_ITERATIONS):
            for _ in range(ITERATIONS_A_CHECK):
                basis = np.linalg.qr(exact @ basis)[0]
            eigenvalues, rotation = np.linalg.eigh(basis.T @ exact @ basis)
            strongest = np.argsort(-eigenvalues)[:count]
            vectors, found = basis @ rotation[:, strongest], eigenvalues[strongest]
            if np.linalg.norm(exact @ vectors - vectors * found) <= SETTLED * found[0]:
                return found, vectors
    eigenvalues, vectors = np.linalg.eigh(matrix.astype(np.float64))
    strongest = np.argsort(-eigenvalues)[:count]
    return eigenvalues[strongest], vectors[:, strongest]


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
    shown = [heatmap for heatmap in single if heatmap.note != "no_channel"]  # the others have no values
    low = min((heatmap.minimum for heatmap in shown), default=0.0)
    high = max((heatmap.maximum for heatmap in shown), default=0.0)
    return tuple(replace(heatmap, low=low, high=high) for heatmap in single)


def _single(activations: NDArray[np.float32], block: Block, options: ViewOptions) -> Heatmap:
    if options.aggregation == "channel" and options.channel >= activations.shape[-1]:
        return Heatmap(block, np.empty((0, 0), np.float32), 0, 0, 0, 0, 0, "no_channel")
    explained = None
    if options.aggregation == "pca":
        values, explained = principal_components(activations)
    else:
        values = aggregate(activations, options)
    largest = float(np.abs(activations).max()) if explained is not None else None
    return replace(heatmap_of(block, values, largest=largest), explained=explained)


def heatmap_of(
    block: Block,
    values: NDArray[np.float32],
    low: float | None = None,
    high: float | None = None,
    *,
    largest: float | None = None,
) -> Heatmap:
    """One map with its figures.

    Args:
        block: The block that the map lies on.
        values: (height, width) float32, or (height, width, 3).
        low: Lower end of the colour scale; the smallest value by default.
        high: Upper end; the largest value by default.
        largest: The largest size of what the map was made from, to which a range is compared before
            it is called flat; the largest size among the values by default.
    """
    minimum, maximum = float(values.min()), float(values.max())
    low, high = minimum if low is None else low, maximum if high is None else high
    size = max(abs(minimum), abs(maximum)) if largest is None else largest
    note: HeatmapNote = ""
    if size == 0:
        note = "zero"
    elif maximum - minimum <= FLAT_TOLERANCE * size:
        note = "flat"
    return Heatmap(block, values, minimum, maximum, float(values.mean()), low, high, note)


def cut_level(heatmap: Heatmap, share: float) -> float | None:
    """Return the value from which on a map is shown; None where nothing is cut.

    Args:
        heatmap: The map; a flat one and principal components are never cut.
        share: Of the colour scale, 0 to 1; 0 for all of the map. On a scale that is centred on 0 it is that of the
            half above 0, and of values below 0 the size counts.
    """
    if not share or heatmap.note or heatmap.values.ndim != 2:
        return None
    start = 0.0 if heatmap.is_centred else heatmap.low
    return start + share * (heatmap.high - start)
