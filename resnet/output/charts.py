"""Small charts for the page, as SVG that takes the page's colours and fonts, drawn by matplotlib."""

from __future__ import annotations

import functools
import io
import re
import warnings
from collections.abc import Callable, Sequence
from typing import Any, ParamSpec

from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.patches import FancyArrowPatch, FancyBboxPatch

from resnet.maps.channels import ChannelFacts
from resnet.maps.comparison import Similarity
from resnet.maps.curves import Curves
from resnet.output.axes import ACCENT, draw_changes, draw_curves, draw_similarity, drawing
from resnet.stages import Block

# The browser draws the letters with its own fonts; matplotlib only measures them.
warnings.filterwarnings("ignore", message=r"Glyph \d+ .* missing from font")

INK = "#010203"
"""Stands for the page's text colour until the SVG is written; no other colour is like it."""

_STYLE: Any = {
    "svg.fonttype": "none",
    "svg.hashsalt": "resnet",  # the same chart is the same text
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "font.size": 9,
    "font.family": "sans-serif",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.25,
    "legend.frameon": False,
}


Parameters = ParamSpec("Parameters")


def _drawn(draw: Callable[Parameters, str]) -> Callable[Parameters, str]:
    """A function that draws in the page's style."""

    @functools.wraps(draw)
    def styled(*values: Parameters.args, **options: Parameters.kwargs) -> str:
        with drawing(_STYLE):
            return draw(*values, **options)

    return styled


def _new_axes(width: float, height: float) -> tuple[Figure, Axes]:
    """A transparent figure of one chart, sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.patch.set_alpha(0)
    axes = figure.subplots()
    axes.patch.set_alpha(0)
    return figure, axes


def _as_svg(figure: Figure, description: str) -> str:
    """A figure as an `<svg>` element that grows with its surroundings.

    Args:
        figure: Of `_new_axes`.
        description: What it shows, for those who do not see it; plain text without markup.
    """
    buffer = io.StringIO()
    FigureCanvasSVG(figure).print_svg(  # type: ignore[no-untyped-call]
        buffer, metadata={"Date": None, "Creator": None}
    )
    text = buffer.getvalue()
    text = text[text.index("<svg") :].replace(INK, "currentColor")
    before, _, rest = text.partition("<metadata>")
    text = before + rest.partition("</metadata>")[2] if rest else text
    text = re.sub(r"font: ([\d.]+px) [^;\"]*", r"font-size: \1; font-family: inherit", text)
    label = description.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    return text.replace("<svg ", f'<svg role="img" aria-label="{label}" class="chart" ', 1)


@_drawn
def changes_chart(changes: Sequence[float], blocks: Sequence[Block], current: int, axis: str, description: str) -> str:
    """`draw_changes` as SVG, in which each bar can be chosen: a radio group for `ui.events.CHOICE_SCRIPT`.

    A bar's choice is the stage and the block's number in it, such as "C4:7".

    Args:
        changes: Ratio per residual block.
        blocks: The residual blocks.
        current: Place of the block that is shown, or -1.
        axis: Name of the vertical axis.
        description: See `_as_svg`.
    """
    figure, axes = _new_axes(7.2, 1.9)
    draw_changes(axes, changes, blocks, current)
    axes.set_ylabel(axis)
    for place in range(len(blocks)):
        # All of the height, since a bar may be too low for a pointer.
        axes.axvspan(place - 0.5, place + 0.5, alpha=0, zorder=3, gid=f"choice-{place}")
    text = _as_svg(figure, description).replace('role="img"', 'role="radiogroup"', 1)
    for place, (block, change) in enumerate(zip(blocks, changes, strict=True)):
        number = sum(other.stage == block.stage for other in blocks[: place + 1])
        stop = 0 if place == max(current, 0) else -1
        radio = (
            f'<g role="radio" data-choice="{block.stage}:{number}" aria-checked="{str(place == current).lower()}" '
            f'tabindex="{stop}" aria-label="{block.name}: {change:.3g}">'
        )
        text = text.replace(f'<g id="choice-{place}">', radio, 1)
    return text


@_drawn
def histogram(facts: ChannelFacts, horizontal: str, vertical: str, description: str) -> str:
    """Histogram of a channel's values."""
    figure, axes = _new_axes(3.6, 1.8)
    widths = facts.edges[1:] - facts.edges[:-1]
    axes.bar(facts.edges[:-1], facts.counts, width=widths, align="edge", color=ACCENT)
    axes.set_xlabel(horizontal)
    axes.set_ylabel(vertical)
    return _as_svg(figure, description)


@_drawn
def similarity_chart(similarities: Sequence[Similarity], names: tuple[str, str, str], description: str) -> str:
    """`draw_similarity` as SVG."""
    figure, axes = _new_axes(5.2, 2.4)
    draw_similarity(axes, similarities, names)
    return _as_svg(figure, description)


