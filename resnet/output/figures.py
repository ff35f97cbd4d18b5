"""Pictures of an exploration for papers and slides: the class × stage matrix, and a comparison."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from resnet import __version__
from resnet.maps.comparison import Similarity, on_shared_scales
from resnet.maps.evidence import METHOD_NAMES, Evidence
from resnet.maps.heatmaps import DIVERGING, Heatmap, ViewOptions
from resnet.maps.observation import Observation, likeliest
from resnet.maps.overlays import colour_table
from resnet.network.manifest import Manifest
from resnet.output.axes import SECOND, draw_similarity, drawing
from resnet.output.report import aggregation_name, font_families, stage_caption
from resnet.output.saving import figure_file, origin

WIDTH_INCHES = 12
MARGIN_INCHES = 0.1
PICTURE_SIDE = 400
MOST_ROWS_OF_BARS = 5


def difference_view(view: ViewOptions) -> ViewOptions:
    """The same view in the colours of differences."""
    return replace(view, colormap=DIVERGING)


def evidence_figure(
    observation: Observation,
    evidence: Evidence,
    method: str,
    scale: str,
    view: ViewOptions,
    difference: tuple[int, int] | None = None,
    kind: str = "png",
    dpi: int = 130,
) -> bytes:
    """The class × stage matrix as one picture.

    Args:
        observation: Of the photo.
        evidence: About 1 to 10 classes.
        method: One of `evidence.METHODS`.
        scale: "stage" or "each".
        view: Colormap, opacity, smoothness.
        difference: Places of two classes in `evidence.classes`; adds a row of what speaks for the
            first minus what speaks for the second.
        kind: One of `saving.FORMATS`.
        dpi: Pixels per inch of a figure 12 inches wide.

    Returns:
        A file.
    """
    labels = observation.manifest.labels
    rows = [
        (f"{labels[index].name}\n{observation.probabilities[index]:.1%}", heatmaps, view)
        for index, heatmaps in zip(evidence.classes, evidence.matrix(method, scale), strict=True)
    ]
    if difference:
        one, other = (labels[evidence.classes[place]].name for place in difference)
        rows.append((f"{one}\nminus\n{other}", evidence.difference(method, *difference), difference_view(view)))
    subtitle = f"{METHOD_NAMES[method]} from the logit · {observation.manifest.name} · resnet {__version__}"
    title = f"{observation.photo_name}: which part of each stage speaks for which class"
    classes = [labels[index].name for index in evidence.classes]
    about = origin(observation, view, method=method, scale=scale, classes=classes)
    return _grid(title, rows, observation, subtitle, dpi, kind, about)


def comparison_figure(
    one: Observation,
    other: Observation,
    similarities: Sequence[Similarity],
    view: ViewOptions,
    kind: str = "png",
    dpi: int = 130,
) -> bytes:
    """Two photos' maps on shared scales, their likeliest classes, and how alike their stages are.

    Args:
        one: Of a photo.
        other: Of another photo, or the same after a change.
        similarities: Of the two.
        view: How the maps are shown.
        kind: One of `saving.FORMATS`.
        dpi: Pixels per inch of a figure 12 inches wide.

    Returns:
        A file.
    """
    width, height = one.picture.size
    tile = min(WIDTH_INCHES / 6 * height / width, 2.6)
    with figure_style():
        figure = Figure(
            figsize=(WIDTH_INCHES, 2 * (tile + 0.55) + 3.1), dpi=dpi, layout="constrained", facecolor="white"
        )
        FigureCanvasAgg(figure)
        figure.suptitle(f"{one.photo_name} and {other.photo_name}", fontsize=12, parse_math=False)
        parts = figure.add_gridspec(2, 1, height_ratios=[2 * (tile + 0.55), 2.4])
        upper, lower = figure.add_subfigure(parts[0]), figure.add_subfigure(parts[1])
        axes = upper.subplots(2, 6)
        for row, (found, heatmaps) in enumerate(zip((one, other), on_shared_scales(one, other, view), strict=True)):
            axes[row][0].imshow(np.asarray(found.picture))
            axes[row][0].set_title(shortened(found.photo_name), fontsize=8, parse_math=False)
            axes[row][0].set_axis_off()
            for cell, heatmap in zip(axes[row][1:], heatmaps, strict=True):
                draw_picture(upper, cell, found, heatmap, view, heatmap.block.stage)
        bars, lines = lower.subplots(1, 2)
        draw_bars(bars, one.manifest, [(found.photo_name, found.probabilities) for found in (one, other)])
        draw_similarity(lines, similarities, ("cosine", "linear CKA", "CKA by chance"))
        lines.set_title("similarity of the stages", fontsize=9)
        lower.supxlabel(
            f"{aggregation_name(view)} · {one.manifest.name} · resnet {__version__}",
            fontsize=8, color="0.35", parse_math=False,
        )  # fmt: skip
        return with_margins(figure, kind, origin(one, view, other=other.photo_name))


def figure_style() -> Any:
    """Return the context in which figures are drawn: fonts that have the names' characters, two axes."""
    return drawing({"font.family": font_families(), "axes.spines.top": False, "axes.spines.right": False})


