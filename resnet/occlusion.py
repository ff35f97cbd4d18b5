"""Does it hold? What the classes become when the hottest part of a map is hidden from the network.

The curves are those of Petsiuk, Das and Saenko 2018, "RISE: Randomized Input Sampling for
Explanation of Black-box Models" (https://arxiv.org/abs/1806.07421), section 4.2: deletion hides the
hottest pixels first, insertion shows them first on a hidden photo. A good map falls fast and rises
fast. Random regions of the same coarseness are the yardstick: hiding anything costs some score.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from resnet.explain import Observation
from resnet.heatmaps import Heatmap
from resnet.options import number, one_of
from resnet.overlays import project
from resnet.preprocess import Geometry, normalise

if TYPE_CHECKING:
    from resnet.engine import Engine

FILLS = ("blur", "mean")
BLUR_SHARE = 0.08
"""Standard deviation of the blur as a share of the input's shorter side: no object survives it."""

STEPS = 16
RANDOM_MAPS = 3
BATCH = 16


@dataclass(frozen=True)
class Curve:
    """A class's probability while more and more is hidden or shown.

    Attributes:
        shares: (steps + 1,) of the network's input hidden or shown, 0 to 1.
        probabilities: (steps + 1,) of the class, 0 to 1.
    """

    shares: NDArray[np.float64]
    probabilities: NDArray[np.float64]

    @property
    def area(self) -> float:
        """Area under the curve by the trapezoid rule, 0 to 1: the mean probability on the way."""
        return float(np.trapezoid(self.probabilities, self.shares))


@dataclass(frozen=True)
class Curves:
    """Deletion and insertion for one map, and for random maps of the same grid.

    Attributes:
        deletion, insertion: By the map.
        random_deletion, random_insertion: By each random map.
    """

    deletion: Curve
    insertion: Curve
    random_deletion: tuple[Curve, ...]
    random_insertion: tuple[Curve, ...]

    @property
    def byte_count(self) -> int:
        """Memory that the curves hold."""
        curves = (self.deletion, self.insertion, *self.random_deletion, *self.random_insertion)
        return sum(curve.shares.nbytes + curve.probabilities.nbytes for curve in curves)


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


def visible(pixels: NDArray[np.float32], observation: Observation) -> Image.Image:
    """The network's input as an RGB picture, the reverse of `preprocess.normalise`."""
    spec = observation.manifest.input
    values = pixels / np.float32(spec.scale) + np.asarray(spec.mean, np.float32)
    ordered = values[..., ::-1] if spec.channels == "BGR" else values
    return Image.fromarray(np.clip(np.rint(ordered), 0, 255).astype(np.uint8))


def _photo_box(observation: Observation) -> tuple[int, int, int, int]:
    """The part of the input that shows the photo, without padding: left, top, right, bottom."""
    left, top, right, bottom = observation.geometry.to_input(observation.geometry.seen)
    return round(left), round(top), round(right), round(bottom)


def order_pixels(values: NDArray[np.float32], observation: Observation, stage: int) -> NDArray[np.int64]:
    """The input's pixels, the hottest of a map first, as flat indices; padding is left out.

    Args:
        values: (height, width) float32, a map on the stage's grid.
        observation: Of the photo.
        stage: 0 for C1 to 4 for C5.
    """
    size = observation.geometry.input_size
    itself = Geometry(size, size, (1.0, 1.0), (0.0, 0.0))
    heat = project(values, observation.blocks[stage], itself, size, smooth=True)
    left, top, right, bottom = _photo_box(observation)
    inside = np.zeros(heat.shape, bool)
    inside[top:bottom, left:right] = True
    # Pixels of equal heat come in random order; row by row they would make a region of their own.
    chance = np.random.default_rng(0).random(heat.size)
    order = np.lexsort((chance, -heat.ravel()))
    return order[inside.ravel()[order]]


