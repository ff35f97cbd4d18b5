"""Does it hold? What becomes of a class while the hottest part of a map is hidden from the network, or shown first.

The curves are those of Petsiuk, Das and Saenko 2018, "RISE: Randomized Input Sampling for
Explanation of Black-box Models" (https://arxiv.org/abs/1806.07421), section 4.2: deletion hides the
hottest pixels first, insertion shows them first on a hidden photo. A good map falls fast and rises
fast. But hiding anything costs some score, and how much depends on how coarse the hidden parts are. So the yardstick is
the map itself, moved: shifted round, mirrored and turned, it has the same values and the same coarseness, and hides the
same area elsewhere. Where a map hides more of the answer than all its copies, its place matters (a permutation test:
of maps without any meaning, one in 21 would pass).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray

from resnet.maps.heatmaps import Heatmap
from resnet.maps.observation import Observation
from resnet.maps.occlusion import mixed, order_pixels, replacement

if TYPE_CHECKING:
    from resnet.network.engine import Engine

SHARES = (0.05, 0.1, 0.2, 0.4, 0.7)
"""Parts of the input that are hidden for the curves, besides nothing and all."""

TESTED_SHARE = 0.2
"""The part that the map and its moved copies hide for the verdict."""

COPIES = 20
MOST_SHARED = 0.5
"""Of the map's hottest part, how much a moved copy may share."""

LEAST_PROBABILITY = 0.05
"""Probability of a class below which there is no verdict: too little is left to hide."""

BATCH = 8
_ATTEMPTS = 50


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


Verdict = Literal["holds", "chance", "none"]


@dataclass(frozen=True)
class Chance:
    """Probability of a class with the hottest part of a map hidden, and with moved copies of the map hidden.

    Attributes:
        before: Probability of the class with nothing hidden, 0 to 1.
        probability: With the map's hottest `TESTED_SHARE` hidden.
        copies: (copies,) the same for each moved copy.
    """

    before: float
    probability: float
    copies: NDArray[np.float64]

    @property
    def beaten(self) -> int:
        """Copies that hide less of the answer than the map."""
        return int((self.copies > self.probability).sum())

    @property
    def verdict(self) -> Verdict:
        """Return the verdict: "holds" if the map hides more than all its copies, "none" if the class has too little."""
        if self.before < LEAST_PROBABILITY:
            return "none"
        return "holds" if len(self.copies) and self.beaten == len(self.copies) else "chance"


@dataclass(frozen=True)
class Curves:
    """Deletion and insertion for one map, and the comparison with moved copies of it.

    Attributes:
        deletion, insertion: By the map.
        chance: By moved copies.
        measured: Images so far.
        images: Images in all.
    """

    deletion: Curve
    insertion: Curve
    chance: Chance
    measured: int
    images: int

    @property
    def byte_count(self) -> int:
        """Memory that the curves hold."""
        arrays = [part for curve in (self.deletion, self.insertion) for part in (curve.shares, curve.probabilities)]
        return sum(values.nbytes for values in (*arrays, self.chance.copies))


def moved_copies(values: NDArray[np.float32], count: int = COPIES) -> list[NDArray[np.float32]]:
    """Return different copies of a map, shifted round by whole cells, mirrored and turned; the same at each call.

    Their hottest parts lie elsewhere: a copy that hides much the same as the map would say nothing.

    Args:
        values: (height, width) float32; turned by a quarter only if it is square.
        count: How many; fewer where there are no more, as of a map of few cells.
    """
    generator = np.random.default_rng(0)
    height, width = values.shape
    own = _hottest(values)
    copies: list[NDArray[np.float32]] = []
    for _ in range(count * _ATTEMPTS):
        turns = int(generator.integers(4)) if height == width else 2 * int(generator.integers(2))
        moved = np.rot90(values, turns)
        if generator.integers(2):
            moved = moved[:, ::-1]
        moved = np.roll(moved, (int(generator.integers(height)), int(generator.integers(width))), (0, 1))
        apart = (_hottest(moved) & own).sum() <= MOST_SHARED * own.sum()
        if apart and not any(np.array_equal(moved, other) for other in (values, *copies)):
            copies.append(moved)
        if len(copies) == count:
            break
    return copies


def _hottest(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """Return the hottest `TESTED_SHARE` of a map's cells, at least one."""
    count = max(1, round(TESTED_SHARE * values.size))
    chosen = np.zeros(values.size, bool)
    chosen[np.argsort(-values, axis=None, kind="stable")[:count]] = True
    return chosen.reshape(values.shape)


def compare_with_copies(
    observation: Observation, engine: Engine, heatmap: Heatmap, target: int, fill: str = "blur"
) -> Chance:
    """Hide the hottest part of a map, and as much by each moved copy of it: 21 images in batches.

    Args:
        observation: Of the photo, made by the same engine.
        engine: The network.
        heatmap: One number a cell.
        target: Index of the class whose probability is followed.
        fill: "blur" or "mean".
    """
    inputs = _hidden_by_copies(observation, replacement(observation, fill), heatmap)
    *_, (own, *copies) = _probabilities(engine, inputs, target)
    return Chance(float(observation.probabilities[target]), own, np.asarray(copies))


def measure_curves(
    observation: Observation, engine: Engine, heatmap: Heatmap, target: int, fill: str = "blur"
) -> Iterator[Curves]:
    """Deletion and insertion curves of a map, and the comparison with its moved copies: 32 images in batches.

    Args:
        observation: Of the photo, made by the same engine.
        engine: The network.
        heatmap: One number a cell.
        target: Index of the class whose probability is followed.
        fill: "blur" or "mean".

    Yields:
        What is measured so far, after each batch; points that are still to come are NaN.
    """
    other = replacement(observation, fill)
    order = order_pixels(heatmap.values, observation, heatmap.block)
    # Hiding the coldest is showing the hottest.
    counts = [round(share * len(order)) for share in SHARES]
    inputs = [other, *(mixed(observation, other, order, count) for count in counts)]
    inputs += [mixed(observation, other, order[::-1], len(order) - count) for count in counts]
    of_map = len(inputs)
    inputs += _hidden_by_copies(observation, other, heatmap)
    photo = float(observation.probabilities[target])
    shares = np.array([0, *SHARES, 1])
    for found in _probabilities(engine, inputs, target):
        values = np.full(len(inputs), np.nan)
        values[: len(found)] = found
        nothing, *rest = values[:of_map]
        yield Curves(
            Curve(shares, np.array([photo, *rest[: len(SHARES)], nothing])),
            Curve(shares, np.array([nothing, *rest[len(SHARES) :], photo])),
            Chance(photo, float(values[of_map]), np.asarray(found[of_map + 1 :])),
            len(found),
            len(inputs),
        )


def _hidden_by_copies(
    observation: Observation, other: NDArray[np.float32], heatmap: Heatmap
) -> list[NDArray[np.float32]]:
    """Inputs of the network with the hottest part of a map hidden, and then of each moved copy."""
    fields = [heatmap.values, *moved_copies(heatmap.values)]
    orders = (order_pixels(values, observation, heatmap.block) for values in fields)
    return [mixed(observation, other, order, round(TESTED_SHARE * len(order))) for order in orders]


def _probabilities(engine: Engine, inputs: Sequence[NDArray[np.float32]], target: int) -> Iterator[list[float]]:
    """Of a class for each input so far, after each batch."""
    found: list[float] = []
    for start in range(0, len(inputs), BATCH):
        found = [*found, *engine.scores(np.stack(inputs[start : start + BATCH]))[:, target].tolist()]
        yield found
