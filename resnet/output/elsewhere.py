"""Cells that resemble an asked one, as JSON and as a figure."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from resnet import __version__
from resnet.maps.elsewhere import Resemblance
from resnet.maps.heatmaps import ViewOptions
from resnet.output.figures import WIDTH_INCHES, figure_style, with_margins
from resnet.output.saving import origin
from resnet.photo.preprocess import Box

SIDE, COLUMNS = 480, 3


def elsewhere_dictionary(found: Sequence[Resemblance], row: int, column: int) -> dict[str, Any]:
    """Return what was found as plain values, ready for JSON.

    Args:
        found: Of `find_elsewhere`.
        row: Of the asked cell, from 0.
        column: Of the asked cell, from 0.

    Returns:
        `stage`, `cell` (`row`, `column`, and its `box` in pixels of the photo), and `photos`, each with its name as
        `image`, the `cosines` (rows of cells), and `matches`: the most similar cells with `row`, `column`, `cosine`
        and `box`.
    """
    own = found[0]
    block = own.heatmap.block
    return {
        "stage": block.stage,
        "cell": {"row": row, "column": column, "box": list(own.observation.geometry.cell_box(block, row, column))},
        "photos": [
            {
                "image": one.observation.photo_name,
                "cosines": one.heatmap.values.tolist(),
                "matches": [
                    {"row": match.row, "column": match.column, "cosine": match.cosine, "box": list(match.box)}
                    for match in one.matches
                ],
            }
            for one in found
        ],
    }


def elsewhere_figure(
    found: Sequence[Resemblance], row: int, column: int, view: ViewOptions, kind: str = "png", dpi: int = 130
) -> bytes:
    """Draw the cosines over each photo, with the asked cell and the most similar ones framed.

    Args:
        found: Of `find_elsewhere`.
        row: Of the asked cell, from 0.
        column: Of the asked cell, from 0.
        view: Colours, opacity and smoothness.
        kind: One of `saving.FORMATS`.
        dpi: Pixels per inch of a figure 12 inches wide.

    Returns:
        A file.
    """
    own, columns = found[0], min(COLUMNS, len(found))
    rows, stage = ceil(len(found) / columns), own.heatmap.block.stage
    with figure_style():
        figure = Figure(
            figsize=(WIDTH_INCHES, rows * 10 / columns + 0.9), dpi=dpi, layout="constrained", facecolor="white"
        )
        FigureCanvasAgg(figure)
        title = f"{own.observation.photo_name}: cells of {stage} like the one in row {row + 1}, column {column + 1}"
        figure.suptitle(title, fontsize=12, parse_math=False)
        grid = figure.subplots(rows, columns, squeeze=False).ravel()
        for axes in grid:
            axes.set_axis_off()
        for axes, one in zip(grid, found, strict=False):
            picture = one.observation.overlay(one.heatmap, view, SIDE)
            width, height = one.observation.geometry.photo_size
            axes.imshow(np.asarray(picture), extent=(0, width, height, 0))
            best = f": {one.matches[0].cosine:.2f}" if one.matches else ""
            axes.set_title(f"{one.observation.photo_name}{best}", fontsize=10, parse_math=False)
            for match in one.matches:
                _frame(axes, match.box, "white")
        _frame(grid[0], own.observation.geometry.cell_box(own.heatmap.block, row, column), "#ff2bd6")
        figure.supxlabel(
            f"cosine of the channels, {own.heatmap.low:.2f} to {own.heatmap.high:.2f} · "
            f"{own.observation.manifest.name} · resnet {__version__}",
            fontsize=8, color="0.35", parse_math=False,
        )  # fmt: skip
        about = origin(
            own.observation, view, stage=stage, row=row, column=column,
            others=[one.observation.photo_name for one in found[1:]],
        )  # fmt: skip
        return with_margins(figure, kind, about)


def _frame(axes: Axes, box: Box, colour: str) -> None:
    left, top, right, bottom = box
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor="black", linewidth=3))
    axes.add_patch(Rectangle((left, top), right - left, bottom - top, fill=False, edgecolor=colour, linewidth=1.5))
