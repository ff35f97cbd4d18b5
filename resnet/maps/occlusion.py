"""A part of a photo hidden from the network: the hottest pixels of a map, and what replaces them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from resnet.errors import OptionError
from resnet.maps.evidence import METHODS, Evidence
from resnet.maps.heatmaps import Heatmap, ViewOptions, heatmap_of
from resnet.maps.observation import Observation
from resnet.maps.overlays import project
from resnet.options import number, one_of
from resnet.photo.preprocess import Geometry, denormalise, normalise
from resnet.stages import STAGE_NAMES, Block

if TYPE_CHECKING:
    from resnet.network.engine import Engine

FILLS = ("blur", "mean")
BLUR_SHARE = 0.08
"""Standard deviation of the blur as a share of the input's shorter side: no object survives it."""

HIDING_MAPS = (*METHODS, "mean", "max", "l2")
"""The maps that can decide what is hidden: methods of class evidence, and ways to aggregate channels."""


@dataclass(frozen=True)
class Hidden:
    """A photo of which a part is hidden.

    Attributes:
        picture: What the network then sees, RGB.
        probabilities: (classes,) float32.
        share: Of the network's input that is hidden, 0 to 1; what was added around the photo does not count.
    """

    picture: Image.Image
    probabilities: NDArray[np.float32]
    share: float

    @property
    def byte_count(self) -> int:
        """Memory that the result holds."""
        return self.picture.width * self.picture.height * 4 + self.probabilities.nbytes


def photo_box(observation: Observation) -> tuple[int, int, int, int]:
    """The part of the input that shows the photo, without padding: left, top, right, bottom."""
    left, top, right, bottom = observation.geometry.to_input(observation.geometry.seen)
    return round(left), round(top), round(right), round(bottom)


def hiding_map(
    observation: Observation, source: str, stage: int, target: int, evidence: Callable[[], Evidence]
) -> Heatmap:
    """Return the map that decides what is hidden.

    Args:
        observation: Of the photo.
        source: One of `HIDING_MAPS`: a method of class evidence, or how channels become one map.
        stage: 0 for C1 to 4 for C5.
        target: Index of the class.
        evidence: Finds that for the class alone; called where it is needed.

    Raises:
        OptionError: The map is flat, so that no part of it is hotter than another.
    """
    if source in METHODS:
        found = evidence()
        # With its sign, so that what speaks against the class is hidden last.
        heatmap = heatmap_of(found.blocks[stage], found.maps[source][0][stage])
        if heatmap.maximum <= 0 and not heatmap.note:
            name = observation.manifest.labels[target].name
            raise OptionError("Nothing in {} speaks for “{}”, so there is nothing to hide.", STAGE_NAMES[stage], name)
    else:
        heatmap = observation.heatmaps(ViewOptions(source))[stage]
    if heatmap.note:
        raise OptionError("This map of {} is flat: no part of it is hotter than another.", STAGE_NAMES[stage])
    return heatmap


def order_pixels(values: NDArray[np.float32], observation: Observation, block: Block) -> NDArray[np.int64]:
    """The input's pixels, the hottest of a map first, as flat indices; padding is left out.

    Args:
        values: (height, width) float32, a map on the block's grid.
        observation: Of the photo.
        block: Where its cells lie.
    """
    size = observation.geometry.input_size
    itself = Geometry(size, size, (1.0, 1.0), (0.0, 0.0))
    heat = project(values, block, itself, size, smooth=True)
    left, top, right, bottom = photo_box(observation)
    inside = np.zeros(heat.shape, bool)
    inside[top:bottom, left:right] = True
    # Pixels of equal heat come in random order; row by row they would make a region of their own.
    chance = np.random.default_rng(0).random(heat.size)
    order = np.lexsort((chance, -heat.ravel()))
    return order[inside.ravel()[order]]


def replacement(observation: Observation, fill: str) -> NDArray[np.float32]:
    """Return the replacement of hidden pixels: the blurred photo or its mean colour.

    Args:
        observation: Of the photo.
        fill: "blur" or "mean".

    Returns:
        (height, width, 3) float32 like the network's input.

    Raises:
        OptionError: An unknown fill.
    """
    one_of("fill", fill, FILLS)
    left, top, right, bottom = photo_box(observation)
    filled = observation.pixels.copy()
    inner = filled[top:bottom, left:right]
    if fill == "mean":
        inner[:] = inner.mean(axis=(0, 1))
    else:
        picture = denormalise(inner, observation.manifest.input)
        blurred = picture.filter(ImageFilter.GaussianBlur(BLUR_SHARE * min(picture.size)))
        inner[:] = normalise(np.asarray(blurred), observation.manifest.input)
    return filled


def mixed(
    observation: Observation, other: NDArray[np.float32], order: NDArray[np.int64], count: int
) -> NDArray[np.float32]:
    """Replace the first `count` pixels of an order.

    Args:
        observation: Of the photo.
        other: What replaces them, like the network's input.
        order: Flat indices of pixels, as `order_pixels` gives them.
        count: How many.

    Returns:
        (height, width, 3) float32, the network's input with the others' pixels.
    """
    pixels = observation.pixels.copy()
    chosen = order[:count]
    pixels.reshape(-1, 3)[chosen] = other.reshape(-1, 3)[chosen]
    return pixels


def hide(observation: Observation, engine: Engine, heatmap: Heatmap, percent: float, fill: str) -> Hidden:
    """Hide the hottest part of a map and classify again: one forward pass.

    Args:
        observation: Of the photo, made by the same engine.
        engine: The network.
        heatmap: One number a cell.
        percent: Of the photo to hide, 0 to 100.
        fill: "blur" or "mean" colour of the photo.

    Raises:
        OptionError: A percentage or fill that is none.
    """
    share = number("hidden part in percent", percent, 0, 100) / 100
    order = order_pixels(heatmap.values, observation, heatmap.block)
    return hide_pixels(observation, engine, order[: round(share * len(order))], fill)


def hide_pixels(observation: Observation, engine: Engine, chosen: NDArray[np.int64], fill: str) -> Hidden:
    """Hide some pixels and classify again: one forward pass.

    Args:
        observation: Of the photo, made by the same engine.
        engine: The network.
        chosen: Flat indices of the input's pixels, without padding.
        fill: "blur" or "mean" colour of the photo.

    Raises:
        OptionError: No such fill.
    """
    pixels = mixed(observation, replacement(observation, fill), chosen, len(chosen))
    left, top, right, bottom = photo_box(observation)
    picture = denormalise(pixels[top:bottom, left:right], observation.manifest.input)
    return Hidden(picture, engine.scores(pixels[None])[0], len(chosen) / ((right - left) * (bottom - top)))
