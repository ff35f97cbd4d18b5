"""A look inside the chosen block: its steps side by side, one enlarged, and how a cell of it was computed."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from resnet.maps.channels import BlockTrace
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.inside import MEAN, BlockInside, Step
from resnet.maps.observation import Observation
from resnet.options import whole_number
from resnet.output.inside import inside_dictionary, inside_figure
from resnet.output.saving import json_file, origin
from resnet.service.explorer import Shown
from resnet.ui import markup
from resnet.ui.cells import Asked, CellAnswer
from resnet.ui.events import CHOICE_SCRIPT, NETWORK, PRIVATE, QUICK
from resnet.ui.messages import Updates
from resnet.ui.page import Page
from resnet.ui.panels.worked import worked_out
from resnet.ui.parts import html
from resnet.ui.view import drawing_options, unfinished

LAST = "out"
"""The step that is enlarged at first: what the block gives."""

KERNEL_SIDE = 84

LANES = (("input",), ("1_conv", "1_relu", "2_conv", "2_relu", "3_conv"), ("0_conv",), ("add", "out"))
"""Steps of a residual block as they stand on the page: before it parts, its branch, its shortcut, and the end."""


class Inside:
    """A button, and the block's steps once it is pressed."""

    def __init__(self, page: Page, of_block: dict[str, Any]) -> None:
        """Add them to the tab that is built.

        Args:
            page: The page.
            of_block: The controls `stage` and `block`.
        """
        self._page = page
        t = page.t
        button = gr.Button(t("Look inside this block"), elem_id="look-inside", elem_classes="with-result")
        self.panel = html(elem_id="inside", js_on_load=CHOICE_SCRIPT)
        self.kernels = html(elem_id="kernels", js_on_load=CHOICE_SCRIPT)
        # The step that is enlarged; empty while the block is closed.
        self.step = gr.Textbox(visible=False)
        everything = {"step": self.step, **of_block}
        with gr.Column(visible=False) as self._more:
            self.cell = CellAnswer(
                page, "inside", self._asked, everything, self._controls, tab="blocks", further=self._worked
            )
            self.inputs = {"step": self.step, "inside_channel": self.channel, "inside_point": self.cell.point}
            choices = {"shown": page.result, **of_block, **self.inputs, **page.drawing}
            page.downloads("inside", {"figure": self.figure, "data": self.data}, choices, **NETWORK)
        self.outputs = [self.panel, self.step, self._more, self.kernels, self.cell.large, self.cell.text]
        page.on(button.click, self.open, {"shown": page.result, "step": self.step}, self.outputs, **QUICK)
        page.on_choice(self.panel, self.step)
        page.on_choice(self.kernels, self.channel)
        drawn = page.on_each(
            [self.step.change, self.channel.change], self.draw, choices, self.outputs, **{**QUICK, **NETWORK}
        )
        for event in drawn:
            self.outline(event)

    def outline(self, event: gr.events.Dependency) -> None:
        """Draw the asked cell's outline after an event that has drawn the steps."""
        event.then(None, None, None, js=self.cell.outline, **PRIVATE)

    def _controls(self) -> dict[str, Any]:
        """Add the number of the channel that is shown of each step."""
        t = self._page.t
        self.channel = gr.Number(
            MEAN,
            precision=0,
            minimum=MEAN,
            label=t("Channel of each step"),
            info=t("From 0; -1 is the mean of all"),
            elem_id="inside-channel",
        )
        return {"inside_channel": self.channel, **self._page.drawing}

    def open(self, shown: Shown | None, step: str | None) -> Updates:
        """Open the block, which its step draws, or close it again."""
        if shown is None or step:
            closed = {self.panel: "", self.step: "", self.kernels: "", self.cell.large: ""}
            return {**closed, self._more: gr.update(visible=False)}
        return {self.step: LAST, self._more: gr.update(visible=True)}

    def draw(
        self,
        shown: Shown | None,
        step: str | None,
        stage: str,
        block: Any,
        inside_channel: Any,
        inside_point: str | None,
        **drawing: Any,
    ) -> Updates:
        """Draw all steps, and one of them enlarged; nothing while the block is closed."""
        if not step or None in (block, inside_channel) or unfinished(**drawing):
            return {}
        if shown is None:
            return {self.panel: "", self.kernels: "", self.cell.large: ""}

        def fill() -> Updates:
            t, view = self._page.t, drawing_options(**drawing)
            observation = self._page.observation(shown)
            inside = self._inside(shown, stage, block)
            chosen = inside.steps.get(step, inside.steps[LAST])
            channel = whole_number("channel", inside_channel, MEAN, 10**6)
            panels = [
                self._lane(observation, inside, names, channel, chosen, view)
                for names in (LANES if inside.block.stage != "C1" else (tuple(inside.steps),))
            ]
            title = t("Inside {}", inside.block.name)
            hint = t("Blue is below 0 and red above, before each ReLU. Click a step to enlarge it.")
            label = escape(t("Enlarged step"))
            lanes = f'<div class="inside" role="radiogroup" aria-label="{label}">{"".join(panels)}</div>'
            large = ""
            if channel < chosen.values.shape[-1]:
                name = self._channel_name(channel)
                words = f"{self._name(inside, chosen)}, {name}"
                large = markup.large(t, observation, chosen.heatmap(channel), chosen.view(view), name, words)
            kernels = self._kernels(shown, observation, inside, channel, view) if stage == "C1" else ""
            about = {"step": step, "stage": stage, "block": block, "inside_channel": inside_channel, **drawing}
            return {
                self.panel: markup.panel(title, lanes, hint),
                self.kernels: kernels,
                self.cell.large: large,
                **self.cell.answer(shown, inside_point, **about),
            }

        return self._page.or_error(fill)

    def figure(
        self,
        shown: Shown | None,
        kind: str,
        stage: str,
        block: Any,
        inside_channel: Any,
        step: str,  # noqa: ARG002
        inside_point: str,  # noqa: ARG002
        **drawing: Any,
    ) -> str:
        """All steps as a picture."""

        def encode(observation: Observation) -> bytes:
            assert shown is not None  # `Page.file` has seen to it
            inside, view = self._inside(shown, stage, block), drawing_options(**drawing)
            channel = whole_number("channel", inside_channel, MEAN, 10**6)
            return inside_figure(observation, inside, channel, view, kind.lower())

        return self._page.file(shown, f"{{}}.inside.{kind.lower()}".format, encode)

    def data(self, shown: Shown | None, stage: str, block: Any, **choices: Any) -> str:  # noqa: ARG002
        """All steps in numbers."""

        def encode(observation: Observation) -> bytes:
            assert shown is not None  # `Page.file` has seen to it
            return json_file(origin(observation, ViewOptions()), inside_dictionary(self._inside(shown, stage, block)))

        return self._page.file(shown, "{}.inside.json".format, encode)

    def _inside(self, shown: Shown, stage: str, block: Any) -> BlockInside:
        trace: BlockTrace = self._page.explorer.blocks(shown)
        number = min(whole_number("block", block, 1, 99), len(trace.of_stage(stage)))
        return self._page.explorer.inside(shown, trace.place(stage, number))

    def _lane(
        self,
        observation: Observation,
        inside: BlockInside,
        names: tuple[str, ...],
        channel: int,
        chosen: Step,
        view: ViewOptions,
    ) -> str:
        t = self._page.t
        figures = []
        for step in (inside.steps[name] for name in names if name in inside.steps):
            words = self._name(inside, step)
            picture = ""
            if channel < step.values.shape[-1]:
                overlay = observation.overlay(step.heatmap(channel), step.view(view), markup.SMALL_SIDE)
                picture = f'<img alt="" src="{markup.data_uri(overlay)}">'
            button = markup.radio(step.name, words, picture, is_chosen=step is chosen)
            lowest, highest = float(step.values.min()), float(step.values.max())
            facts = [
                "×".join(map(str, step.values.shape)),
                t("{:.3g} to {:.3g}", lowest, highest),
                t("{:.0%} zeros", step.zeros),
            ]
            caption = f"<strong>{escape(words)}</strong><br>{'<br>'.join(map(escape, facts))}"
            figures.append(f"<figure>{button}<figcaption>{caption}</figcaption></figure>")
        if not figures:  # the shortcut of an identity block
            figures = [f"<p>{escape(t('Shortcut: the input itself'))}</p>"]
        return f'<div class="lane">{"".join(figures)}</div>'

    def _kernels(
        self, shown: Shown, observation: Observation, inside: BlockInside, chosen: int, view: ViewOptions
    ) -> str:
        """The kernels of the first convolution, each with the map that it gives after ReLU."""
        t, step = self._page.t, inside.steps["relu"]
        figures = []
        for channel, kernel in enumerate(self._page.explorer.kernels(shown, KERNEL_SIDE)):
            overlay = observation.overlay(step.heatmap(channel), view, markup.SMALL_SIDE)
            pictures = "".join(f'<img alt="" src="{markup.data_uri(picture)}">' for picture in (kernel, overlay))
            is_stop = channel == 0 and not 0 <= chosen < step.values.shape[-1]
            button = markup.radio(
                channel, t("Channel {}", channel), pictures, is_chosen=channel == chosen, is_stop=is_stop
            )
            figures.append(f"<figure>{button}<figcaption>{channel}</figcaption></figure>")
        label, title = escape(t("Channel of each step")), t("The {} kernels of the first convolution", len(figures))
        hint = t("Grey is a weight of 0. Beside each kernel is its map after ReLU. Click one to choose its channel.")
        grid = f'<div class="grid kernels" role="radiogroup" aria-label="{label}">{"".join(figures)}</div>'
        return markup.panel(title, grid, hint)

    def _name(self, inside: BlockInside, step: Step) -> str:
        t = self._page.t
        match step.kind:
            case "input":
                return t("Input")
            case "convolution" if step.name == "0_conv":
                return t("Shortcut: 1×1 convolution + batch norm, stride {}", step.stride)
            case "convolution" if step.stride > 1:
                return t("{0}×{0} convolution + batch norm, stride {1}", step.size, step.stride)
            case "convolution":
                return t("{0}×{0} convolution + batch norm", step.size)
            case "addition":
                return t("Branch + shortcut")
            case "pooling":
                return t("3×3 maximum, stride 2")
        return t("ReLU, the block's output") if step.block is inside.block else t("ReLU")

    def _channel_name(self, channel: int) -> str:
        t = self._page.t
        return t("mean of the channels") if channel == MEAN else t("channel {}", channel)

    def _asked(
        self,
        shown: Shown,
        step: str | None,
        stage: str,
        block: Any,
        inside_channel: Any,
        **drawing: Any,  # noqa: ARG002
    ) -> Asked | None:
        if not step or None in (block, inside_channel):
            return None
        inside = self._inside(shown, stage, block)
        chosen = inside.steps.get(step, inside.steps[LAST])
        if inside_channel >= chosen.values.shape[-1]:
            return None
        heatmap = chosen.heatmap(inside_channel)
        return self._page.observation(shown), heatmap, self._channel_name(int(inside_channel)), -1

    def _worked(
        self, shown: Shown, place: tuple[int, int], step: str, stage: str, block: Any, inside_channel: Any, **_: Any
    ) -> str:
        """The cell's value worked out; of a mean there is nothing to work out."""
        t = self._page.t
        if inside_channel == MEAN:
            return markup.message(t("Choose a channel to see how this cell was computed."))
        inside = self._inside(shown, stage, block)
        name = step if step in inside.steps else LAST
        trace = self._page.explorer.blocks(shown)
        number = trace.blocks.index(inside.block)
        found = self._page.explorer.worked_out(shown, number, name, *place, int(inside_channel))
        return worked_out(t, found)
