"""Blocks and channels: any block of any stage, its most active channels, one of them enlarged."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr
import numpy as np
from numpy.typing import NDArray

from resnet.maps.channels import MAXIMUM_SHOWN, MINIMUM_SHOWN, BlockTrace, rank_channels
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import Observation
from resnet.options import whole_number
from resnet.output.blocks import block_file, channels_dictionary, channels_figure
from resnet.output.saving import json_file, origin
from resnet.service.explorer import Shown
from resnet.stages import STAGE_NAMES
from resnet.ui import markup
from resnet.ui.cells import Asked, CellAnswer
from resnet.ui.classes import about, class_choices
from resnet.ui.events import CHOICE_SCRIPT, CHOSEN_SCRIPT, IN_BROWSER, NETWORK, QUICK, change_of, chosen_script
from resnet.ui.flight import Flight
from resnet.ui.inside import Inside
from resnet.ui.messages import Updates
from resnet.ui.page import Page
from resnet.ui.panels.blocks import changes_panel, channel_grid, channel_panel
from resnet.ui.parts import html
from resnet.ui.view import drawing_options, setting, unfinished


class BlocksTab:
    """The tab for what happens inside a stage."""

    def __init__(self, page: Page) -> None:
        """Add the tab to the page that is built."""
        self._page = page
        t = page.t
        with gr.Tab(t("Blocks and channels"), id="blocks", elem_id="tab-blocks") as self.tab:
            with gr.Row(elem_classes="with-result"):
                self.stage = gr.Radio(list(STAGE_NAMES), value="C4", label=t("Stage"), elem_id="block-stage")
                self.block = gr.Slider(
                    1, 23, value=23, step=1, label=t("Block of the stage"), elem_id="block-number", min_width=240
                )
            with gr.Row(elem_classes="with-result"):
                self.order = gr.Dropdown(
                    [
                        (t("by mean activation"), "mean"),
                        (t("by maximum activation"), "max"),
                        (t("by contribution to a class"), "contribution"),
                    ],
                    value="mean",
                    label=t("Most active channels"),
                    elem_id="order",
                    min_width=220,
                )
                self.target = gr.Dropdown(
                    [],
                    label=t("Class"),
                    info=t("Type part of a name"),
                    visible=False,
                    elem_id="order-class",
                    min_width=220,
                )
                self.count = gr.Slider(
                    MINIMUM_SHOWN,
                    MAXIMUM_SHOWN,
                    value=16,
                    step=4,
                    label=t("Channels to show"),
                    elem_id="channels-shown",
                    min_width=220,
                )
            self.changes = html(elem_id="changes", js_on_load=CHOICE_SCRIPT)
            # Stage and number of the block, as its bar has it.
            self.picked = gr.Textbox(visible=False)
            of_block = {"stage": self.stage, "block": self.block}
            self.inside = Inside(page, of_block)
            self.flight = Flight(page)
            self.grid = html(
                markup.panel(t("Channels"), markup.empty(t("Choose a photo first; its channels appear here."))),
                elem_id="grid",
                js_on_load=CHOICE_SCRIPT,
            )
            # What the grid is about: in the browser, so that each event tells it as it was with its channel.
            self.drawn = gr.Textbox(visible=False)
            self.cell = CellAnswer(page, "blocks", self._asked, of_block, self._of_channel)
            ordering = {**of_block, "order": self.order, "target": self.target, "count": self.count}
            grid = {"shown": page.result, **ordering, **page.drawing}
            makers: dict[str, Callable[..., str]] = {"figure": self.figure, "data": self.data, "maps": self.raw}
            page.downloads("blocks", {**makers, "flight": self.fly}, grid, **NETWORK)
        channel = {"shown": page.result, **of_block, "channel": self.channel, **page.drawing}
        channel_outputs = [self.facts, self.cell.large]
        page.on_tab(
            self.tab,
            "blocks",
            self.open,
            {
                "drawn": self.drawn,
                "flown": self.flight.flown,
                "channel": self.channel,
                **self.inside.inputs,
                **ordering,
                **page.drawing,
            },
            [
                *(self.drawn, self.target, self.block, self.changes, self.picked, self.grid, self.channel),
                *(*channel_outputs, *self.flight.outputs, *self.inside.outputs),
            ],
            panel=self.grid,
            follow=self.cell.follow,
        )
        page.on(
            self.order.change,
            lambda order: gr.update(visible=order == "contribution"),
            {"order": self.order},
            self.target,
            queue=False,
            show_progress="hidden",
        )
        staged = page.on(
            self.stage.change,
            self.choose_stage,
            {"shown": page.result, "stage": self.stage, "picked": self.picked},
            self.block,
            **QUICK,
        )
        # A picked bar is told of by its event; the field also follows what is shown, which only marks the bar.
        self.picked.change(None, self.picked, None, js=CHOSEN_SCRIPT % "changes", **IN_BROWSER)
        picked = page.on(
            self.changes.select,
            self.pick,
            {"picked": self.picked, "shown": page.result, **of_block},
            [self.picked, self.stage, self.block],
            js=f"(picked, ...others) => [({chosen_script(self.changes)})(), ...others.slice(0, 3)]",
            **QUICK,
        )
        # Only an order by contribution to a class that was not asked before needs the network.
        redrawn = page.on_each(
            [staged.then, picked.then, self.block.input, self.order.change, self.target.change, self.count.input],
            self.redraw_others,
            {"drawn": self.drawn, **grid, **self.inside.inputs},
            [self.drawn, self.changes, self.picked, self.grid, self.channel, *self.inside.outputs],
            **{**QUICK, **NETWORK},
        )
        for event in redrawn:
            self.inside.outline(event)
        enlarged, *again = page.on_each(
            [self.channel.change, *(event.then for event in redrawn)],
            self.enlarge,
            channel,
            channel_outputs,
            **QUICK,
        )
        restyled = page.on(
            [change_of(control) for control in page.drawing.values()],
            self.restyle,
            {"active": page.active, "channel": self.channel, **grid, **self.inside.inputs},
            [self.changes, self.grid, *channel_outputs, *self.inside.outputs],
            **QUICK,
        )
        page.on_choice(self.grid, self.channel)
        for event in (enlarged, *again, restyled):
            self.cell.follow(event)

    def _of_channel(self) -> dict[str, Any]:
        """Add the number of the enlarged channel and the facts about it."""
        t = self._page.t
        self.channel = gr.Number(
            0,
            precision=0,
            minimum=0,
            label=t("Enlarged channel"),
            info=t("From 0"),
            elem_id="block-channel",
            elem_classes="with-result",
        )
        self.facts = html(elem_id="channel-facts")
        return {"channel": self.channel, **self._page.drawing}

    def open(
        self,
        shown: Shown | None,
        drawn: str | None,
        flown: str | None,
        channel: Any,
        step: str | None,
        inside_channel: Any,
        inside_point: str | None,
        stage: str,
        block: Any,
        order: str,
        target: int | None,
        count: Any,
        **drawing: Any,
    ) -> Updates:
        """All of the tab for an answer: one pass more the first time."""
        t = self._page.t
        if shown is None:
            waiting = markup.empty(t("Choose a photo first; its channels appear here."))
            nothing = {self.drawn: "", self.changes: "", self.picked: "", self.facts: "", self.cell.large: ""}
            grid = {self.grid: markup.panel(t("Channels"), waiting)}
            closed = self.inside.open(None, step)
            return {**nothing, **grid, **closed, **self.flight.outdated(flown, shown)}

        def fill() -> Updates:
            observation = self._page.observation(shown)
            known = [index for _, index in class_choices(self._page.t, observation.manifest)]
            goal = target if target in known else observation.likeliest_indices(1)[0]
            trace = self._page.explorer.blocks(shown)
            blocks = len(trace.of_stage(stage))
            number = min(int(block or blocks), blocks)
            about_this = _drawn(shown, stage, number, order, goal, count)
            # A channel of the visitor's own choice stays where the tab has only been opened again.
            channels = trace.outputs[self._place(trace, stage, number)].shape[-1]
            own = channel if drawn == about_this and channel in range(channels) else None
            updates = self.redraw(shown, stage, number, order, goal, count, own, **drawing)
            first = updates.get(self.channel, channel)
            return {
                **updates,
                self.drawn: about_this,
                self.target: setting(target, goal, choices=class_choices(self._page.t, observation.manifest)),
                self.block: _block_slider(blocks, block, number),
                self.channel: setting(channel, first),
                **self.enlarge(shown, stage, number, first, **drawing),
                **self.flight.outdated(flown, shown),
                **self.inside.draw(shown, step, stage, number, inside_channel, inside_point, **drawing),
            }

        return self._page.or_error(fill)

    def choose_stage(self, shown: Shown | None, stage: str, picked: str | None) -> Any:
        """The slider's range for a stage; its last block is what the maps show, unless another one's bar was picked."""
        if shown is None:
            return gr.skip()
        blocks = len(self._page.or_error(lambda: self._page.explorer.blocks(shown).of_stage(stage)))
        wanted, number = _picked(picked)
        return _block_slider(blocks, None, min(number, blocks) if wanted == stage else blocks)

    def pick(self, shown: Shown | None, picked: str | None, stage: str, block: Any) -> Updates:
        """Stage and block of the bar that was picked, unless the controls say them already."""
        wanted, number = _picked(picked)
        if shown is None or (wanted, number) in (("", 0), (stage, block)):
            return {}

        def choose() -> Updates:
            blocks = len(self._page.explorer.blocks(shown).of_stage(wanted))
            slider = _block_slider(blocks, block, min(number, blocks))
            return {self.picked: f"{wanted}:{min(number, blocks)}", self.stage: wanted, self.block: slider}

        return self._page.or_error(choose)

    def redraw(
        self,
        shown: Shown | None,
        stage: str,
        block: Any,
        order: str,
        target: int | None,
        count: Any,
        channel: int | None = None,
        **drawing: Any,
    ) -> Updates:
        """Chart and grid for another block or order, and the channel that is chosen in it: the first if none is."""
        if shown is None or block is None or count is None or unfinished(**drawing):
            return {}

        def draw() -> Updates:
            trace = self._page.explorer.blocks(shown)
            place = self._place(trace, stage, block)
            channels, _ = self._ranked(shown, trace, place, order, target, count)
            first = channels[0] if channel is None else channel
            number = place - trace.of_stage(stage)[0] + 1
            t, view = self._page.t, drawing_options(**drawing)
            return {
                self.changes: changes_panel(t, trace, place),
                self.picked: f"{stage}:{number}",
                self.grid: channel_grid(t, self._page.observation(shown), trace, place, channels, first, view),
                self.channel: first,
            }

        return self._page.or_error(draw)

    def redraw_others(
        self,
        drawn: str | None,
        shown: Shown | None,
        stage: str,
        block: Any,
        order: str,
        target: int | None,
        count: Any,
        step: str | None,
        inside_channel: Any,
        inside_point: str | None,
        **drawing: Any,
    ) -> Updates:
        """Chart, grid and steps for another block or order, unless `open` has set it, and with it the channel."""
        wanted = "" if shown is None else _drawn(shown, stage, block, order, target, count)
        if drawn == wanted:
            return {}
        return {
            self.drawn: wanted,
            **self.redraw(shown, stage, block, order, target, count, **drawing),
            **self.inside.draw(shown, step, stage, block, inside_channel, inside_point, **drawing),
        }

    def restyle(
        self,
        active: str,
        shown: Shown | None,
        stage: str,
        block: Any,
        order: str,
        target: int | None,
        count: Any,
        channel: Any,
        step: str | None,
        inside_channel: Any,
        inside_point: str | None,
        **drawing: Any,
    ) -> Updates:
        """The same channels and steps in other colours."""
        if active != "blocks":
            return {}
        updates = self.redraw(shown, stage, block, order, target, count, channel, **drawing)
        for control in (self.channel, self.picked):
            updates.pop(control, None)
        inside = self.inside.draw(shown, step, stage, block, inside_channel, inside_point, **drawing)
        return {**updates, **inside, **self.enlarge(shown, stage, block, channel, **drawing)}

    def enlarge(self, shown: Shown | None, stage: str, block: Any, channel: Any, **drawing: Any) -> Updates:
        """One channel: its numbers and its map."""
        if shown is None or None in (block, channel) or unfinished(**drawing):
            return {}

        def draw() -> Updates:
            t = self._page.t
            observation, trace = self._page.observation(shown), self._page.explorer.blocks(shown)
            place = self._place(trace, stage, block)
            heatmap = trace.heatmap(place, channel)
            number = trace.of_stage(stage).index(place) + 1
            title = t("{}, block {}, channel {}", stage, number, int(channel))
            view = drawing_options(**drawing)
            return {
                self.facts: channel_panel(t, trace, place, int(channel)),
                self.cell.large: markup.large(t, observation, heatmap, view, t("one channel"), title),
            }

        return self._page.or_error(draw)

    @staticmethod
    def _place(trace: BlockTrace, stage: str, block: Any) -> int:
        """The block's place; beyond the stage's last block, where the slider may lag behind, the last."""
        return trace.place(stage, min(whole_number("block", block, 1, 99), len(trace.of_stage(stage))))

    def _ranked(
        self, shown: Shown, trace: BlockTrace, place: int, order: str, target: int | None, count: Any
    ) -> tuple[list[int], NDArray[np.float32] | None]:
        """Return the channels to show, and what all channels contribute to the class if that is the order."""
        contributions = None
        if order == "contribution":
            observation = self._page.observation(shown)
            goal = target if target is not None else observation.likeliest_indices(1)[0]
            contributions = self._page.explorer.evidence(shown, (goal,)).contributions[place][0]
        ranked = rank_channels(trace.outputs[place], order, count, contributions)
        return [int(channel) for channel in ranked], contributions

    def figure(self, shown: Shown | None, kind: str, **choices: Any) -> str:
        """The chart of the blocks' changes and the shown channels, as a picture."""

        def encode(observation: Observation) -> bytes:
            trace, place, channels, _, view = self._all(shown, **choices)
            return channels_figure(observation, trace, place, channels, choices["order"], view, kind.lower())

        return self._page.file(shown, f"{{}}.blocks.{kind.lower()}".format, encode)

    def data(self, shown: Shown | None, **choices: Any) -> str:
        """The same in numbers."""

        def encode(observation: Observation) -> bytes:
            trace, place, channels, contributions, view = self._all(shown, **choices)
            about = origin(observation, view, order=choices["order"])
            return json_file(about, channels_dictionary(trace, place, channels, contributions))

        return self._page.file(shown, "{}.blocks.json".format, encode)

    def raw(self, shown: Shown | None, **choices: Any) -> str:
        """All channels of the block."""

        def encode(observation: Observation) -> bytes:
            trace, place, *_ = self._all(shown, **choices)
            return block_file(observation, trace, place)

        return self._page.file(shown, "{}.blocks.npz".format, encode)

    def fly(self, shown: Shown | None, **choices: Any) -> str:
        """The flight through all blocks."""
        return self.flight.file(shown, **{name: choices[name] for name in self._page.drawing})

    def _all(
        self, shown: Shown | None, stage: str, block: Any, order: str, target: int | None, count: Any, **drawing: Any
    ) -> tuple[BlockTrace, int, list[int], NDArray[np.float32] | None, ViewOptions]:
        """Return what a file is about: the trace, the block's place, its channels, their contributions, the view."""
        assert shown is not None  # `Page.file` has seen to it
        trace = self._page.explorer.blocks(shown)
        place = self._place(trace, stage, block)
        channels, contributions = self._ranked(shown, trace, place, order, target, count)
        return trace, place, channels, contributions, drawing_options(**drawing)

    def _asked(self, shown: Shown, stage: str, block: Any, channel: Any, **drawing: Any) -> Asked:  # noqa: ARG002
        observation: Observation = self._page.observation(shown)
        trace = self._page.explorer.blocks(shown)
        return observation, trace.heatmap(self._place(trace, stage, block), channel), self._page.t("one channel"), -1


def _block_slider(blocks: int, current: Any, number: int) -> Any:
    """The slider for a stage of so many blocks; for the one of C1 it stands still, since Gradio wants a range."""
    return setting(current, number, maximum=max(blocks, 2), interactive=blocks > 1)


def _picked(picked: str | None) -> tuple[str, int]:
    """Return stage and number of the block whose bar was picked; an empty stage and 0 if none was."""
    stage, _, number = (picked or "").partition(":")
    return (stage, int(number)) if stage in STAGE_NAMES and number.isdecimal() and len(number) < 3 else ("", 0)


def _drawn(shown: Shown, stage: str, block: Any, order: str, target: int | None, count: Any) -> str:
    """Return the title of the grid."""
    return f"{about(shown)} {shown.source.framing} {stage} {block} {order} {target} {count}"
