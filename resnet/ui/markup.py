"""The page's own pieces of HTML. All foreign text is escaped; `t` is the page's language."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from PIL import Image, ImageOps

from resnet.maps.heatmaps import Heatmap, ViewOptions
from resnet.maps.observation import Observation, Prediction
from resnet.maps.overlays import colour_table
from resnet.network.levels import Level, percent
from resnet.output.report import AGGREGATION_NAMES, note_of
from resnet.photo.preprocess import Box
from resnet.stages import Block
from resnet.ui.files import jpeg
from resnet.ui.language import Language

STRIP_SIDE = 336
SMALL_SIDE = 168
LARGE_SIDE = 768
THUMBNAIL_SIDE = 144
GRADIENT_STOPS = 17

STAGE_WORDS = {"C1": "edges", "C2": "textures", "C3": "patterns", "C4": "parts", "C5": "objects"}
"""Typical content of each stage, a rule of thumb (Zeiler, Fergus 2014, https://arxiv.org/abs/1311.2901)."""


def data_uri(picture: Image.Image) -> str:
    """A picture as a JPEG inside its address."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg(picture)).decode("ascii")


def message(sentence: str, kind: str = "note") -> str:
    """A line of text. `kind` "error" is announced at once by screen readers."""
    role = "alert" if kind == "error" else "status"
    return f'<p class="message {kind}" role="{role}">{escape(sentence)}</p>'


def progress(words: str, done: int, total: int) -> str:
    """A bar that fills, with its words above."""
    return f'<label class="progress">{escape(words)}<progress max="{total}" value="{done}"></progress></label>'


def weights_line(sentence: str, phase: str, about: str = "") -> str:
    """The line about the weights, with a moving bar while they load and a way to the tab about them afterwards."""
    button = f' <button type="button" data-choice="model">{escape(about)} →</button>' if about else ""
    bar = '<span class="moving" aria-hidden="true"></span>' if phase == "loading" else ""
    role = "alert" if phase == "failed" else "status"
    return f'<p class="weights {phase}" role="{role}">{bar}{escape(sentence)}{button}</p>'


def empty(sentence: str) -> str:
    """A panel that waits for a photo."""
    return f'<div class="empty">{escape(sentence)}</div>'


def outline(sentence: str, kind: str, count: int) -> str:
    """A panel whose content is on its way: the outlines of what will be there.

    Args:
        sentence: Why it is not there yet.
        kind: "bars" or "maps".
        count: Of the outlines.
    """
    return f'<div class="outline {kind}"><p>{escape(sentence)}</p>{"<i></i>" * count}</div>'


def panel(title: str, content: str, hint: str = "") -> str:
    """A part of the page with a heading."""
    aside = f"<small>{escape(hint)}</small>" if hint else ""
    return f'<section class="panel"><h2>{escape(title)}{aside}</h2>{content}</section>'


def bars(t: Language, predictions: Iterable[Prediction], title: str = "") -> str:
    """Classes as a list of bars, each of its probability's length."""
    rows = "".join(
        f'<li title="{escape(prediction.wnid)}">'
        f'<span class="name">{escape(t.named(prediction.wnid, prediction.label))}</span>'
        f'<span class="track"><span class="bar" style="width:{prediction.probability:.2%}"></span></span>'
        f'<span class="share">{prediction.probability:.1%}</span></li>'
        for prediction in predictions
    )
    return f'<ol class="bars" aria-label="{escape(title or t("Likeliest classes"))}">{rows}</ol>'


def levels(t: Language, way: Sequence[Level], doubt: str = "") -> str:
    """The line of nested names with their probabilities, and a word of doubt before it."""
    if not way and not doubt:
        return ""
    names = " › ".join(
        f"<b>{escape(t.named(level.wnid, level.name))}</b> {percent(level.probability)}" for level in way
    )
    title = escape(t("Probabilities of all classes of a kind, added up along WordNet's tree"))
    said = f"<strong>{escape(doubt)}</strong> " if doubt else ""
    return f'<p class="levels" title="{title}">{said}{names}</p>'


def examples(t: Language, paths: Sequence[Path], names: Mapping[str, str]) -> str:
    """Buttons with a small picture of each example photo.

    Args:
        t: The language.
        paths: Of the photos.
        names: Stem → what the photo shows.
    """
    buttons = "".join(
        f'<button type="button" data-choice="{escape(path.stem)}" title="{escape(t(names[path.stem]))}">'
        f'<img alt="{escape(t("Example photo: {}", t(names[path.stem])))}" src="{thumbnail(path)}"></button>'
        for path in paths
    )
    return f'<div class="examples">{buttons}</div>'


def thumbnail(path: Path) -> str:
    """A small square of a picture file, as its address."""
    with Image.open(path) as photo:
        return data_uri(ImageOps.fit(photo, (THUMBNAIL_SIDE, THUMBNAIL_SIDE)))


def map_name(t: Language, view: ViewOptions) -> str:
    """Return a description of the maps of a view."""
    name = t(AGGREGATION_NAMES[view.aggregation])
    return f"{name} {view.channel}" if view.aggregation == "channel" else name


def _gradient(colormap: str) -> str:
    table = colour_table(colormap)
    stops = [table[round(place * 255 / (GRADIENT_STOPS - 1))] for place in range(GRADIENT_STOPS)]
    return ", ".join(f"rgb({red} {green} {blue})" for red, green, blue in stops)


def scale(t: Language, heatmap: Heatmap, view: ViewOptions) -> str:
    """The colour bar with the values at its ends, or a word on why there is none."""
    if heatmap.note:
        return f'<p class="flat">{escape(t.error(note_of(heatmap)))}</p>'
    if heatmap.explained is not None:
        share = f"{heatmap.explained:.0%}"
        return f'<p class="flat">{escape(t("{} of the variance in three components", share))}</p>'
    return (
        f'<div class="scale"><span>{heatmap.low:.3g}</span>'
        f'<i style="background:linear-gradient(90deg, {_gradient(view.colormap)})"></i>'
        f"<span>{heatmap.high:.3g}</span></div>"
    )


def stage_words(t: Language, block: Block, width: int) -> str:
    """Return the typical content of a stage, and how much of the network's input one cell sees.

    Args:
        t: The language.
        block: The stage.
        width: Of the network's input in pixels.
    """
    share = block.receptive_field / width
    whole = t("a cell can see all that the network got")
    seen = whole if share >= 1 else t("a cell sees {:.0%} of the width that the network got", share)
    return f"{t(STAGE_WORDS[block.stage])} · {seen}"


def facts(t: Language, heatmap: Heatmap) -> str:
    """Shape, stride, receptive field and range of a map."""
    shape = "×".join(map(str, heatmap.block.shape))
    lines = [
        shape,
        t("stride {} px", heatmap.block.stride),
        t("receptive field {} px", heatmap.block.receptive_field),
    ]
    if heatmap.note != "no_channel" and heatmap.explained is None:
        lines.append(t("min {:.3g}, max {:.3g}", heatmap.minimum, heatmap.maximum))
    return "<br>".join(map(escape, lines))


def alternative(t: Language, stage: str, name: str, photo: str) -> str:
    """Return the alternative text of a map."""
    return t("Feature map {} ({}) over the photo {}", stage, name, photo)


def radio(choice: object, words: str, picture: str, *, is_chosen: bool, is_stop: bool = False) -> str:
    """A picture that can be chosen, one of a group in HTML with `events.CHOICE_SCRIPT`.

    Args:
        choice: What is chosen with it.
        words: Name of the choice, plain text.
        picture: As HTML.
        is_chosen: Whether it is the one that is enlarged.
        is_stop: Whether the keyboard stops here although it is not chosen, since none of the group is.
    """
    return (
        f'<button type="button" role="radio" aria-checked="{str(is_chosen).lower()}" '
        f'tabindex="{0 if is_chosen or is_stop else -1}" data-choice="{choice}" '
        f'aria-label="{escape(words)}">{picture}</button>'
    )


def strip(
    t: Language, observation: Observation, heatmaps: Sequence[Heatmap], view: ViewOptions, name: str, chosen: str
) -> str:
    """Overlays side by side, of which one is chosen to be enlarged.

    Args:
        t: The language.
        observation: Of the photo.
        heatmaps: C1 to C5.
        view: Colours.
        name: What the maps show.
        chosen: The stage that is enlarged.
    """
    figures = []
    for heatmap in heatmaps:
        stage = heatmap.block.stage
        words = escape(alternative(t, stage, name, observation.photo_name))
        image = f'<img alt="{words}" src="{data_uri(observation.overlay(heatmap, view, STRIP_SIDE))}">'
        button = radio(stage, t("Enlarge {}", stage), image, is_chosen=stage == chosen)
        caption = f"<strong>{stage}</strong> · {escape(t(STAGE_WORDS[stage]))}{scale(t, heatmap, view)}"
        figures.append(f"<figure>{button}<figcaption>{caption}</figcaption></figure>")
    label = escape(t("Enlarged stage"))
    return f'<div class="strip" role="radiogroup" aria-label="{label}">{"".join(figures)}</div>'


def large(
    t: Language, observation: Observation, heatmap: Heatmap, view: ViewOptions, name: str, title: str = ""
) -> str:
    """One overlay as large as the page allows; a click on it, or an arrow key, asks a cell.

    Args:
        t: The language.
        observation: Of the photo.
        heatmap: The map.
        view: Colours.
        name: What the map shows.
        title: Instead of the stage's name.
    """
    stage = heatmap.block.stage
    words = escape(alternative(t, title or stage, name, observation.photo_name))
    width, height = observation.geometry.photo_size
    words_of_stage = stage_words(t, heatmap.block, observation.geometry.input_size[0])
    cut = _cut(t, observation, heatmap, view)
    how = escape(t("{}. Click to ask a cell; the arrow keys move to its neighbours.", title or stage))
    cells = escape(json.dumps(_cell_centres(observation, heatmap)))
    return (
        f'<div class="large"><figure><figcaption><strong>{escape(title or stage)}</strong> · {escape(words_of_stage)}'
        f"{scale(t, heatmap, view)}{cut}<details><summary>{escape(t('Details'))}</summary>{facts(t, heatmap)}</details>"
        f'</figcaption><button type="button" class="map" data-map="{cells}" aria-label="{how}">'
        f'<img alt="{words}" src="{data_uri(observation.overlay(heatmap, view, LARGE_SIDE))}">'
        f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true"></svg></button>'
        "</figure></div>"
    )


def _cut(t: Language, observation: Observation, heatmap: Heatmap, view: ViewOptions) -> str:
    """The size of the part that is shown, and the box of its largest piece; empty where all of a map is shown."""
    cut = observation.cut(heatmap, view)
    if cut is None:
        return ""
    words = t("Shown: {:.3g} and more, {:.0%} of what the network saw.", cut.level, cut.area)
    if cut.box:
        left, top, right, bottom = cut.box
        where = t("Box of the largest piece: x {:.0f} to {:.0f}, y {:.0f} to {:.0f} px.", left, right, top, bottom)
        words = t(" ").join([words, where])
    return f'<p class="cut">{escape(words)}</p>'


def _cell_centres(observation: Observation, heatmap: Heatmap) -> dict[str, dict[str, float]]:
    """Return the number of a map's cells, and the positions of the first and last, as shares of the photo's sides."""
    rows, columns, _ = heatmap.block.shape
    width, height = observation.geometry.photo_size
    first, last = (observation.geometry.cell_box(heatmap.block, *place) for place in ((0, 0), (rows - 1, columns - 1)))

    def centres(low: int, side: int, count: int) -> dict[str, float]:
        ends = [(box[low] + box[low + 2]) / 2 / side for box in (first, last)]
        return {"first": ends[0], "last": ends[1], "count": count}

    return {"columns": centres(0, width, columns), "rows": centres(1, height, rows)}


def rectangle(box: Box, kind: str) -> str:
    """A box of photo pixels inside the drawing that lies over an enlarged map."""
    left, top, right, bottom = box
    return (
        f'<rect class="{kind}" x="{left:.2f}" y="{top:.2f}" width="{right - left:.2f}" height="{bottom - top:.2f}" '
        'vector-effect="non-scaling-stroke"></rect>'
    )


def table(head: Sequence[str], rows: Iterable[Sequence[str]], label: str) -> str:
    """A table of cells that are HTML already; the first cell of a row names it.

    Args:
        head: Plain texts; an empty one stands over names that need no heading.
        rows: Cells as HTML.
        label: What the table is about, plain text.
    """
    top = "".join(f'<th scope="col">{escape(text)}</th>' if text else "<td></td>" for text in head)
    body = "".join(
        f'<tr><th scope="row">{row[0]}</th>{"".join(f"<td>{cell}</td>" for cell in row[1:])}</tr>' for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{escape(label)}"><table class="data">'
        f"<thead><tr>{top}</tr></thead><tbody>{body}</tbody></table></div>"
    )
