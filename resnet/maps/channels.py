"""Any block, any channel: what every block gives for a photo, and how its channels differ."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resnet.errors import OptionError
from resnet.maps.heatmaps import Heatmap, heatmap_of
from resnet.maps.observation import Observation
from resnet.options import one_of, repr_of, whole_number
from resnet.stages import Block

if TYPE_CHECKING:
    from resnet.network.engine import Engine

ORDERS = ("mean", "max", "contribution")
MINIMUM_SHOWN, MAXIMUM_SHOWN = 4, 64
HISTOGRAM_BINS = 24


@dataclass(frozen=True)
class BlockTrace:
    """Every block's output for one photo.

    Attributes:
        blocks: The stem and every residual block.
        outputs: Per block (height, width, channels) float32, after ReLU.
        branches, shortcuts: Per residual block the root of the mean square of what its branch adds,
            and of what that is added to.
    """

    blocks: tuple[Block, ...]
    outputs: tuple[NDArray[np.float32], ...]
    branches: NDArray[np.float32]
    shortcuts: NDArray[np.float32]

    @property
    def byte_count(self) -> int:
        """Memory that the trace holds."""
        return sum(values.nbytes for values in self.outputs)

    @property
    def changes(self) -> NDArray[np.float32]:
        """Per residual block: how large what its branch adds is against its shortcut.

        The ratio of the two Euclidean norms, as Veit et al. 2016 (https://arxiv.org/abs/1605.06431)
        and Greff et al. 2017 (https://arxiv.org/abs/1612.07771) look at what single blocks change;
        0 for a block that adds nothing. Where the shortcut is 0 the ratio is infinite.
        """
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = self.branches / self.shortcuts
        return np.where(self.branches == 0, np.float32(0), ratio)

    def of_stage(self, stage: str) -> tuple[int, ...]:
        """The places, in `blocks`, of a stage's blocks."""
        places = tuple(place for place, block in enumerate(self.blocks) if block.stage == stage)
        if not places:
            raise OptionError("The stage must be one of {}; received {}.", "C1, C2, C3, C4, C5", repr_of(stage))
        return places

    def place(self, stage: str, number: int) -> int:
        """The place of a stage's block, which is numbered from 1.

        Raises:
            OptionError: The stage has no such block.
        """
        places = self.of_stage(stage)
        return places[whole_number("block", number, 1, len(places)) - 1]

    def heatmap(self, place: int, channel: int) -> Heatmap:
        """One channel of one block, on its own scale."""
        values = self.outputs[place]
        channel = whole_number("channel", channel, 0, values.shape[-1] - 1)
        return heatmap_of(self.blocks[place], values[..., channel])


@dataclass(frozen=True)
class ChannelFacts:
    """Statistics of one channel over the cells of its block.

    Attributes:
        channel: From 0.
        mean, deviation, maximum: Of the activation; the standard deviation is of all cells.
        zeros: Share of cells that are 0, 0 to 1.
        counts: (24,) cells per bin of the histogram.
        edges: (25,) borders of the bins, from 0 to the maximum.
    """

    channel: int
    mean: float
    deviation: float
    maximum: float
    zeros: float
    counts: NDArray[np.int64]
    edges: NDArray[np.float64]


def trace_blocks(observation: Observation, engine: Engine) -> BlockTrace:
    """Every block's output, by one more pass from the photo's C1 on.

    Args:
        observation: Of the photo, made by the same engine.
        engine: The network.
    """
    found = engine.trace(observation.maps[0])
    return BlockTrace(engine.blocks(observation.geometry.input_size), found.outputs, found.branches, found.shortcuts)


def rank_channels(
    activations: NDArray[np.float32], order: str, count: int, contributions: NDArray[np.float32] | None = None
) -> NDArray[np.int64]:
    """The most active channels of a block, the most active first.

    Args:
        activations: (height, width, channels) float32.
        order: "mean" or "max" of the activation over the cells, or "contribution" to a class.
        count: 4 to 64; all channels if there are fewer.
        contributions: (channels,) float32, for that order: see `Evidence.contributions`.

    Raises:
        OptionError: An unknown order, a count outside its range, or no contributions to go by.
    """
    one_of("order", order, ORDERS)
    count = whole_number("number of channels", count, MINIMUM_SHOWN, MAXIMUM_SHOWN)
    if order == "contribution" and contributions is None:
        raise OptionError("The order by contribution needs a class; received none.")
    match order:
        case "mean":
            strength = activations.mean(axis=(0, 1))
        case "max":
            strength = activations.max(axis=(0, 1))
        case _:
            strength = np.asarray(contributions)
    return np.argsort(-strength, kind="stable")[:count]


def channel_facts(activations: NDArray[np.float32], channel: int) -> ChannelFacts:
    """Mean, spread, zeros and histogram of one channel.

    Args:
        activations: (height, width, channels) float32.
        channel: From 0.

    Raises:
        OptionError: There is no such channel.
    """
    channel = whole_number("channel", channel, 0, activations.shape[-1] - 1)
    values = activations[..., channel].astype(np.float64)
    highest = float(values.max())
    counts, edges = np.histogram(values, bins=HISTOGRAM_BINS, range=(0, highest or 1))
    return ChannelFacts(
        channel, float(values.mean()), float(values.std()), highest, float((values == 0).mean()), counts, edges
    )


@dataclass(frozen=True)
class CellFacts:
    """One cell of a stage's map.

    Attributes:
        block: The stage.
        row, column: From 0.
        box: What one stride around the cell's centre covers, in photo pixels: left, top, right, bottom.
        receptive_box: All that can change the cell, in photo pixels; can reach beyond the photo.
        channels: Its strongest channels as (channel, activation, the channel's mean over all cells).
    """

    block: Block
    row: int
    column: int
    box: tuple[float, float, float, float]
    receptive_box: tuple[float, float, float, float]
    channels: tuple[tuple[int, float, float], ...]


def ask_cell(observation: Observation, stage: int, row: int, column: int, count: int = 5) -> CellFacts:
    """Facts about one cell of a stage.

    Args:
        observation: Of the photo.
        stage: 0 for C1 to 4 for C5.
        row: From 0.
        column: From 0.
        count: How many of its strongest channels to name.

    Raises:
        OptionError: The stage has no such cell.
    """
    block, values = observation.blocks[stage], observation.maps[stage]
    box = observation.geometry.cell_box(block, row, column)
    cell = values[row, column]
    strongest = np.argsort(-cell, kind="stable")[:count]
    means = values[..., strongest].mean(axis=(0, 1))
    return CellFacts(
        block,
        row,
        column,
        box,
        observation.geometry.receptive_box(block, row, column),
        tuple(
            (int(channel), float(cell[channel]), float(mean)) for channel, mean in zip(strongest, means, strict=True)
        ),
    )
