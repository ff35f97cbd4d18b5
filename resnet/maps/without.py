"""The answer without a cell: what the class's score becomes when one cell of a stage is set to 0.

Unlike a gradient, this is not an approximation: the rest of the network runs again, from that stage on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resnet.errors import OptionError
from resnet.maps.observation import Observation

if TYPE_CHECKING:
    from resnet.network.engine import Engine


@dataclass(frozen=True)
class Without:
    """The answer when one cell is 0 in all its channels.

    Attributes:
        probabilities: (classes,) float32.
        logits: (classes,) float32.
    """

    probabilities: NDArray[np.float32]
    logits: NDArray[np.float32]

    @property
    def byte_count(self) -> int:
        """Memory that the answer holds."""
        return self.probabilities.nbytes + self.logits.nbytes


def answer_without(observation: Observation, engine: Engine, stage: int, row: int, column: int) -> Without:
    """Set one cell of a stage to 0, and run the rest of the network: at most one pass, less for deeper stages.

    Args:
        observation: Of the photo, made by the same engine.
        engine: The network.
        stage: 0 for C1 to 4 for C5.
        row: Of the cell, from 0.
        column: Of the cell, from 0.

    Raises:
        OptionError: The stage has no such cell.
    """
    values = observation.maps[stage]
    rows, columns, _ = values.shape
    if not (0 <= row < rows and 0 <= column < columns):
        raise OptionError(
            "{} has {} x {} cells; received row {}, column {}.",
            observation.blocks[stage].stage,
            rows,
            columns,
            row,
            column,
        )
    changed = values.copy()
    changed[row, column] = 0
    return Without(*engine.from_stage(stage, changed))


def answer_with_all(observation: Observation, engine: Engine, stage: int) -> Without:
    """Return what `answer_without` is compared with: the same computation with nothing set to 0.

    The photo's own answer may have been computed in fewer bits.
    """
    return Without(*engine.from_stage(stage, observation.maps[stage]))
