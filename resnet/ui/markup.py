"""The page's own pieces of HTML: bars, the strip of maps, messages. All foreign text is escaped."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from html import escape
from pathlib import Path

from PIL import Image, ImageOps

from resnet.explain import Observation, Prediction
from resnet.heatmaps import Heatmap, ViewOptions
from resnet.overlays import colour_table
from resnet.report import aggregation_name
from resnet.ui import text

STRIP_SIDE = 336
LARGE_SIDE = 768
THUMBNAIL_SIDE = 144
JPEG_QUALITY = 85
GRADIENT_STOPS = 17


def _data_uri(picture: Image.Image) -> str:
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")


def message(sentence: str, kind: str = "note") -> str:
    """A line below the photo. `kind` "error" is announced at once by screen readers."""
    role = "alert" if kind == "error" else "status"
    return f'<p class="message {kind}" role="{role}">{escape(sentence)}</p>'


def weights_line(sentence: str, phase: str) -> str:
    """The line about the weights, with a moving bar while they load."""
    bar = '<span class="moving" aria-hidden="true"></span>' if phase == "loading" else ""
    role = "alert" if phase == "failed" else "status"
    return f'<p class="weights {phase}" role="{role}">{bar}{escape(sentence)}</p>'


def empty(sentence: str) -> str:
    """A panel that waits for a photo."""
    return f'<div class="empty">{escape(sentence)}</div>'


def panel(title: str, content: str, hint: str = "") -> str:
    """A part of the page with a heading."""
    aside = f"<small>{escape(hint)}</small>" if hint else ""
    return f'<section class="panel"><h2>{escape(title)}{aside}</h2>{content}</section>'


def bars(predictions: Sequence[Prediction]) -> str:
    """The classes as a list of bars, each of its probability's length."""
    rows = "".join(
        f'<li title="{escape(prediction.wnid)}"><span class="name">{escape(prediction.label)}</span>'
        f'<span class="track"><span class="bar" style="width:{prediction.probability:.2%}"></span></span>'
        f'<span class="share">{prediction.probability:.1%}</span></li>'
        for prediction in predictions
    )
    return f'<ol class="bars" aria-label="{escape(text.CLASSES)}">{rows}</ol>'


def examples(paths: Sequence[Path]) -> str:
    """Buttons with a small picture of each example photo."""
    buttons = "".join(
        f'<button type="button" data-choice="{escape(path.stem)}" title="{escape(path.stem)}">'
        f'<img alt="{escape(text.example_text(path.stem))}" src="{_thumbnail(path)}"></button>'
        for path in paths
    )
    return f'<div class="examples">{buttons}</div>'


def _thumbnail(path: Path) -> str:
    with Image.open(path) as photo:
        return _data_uri(ImageOps.fit(photo, (THUMBNAIL_SIDE, THUMBNAIL_SIDE)))


def _gradient(colormap: str) -> str:
    table = colour_table(colormap)
    stops = [table[round(place * 255 / (GRADIENT_STOPS - 1))] for place in range(GRADIENT_STOPS)]
    return ", ".join(f"rgb({red} {green} {blue})" for red, green, blue in stops)


def _scale(heatmap: Heatmap, view: ViewOptions) -> str:
    """The colour bar with the values at its ends, or a word on why there is none."""
    if heatmap.note:
        return f'<p class="flat">{escape(text.NOTES[heatmap.note])}</p>'
    if heatmap.explained is not None:
        return f'<p class="flat">{heatmap.explained:.0%} of the variance in three components</p>'
    return (
        f'<div class="scale"><span>{heatmap.low:.3g}</span>'
        f'<i style="background:linear-gradient(90deg, {_gradient(view.colormap)})"></i>'
        f"<span>{heatmap.high:.3g}</span></div>"
    )


def _facts(heatmap: Heatmap) -> str:
    height, width, channels = heatmap.block.shape
    facts = (
        f"{height}×{width}×{channels}<br>stride {heatmap.block.stride} px<br>"
        f"receptive field {heatmap.block.receptive_field} px"
    )
    if heatmap.note == "no_channel" or heatmap.explained is not None:
        return facts
    return f"{facts}<br>min {heatmap.minimum:.3g}, max {heatmap.maximum:.3g}"


def _figure(observation: Observation, heatmap: Heatmap, view: ViewOptions, side: int, *, button: bool) -> str:
    stage = heatmap.block.stage
    alternative = escape(text.alternative_text(stage, aggregation_name(view), observation.photo_name))
    image = f'<img alt="{alternative}" src="{_data_uri(observation.overlay(heatmap, view, side))}">'
    if button:
        image = f'<button type="button" data-choice="{stage}" aria-label="Enlarge {stage}">{image}</button>'
    return (
        f"<figure>{image}<figcaption><strong>{stage}</strong> {_facts(heatmap)}"
        f"{_scale(heatmap, view)}</figcaption></figure>"
    )


def strip(observation: Observation, heatmaps: Sequence[Heatmap], view: ViewOptions) -> str:
    """Five overlays side by side; each is a button that enlarges it."""
    figures = "".join(_figure(observation, heatmap, view, STRIP_SIDE, button=True) for heatmap in heatmaps)
    return f'<div class="strip">{figures}</div>'


def large(observation: Observation, heatmap: Heatmap, view: ViewOptions) -> str:
    """One overlay as large as the page allows."""
    return f'<div class="large">{_figure(observation, heatmap, view, LARGE_SIDE, button=False)}</div>'
