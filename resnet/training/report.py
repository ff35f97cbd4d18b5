"""Reports of training and evaluation: figures, and one self-contained page."""

from __future__ import annotations

import base64
import html
import io
import itertools
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from resnet import __version__
from resnet.errors import DataError
from resnet.network.manifest import Manifest, write_text
from resnet.output.axes import ACCENT, QUIET, SECOND, drawing
from resnet.output.figures import shortened
from resnet.output.report import font_families
from resnet.output.saving import figure_file
from resnet.training.evaluate import Evaluation, Mistake
from resnet.training.measures import most_confused

NUMBERED_CLASSES = 25
"""Up to so many classes the confusion matrix has a number in each cell; beyond that a colour must do."""

NAMED_CLASSES = 60
DPI = 130

_STYLE = """
:root { color-scheme: light dark; --line: #94a3b855; --quiet: #64748b; --bar: #6366f1 }
@media (prefers-color-scheme: dark) { :root { --quiet: #94a3b8 } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 68rem; margin: 2rem auto; padding: 0 1rem }
h1 { margin-bottom: 0 } h2 { margin-top: 2.5rem }
p.about { color: var(--quiet); margin-top: .2rem }
dl.facts { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; margin: 1.5rem 0 }
dl.facts div { min-width: 7rem } dl.facts dt { color: var(--quiet); font-size: .85rem }
dl.facts dd { margin: 0; font-size: 1.6rem; font-variant-numeric: tabular-nums }
img.figure { max-width: 100%; height: auto; background: white; border-radius: .5rem }
img.broad { min-width: 38rem }
.wide { overflow-x: auto }
table { border-collapse: collapse; font-variant-numeric: tabular-nums }
th, td { padding: .25rem .9rem .25rem 0; text-align: right; border-bottom: 1px solid var(--line) }
th:first-child, td:first-child { text-align: left }
ul.mistakes { list-style: none; padding: 0; display: grid; gap: 1rem;
  grid-template-columns: repeat(auto-fill, minmax(9rem, 1fr)) }
ul.mistakes img { width: 100%; aspect-ratio: 1; object-fit: contain; background: #8882; border-radius: .4rem }
ul.mistakes small { color: var(--quiet); display: block; overflow-wrap: anywhere }
"""


def _figure(width: float, height: float) -> Figure:
    figure = Figure(figsize=(width, height), dpi=DPI, layout="constrained", facecolor="white")
    FigureCanvasAgg(figure)
    return figure


def confusion_figure(evaluation: Evaluation) -> bytes:
    """The confusion matrix as a PNG file: rows are true classes, colours their share of the row."""
    confusion, classes = evaluation.confusion, len(evaluation.labels)
    shares = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    side = min(4.0 + 0.28 * classes, 11.0)
    with drawing({"font.family": font_families()}):
        figure = _figure(side + 1.2, side)
        axes = figure.subplots()
        picture = axes.imshow(shares, cmap="Purples", vmin=0, vmax=1, interpolation="nearest")
        if classes <= NAMED_CLASSES:
            names = [shortened(label.name, 24) for label in evaluation.labels]
            axes.set_xticks(range(classes), names, rotation=90, fontsize=8, parse_math=False)
            axes.set_yticks(range(classes), names, fontsize=8, parse_math=False)
        if classes <= NUMBERED_CLASSES:
            for row, column in np.argwhere(confusion):
                colour = "white" if shares[row, column] > 0.55 else "black"
                axes.text(column, row, str(confusion[row, column]), ha="center", va="center", color=colour, fontsize=8)
        axes.set_xlabel("answer")
        axes.set_ylabel("true class")
        figure.colorbar(picture, ax=axes, label="share of the true class", shrink=0.7)
        return figure_file(figure, "png")


def calibration_figure(evaluation: Evaluation) -> bytes:
    """The reliability plot as a PNG file: accuracy over confidence, and how many answers each bin has."""
    bins = evaluation.calibration
    centres = [(one.low + one.high) / 2 for one in bins]
    width = 0.92 / len(bins)
    with drawing({"font.family": font_families(), "axes.spines.top": False, "axes.spines.right": False}):
        figure = _figure(5.4, 5.4)
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[3, 1])
        upper.plot([0, 1], [0, 1], "--", color=QUIET, label="perfectly calibrated")
        upper.bar(centres, [one.accuracy for one in bins], width=width, color=ACCENT, label="accuracy")
        filled = [one for one in bins if one.images]
        upper.plot(
            [(one.low + one.high) / 2 for one in filled], [one.confidence for one in filled], "o", markersize=4,
            color=SECOND, label="mean confidence",
        )  # fmt: skip
        upper.set_ylim(0, 1.02)
        upper.set_ylabel("share")
        upper.set_title(f"expected calibration error {evaluation.calibration_error:.1%}", fontsize=10)
        upper.legend(fontsize=8, frameon=False, loc="upper left")
        lower.bar(centres, [one.images for one in bins], width=width, color=QUIET)
        lower.set_xlim(0, 1)
        lower.set_xlabel("confidence: probability of the first class")
        lower.set_ylabel("pictures")
        return figure_file(figure, "png")


