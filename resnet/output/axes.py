"""Drawing for charts on the page and for figures: colours, matplotlib's lock, functions that draw into axes."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes

from resnet.maps.comparison import Similarity
from resnet.maps.curves import TESTED_SHARE, Curves
from resnet.stages import Block

ACCENT, SECOND, QUIET = "#6366f1", "#f59e0b", "#94a3b8"
"""Readable on white and on black alike."""

_DRAWING = threading.RLock()


@contextlib.contextmanager
def drawing(style: Mapping[str, Any]) -> Iterator[None]:
    """Draw with some of matplotlib's settings changed; one thread at a time, since they are the process's.

    Args:
        style: Names and values, as in `matplotlib.rcParams`.
    """
    settings: Any = dict(style)
    with _DRAWING, mpl.rc_context(settings):
        yield


def draw_changes(axes: Axes, changes: Sequence[float], blocks: Sequence[Block], current: int) -> None:
    """Draw how much each residual block changes its shortcut; shades distinguish the stages.

    Args:
        axes: Where to draw.
        changes: Ratio per residual block.
        blocks: The residual blocks.
        current: Place of the block that is shown, or -1.
    """
    places = range(len(blocks))
    shades = [ACCENT if int(block.stage[1]) % 2 else QUIET for block in blocks]
    bars = axes.bar(places, changes, color=shades, width=0.8)
    if 0 <= current < len(blocks):
        bars[current].set_color(SECOND)
    ends = [place for place in places if place + 1 == len(blocks) or blocks[place + 1].stage != blocks[place].stage]
    starts = [0, *(end + 1 for end in ends[:-1])]
    axes.set_xticks(
        [(start + end) / 2 for start, end in zip(starts, ends, strict=True)], [blocks[end].stage for end in ends]
    )
    axes.tick_params(axis="x", length=0)
    axes.grid(visible=False, axis="x")
    axes.set_xlim(-0.6, len(blocks) - 0.4)


def draw_similarity(axes: Axes, similarities: Sequence[Similarity], names: tuple[str, str, str]) -> None:
    """Cosine and CKA per stage as two lines, with what chance would give for CKA.

    Args:
        axes: Where to draw.
        similarities: Per stage.
        names: Of the three lines.
    """
    stages = [found.stage for found in similarities]
    missing = float("nan")
    axes.plot(stages, [found.cosine for found in similarities], "o-", color=ACCENT, label=names[0])
    axes.plot(
        stages,
        [missing if found.cka is None else found.cka for found in similarities],
        "s-",
        color=SECOND,
        label=names[1],
    )
    axes.plot(
        stages,
        [missing if found.chance is None else found.chance for found in similarities],
        "_",
        color=QUIET,
        markersize=14,
        label=names[2],
    )
    values = [value for found in similarities for value in (found.cka, found.chance) if value is not None]
    axes.set_ylim(min([0.0, *values]) - 0.03, 1.03)
    # Below, where it covers no mark.
    axes.legend(loc="upper center", bbox_to_anchor=(0.5, -0.12), ncols=3, frameon=False, fontsize=8)


def draw_curves(
    both: Sequence[Axes],
    curves: Curves,
    names: tuple[str, str],
    axis: str,
    horizontals: tuple[str, str],
    titles: tuple[str, str],
) -> None:
    """Draw deletion and insertion side by side, with the range of moved copies where they were measured.

    Args:
        both: Where to draw the one and the other.
        curves: What was measured.
        names: Of the map and of its moved copies.
        axis: Name of the vertical axis.
        horizontals: Names of the two horizontal axes.
        titles: Of the two charts.
    """
    chances = (curves.chance, None)  # copies hide alone
    parts = zip(both, (curves.deletion, curves.insertion), chances, horizontals, titles, strict=True)
    for axes, curve, chance, horizontal, title in parts:
        if chance is not None and len(chance.copies):
            low, high = chance.copies.min() * 100, chance.copies.max() * 100
            width = TESTED_SHARE * 100
            axes.fill_betweenx([low, high], width - 4, width + 4, color=QUIET, alpha=0.4, linewidth=0, label=names[1])
        percents = curve.shares * 100, curve.probabilities * 100
        axes.plot(*percents, "o-", markersize=3, color=ACCENT, label=names[0], clip_on=False)
        axes.set_xlabel(horizontal)
        axes.set_title(title, fontsize=9)
    both[0].set_ylim(0, both[0].get_ylim()[1])
    both[0].set_ylabel(axis)
    both[0].legend(fontsize=8)
