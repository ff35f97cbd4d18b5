"""Panels of *Blocks and channels*: what each block changes, the channels' maps, one channel in numbers."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import Any

from resnet.maps.channels import BlockTrace, channel_facts
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import Observation
from resnet.output.charts import changes_chart, histogram
from resnet.ui import markup
from resnet.ui.language import Language


def changes_panel(t: Language, trace: BlockTrace, place: int) -> str:
    """Return the chart of what each residual block adds to its shortcut, with a bar to choose each."""
    chart = changes_chart(
        trace.changes.tolist(),
        trace.blocks[1:],
        place - 1,
        t("branch ÷ shortcut"),
        t("How much each of the {} residual blocks changes its shortcut", len(trace.blocks) - 1),
    )
    hint = t(
        "Norm of what the branch adds, divided by the norm of its shortcut; the chosen block is orange. Click a "
        "bar to choose its block."
    )
    return markup.panel(t("What each block changes"), chart, hint)


def channel_grid(
    t: Language,
    observation: Observation,
    trace: BlockTrace,
    place: int,
    channels: Sequence[int],
    chosen: Any,
    view: ViewOptions,
) -> str:
    """Return the maps of some channels, each on its own scale, with one of them chosen or none."""
    block = trace.blocks[place]
    figures = []
    for channel in channels:
        heatmap = trace.heatmap(place, channel)
        picture = markup.data_uri(observation.overlay(heatmap, view, markup.SMALL_SIDE))
        words = t("Channel {}", channel)
        caption = t("no activation") if heatmap.note == "zero" else t("max {:.3g}", heatmap.maximum)
        is_stop = channel == channels[0] and chosen not in channels
        button = markup.radio(channel, words, f'<img alt="" src="{picture}">', is_chosen=channel == chosen,
                              is_stop=is_stop)  # fmt: skip
        figures.append(
            f"<figure>{button}<figcaption><strong>{channel}</strong> {escape(caption)}</figcaption></figure>"
        )
    label = escape(t("Enlarged channel"))
    title = t("{} of {} channels of {}", len(channels), block.shape[2], block.name)
    hint = t("Each on its own colour scale. Click one to enlarge it.")
    return markup.panel(
        title, f'<div class="grid" role="radiogroup" aria-label="{label}">{"".join(figures)}</div>', hint
    )


def channel_panel(t: Language, trace: BlockTrace, place: int, channel: int) -> str:
    """Return the numbers of a channel and their histogram."""
    facts = channel_facts(trace.outputs[place], channel)
    lines = [
        t("mean {:.3g}, standard deviation {:.3g}, maximum {:.3g}", facts.mean, facts.deviation, facts.maximum),
        t("{:.0%} of {} cells are 0", facts.zeros, int(facts.counts.sum())),
    ]
    chart = histogram(facts, t("activation"), t("cells"), t("Histogram of channel {}", channel))
    listed = "".join(f"<li>{escape(line)}</li>" for line in lines)
    title = t("Channel {} of {}", channel, trace.blocks[place].name)
    return markup.panel(title, f'<div class="beside"><ul>{listed}</ul>{chart}</div>')
