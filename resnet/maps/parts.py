"""Parts of a photo as a stage distinguishes them: its activations as a sum of few maps, each with its own channels.

Collins, Achanta and Süsstrunk 2018, "Deep Feature Factorization for Concept Discovery"
(https://arxiv.org/abs/1806.10206): non-negative matrix factorisation of (cells, channels). It is computed by
hierarchical alternating least squares (Cichocki and Phan 2009), from a start by singular vectors (Boutsidis and
Gallopoulos 2008), so that the same photo always gives the same parts.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageColor

from resnet.maps.observation import Observation
from resnet.maps.overlays import project
from resnet.options import whole_number
from resnet.stages import STAGE_NAMES, Block

if TYPE_CHECKING:
    from resnet.network.engine import Engine

LEAST, MOST = 2, 8
MOST_ROUNDS = 200
SETTLED = 1e-5
"""The factorisation ends where a round takes less than this share off the squared error."""

NEGLIGIBLE = 1e-12

COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#f0e442", "#882255")
"""Of the parts, the strongest first; seven of them after Okabe and Ito 2008, who made them for colour-blind people."""


@dataclass(frozen=True)
class Parts:
    """A stage's activations as a sum of parts.

    Attributes:
        block: The stage.
        strengths: (parts, height, width) float32: how strong each part is in each cell, as the Euclidean norm of what
            it adds to the cell's channels. The parts with the largest sums come first.
        channels: (parts, channels) float32, each of norm 1.
        explained: Share of the activations' sum of squares that the parts account for, 0 to 1.
        probabilities: Of C5 (parts, classes) float32: the head's answer to each part alone, at the mean of its
            strengths, as pooling would give it; None at other stages.
    """

    block: Block
    strengths: NDArray[np.float32]
    channels: NDArray[np.float32]
    explained: float
    probabilities: NDArray[np.float32] | None = None

    @property
    def byte_count(self) -> int:
        """Memory that the parts hold."""
        return self.strengths.nbytes + self.channels.nbytes


def find_parts(observation: Observation, stage: int, count: int, engine: Engine) -> Parts:
    """Split a stage's activations into parts. No pass is needed.

    Args:
        observation: Of the photo.
        stage: 0 for C1 to 4 for C5.
        count: 2 to 8; fewer parts come of a map with fewer cells or channels, or of one without activation.
        engine: The network, whose head names the parts of C5.

    Raises:
        OptionError: A count outside its range.
    """
    count = whole_number("number of parts", count, LEAST, MOST)
    values, block = observation.maps[stage], observation.blocks[stage]
    cells, channels, explained = factorise(values.reshape(-1, values.shape[-1]), count)
    strengths = cells.T.reshape(-1, *values.shape[:2])
    answers = None
    if stage == len(STAGE_NAMES) - 1 and len(channels):
        answers = engine.head(cells.mean(axis=0)[:, None] * channels)
    return Parts(block, strengths, channels, explained, answers)


def factorise(matrix: NDArray[np.float32], count: int) -> tuple[NDArray[np.float32], NDArray[np.float32], float]:
    """Write a matrix as the product of two that are not negative, with the least squared error that is found.

    Args:
        matrix: (rows, columns) float32, at least 0.
        count: Columns of the first factor, at most; those that are 0 are left out.

    Returns:
        (rows, count) float32, the columns with the largest sums first; (count, columns) float32 with rows of norm 1;
        and the share of the matrix's sum of squares that the product accounts for, 0 to 1.
    """
    scale = float(matrix.max(initial=0.0)) or 1.0
    wanted = matrix.astype(np.float64) / scale
    total = float(np.vdot(wanted, wanted))
    left, right = _start(wanted, min(count, *wanted.shape))
    error = np.inf
    for _ in range(MOST_ROUNDS):
        _improve(left, wanted @ right.T, right @ right.T)
        _improve(right.T, wanted.T @ left, left.T @ left)
        before, error = error, float(np.sum((wanted - left @ right) ** 2))
        if before - error <= SETTLED * total:
            break
    sizes = np.linalg.norm(right, axis=1)
    left = left * sizes
    order = np.argsort(-left.sum(axis=0), kind="stable")
    order = order[left.sum(axis=0)[order] > NEGLIGIBLE * max(len(left), 1)]
    right = right[order] / sizes[order, None]
    explained = 1 - error / total if total else 0.0
    return (left[:, order] * scale).astype(np.float32), right.astype(np.float32), float(np.clip(explained, 0, 1))


def _start(matrix: NDArray[np.float64], count: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return a start from the singular vectors: of each pair the half, above or below 0, that is larger."""
    rows, sizes, columns = np.linalg.svd(matrix, full_matrices=False)
    left, right = np.zeros((len(matrix), count)), np.zeros((count, matrix.shape[1]))
    for place in range(count):
        halves = [(np.maximum(sign * rows[:, place], 0), np.maximum(sign * columns[place], 0)) for sign in (1.0, -1.0)]
        first, second = max(halves, key=lambda half: float(np.linalg.norm(half[0]) * np.linalg.norm(half[1])))
        product = float(np.linalg.norm(first) * np.linalg.norm(second))
        root = np.sqrt(sizes[place] * product)
        left[:, place] = root * first / max(float(np.linalg.norm(first)), NEGLIGIBLE)
        right[place] = root * second / max(float(np.linalg.norm(second)), NEGLIGIBLE)
    # What is 0 could hardly ever become larger.
    left[left == 0] = right[right == 0] = matrix.mean() / 100
    return left, right


