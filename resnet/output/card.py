"""The card of a shared link: a photo, what the network says, and its five maps."""

from __future__ import annotations

import io

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import Observation
from resnet.output.axes import drawing

CARD_SIZE = (1200, 630)
"""Width and height in pixels, as sites that show links expect it (https://ogp.me)."""

_CLASSES = 3
_INDIGO = "#4f46e5"


def card_jpeg(observation: Observation, title: str) -> bytes:
    """Draw the card of an answer.

    Args:
        observation: The answer.
        title: Stands at the top.

    Returns:
        A JPEG file of `CARD_SIZE`.
    """
    with drawing({}):
        figure = Figure(figsize=(CARD_SIZE[0] / 100, CARD_SIZE[1] / 100), dpi=100, facecolor="white")
        FigureCanvasAgg(figure)
        figure.text(0.035, 0.93, title, fontsize=30, fontweight="bold", va="center", parse_math=False)
        photo = figure.add_axes((0.035, 0.395, 0.35, 0.45))
        photo.imshow(np.asarray(observation.picture), aspect="equal")
        photo.set_anchor("W")
        photo.set_axis_off()
        bars = figure.add_axes((0.64, 0.43, 0.27, 0.38))
        _draw_classes(bars, observation)
        view = ViewOptions()
        for place, heatmap in enumerate(observation.heatmaps(view)):
            axes = figure.add_axes((0.035 + place * 0.188, 0.03, 0.178, 0.31))
            axes.imshow(np.asarray(observation.overlay(heatmap, view, 300)))
            axes.set_title(heatmap.block.stage, fontsize=16, pad=5)
            axes.set_axis_off()
        buffer = io.BytesIO()
        figure.savefig(buffer, format="jpeg", pil_kwargs={"quality": 88})
    return buffer.getvalue()


def _draw_classes(axes: Axes, observation: Observation) -> None:
    predictions = observation.predictions(_CLASSES)
    places = range(len(predictions))
    percents = [prediction.probability * 100 for prediction in predictions]
    axes.barh(places, percents, color=_INDIGO, height=0.6)
    axes.set_yticks(places, [prediction.label for prediction in predictions], fontsize=18, parse_math=False)
    axes.set_xlim(0, 100)
    axes.set_xticks([])
    axes.invert_yaxis()
    axes.tick_params(length=0)
    for place, percent in zip(places, percents, strict=True):
        axes.text(
            percent + 2, place, f"{percent:.1f} %" if percent < 10 else f"{percent:.0f} %", fontsize=18, va="center"
        )
    for side in ("top", "right", "bottom"):
        axes.spines[side].set_visible(False)
