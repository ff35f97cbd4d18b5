"""The parts of a stage as JSON and as a figure."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from resnet import __version__
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import Observation, likeliest
from resnet.maps.parts import COLOURS, Parts, areas, draw_parts
from resnet.output.figures import WIDTH_INCHES, figure_style, with_margins
from resnet.output.report import prediction_dictionary
from resnet.output.saving import origin

SIDE = 900
NAMED, STRONGEST = 3, 5
"""Classes and channels that are named of a part."""


def parts_dictionary(observation: Observation, parts: Parts) -> dict[str, Any]:
    """Return the parts as plain values, ready for JSON.

    Returns:
        `stage`, `explained` (share of the activations' sum of squares, 0 to 1), and `parts`, each with its `colour`,
        `area` (share of what the network saw, 0 to 1), `channels` (the strongest ones, with their weights; the norm of
        all is 1), `strengths` (rows of cells) and, of C5, `predictions` (the head's answer to the part alone), else
        None.
    """
    found = []
    for place, area in enumerate(areas(observation, parts)):
        weights = parts.channels[place]
        predictions = None
        if parts.probabilities is not None:
            answers = likeliest(parts.probabilities[place], observation.manifest, NAMED)
            predictions = [prediction_dictionary(answer) for answer in answers]
        found.append(
            {
                "colour": COLOURS[place],
                "area": area,
                "channels": [
                    {"channel": int(channel), "weight": float(weights[channel])}
                    for channel in np.argsort(-weights, kind="stable")[:STRONGEST]
                ],
                "strengths": parts.strengths[place].tolist(),
                "predictions": predictions,
            }
        )
    return {"stage": parts.block.stage, "explained": parts.explained, "parts": found}


def parts_figure(observation: Observation, parts: Parts, view: ViewOptions, kind: str = "png", dpi: int = 130) -> bytes:
    """Draw the parts over the photo, with a legend.

    Args:
        observation: Of the photo.
        parts: Of the same photo.
        view: Opacity and smoothness.
        kind: One of `saving.FORMATS`.
        dpi: Pixels per inch of a figure 12 inches wide.

    Returns:
        A file.
    """
    width, height = observation.picture.size
    with figure_style():
        size = (WIDTH_INCHES, min(8 * height / width, 12) + 0.9)
        figure = Figure(figsize=size, dpi=dpi, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        stage = parts.block.stage
        title = f"{observation.photo_name}: {stage} as a sum of {len(parts.channels)} parts ({parts.explained:.0%})"
        figure.suptitle(title, fontsize=12, parse_math=False)
        left, right = figure.subplots(1, 2, width_ratios=[2, 1])
        left.imshow(np.asarray(draw_parts(observation, parts, view.opacity, SIDE, smooth=view.smooth)))
        for axes in (left, right):
            axes.set_axis_off()
        handles = [
            Patch(color=COLOURS[place], label=_label(observation, parts, place, area))
            for place, area in enumerate(areas(observation, parts))
        ]
        legend = right.legend(handles=handles, loc="center left", frameon=False, fontsize=9)
        for text in legend.get_texts():
            text.set_parse_math(False)
        figure.supxlabel(
            f"{observation.manifest.name} · resnet {__version__}", fontsize=8, color="0.35", parse_math=False
        )
        return with_margins(figure, kind, origin(observation, view, stage=stage, parts=len(parts.channels)))


def _label(observation: Observation, parts: Parts, place: int, area: float) -> str:
    words = f"part {place + 1}: {area:.0%}"
    if parts.probabilities is None:
        return words
    (best,) = likeliest(parts.probabilities[place], observation.manifest, 1)
    return f"{words}\n{best.label} {best.probability:.0%}"
