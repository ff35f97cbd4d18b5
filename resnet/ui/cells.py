"""Ask a cell: a click on an enlarged map, or an arrow key, and what the page says about that cell."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from math import isnan
from typing import Any

import gradio as gr
import numpy as np

from resnet.maps.channels import CellFacts, ask_cell
from resnet.maps.heatmaps import Heatmap
from resnet.maps.observation import Observation
from resnet.photo.preprocess import Box
from resnet.service.explorer import Shown
from resnet.stages import READ_STEPS, STAGE_NAMES, Block, is_read
from resnet.ui import markup
from resnet.ui.events import NETWORK, PRIVATE
from resnet.ui.messages import Updates
from resnet.ui.page import Page, Part
from resnet.ui.parts import html

Point = tuple[float, float]
"""Where a visitor pointed, as shares of the photo's width and height."""

POINT_SCRIPT = """
let asked = { x: 0.5, y: 0.5 };
const ask = (x, y) => {
  asked = { x, y };
  element.dataset.chosen = JSON.stringify([x, y]);
  trigger("select");
};
element.addEventListener("click", (event) => {
  const map = event.target.closest("[data-map]");
  if (!map) return;
  const box = map.querySelector("img").getBoundingClientRect();
  // A click without a pointer, by Enter or a screen reader, means the middle.
  if (event.detail === 0) ask(0.5, 0.5);
  else ask((event.clientX - box.left) / box.width, (event.clientY - box.top) / box.height);
});
const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
// The centre of the cell `by` cells on from the one that is nearest to a place.
const neighbour = (place, { first, last, count }, by) => {
  const pitch = (last - first) / Math.max(count - 1, 1);
  const nearest = pitch ? Math.round((place - first) / pitch) : 0;
  return first + Math.min(Math.max(nearest + by, 0), count - 1) * pitch;
};
element.addEventListener("keydown", (event) => {
  const map = event.target.closest("[data-map]"), move = moves[event.key];
  if (!map || !move) return;
  event.preventDefault();
  const { columns, rows } = JSON.parse(map.dataset.map);
  ask(neighbour(asked.x, columns, move[0]), neighbour(asked.y, rows, move[1]));
});
"""
_DRAW = """() => {
  const boxes = document.querySelector("#%s-cell .boxes");
  const drawing = document.querySelector("#%s-large svg");
  if (drawing) drawing.innerHTML = boxes ? boxes.innerHTML : "";
}"""

Asked = tuple[Observation, Heatmap, str, int]
"""The photo, the enlarged map, what it shows, and the class whose score is asked after, or -1."""


