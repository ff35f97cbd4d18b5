"""Two photos, or one photo before and after a change: at which stage do they part?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageEnhance, ImageFilter

from resnet.errors import Note, OptionError
from resnet.maps.heatmaps import Heatmap, ViewOptions
from resnet.maps.observation import Observation, observe, observe_prepared
from resnet.options import number, one_of
from resnet.photo.images import Photo
from resnet.photo.preprocess import denormalise, normalise, prepare
from resnet.stages import Block

if TYPE_CHECKING:
    from resnet.network.engine import Engine

PERMUTATIONS = 20
FEWEST_CELLS = 4
ALIKE = 0.5
"""CKA from which two maps are called alike."""


@dataclass(frozen=True)
class Change:
    """A change of a photo by one amount.

    Attributes:
        low, high, usual: Range of the amount, and where a slider starts.
        unit: Of the amount.
        apply: From an RGB picture and an amount to an RGB picture of the same size.
        at_input: Whether it is done to what the network gets, since its effect there would depend on the photo's size.
    """

    low: float
    high: float
    usual: float
    unit: str
    apply: Callable[[Image.Image, float], Image.Image]
    at_input: bool = False


def _rotate(image: Image.Image, degrees: float) -> Image.Image:
    return image.rotate(-degrees, Image.Resampling.BICUBIC, fillcolor=_mean_colour(image))


def _mean_colour(image: Image.Image) -> tuple[int, int, int]:
    red, green, blue = np.asarray(image).mean(axis=(0, 1)).round().astype(int)
    return int(red), int(green), int(blue)


def _blur(image: Image.Image, percent: float) -> Image.Image:
    return image.filter(ImageFilter.GaussianBlur(percent / 100 * min(image.size)))


def _noise(image: Image.Image, deviation: float) -> Image.Image:
    values = np.asarray(image, np.float32)
    noise = np.random.default_rng(0).standard_normal(values.shape, np.float32) * np.float32(deviation)
    return Image.fromarray(np.clip(np.rint(values + noise), 0, 255).astype(np.uint8))


def _grey(image: Image.Image, percent: float) -> Image.Image:
    return ImageEnhance.Color(image).enhance(1 - percent / 100)


def _brightness(image: Image.Image, percent: float) -> Image.Image:
    return ImageEnhance.Brightness(image).enhance(1 + percent / 100)


def _occlude(image: Image.Image, percent: float) -> Image.Image:
    """Cover the middle with the photo's mean colour: a rectangle of that share of both sides."""
    covered = image.copy()
    width, height = (round(side * percent / 100) for side in image.size)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    covered.paste(_mean_colour(image), (left, top, left + width, top + height))
    return covered


CHANGES = {
    "rotate": Change(-180, 180, 30, "°", _rotate),
    "blur": Change(0, 10, 2, "% of the shorter side", _blur),
    "noise": Change(0, 100, 25, "of 255, standard deviation", _noise, at_input=True),
    "grey": Change(0, 100, 100, "% of the colour removed", _grey),
    "brightness": Change(-100, 100, -50, "%", _brightness),
    "occlude": Change(0, 100, 40, "% of each side, in the middle", _occlude, at_input=True),
}


def observe_changed(photo: Photo, engine: Engine, framing: str, change: str, amount: float) -> Observation:
    """Run the network on a photo after a change.

    Noise is the same at each call; what a rotation uncovers, and what covers the middle, has the
    photo's mean colour. Noise and cover are done to what the network gets, and the picture that is shown is that.

    Args:
        photo: A decoded photo.
        engine: The network that answers.
        framing: "crop" or "whole".
        change: A name of `CHANGES`.
        amount: In the change's unit and range.

    Raises:
        OptionError: An unknown change or framing, or an amount outside its range.
    """
    chosen, amount = check_change(change, amount)
    if not chosen.at_input:
        return observe(replace(photo, image=chosen.apply(photo.image, amount)), engine, framing)
    spec = engine.manifest.input
    ready = prepare(photo.image, spec, framing, photo.size)
    left, top, right, bottom = (round(edge) for edge in ready.geometry.to_input(ready.geometry.seen))
    pixels = ready.pixels.copy()
    changed = chosen.apply(denormalise(pixels[top:bottom, left:right], spec), amount)
    pixels[top:bottom, left:right] = normalise(np.asarray(changed), spec)
    (found,) = observe_prepared([(photo, replace(ready, pixels=pixels))], engine, framing)
    picture = found.picture.copy()
    factors = [side / whole for side, whole in zip(picture.size, ready.geometry.photo_size, strict=True)] * 2
    box = [round(edge * factor) for edge, factor in zip(ready.geometry.seen, factors, strict=True)]
    picture.paste(changed.resize((box[2] - box[0], box[3] - box[1]), Image.Resampling.BILINEAR), (box[0], box[1]))
    return replace(found, picture=picture)


