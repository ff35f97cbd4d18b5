"""The same elsewhere: cells that resemble an asked one, in its own photo and in others."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resnet.errors import OptionError
from resnet.maps.heatmaps import Heatmap, heatmap_of
from resnet.maps.observation import Observation
from resnet.photo.preprocess import Box
from resnet.stages import STAGE_NAMES

MOST_MATCHES = 3
"""Cells that are named of a photo."""


@dataclass(frozen=True)
class Match:
    """A cell that resembles the asked one.

    Attributes:
        row, column: Of the cell, from 0.
        cosine: Of its channels and the asked cell's, 0 to 1.
        box: Of the cell, in pixels of its photo.
    """

    row: int
    column: int
    cosine: float
    box: Box


@dataclass(frozen=True)
class Resemblance:
    """The resemblance of each cell of a photo to an asked cell.

    Attributes:
        observation: Of the photo.
        heatmap: (height, width) cosines of the stage's cells; the scale is that of all photos that were looked in.
        matches: The most similar cells, the most similar first; of the asked cell's own photo the others.
    """

    observation: Observation
    heatmap: Heatmap
    matches: tuple[Match, ...]


def cosines(asked: NDArray[np.float32], maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """Cosine of the angle between a cell's channels and those of every cell of a map.

    Args:
        asked: (channels,) float32, not all 0.
        maps: (height, width, channels) float32.

    Returns:
        (height, width) float32, 0 to 1 for channels after a ReLU; 0 for a cell whose channels are all 0.
    """
    sizes = np.linalg.norm(maps, axis=-1) * np.linalg.norm(asked)
    found = np.divide(maps @ asked, sizes, out=np.zeros_like(sizes), where=sizes > 0)
    return np.asarray(np.clip(found, -1, 1), np.float32)


def find_elsewhere(
    observation: Observation, stage: int, row: int, column: int, others: Sequence[Observation]
) -> tuple[Resemblance, ...]:
    """Look for the most similar cells of a photo and of others, without a forward pass.

    Args:
        observation: Of the asked cell's photo.
        stage: 0 for C1 to 4 for C5.
        row: Of the asked cell, from 0.
        column: Of the asked cell, from 0.
        others: Of further photos, by the same weights.

    Returns:
        The photo itself, and then the others, those with the most similar cells first.

    Raises:
        OptionError: All channels of the asked cell are 0, or others were answered by another network.
    """
    asked = observation.maps[stage][row, column]
    if not asked.any():
        raise OptionError("All channels of this cell of {} are 0, so nothing resembles it.", STAGE_NAMES[stage])
    if any(other.maps[stage].shape[-1] != len(asked) for other in others):
        raise OptionError("Only answers of the same network can be compared.")
    everywhere = [cosines(asked, one.maps[stage]) for one in (observation, *others)]
    low = min(float(values.min()) for values in everywhere)
    found = []
    for place, (one, values) in enumerate(zip((observation, *others), everywhere, strict=True)):
        block = one.blocks[stage]
        # The largest size is 1, or a photo whose cells hardly differ would be coloured by its noise.
        heatmap = heatmap_of(block, values, low, 1.0, largest=1.0)
        candidates = values.copy()
        if place == 0:
            candidates[row, column] = -np.inf  # the asked cell itself
        order = np.argsort(-candidates, axis=None, kind="stable")[: min(MOST_MATCHES, values.size - (place == 0))]
        matches = []
        for index in order:
            down, right = divmod(int(index), values.shape[1])
            matches.append(Match(down, right, float(values[down, right]), one.geometry.cell_box(block, down, right)))
        found.append(Resemblance(one, heatmap, tuple(matches)))
    first, *rest = found
    return first, *sorted(rest, key=lambda other: -other.matches[0].cosine)
