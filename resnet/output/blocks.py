"""Blocks and channels of an answer as JSON, figure and raw arrays."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from resnet import __version__
from resnet.maps.channels import BlockTrace, channel_facts
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import Observation
from resnet.output.axes import draw_changes
from resnet.output.figures import WIDTH_INCHES, draw_picture, figure_style, with_margins
from resnet.output.saving import arrays_file, origin

COLUMNS = 8
"""Channels in a row of the figure."""


def channels_dictionary(
    trace: BlockTrace, place: int, channels: Sequence[int], contributions: NDArray[np.float32] | None = None
) -> dict[str, Any]:
    """Channels of a block, and what each block changes.

    Args:
        trace: Of the photo.
        place: Of the block in the trace.
        channels: Numbers from 0.
        contributions: (channels of the block,) float32, to a class; see `Evidence.contributions`.

    Returns:
        `block`, `shape` (height, width, channels), `channels` (number, mean, standard deviation, maximum, share of
        cells that are 0, contribution) and `blocks` (norm of the branch divided by the norm of the shortcut).
    """
    facts = [channel_facts(trace.outputs[place], channel) for channel in channels]
    return {
        "block": trace.blocks[place].name,
        "shape": list(trace.blocks[place].shape),
        "channels": [
            {
                "channel": one.channel,
                "mean": one.mean,
                "standard_deviation": one.deviation,
                "max": one.maximum,
                "share_of_zeros": one.zeros,
                **({} if contributions is None else {"contribution": float(contributions[one.channel])}),
            }
            for one in facts
        ],
        "blocks": [
            {"name": one.name, "stage": one.stage, "branch_to_shortcut": float(change)}
            for one, change in zip(trace.blocks[1:], trace.changes, strict=True)
        ],
    }


def channels_figure(
    observation: Observation,
    trace: BlockTrace,
    place: int,
    channels: Sequence[int],
    order: str,
    view: ViewOptions,
    kind: str = "png",
    dpi: int = 130,
) -> bytes:
    """Draw what each block changes, and the maps of some channels of one block.

    Args:
        observation: Of the photo.
        trace: Of the same photo.
        place: Of the block in the trace.
        channels: Numbers from 0.
        order: Why these: one of `rank_channels`.
        view: Colormap, opacity, smoothness.
        kind: One of `saving.FORMATS`.
        dpi: Pixels per inch of a figure 12 inches wide.

    Returns:
        A file.
    """
    block = trace.blocks[place]
    rows = -(-len(channels) // COLUMNS)
    width, height = observation.picture.size
    tile = min(WIDTH_INCHES / COLUMNS * height / width, 2.6) + 0.55
    with figure_style():
        figure = Figure(figsize=(WIDTH_INCHES, rows * tile + 2.8), dpi=dpi, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        figure.suptitle(f"{observation.photo_name}: {block.name}", fontsize=12, parse_math=False)
        parts = figure.add_gridspec(2, 1, height_ratios=[2.0, rows * tile])
        upper, lower = figure.add_subfigure(parts[0]), figure.add_subfigure(parts[1])
        chart = upper.subplots()
        draw_changes(chart, trace.changes.tolist(), trace.blocks[1:], place - 1)
        chart.set_ylabel("branch ÷ shortcut")
        cells = lower.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes in cells[len(channels) :]:
            axes.set_axis_off()
        for axes, channel in zip(cells, channels, strict=False):
            draw_picture(lower, axes, observation, trace.heatmap(place, channel), view, f"channel {channel}")
        figure.supxlabel(
            f"{len(channels)} of {block.shape[2]} channels, by {order} · {observation.manifest.name} · "
            f"resnet {__version__}",
            fontsize=8, color="0.35", parse_math=False,
        )  # fmt: skip
        about = origin(observation, view, block=block.name, order=order, channels=list(channels))
        return with_margins(figure, kind, about)


def block_file(observation: Observation, trace: BlockTrace, place: int) -> bytes:
    """Everything that a block gives out, as an NPZ file.

    It holds `activations`, (height, width, channels) float32, after the last ReLU; `changes`, (residual blocks,)
    float32, norm of the branch divided by the norm of the shortcut; and `about`.

    Args:
        observation: Of the photo.
        trace: Of the same photo.
        place: Of the block in the trace.
    """
    about = origin(observation, ViewOptions(), block=trace.blocks[place].name)
    return arrays_file(about, {"activations": trace.outputs[place], "changes": trace.changes})
