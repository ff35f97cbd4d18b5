"""The inside of a block as JSON and as a figure."""

from __future__ import annotations

from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from resnet import __version__
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.inside import MEAN, BlockInside, Worked
from resnet.maps.observation import Observation
from resnet.output.figures import WIDTH_INCHES, draw_picture, figure_style, with_margins
from resnet.output.saving import origin

COLUMNS = 5
"""Steps in a row of the figure."""


def inside_dictionary(inside: BlockInside) -> dict[str, Any]:
    """Return a block's steps as plain values, ready for JSON.

    Returns:
        `block`, `stage`, and `steps`: name, kind, names of the steps before, shape, min, max, and share of zeros.
    """
    return {
        "block": inside.block.name,
        "stage": inside.block.stage,
        "steps": [
            {
                "name": step.name,
                "kind": step.kind,
                "before": list(step.before),
                "shape": list(step.values.shape),
                "min": float(step.values.min()),
                "max": float(step.values.max()),
                "zeros": step.zeros,
            }
            for step in inside.steps.values()
        ],
    }


def worked_dictionary(worked: Worked) -> dict[str, Any]:
    """Return how a value was computed, as plain values: see `Worked`."""
    window = None if worked.window is None else worked.window.tolist()
    return {
        "step": worked.step.name,
        "value": worked.value,
        "parts": list(worked.parts),
        "products": worked.products,
        "largest": [{**vars(term), "product": term.product} for term in worked.terms],
        "window": window and [[None if value != value else value for value in row] for row in window],
        "before_relu": None if worked.inner is None else worked_dictionary(worked.inner),
    }


def inside_figure(
    observation: Observation, inside: BlockInside, channel: int, view: ViewOptions, kind: str = "png", dpi: int = 130
) -> bytes:
    """Draw every step of a block over the photo.

    Args:
        observation: Of the photo.
        inside: Of the same photo.
        channel: From 0, or `MEAN`; steps without it are left out.
        view: Opacity, smoothness and cut; the colormap of values without a sign.
        kind: One of `saving.FORMATS`.
        dpi: Pixels per inch of a figure 12 inches wide.

    Returns:
        A file.
    """
    steps = [step for step in inside.steps.values() if channel < step.values.shape[-1]]
    rows = -(-len(steps) // COLUMNS)
    width, height = observation.picture.size
    tile = min(WIDTH_INCHES / COLUMNS * height / width, 3.2) + 0.8
    with figure_style():
        figure = Figure(figsize=(WIDTH_INCHES, rows * tile + 0.8), dpi=dpi, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        what = "mean of the channels" if channel == MEAN else f"channel {channel}"
        figure.suptitle(f"{observation.photo_name}: inside {inside.block.name}, {what}", fontsize=12, parse_math=False)
        cells = figure.subplots(rows, COLUMNS, squeeze=False).ravel()
        for axes in cells[len(steps) :]:
            axes.set_axis_off()
        for axes, step in zip(cells, steps, strict=False):
            shape = "×".join(map(str, step.values.shape))
            title = f"{step.name}\n{shape}, {step.zeros:.0%} zeros"
            draw_picture(figure, axes, observation, step.heatmap(channel), step.view(view), title)
        figure.supxlabel(
            f"{observation.manifest.name} · resnet {__version__}", fontsize=8, color="0.35", parse_math=False
        )
        return with_margins(figure, kind, origin(observation, view, block=inside.block.name, inside_channel=channel))