def replacement(observation: Observation, fill: str) -> NDArray[np.float32]:
    """What hidden pixels are replaced by: the photo blurred, or its mean colour.

    Args:
        observation: Of the photo.
        fill: "blur" or "mean".

    Returns:
        (height, width, 3) float32 like the network's input.

    Raises:
        OptionError: An unknown fill.
    """
    one_of("fill", fill, FILLS)
    left, top, right, bottom = _photo_box(observation)
    filled = observation.pixels.copy()
    inner = filled[top:bottom, left:right]
    if fill == "mean":
        inner[:] = inner.mean(axis=(0, 1))
    else:
        picture = visible(inner, observation)
        blurred = picture.filter(ImageFilter.GaussianBlur(BLUR_SHARE * min(picture.size)))
        inner[:] = normalise(np.asarray(blurred), observation.manifest.input)
    return filled


def _mixed(
    observation: Observation, other: NDArray[np.float32], order: NDArray[np.int64], count: int
) -> NDArray[np.float32]:
    """The input with its first `count` pixels of an order replaced."""
    pixels = observation.pixels.copy()
    chosen = order[:count]
    pixels.reshape(-1, 3)[chosen] = other.reshape(-1, 3)[chosen]
    return pixels


def hide(observation: Observation, engine: Engine, heatmap: Heatmap, stage: int, percent: float, fill: str) -> Hidden:
    """Hide the hottest part of a map and classify again: one forward pass.

    Args:
        observation: Of the photo, made by the same engine.
        engine: The network.
        heatmap: A map of the stage, one number a cell.
        stage: 0 for C1 to 4 for C5.
        percent: Of the photo to hide, 0 to 100.
        fill: "blur" or "mean" colour of the photo.

    Raises:
        OptionError: A percentage or fill that is none.
    """
    share = number("hidden part in percent", percent, 0, 100) / 100
    other = replacement(observation, fill)
    order = order_pixels(heatmap.values, observation, stage)
    count = round(share * len(order))
    pixels = _mixed(observation, other, order, count)
    left, top, right, bottom = _photo_box(observation)
    picture = visible(pixels[top:bottom, left:right], observation)
    return Hidden(picture, engine.scores(pixels[None])[0], count / len(order))


def measure_curves(
    observation: Observation,
    engine: Engine,
    heatmap: Heatmap,
    stage: int,
    target: int,
    fill: str = "blur",
    progress: Callable[[float], None] | None = None,
) -> Curves:
    """Deletion and insertion curves of a map and of random maps.

    Args:
        observation: Of the photo, made by the same engine.
        engine: The network.
        heatmap: A map of the stage, one number a cell.
        stage: 0 for C1 to 4 for C5.
        target: Index of the class whose probability is followed.
        fill: "blur" or "mean".
        progress: Told the share done, 0 to 1, after each batch.
    """
    other = replacement(observation, fill)
    generator = np.random.default_rng(0)
    shape = heatmap.values.shape
    fields = [heatmap.values, *(generator.random(shape, np.float32) for _ in range(RANDOM_MAPS))]
    orders = [order_pixels(values, observation, stage) for values in fields]
    shares = np.linspace(0, 1, STEPS + 1)

    def inputs() -> Iterator[NDArray[np.float32]]:
        for order in orders:
            for hidden_first in (order, order[::-1]):
                for share in shares:
                    yield _mixed(observation, other, hidden_first, round(share * len(order)))

    found: list[float] = []
    waiting: list[NDArray[np.float32]] = []
    total = len(orders) * 2 * len(shares)
    for pixels in inputs():
        waiting.append(pixels)
        if len(waiting) == BATCH or len(found) + len(waiting) == total:
            found += engine.scores(np.stack(waiting))[:, target].tolist()
            waiting.clear()
            if progress:
                progress(len(found) / total)
    table = np.asarray(found).reshape(len(orders), 2, len(shares))
    deletions = [Curve(shares, row[0]) for row in table]
    # Hiding the coldest first and reading backwards is the same as showing the hottest first.
    insertions = [Curve(shares, row[1][::-1]) for row in table]
    return Curves(deletions[0], insertions[0], tuple(deletions[1:]), tuple(insertions[1:]))