def curves_figure(history: Sequence[Mapping[str, Any]], *, top5: bool = True) -> bytes:
    """Loss and accuracy after each epoch as a PNG file, over the pictures seen."""
    images = [row["images"] for row in history]
    with drawing({"font.family": font_families(), "axes.spines.top": False, "axes.spines.right": False}):
        figure = _figure(9, 3.4)
        left, right = figure.subplots(1, 2)
        left.plot(images, [row["loss"] for row in history], "o-", markersize=3, color=ACCENT, label="training")
        left.plot(images, [row["val_loss"] for row in history], "o-", markersize=3, color=SECOND, label="validation")
        right.plot(images, [row["top1"] * 100 for row in history], "o-", markersize=3, color=ACCENT,
                   label="training, top-1")  # fmt: skip
        right.plot(images, [row["val_top1"] * 100 for row in history], "o-", markersize=3, color=SECOND,
                   label="validation, top-1")  # fmt: skip
        if top5:
            right.plot(images, [row["val_top5"] * 100 for row in history], "o--", markersize=3, color=SECOND, alpha=0.6,
                       label="validation, top-5")  # fmt: skip
        for before, after in itertools.pairwise(history):
            if before["phase"] != after["phase"]:
                for axes in (left, right):
                    axes.axvline((before["images"] + after["images"]) / 2, color=QUIET, linewidth=1, linestyle=":")
                left.annotate(
                    f" {after['name']}", ((before["images"] + after["images"]) / 2, 1), fontsize=7, color="0.4",
                    xycoords=("data", "axes fraction"), va="top",
                )  # fmt: skip
        left.set_ylabel("loss")
        right.set_ylabel("accuracy, %")
        right.set_ylim(0, 101)
        for axes in (left, right):
            axes.set_xlabel("pictures seen")
            axes.grid(alpha=0.25)
            axes.legend(fontsize=8, frameon=False)
        return figure_file(figure, "png")


def write_report(
    folder: Path, manifest: Manifest, data: str, evaluation: Evaluation, history: Sequence[Mapping[str, Any]] = ()
) -> Path:
    """Write `evaluation.json`, the figures and `report.html` into a folder, made if need be.

    Args:
        folder: Where to.
        manifest: Of the weights.
        data: Name of the data set.
        evaluation: What was measured.
        history: One row an epoch, if the weights were trained just now.

    Returns:
        The path of the page, which has the figures inside.

    Raises:
        DataError: A file cannot be written.
    """
    figures = {"confusion.png": confusion_figure(evaluation), "calibration.png": calibration_figure(evaluation)}
    if history:
        figures["curves.png"] = curves_figure(history, top5=evaluation.has_top5)
    weights = {"name": manifest.name, "sha256": manifest.sha256}
    content = {"weights": weights, "data": data, "version": __version__, **evaluation.to_json()}
    page = _page(manifest, data, evaluation, figures, history)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        # The page last: it has all of what stands beside it.
        for name, png in figures.items():
            (folder / name).write_bytes(png)
        write_text(folder / "evaluation.json", json.dumps(content, ensure_ascii=False) + "\n")
        write_text(folder / "report.html", page)
    except OSError as error:
        raise DataError("The report cannot be written to {}: {}.", folder, error.strerror) from error
    return folder / "report.html"