@_drawn
def curves_chart(
    curves: Curves,
    names: tuple[str, str],
    axis: str,
    horizontals: tuple[str, str],
    titles: tuple[str, str],
    description: str,
) -> str:
    """`draw_curves` as SVG; `description` as in `_as_svg`."""
    figure = Figure(figsize=(7.2, 2.5), layout="constrained")
    figure.patch.set_alpha(0)
    both = figure.subplots(1, 2, sharey=True)
    for axes in both:
        axes.patch.set_alpha(0)
    draw_curves(both, curves, names, axis, horizontals, titles)
    return _as_svg(figure, description)


@_drawn
def costs_chart(names: Sequence[str], costs: Sequence[float], axis: str, description: str) -> str:
    """A bar per part of the network.

    Args:
        names: Of the parts.
        costs: Of each.
        axis: Name and unit.
        description: See `_as_svg`.
    """
    figure, axes = _new_axes(5.2, 1.9)
    bars = axes.barh(range(len(names)), costs, color=ACCENT, height=0.7)
    axes.bar_label(
        bars, fmt=lambda value: f"{value:,.0f}" if value >= 100 else f"{value:.3g}", padding=3, fontsize=8, color=INK
    )
    axes.set_yticks(range(len(names)), names)
    axes.invert_yaxis()
    axes.margins(x=0.12)
    axes.grid(visible=False, axis="y")
    axes.set_xlabel(axis)
    return _as_svg(figure, description)


@_drawn
def block_diagram(
    filters: tuple[int, int, int], channels: int, stride: int, texts: dict[str, str], description: str
) -> str:
    """A convolution block and an identity block, drawn from their numbers.

    Args:
        filters: Of a block's three convolutions.
        channels: Of the first block's input.
        stride: Of the first block.
        texts: Words for "convolution_block", "identity_block", "input", "output", "relu", "add", "shortcut".
        description: See `_as_svg`.
    """
    figure = Figure(figsize=(7.4, 4.4), layout="constrained")
    figure.patch.set_alpha(0)
    both = figure.subplots(1, 2)
    for axes, projected in zip(both, (True, False), strict=True):
        axes.patch.set_alpha(0)
        axes.set_axis_off()
        axes.set_xlim(0, 10)
        axes.set_ylim(0, 12)
        if projected:
            _draw_block(axes, filters, channels, stride, texts, projected=True)
        else:
            _draw_block(axes, filters, filters[2], 1, texts, projected=False)
    return _as_svg(figure, description)


def _draw_block(
    axes: Axes, filters: tuple[int, int, int], channels: int, stride: int, texts: dict[str, str], *, projected: bool
) -> None:
    strided = f", /{stride}" if stride > 1 else ""
    steps = [f"1×1, {filters[0]}{strided}", f"3×3, {filters[1]}", f"1×1, {filters[2]}"]
    axes.set_title(texts["convolution_block" if projected else "identity_block"], fontsize=10)
    axes.text(3.4, 11.4, f"{texts['input']} ({channels})", ha="center", va="center")
    heights = [9.4, 7.2, 5.0]
    above = 11.0
    for step, height in zip(steps, heights, strict=True):
        _arrow(axes, (3.4, above), (3.4, height + 0.65))
        _box(axes, 3.4, height, step)
        above = height - 0.65
    axes.text(3.6, 8.3, texts["relu"], fontsize=8, va="center")
    axes.text(3.6, 6.1, texts["relu"], fontsize=8, va="center")
    _arrow(axes, (3.4, above), (3.4, 3.2))
    axes.text(3.4, 2.75, "+", ha="center", va="center", fontsize=16)
    axes.text(1.9, 2.75, texts["add"], ha="right", va="center", fontsize=8)
    # The shortcut leaves below the input and comes back at the addition.
    axes.plot([3.4, 8.0], [10.75, 10.75], color=INK, linewidth=1)
    if projected:
        _arrow(axes, (8.0, 10.75), (8.0, 7.85))
        _box(axes, 8.0, 7.2, f"1×1, {filters[2]}{strided}")
        axes.plot([8.0, 8.0], [6.55, 2.75], color=INK, linewidth=1)
    else:
        axes.plot([8.0, 8.0], [10.75, 2.75], color=INK, linewidth=1)
        axes.text(8.2, 7.2, texts["shortcut"], fontsize=8, va="center", rotation=90)
    _arrow(axes, (8.0, 2.75), (3.8, 2.75))
    _arrow(axes, (3.4, 2.35), (3.4, 1.1))
    axes.text(3.6, 1.8, texts["relu"], fontsize=8, va="center")
    axes.text(3.4, 0.7, f"{texts['output']} ({filters[2]})", ha="center", va="center")


def _box(axes: Axes, x: float, y: float, text: str) -> None:
    patch = FancyBboxPatch(
        (x - 1.7, y - 0.6), 3.4, 1.2, boxstyle="round,pad=0.05", edgecolor=ACCENT, facecolor="none", linewidth=1.4
    )
    axes.add_patch(patch)
    axes.text(x, y, text, ha="center", va="center", fontsize=9)


def _arrow(axes: Axes, start: tuple[float, float], end: tuple[float, float]) -> None:
    axes.add_patch(FancyArrowPatch(start, end, arrowstyle="-|>", mutation_scale=9, color=INK, linewidth=1))