class CellAnswer:
    """An enlarged map that can be asked, and the text beside it."""

    def __init__(
        self,
        page: Page,
        name: str,
        asked: Callable[..., Asked | None],
        inputs: dict[str, Any],
        beside: Callable[[], dict[str, Any]] | None = None,
        *,
        tab: str = "",
        further: Callable[..., str] | None = None,
    ) -> None:
        """Add the enlarged map, and beside it the text.

        Args:
            page: The page that is built.
            name: Prefix of the elements' ids, and identifier of the tab.
            asked: From the answer that is shown and `inputs` by name to what is enlarged, or None if nothing is.
            inputs: Components that say what is enlarged, by name.
            beside: Adds what stands below the text, and gives further components for `inputs`.
            tab: Identifier of the tab, if it has another name.
            further: From the answer that is shown, the cell's row and column as `place`, and `inputs` by name to HTML
                that follows the facts.
        """
        self._page = page
        self._asked = asked
        self._tab, self._further = tab or name, further
        self.outline = _DRAW % (name, name)
        self.point = gr.Textbox(visible=False)
        with gr.Row(elem_classes="asked"):
            with gr.Column(scale=3, min_width=300):
                self.large = html(elem_id=f"{name}-large", js_on_load=POINT_SCRIPT)
            with gr.Column(scale=2, min_width=260):
                self.text = html(elem_id=f"{name}-cell")
                inputs = {**inputs, **(beside() if beside else {})}
        self._inputs = {"point": self.point, **inputs}
        self.follow(page.on_choice(self.large, self.point))
        page.on_cell(Part(self._tab, self.answer, self._inputs, [self.text]), self.outline)

    def follow(self, event: gr.events.Dependency) -> None:
        """Say anew what the cell is like after an event that changes the map, and draw its outline."""
        said = self._page.on(
            event.then,
            self._answer_if_open,
            {"active": self._page.active, "shown": self._page.result, **self._inputs},
            [self.text],
            show_progress="hidden",
            trigger_mode="always_last",
            **NETWORK,
        )
        said.then(None, None, None, js=self.outline, **PRIVATE)

    def _answer_if_open(self, active: str, **inputs: Any) -> Updates:
        return self.answer(**inputs) if active == self._tab else {}

    def answer(self, shown: Shown | None, point: str | None, **inputs: Any) -> Updates:
        """The text about the asked cell."""
        return {self.text: self._facts(shown, read_point(point), **inputs) if shown else ""}

    def _facts(self, shown: Shown, point: Point | None, **inputs: Any) -> str:
        t = self._page.t
        if point is None:
            return markup.message(t("Click the map to ask a cell: what does it hold, and what does it do?"))

        def say() -> str:
            asked = self._asked(shown, **inputs)
            if asked is None:
                return ""
            observation, heatmap, name, target = asked
            place = cell_at(observation, heatmap.block, point)
            if not sees(observation, point):
                return markup.message(t("The network did not see this part of the photo."))
            lines = [self._where(observation, heatmap, place), *self._value(heatmap, place, name)]
            stage = STAGE_NAMES.index(heatmap.block.stage)
            if heatmap.block.name == observation.blocks[stage].name:  # the stage itself, not a block inside
                # A map may have the cells that are read alone.
                step = heatmap.block.stride // observation.blocks[stage].stride
                lines += self._of_stage(shown, observation, stage, (place[0] * step, place[1] * step), target)
            field = markup.rectangle(_field_of(observation, heatmap.block, place), "field")
            boxes = field + markup.rectangle(observation.geometry.cell_box(heatmap.block, *place), "cell")
            content = "".join(f"<li>{escape(line)}</li>" for line in lines if line)
            drawing = f'<div hidden><svg class="boxes">{boxes}</svg></div>'
            further = self._further(shown, place, **inputs) if self._further else ""
            return f'<div class="cell-facts" role="status">{drawing}<ul>{content}</ul>{further}</div>'

        return self._page.or_error(say)

    def _where(self, observation: Observation, heatmap: Heatmap, place: tuple[int, int]) -> str:
        t = self._page.t
        rows, columns, _ = heatmap.block.shape
        counts = heatmap.block.stage, place[0] + 1, rows, place[1] + 1, columns
        if _field_of(observation, heatmap.block, place) == observation.geometry.seen:
            return t("{}: row {} of {}, column {} of {}; the solid frame is the cell, which can see all that the "
                     "network got.", *counts)  # fmt: skip
        return t(
            "{}: row {} of {}, column {} of {}; the solid frame is the cell, the dashed one all that it can see "
            "({} px of the network's input).",
            *counts,
            heatmap.block.receptive_field,
        )

    def _value(self, heatmap: Heatmap, place: tuple[int, int], name: str) -> list[str]:
        if heatmap.values.ndim != 2 or not heatmap.values.size:
            return []
        return [self._page.t("Value of the map ({}): {:.3g}.", name, float(heatmap.whole[place]))]

    def _of_stage(
        self, shown: Shown, observation: Observation, stage: int, place: tuple[int, int], target: int
    ) -> list[str]:
        """Return the content of a cell, and its meaning for the class."""
        t = self._page.t
        lines = [self._channels(ask_cell(observation, stage, *place))]
        if not is_read(stage, *place):
            return [*lines, t("Nothing reads this cell: the next stage takes every second row and column, so it has no "
                              "influence at all.")]  # fmt: skip
        if target < 0:
            return lines
        return [*lines, self._evidence(shown, observation, stage, place, target),
                self._without(shown, observation, stage, place, target)]  # fmt: skip

    def _channels(self, facts: CellFacts) -> str:
        t = self._page.t
        parts = [t("{} at {:.3g} (mean {:.3g})", *channel) for channel in facts.channels]
        return t("Strongest channels here: {}.", t(", ").join(parts))

    def _evidence(self, shown: Shown, observation: Observation, stage: int, place: tuple[int, int], target: int) -> str:
        t = self._page.t
        evidence = self._page.explorer.evidence(shown, (target,))
        step = READ_STEPS[stage]
        values = evidence.maps["hirescam"][0][stage]
        value = float(values[place[0] // step, place[1] // step])
        label = self._page.label(observation, target)
        if stage < len(STAGE_NAMES) - 1:
            return t("Slope for the logit of “{}” (gradient × activation): {:+.3g}. It says what a small change would "
                     "do, not what this cell adds.", label, value)  # fmt: skip
        speaking = float(np.maximum(values, 0).sum())
        return t(
            "Adds {:+.3g} to the logit {:.3g} of “{}” (HiResCAM): {:.1%} of all that speaks for it in this stage.",
            value,
            float(evidence.logits[target]),
            label,
            max(value, 0.0) / speaking if speaking else 0.0,
        )

    def _without(self, shown: Shown, observation: Observation, stage: int, place: tuple[int, int], target: int) -> str:
        found, before = self._page.explorer.without(shown, stage, *place), self._page.explorer.with_all(shown, stage)
        return self._page.t(
            "Without this cell (all its channels 0) “{}” would have {:.1%} instead of {:.1%}; its logit changes by "
            "{:+.3g}.",
            self._page.label(observation, target),
            float(found.probabilities[target]),
            float(before.probabilities[target]),
            float(found.logits[target] - before.logits[target]),
        )


def _field_of(observation: Observation, block: Block, place: tuple[int, int]) -> Box:
    """All of the photo that can change a cell, cut to what the network got."""
    left, top, right, bottom = observation.geometry.receptive_box(block, *place)
    first, second, third, fourth = observation.geometry.seen
    return max(left, first), max(top, second), min(right, third), min(bottom, fourth)


def read_point(text: str | None) -> Point | None:
    """Return the place that the browser noted; None if it noted none, or something else."""
    try:
        x, y = map(float, json.loads(text or ""))
    except (TypeError, ValueError, OverflowError, RecursionError):
        return None
    return None if isnan(x + y) else (min(max(x, 0.0), 1.0), min(max(y, 0.0), 1.0))


def cell_at(observation: Observation, block: Block, point: Point) -> tuple[int, int]:
    """Row and column of the cell whose centre is nearest to a point of the photo."""
    width, height = observation.geometry.photo_size
    return observation.geometry.cell_at(block, point[0] * width, point[1] * height)


def sees(observation: Observation, point: Point) -> bool:
    """Return True if the network saw a point of the photo."""
    width, height = observation.geometry.photo_size
    left, top, right, bottom = observation.geometry.seen
    return left <= point[0] * width <= right and top <= point[1] * height <= bottom