def _page(
    manifest: Manifest,
    data: str,
    evaluation: Evaluation,
    figures: Mapping[str, bytes],
    history: Sequence[Mapping[str, Any]],
) -> str:
    name = html.escape(manifest.name)
    facts = {
        "top-1 accuracy": f"{evaluation.top1:.1%}",
        "95 % interval": "{:.1%} to {:.1%}".format(*evaluation.interval),
        "top-5 accuracy": f"{evaluation.top5:.1%}" if evaluation.has_top5 else "",
        "calibration error": f"{evaluation.calibration_error:.1%}",
        "pictures": f"{evaluation.images:,}",
        "classes": f"{len(evaluation.labels):,}",
        "speed": f"{evaluation.images_per_second:.1f} pictures/s",
    }
    about = f"ResNet{manifest.depth}, input {manifest.input.size} pixels, measured on {data} by resnet {__version__}"
    parts = [
        f"<h1>{name}</h1>",
        f'<p class="about">{html.escape(about)}</p>',
        '<dl class="facts">'
        + "".join(f"<div><dt>{key}</dt><dd>{value}</dd></div>" for key, value in facts.items() if value)
        + "</dl>",
    ]
    if "curves.png" in figures:
        minutes = history[-1]["seconds"] / 60
        text = f"Loss and accuracy over {history[-1]['images']:,} pictures, {minutes:,.0f} minutes"
        note = "The training's own loss is higher than it seems fit: its pictures are varied and its labels smoothed"
        image = f'<div class="wide">{_image(figures["curves.png"], text, "figure broad")}</div>'
        parts += ["<h2>Training</h2>", f"<p>{text}. {note}.</p>", image]
    parts += [
        "<h2>Which class is taken for which</h2>",
        _image(figures["confusion.png"], "Confusion matrix: rows are true classes, columns answers"),
        _confused(evaluation),
        "<h2>How far its confidence can be trusted</h2>",
        _image(figures["calibration.png"], "Accuracy over confidence, with the number of pictures"),
        "<h2>Class by class</h2>",
        _class_table(evaluation),
    ]
    if evaluation.mistakes:
        parts += ["<h2>The most confident mistakes</h2>", _mistakes(evaluation)]
    if evaluation.skipped:
        lines = "".join(f"<li>{html.escape(sentence)}</li>" for sentence in evaluation.skipped)
        parts.append(f"<h2>Not read</h2><ul>{lines}</ul>")
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{name}: report</title>'
        f'<meta name="viewport" content="width=device-width, initial-scale=1"><style>{_STYLE}</style></head>\n'
        f"<body>{chr(10).join(parts)}</body></html>\n"
    )


def _image(png: bytes, description: str, kind: str = "figure") -> str:
    encoded = base64.b64encode(png).decode()
    return f'<img class="{kind}" src="data:image/png;base64,{encoded}" alt="{html.escape(description)}">'


def _percent(share: float | None) -> str:
    return "–" if share is None else f"{share:.1%}"


def _confused(evaluation: Evaluation) -> str:
    pairs = most_confused(evaluation.confusion)
    if not pairs:
        return "<p>No mistake at all.</p>"
    names = [html.escape(label.name) for label in evaluation.labels]
    rows = "".join(f"<tr><td>{names[row]}</td><td>{names[column]}</td><td>{times}</td></tr>"
                   for row, column, times in pairs)  # fmt: skip
    return (
        '<div class="wide"><table><caption>The most frequent mistakes</caption>'
        f"<tr><th>true class</th><th>answer</th><th>times</th></tr>{rows}</table></div>"
    )


def _class_table(evaluation: Evaluation) -> str:
    both = zip(evaluation.labels, evaluation.classes, strict=True)
    rows = sorted(both, key=lambda row: -1 if row[1].recall is None else row[1].recall)
    cells = "".join(
        f"<tr><td>{html.escape(label.name)}</td><td>{measure.images:,}</td><td>{_percent(measure.recall)}</td>"
        f"<td>{_percent(measure.precision)}</td>"
        + (f"<td>{_percent(measure.top5)}</td></tr>" if evaluation.has_top5 else "</tr>")
        for label, measure in rows
    )
    return (
        '<div class="wide"><table><caption>Worst first</caption><tr><th>class</th><th>pictures</th><th>recall</th>'
        f"<th>precision</th>{'<th>top-5</th>' if evaluation.has_top5 else ''}</tr>{cells}</table></div>"
    )


def _mistakes(evaluation: Evaluation) -> str:
    def item(mistake: Mistake) -> str:
        buffer = io.BytesIO()
        mistake.thumbnail.save(buffer, "JPEG", quality=85)
        encoded = base64.b64encode(buffer.getvalue()).decode()
        truth, answer = (html.escape(evaluation.labels[index].name) for index in (mistake.truth, mistake.answer))
        return (
            f'<li><img src="data:image/jpeg;base64,{encoded}" alt="{truth}">called <b>{answer}</b>, '
            f"{mistake.probability:.0%}<small>is {truth}; {html.escape(mistake.name)}</small></li>"
        )

    return f'<ul class="mistakes">{"".join(map(item, evaluation.mistakes))}</ul>'