def check_change(change: str, amount: float) -> tuple[Change, float]:
    """Return a change and its amount.

    Raises:
        OptionError: An unknown change, or an amount outside its range.
    """
    one_of("change", change, tuple(CHANGES))
    chosen = CHANGES[change]
    return chosen, number("amount of the change", amount, chosen.low, chosen.high)


def digest_of_changed(digest: str, change: str, amount: float) -> str:
    """Return what tells a changed photo from others; it begins with the photo's own digest."""
    return f"{digest} {change} {amount!r}"


@dataclass(frozen=True)
class Similarity:
    """Similarity of a stage's responses to two photos.

    Attributes:
        stage: "C1" to "C5".
        cosine: Of the two outputs taken as vectors, 0 to 1 after ReLU: 1 if they are proportional.
        cka: Unbiased linear centred kernel alignment of their cells, at most 1; for unrelated maps 0 on average, so
            that it can be a little below 0. None where there are fewer than four cells, which it needs.
        chance: What the cells of one photo in random order reach in one of twenty cases.
    """

    stage: str
    cosine: float
    cka: float | None
    chance: float | None


def cosine(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Cosine of the angle between two arrays of the same shape; 0 if one of them is 0."""
    first, second = one.ravel().astype(np.float64), other.ravel().astype(np.float64)
    sizes = float(np.linalg.norm(first) * np.linalg.norm(second))
    return min(1.0, max(-1.0, float(first @ second) / sizes)) if sizes else 0.0


def linear_cka(one: NDArray[np.float32], other: NDArray[np.float32]) -> float:
    """Linear centred kernel alignment with the unbiased estimator of its parts.

    Kornblith et al. 2019, "Similarity of Neural Network Representations Revisited"
    (https://arxiv.org/abs/1905.00414), section 3, with HSIC as Song et al. 2012, "Feature Selection via Dependence
    Maximization", estimate it: the usual estimate comes near 1 for unrelated maps where there are fewer cells than
    channels, as at C5. It compares which cells resemble each other in one map with which do in the other, so the
    channels may differ; it does not change with a rotation of the channels or one scale for all.

    Args:
        one: (cells, channels) float32, at least four cells.
        other: (cells, other channels) float32.

    Returns:
        -1 to 1, below 0 by chance alone; 0 if all cells of one of them are equal.
    """
    first, second = (_kernel(values) for values in (one, other))
    return _alignment(_hsic(first, second), _hsic(first, first) * _hsic(second, second))


def _kernel(cells: NDArray[np.float32]) -> NDArray[np.float64]:
    """The products of all pairs of cells, and 0 for a cell with itself."""
    exact = cells.astype(np.float64)
    exact -= exact.mean(axis=0)  # changes no result, but keeps it exact
    kernel = np.asarray(exact @ exact.T)
    np.fill_diagonal(kernel, 0)
    return kernel


def _hsic(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Hilbert-Schmidt independence criterion, unbiased: Song et al. 2012, equation 5, up to a factor."""
    cells = len(first)
    together = float(np.vdot(first, second))
    apart = float(first.sum() * second.sum()) / ((cells - 1) * (cells - 2))
    return together + apart - 2 * float(first.sum(axis=0) @ second.sum(axis=0)) / (cells - 2)


def _alignment(together: float, sizes: float) -> float:
    return min(1.0, max(-1.0, together / sizes**0.5)) if sizes > 0 else 0.0


def _places(block: Block, axis: int, side: int) -> NDArray[np.float64]:
    """Return the centres of a block's rows (axis 0) or columns (axis 1), as shares of the input's side."""
    return (block.centre[axis] + block.stride * np.arange(block.shape[axis])) / side


def _at_places(
    values: NDArray[np.float32], own: Sequence[NDArray[np.float64]], wanted: Sequence[NDArray[np.float64]]
) -> NDArray[np.float32]:
    """A map at other places over the same photo, by linear interpolation between the centres of its cells.

    Args:
        values: (height, width, channels) float32.
        own: Places of its rows and of its columns, from `_places`.
        wanted: Those that are wanted; beyond the outer centres the outer cells count.
    """
    for axis in (0, 1):
        if len(own[axis]) == len(wanted[axis]) and np.allclose(own[axis], wanted[axis]):
            continue
        cells = np.interp(wanted[axis], own[axis], np.arange(len(own[axis])))
        before = np.floor(cells).astype(int)
        after = np.minimum(before + 1, len(own[axis]) - 1)
        share = (cells - before).astype(np.float32).reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
        values = np.take(values, before, axis) * (1 - share) + np.take(values, after, axis) * share
    return values


LARGEST_GRID = 28
"""Cells a side that similarities are computed on at most: C1 and C2 are reduced to it, which keeps the
kernel of 3,136 cells from costing more than the forward pass."""


def _fewer(one: NDArray[np.float64], other: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the shorter of two lists of positions, or `LARGEST_GRID` positions over the same range."""
    fewer = min(one, other, key=len)
    return fewer if len(fewer) <= LARGEST_GRID else np.linspace(fewer[0], fewer[-1], LARGEST_GRID)


def similarities(one: Observation, other: Observation) -> tuple[Similarity, ...]:
    """Compute the similarity of each stage's responses to two photos, C1 to C5.

    Maps of different size, and maps of over 28 cells a side, are first brought to the same places of the photos by
    linear interpolation between the centres of their cells, which are not those of an even grid.

    Args:
        one: Of a photo.
        other: Of another photo, by the same weights.

    Raises:
        OptionError: The two come from networks with different channels.
    """
    found = []
    generator = np.random.default_rng(0)
    pairs = zip(one.blocks, other.blocks, one.maps, other.maps, strict=True)
    for block, block_of_other, first, second in pairs:
        if first.shape[2] != second.shape[2]:
            raise OptionError("Only answers of the same network can be compared.")
        own = [_places(block, axis, one.pixels.shape[axis]) for axis in (0, 1)]
        others = [_places(block_of_other, axis, other.pixels.shape[axis]) for axis in (0, 1)]
        wanted = [_fewer(*both) for both in zip(own, others, strict=True)]
        first, second = _at_places(first, own, wanted), _at_places(second, others, wanted)
        height, width = first.shape[:2]
        if height * width < FEWEST_CELLS:
            found.append(Similarity(block.stage, cosine(first, second), None, None))
            continue
        kernel, other_kernel = (_kernel(values.reshape(height * width, -1)) for values in (first, second))
        sizes = _hsic(kernel, kernel) * _hsic(other_kernel, other_kernel)
        shuffled = []
        for _ in range(PERMUTATIONS):
            order = generator.permutation(height * width)
            shuffled.append(_alignment(_hsic(kernel, other_kernel[np.ix_(order, order)]), sizes))
        cka = _alignment(_hsic(kernel, other_kernel), sizes)
        found.append(Similarity(block.stage, cosine(first, second), cka, float(np.quantile(shuffled, 0.95))))
    return tuple(found)


def verdict(found: Sequence[Similarity]) -> Note:
    """Say in words at which stage two answers part.

    Args:
        found: Of `similarities`.
    """
    alike = [(stage.stage, stage.cka >= ALIKE) for stage in found if stage.cka is not None]
    apart = [name for name, is_alike in alike if not is_alike]
    if not alike:
        return Note("There are too few cells to say where the answers part.")
    if not apart:
        return Note("The two answers are alike at every stage (CKA of at least {}).", (ALIKE,))
    if len(apart) == len(alike):
        return Note("The two answers differ at every stage (CKA below {}).", (ALIKE,))
    if apart == [name for name, _ in alike][-len(apart) :]:
        return Note("The two answers part at {}: from there on their maps differ (CKA below {}).", (apart[0], ALIKE))
    return Note("The two answers differ at {} (CKA below {}) and are alike elsewhere.", (", ".join(apart), ALIKE))


def on_shared_scales(
    one: Observation, other: Observation, view: ViewOptions
) -> tuple[tuple[Heatmap, ...], tuple[Heatmap, ...]]:
    """Both photos' five maps, each stage on one colour scale for the two photos.

    Principal components have no common scale, since each photo has its own directions.
    """
    pairs = [one.heatmaps(view), other.heatmaps(view)]
    if view.aggregation == "pca":
        return pairs[0], pairs[1]
    low = [min(pair[stage].low for pair in pairs) for stage in range(len(pairs[0]))]
    high = [max(pair[stage].high for pair in pairs) for stage in range(len(pairs[0]))]
    first, second = (
        tuple(replace(heatmap, low=low[stage], high=high[stage]) for stage, heatmap in enumerate(pair))
        for pair in pairs
    )
    return first, second
