"""Output for one photo: a JSON object and a figure."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import font_manager
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.cm import ScalarMappable
from matplotlib.colors import ListedColormap, Normalize
from matplotlib.figure import Figure

from resnet import __version__
from resnet.errors import Note
from resnet.maps.cuts import cut_dictionary
from resnet.maps.heatmaps import Heatmap, ViewOptions
from resnet.maps.observation import Observation, Prediction
from resnet.maps.overlays import colour_table
from resnet.network.levels import is_unsure, named_levels
from resnet.output.axes import drawing
from resnet.output.saving import figure_file, origin

AGGREGATION_NAMES = {
    "mean": "mean of the channels",
    "max": "maximum of the channels",
    "l2": "L2 norm of the channels",
    "channel": "channel",
    "pca": "principal components 1–3 as RGB",
}
NOTES = {
    "": "",
    "flat": "flat: every cell has the same value",
    "zero": "flat: every cell is 0",
    "against": "nothing here speaks for it (sum {:.3g})",
    "no_channel": "this stage has no such channel",
}
FIGURE_SIDE = 512
WIDTH_INCHES = 13
_STEM_BYTES = 200
_DEVICE = re.compile(r"(con|prn|aux|nul|(com|lpt)[\d¹²³])\s*(\.|$)", re.IGNORECASE)
"""Names that Windows keeps for devices, whatever their suffix."""
_FONTS = (
    "DejaVu Sans",
    "Noto Sans CJK SC",
    "Noto Sans CJK JP",
    "WenQuanYi Micro Hei",
    "Microsoft YaHei",
    "PingFang SC",
)


def font_families() -> list[str]:
    """Return the wanted fonts that are installed, so that Chinese names can be drawn."""
    known = {font.name for font in font_manager.fontManager.ttflist}
    return [family for family in _FONTS if family in known]


def note_of(heatmap: Heatmap) -> Note:
    """Return why a map has no colours, empty if it has."""
    return Note(NOTES[heatmap.note], (float(heatmap.whole.sum()),) if heatmap.note == "against" else ())


def aggregation_name(view: ViewOptions) -> str:
    """Return a description of the maps."""
    name = AGGREGATION_NAMES[view.aggregation]
    return f"{name} {view.channel}" if view.aggregation == "channel" else name


def as_dictionary(observation: Observation, view: ViewOptions, top_k: int) -> dict[str, Any]:
    """The result as plain values, ready for JSON.

    Returns:
        `image`, `weights` (name, sha256), `framing`, `map`, `predictions` (rank, wnid, label,
        probability), `levels` (wnid, name, probability; from general to exact, empty for own
        classes), `unsure` (whether the likeliest class should be doubted), `stages` (name, shape,
        stride in input pixels, receptive_field in input pixels, min, max and mean of the shown
        map, note, cut: None unless the view shows only the strong part, else the value `above` which
        that begins, its share `area` of what the network saw, and the `box` of its largest piece in
        photo pixels), `input` (width, height and the box of the photo that the network saw, in photo
        pixels), `notes` (texts about how the photo was read; mostly none), `milliseconds` and
        `precision` ("float32" or "bfloat16") of the forward pass, `version`.
    """
    stages = [
        {
            "name": heatmap.block.stage,
            "shape": list(heatmap.block.shape),
            "stride": heatmap.block.stride,
            "receptive_field": heatmap.block.receptive_field,
            "min": heatmap.minimum,
            "max": heatmap.maximum,
            "mean": heatmap.mean,
            "note": str(note_of(heatmap)),
            "cut": cut_dictionary(observation.cut(heatmap, view)),
        }
        for heatmap in observation.heatmaps(view)
    ]
    width, height = observation.geometry.input_size
    return {
        "image": observation.photo_name,
        "weights": {"name": observation.manifest.name, "sha256": observation.manifest.sha256},
        "framing": observation.framing,
        "map": aggregation_name(view),
        "predictions": [prediction_dictionary(prediction) for prediction in observation.predictions(top_k)],
        "levels": [vars(level) for level in named_levels(observation.probabilities, observation.manifest.labels)],
        "unsure": is_unsure(observation.probabilities, observation.manifest.labels),
        "stages": stages,
        "input": {"width": width, "height": height, "seen": list(observation.geometry.seen)},
        "notes": [str(note) for note in observation.notes],
        "milliseconds": round(observation.forward_milliseconds, 1),
        "precision": observation.precision,
        "version": __version__,
    }


def prediction_dictionary(prediction: Prediction) -> dict[str, Any]:
    """One predicted class as plain values: rank, wnid, label, probability."""
    return {
        "rank": prediction.rank,
        "wnid": prediction.wnid,
        "label": prediction.label,
        "probability": prediction.probability,
    }


def safe_stem(name: str) -> str:
    """A photo's name without its suffix, fit for a file name on any system."""
    stem = re.sub(r"[^\w.\- ]+", "_", Path(name).stem)[:80]
    # A file system counts bytes, of which a letter can have four; the longest suffix here takes some twenty.
    stem = stem.encode()[:_STEM_BYTES].decode(errors="ignore").strip(" .")
    if _DEVICE.match(stem):
        stem = f"_{stem}"
    return stem or "photo"


