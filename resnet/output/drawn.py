"""The part of a photo that somebody drew, hidden from the network, as JSON and figure; also beside as much of a map."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from resnet import __version__
from resnet.maps.drawn import Drawing
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import Observation, likeliest
from resnet.maps.occlusion import Hidden
from resnet.output.figures import WIDTH_INCHES, draw_bars, figure_style, with_margins
from resnet.output.report import prediction_dictionary
from resnet.output.saving import origin

MOST_CLASSES = 5

CLOSE = 0.005
"""Two probabilities that are no farther apart count as equal: they are shown in tenths of a percent."""


@dataclass(frozen=True)
class Rival:
    """The hottest part of a map, as large as what somebody drew.

    Attributes:
        source: One of `occlusion.HIDING_MAPS`.
        stage: C1 to C5.
        hidden: The answer with it hidden.
    """

    source: str
    stage: str
    hidden: Hidden


@dataclass(frozen=True)
class Attempt:
    """An answer with hidden what somebody drew.

    Attributes:
        observation: Of the photo.
        drawing: On the photo.
        target: Index of the class.
        fill: One of `occlusion.FILLS`.
        hidden: The answer.
        rival: None if it was not asked for.
    """

    observation: Observation
    drawing: Drawing
    target: int
    fill: str
    hidden: Hidden
    rival: Rival | None = None

    @property
    def winner(self) -> str:
        """Return "you", "map", or "none" if both take as much from the class, or there is nothing to compare."""
        if self.rival is None:
            return "none"
        apart = float(self.rival.hidden.probabilities[self.target] - self.hidden.probabilities[self.target])
        return "none" if abs(apart) <= CLOSE else "you" if apart > 0 else "map"

    @property
    def class_name(self) -> str:
        """Of the class, in English."""
        return self.observation.manifest.labels[self.target].name

    def dictionary(self) -> dict[str, Any]:
        """Return the numbers for JSON; shares and probabilities are 0 to 1, coordinates in pixels of the photo."""
        rival = self.rival
        return {
            "drawing": self.drawing.shapes(),
            "class": self.class_name,
            "fill": self.fill,
            "hidden_share": self.hidden.share,
            "probability_before": float(self.observation.probabilities[self.target]),
            **self._after(self.hidden),
            **({"map": {"name": rival.source, "stage": rival.stage, **self._after(rival.hidden)},
                "takes_more": self.winner} if rival else {}),
        }  # fmt: skip

    def _after(self, hidden: Hidden) -> dict[str, Any]:
        predictions = likeliest(hidden.probabilities, self.observation.manifest, MOST_CLASSES)
        return {
            "probability_after": float(hidden.probabilities[self.target]),
            "predictions_after": [prediction_dictionary(prediction) for prediction in predictions],
        }

    def figure(self, kind: str = "png", dpi: int = 130) -> bytes:
        """Return a figure: the photo with the drawn part hidden and the classes, and the same of the map's part.

        Args:
            kind: One of `saving.FORMATS`.
            dpi: Pixels per inch of a figure 12 inches wide.
        """
        rows = [("what was drawn", self.hidden)]
        if self.rival:
            rows.append((f"as much of {self.rival.source}, {self.rival.stage}", self.rival.hidden))
        options = {"drawing": self.drawing.shapes(), "class": self.class_name, "fill": self.fill}
        about = origin(self.observation, ViewOptions(), **options)
        with figure_style():
            height = 3.2 * len(rows) + 0.9
            figure = Figure(figsize=(WIDTH_INCHES, height), dpi=dpi, layout="constrained", facecolor="white")
            FigureCanvasAgg(figure)
            title = f"{self.observation.photo_name}: “{self.class_name}” with {self.hidden.share:.0%} hidden"
            figure.suptitle(title, fontsize=12, parse_math=False)
            axes = figure.subplots(len(rows), 2, squeeze=False)
            for (picture, bars), (name, hidden) in zip(axes, rows, strict=True):
                picture.imshow(np.asarray(hidden.picture))
                picture.set_title(name, fontsize=10, parse_math=False)
                picture.set_axis_off()
                both = ("before", self.observation.probabilities), ("with it hidden", hidden.probabilities)
                draw_bars(bars, self.observation.manifest, both)
            figure.supxlabel(
                f"hidden by {self.fill} · {self.observation.manifest.name} · resnet {__version__}",
                fontsize=8, color="0.35", parse_math=False,
            )  # fmt: skip
            return with_margins(figure, kind, about)
