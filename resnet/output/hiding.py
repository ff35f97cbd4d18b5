"""A map put to the test by hiding its hottest part, as JSON, figure and raw arrays."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from resnet import __version__
from resnet.maps.curves import TESTED_SHARE, Curve, Curves
from resnet.maps.heatmaps import Heatmap, ViewOptions
from resnet.maps.observation import Observation, likeliest
from resnet.maps.occlusion import Hidden
from resnet.output.axes import draw_curves
from resnet.output.figures import WIDTH_INCHES, draw_bars, figure_style, with_margins
from resnet.output.report import prediction_dictionary
from resnet.output.saving import arrays_file, origin

MOST_CLASSES = 5


@dataclass(frozen=True)
class Trial:
    """A map that was put to the test.

    Attributes:
        observation: Of the photo.
        source: One of `occlusion.HIDING_MAPS`.
        heatmap: The map.
        target: Index of the class.
        fill: One of `occlusion.FILLS`.
        hidden: The answer with the hottest part of the map hidden.
        curves: None if they were not measured.
    """

    observation: Observation
    source: str
    heatmap: Heatmap
    target: int
    fill: str
    hidden: Hidden
    curves: Curves | None = None

    @property
    def class_name(self) -> str:
        """Of the class, in English."""
        return self.observation.manifest.labels[self.target].name

    @property
    def about(self) -> dict[str, Any]:
        """Return what a file about it says of itself."""
        stage, share = self.heatmap.block.stage, self.hidden.share
        options = {"map": self.source, "stage": stage, "class": self.class_name, "share": share, "fill": self.fill}
        return origin(self.observation, ViewOptions(), **options)

    def dictionary(self) -> dict[str, Any]:
        """Return the numbers for JSON; shares and probabilities are 0 to 1."""
        after = likeliest(self.hidden.probabilities, self.observation.manifest, MOST_CLASSES)
        return {
            "map": self.source,
            "stage": self.heatmap.block.stage,
            "class": self.class_name,
            "hidden_share": self.hidden.share,
            "probability_before": float(self.observation.probabilities[self.target]),
            "probability_after": float(self.hidden.probabilities[self.target]),
            "predictions_after": [prediction_dictionary(prediction) for prediction in after],
            **(_curves_dictionary(self.curves) if self.curves else {}),
        }

    def file(self) -> bytes:
        """Return an NPZ file.

        It holds `map`, (rows, columns) float32; `picture`, (height, width, 3) uint8 RGB, what the network saw with the
        part hidden; `before` and `after`, (classes,) float32 probabilities; per curve its shares and probabilities;
        and `about`.
        """
        arrays = {
            "map": self.heatmap.values,
            "picture": np.asarray(self.hidden.picture),
            "before": self.observation.probabilities,
            "after": self.hidden.probabilities,
        }
        if self.curves:
            for name, curve in (("deletion", self.curves.deletion), ("insertion", self.curves.insertion)):
                arrays |= {f"{name}_shares": curve.shares, f"{name}_probabilities": curve.probabilities}
            arrays["moved_copies"] = self.curves.chance.copies
        return arrays_file(self.about, arrays)

    def figure(self, kind: str = "png", dpi: int = 130) -> bytes:
        """Return a figure: the photo with the part hidden, the classes before and after, the curves.

        Args:
            kind: One of `saving.FORMATS`.
            dpi: Pixels per inch of a figure 12 inches wide.
        """
        heights = [3.2, 2.8] if self.curves else [3.2]
        with figure_style():
            figure = Figure(
                figsize=(WIDTH_INCHES, sum(heights) + 0.9), dpi=dpi, layout="constrained", facecolor="white"
            )
            FigureCanvasAgg(figure)
            stage, share = self.heatmap.block.stage, self.hidden.share
            title = f"{self.observation.photo_name}: “{self.class_name}” with the hottest {share:.0%} of {stage} hidden"
            figure.suptitle(title, fontsize=12, parse_math=False)
            parts = figure.add_gridspec(len(heights), 1, height_ratios=heights)
            picture, bars = figure.add_subfigure(parts[0]).subplots(1, 2)
            picture.imshow(np.asarray(self.hidden.picture))
            picture.set_axis_off()
            both = ("before", self.observation.probabilities), ("with the part hidden", self.hidden.probabilities)
            draw_bars(bars, self.observation.manifest, both)
            if self.curves:
                draw_curves(
                    figure.add_subfigure(parts[1]).subplots(1, 2, sharey=True),
                    self.curves,
                    ("this map", "moved copies of it"),
                    "probability, %",
                    ("hidden, % of the input", "shown, % of the input"),
                    ("deletion", "insertion"),
                )
            figure.supxlabel(
                f"{self.source} · hidden by {self.fill} · {self.observation.manifest.name} · resnet {__version__}",
                fontsize=8, color="0.35", parse_math=False,
            )  # fmt: skip
            return with_margins(figure, kind, self.about)


def _curve_dictionary(curve: Curve) -> dict[str, Any]:
    return {"area": curve.area, "shares": curve.shares.tolist(), "probabilities": curve.probabilities.tolist()}


def _curves_dictionary(curves: Curves) -> dict[str, Any]:
    return {
        "deletion": _curve_dictionary(curves.deletion),
        "insertion": _curve_dictionary(curves.insertion),
        "moved_copies": {
            "hidden_share": TESTED_SHARE,
            "probability": curves.chance.probability,
            "copies": curves.chance.copies.tolist(),
            "hides_more_than": curves.chance.beaten,
            "verdict": curves.chance.verdict,
        },
    }