def with_margins(figure: Figure, kind: str, about: Mapping[str, Any]) -> bytes:
    """A figure with constrained layout as a file, with room at its margins."""
    figure.get_layout_engine().set(w_pad=MARGIN_INCHES, h_pad=MARGIN_INCHES)  # type: ignore[union-attr, call-arg]
    return figure_file(figure, kind, about)


def shortened(name: str, longest: int = 32) -> str:
    """A name, its end left out where it is longer than `longest` letters."""
    return name if len(name) <= longest else name[: longest - 1] + "…"


def _grid(
    title: str,
    rows: Sequence[tuple[str, Sequence[Heatmap], ViewOptions]],
    observation: Observation,
    subtitle: str,
    dpi: int,
    kind: str,
    about: Mapping[str, Any],
) -> bytes:
    width, height = observation.picture.size
    columns = len(rows[0][1]) + 1
    tile = min(WIDTH_INCHES / columns * height / width, 2.6)
    with figure_style():
        figure = Figure(
            figsize=(WIDTH_INCHES, len(rows) * (tile + 0.55) + 1), dpi=dpi, layout="constrained", facecolor="white"
        )
        FigureCanvasAgg(figure)
        figure.suptitle(title, fontsize=12, parse_math=False)
        axes = figure.subplots(len(rows), columns, squeeze=False)
        for row, (name, heatmaps, view) in enumerate(rows):
            axes[row][0].text(0.5, 0.5, name, ha="center", va="center", fontsize=10, wrap=True, parse_math=False)
            axes[row][0].set_axis_off()
            for cell, heatmap in zip(axes[row][1:], heatmaps, strict=True):
                draw_picture(figure, cell, observation, heatmap, view, heatmap.block.stage if row == 0 else "")
        figure.supxlabel(subtitle, fontsize=8, color="0.35", parse_math=False)
        return with_margins(figure, kind, about)


def draw_picture(
    figure: Any, axes: Any, observation: Observation, heatmap: Heatmap, view: ViewOptions, title: str
) -> None:
    """Draw a map over its photo, with its colour bar or what is to be said instead."""
    axes.imshow(np.asarray(observation.overlay(heatmap, view, PICTURE_SIDE)))
    axes.set_title(title, fontsize=9)
    axes.set_axis_off()
    if heatmap.note or heatmap.explained is not None:
        axes.text(0.5, -0.06, stage_caption(heatmap)[2], transform=axes.transAxes, ha="center", va="top", fontsize=7)
        return
    mappable = ScalarMappable(Normalize(heatmap.low, heatmap.high), ListedColormap(colour_table(view.colormap) / 255))
    bar = figure.colorbar(mappable, ax=axes, orientation="horizontal", shrink=0.85, aspect=22, pad=0.02)
    bar.ax.tick_params(labelsize=6)
    bar.ax.locator_params(nbins=4)


def draw_bars(axes: Any, manifest: Manifest, answers: Sequence[tuple[str, NDArray[np.float32]]]) -> None:
    """Draw the likeliest classes of two answers as pairs of bars.

    Args:
        axes: Where to draw.
        manifest: Of the weights, for the classes' names.
        answers: Two pairs of a name and (classes,) float32 probabilities.
    """
    wanted = dict.fromkeys(
        prediction.index for _, found in answers for prediction in likeliest(found, manifest, MOST_ROWS_OF_BARS)
    )
    indices = sorted(wanted, key=lambda index: -max(found[index] for _, found in answers))
    labels = [manifest.labels[index].name for index in indices]
    places = np.arange(len(labels))
    for shift, colour, (name, found) in zip((-0.2, 0.2), ("#4f46e5", SECOND), answers, strict=True):
        percents = [float(found[index]) * 100 for index in indices]
        # A name that begins with an underscore would be left out of the legend.
        axes.barh(places + shift, percents, height=0.38, color=colour, label=f" {shortened(name)}")
    axes.set_yticks(places, labels, fontsize=8, parse_math=False)
    axes.invert_yaxis()
    axes.set_xlabel("probability, %", fontsize=8)
    for text in axes.legend(fontsize=7, frameon=False).get_texts():
        text.set_parse_math(False)