def _improve(factor: NDArray[np.float64], products: NDArray[np.float64], squares: NDArray[np.float64]) -> None:
    """Set each column of a factor, in place and in turn, to the best one that is not negative."""
    for place in range(factor.shape[1]):
        if squares[place, place] > NEGLIGIBLE:
            slope = products[:, place] - factor @ squares[:, place]
            factor[:, place] = np.maximum(0, factor[:, place] + slope / squares[place, place])


def draw_parts(
    observation: Observation, parts: Parts, opacity: float, side: int, *, smooth: bool = True
) -> Image.Image:
    """Lay the parts over the photo: each place in the colour of its strongest part, the paler the weaker.

    Args:
        observation: Of the photo.
        parts: Of the same photo.
        opacity: Of a part at its strongest, 0 to 1.
        side: Longer side of the picture in pixels, at most.
        smooth: Interpolate between cells.

    Returns:
        An RGB picture of the whole photo.
    """
    canvas = observation.canvas(side)
    left, top, right, bottom = canvas.box
    picture = canvas.dimmed.copy()
    spread = _spread(observation, parts, picture.size, smooth=smooth)[:, top:bottom, left:right]
    seen = np.asarray(canvas.seen, np.float32)
    if len(spread):
        strongest = spread.argmax(axis=0)
        largest = parts.strengths.max(axis=(1, 2))
        shares = spread.max(axis=0) / np.maximum(largest[strongest], NEGLIGIBLE)
        alpha = opacity * np.sqrt(np.clip(shares, 0, 1))[..., None]
        table = np.array([ImageColor.getrgb(colour) for colour in COLOURS], np.float32)
        seen = seen * (1 - alpha) + table[strongest] * alpha
    picture.paste(Image.fromarray(np.rint(seen).astype(np.uint8)), (left, top))
    return picture


def areas(observation: Observation, parts: Parts, side: int = 256) -> list[float]:
    """Return the share of what the network saw in which each part is the strongest, 0 to 1.

    Args:
        observation: Of the photo.
        parts: Of the same photo.
        side: Longer side of the picture that is counted, in pixels.
    """
    canvas = observation.canvas(side)
    left, top, right, bottom = canvas.box
    spread = _spread(observation, parts, canvas.dimmed.size, smooth=True)[:, top:bottom, left:right]
    if not len(spread):
        return []
    strongest = np.where(spread.max(axis=0) > 0, spread.argmax(axis=0), -1)
    return [float((strongest == place).mean()) for place in range(len(spread))]


def _spread(observation: Observation, parts: Parts, size: tuple[int, int], *, smooth: bool) -> NDArray[np.float32]:
    maps = [project(values, parts.block, observation.geometry, size, smooth=smooth) for values in parts.strengths]
    return np.stack(maps) if maps else np.zeros((0, size[1], size[0]), np.float32)