def stage_caption(heatmap: Heatmap) -> tuple[str, str, str]:
    """Three pieces about a stage: its shape and stride, what a cell sees, what its map holds."""
    shape = "×".join(map(str, heatmap.block.shape))
    content = f"{heatmap.minimum:.3g} to {heatmap.maximum:.3g}"
    if heatmap.explained is not None:
        content = f"{heatmap.explained:.0%} of the variance"
    if heatmap.note:
        content = str(note_of(heatmap))
    return f"{shape}, stride {heatmap.block.stride} px", f"receptive field {heatmap.block.receptive_field} px", content


def result_figure(observation: Observation, view: ViewOptions, top_k: int, kind: str = "png", dpi: int = 150) -> bytes:
    """The whole result as one picture: photo, top-k chart, five overlays with colour bars.

    Args:
        observation: The result.
        view: How the maps are shown.
        top_k: Number of classes in the chart, 1 to 20.
        kind: One of `saving.FORMATS`.
        dpi: Pixels per inch of a figure 13 inches wide.

    Returns:
        A file.
    """
    with drawing({}):  # one thread at a time
        families = font_families()
        width, height = observation.picture.size
        tile = min(WIDTH_INCHES / 5 * height / width, 4.0)
        upper = max(2.4, 0.2 * top_k + 0.9)
        lower = tile + 1.4  # four lines of caption above, a colour bar below
        total = upper + lower + 0.7  # title and footer
        figure = Figure(figsize=(WIDTH_INCHES, total), dpi=dpi, layout="constrained", facecolor="white")
        FigureCanvasAgg(figure)
        # The title is a file's name: never markup.
        figure.suptitle(observation.photo_name, fontsize=13, parse_math=False, fontfamily=families)
        parts = figure.add_gridspec(2, 1, height_ratios=[upper, lower])
        top, bottom = figure.add_subfigure(parts[0]), figure.add_subfigure(parts[1])
        photo_axes, chart_axes = top.subplots(1, 2, width_ratios=[1, 2.2])
        _draw_photo(photo_axes, observation)
        _draw_chart(chart_axes, observation, top_k, families)
        heatmaps = observation.heatmaps(view)
        for axes, heatmap in zip(bottom.subplots(1, len(heatmaps)), heatmaps, strict=True):
            _draw_map(bottom, axes, observation, heatmap, view)
        figure.supxlabel(
            f"{observation.manifest.name}, {observation.manifest.classes} classes · {aggregation_name(view)} · "
            f"input {observation.geometry.input_size[0]}×{observation.geometry.input_size[1]} px · "
            f"ResNet{observation.manifest.depth} · resnet {__version__}",
            fontsize=8,
            color="0.35",
            parse_math=False,
            fontfamily=families,
        )
        return figure_file(figure, kind, origin(observation, view, top_k=top_k))


def _draw_photo(axes: Any, observation: Observation) -> None:
    width, height = observation.geometry.photo_size
    axes.imshow(np.asarray(observation.picture), extent=(0, width, height, 0))
    left, top, right, bottom = observation.geometry.seen
    axes.plot([left, right, right, left, left], [top, top, bottom, bottom, top], color="white", linewidth=2.5)
    axes.plot([left, right, right, left, left], [top, top, bottom, bottom, top], color="black", linewidth=1)
    axes.set_title(f"photo {width}×{height} px, frame: what the network saw", fontsize=9)
    axes.set_axis_off()


def _draw_chart(axes: Any, observation: Observation, top_k: int, families: list[str]) -> None:
    predictions = observation.predictions(top_k)
    places = range(len(predictions))
    percents = [prediction.probability * 100 for prediction in predictions]
    axes.barh(places, percents, color="#4f46e5", height=0.7)
    axes.set_yticks(
        places, [prediction.label for prediction in predictions], fontsize=9, parse_math=False, fontfamily=families
    )
    axes.invert_yaxis()
    axes.set_xlim(0, 100)
    axes.set_xlabel("probability, %", fontsize=9)
    for place, percent in zip(places, percents, strict=True):
        inside = percent > 90
        axes.text(
            percent + (-1 if inside else 1),
            place,
            f"{percent:.1f} %",
            va="center",
            ha="right" if inside else "left",
            color="white" if inside else "black",
            fontsize=8,
        )
    axes.spines[["top", "right"]].set_visible(False)


def _draw_map(figure: Any, axes: Any, observation: Observation, heatmap: Heatmap, view: ViewOptions) -> None:
    axes.imshow(np.asarray(observation.overlay(heatmap, view, FIGURE_SIDE)))
    axes.set_title("\n".join((heatmap.block.stage, *stage_caption(heatmap))), fontsize=8)
    axes.set_axis_off()
    if heatmap.note or heatmap.explained is not None:
        return
    mappable = ScalarMappable(Normalize(heatmap.low, heatmap.high), ListedColormap(colour_table(view.colormap) / 255))
    bar = figure.colorbar(mappable, ax=axes, orientation="horizontal", shrink=0.9, aspect=24, pad=0.02)
    bar.set_label("activation", fontsize=7)
    bar.ax.tick_params(labelsize=7)
