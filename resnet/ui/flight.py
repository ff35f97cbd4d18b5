"""The flight through the blocks on the page: a picture after each block, a slider, a button that plays it."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from resnet.maps.observation import Observation
from resnet.output.flight import MILLISECONDS, fly_through, gif
from resnet.service.explorer import Shown
from resnet.ui import markup
from resnet.ui.classes import about
from resnet.ui.events import NETWORK, QUICK, change_of
from resnet.ui.messages import Updates
from resnet.ui.page import Page
from resnet.ui.parts import html
from resnet.ui.view import drawing_options, unfinished

_SCRIPT = """
let timer = null;
const frames = () => [...element.querySelectorAll(".flight figure")];
const place = () => frames().findIndex((frame) => !frame.hidden);
const show = (wanted) => {
  frames().forEach((frame, index) => (frame.hidden = index !== wanted));
  const slider = element.querySelector(".flight input");
  slider.value = wanted;
  slider.setAttribute("aria-valuetext", frames()[wanted].dataset.name);
};
const stop = () => {
  clearInterval(timer);
  timer = null;
  element.querySelector(".flight button")?.setAttribute("aria-pressed", "false");
};
const step = () => {
  if (!frames().length || place() === frames().length - 1) return stop();
  show(place() + 1);
};
watch("value", stop);
element.addEventListener("input", (event) => {
  stop();
  show(Number(event.target.value));
});
element.addEventListener("click", (event) => {
  const button = event.target.closest(".flight button");
  if (!button) return;
  if (timer !== null) return stop();
  if (place() === frames().length - 1) show(0);
  button.setAttribute("aria-pressed", "true");
  timer = setInterval(step, %d);
});
"""


class Flight:
    """A button, and the flight once it is asked for."""

    def __init__(self, page: Page) -> None:
        """Add them to the tab that is built."""
        self._page = page
        t = page.t
        button = gr.Button(t("Fly through all blocks"), elem_id="fly", elem_classes="with-result")
        self.panel = html(elem_id="flight", js_on_load=_SCRIPT % MILLISECONDS)
        # What the flight is about; it is drawn again in other colours, but not for another photo.
        self.flown = gr.Textbox(visible=False)
        inputs, outputs = {"shown": page.result, **page.drawing}, [self.panel, self.flown]
        page.on(button.click, self.show, inputs, outputs, **NETWORK)
        page.on(
            [change_of(control) for control in page.drawing.values()],
            self.restyle,
            {"flown": self.flown, **inputs},
            outputs,
            **{**QUICK, **NETWORK},
        )

    @property
    def outputs(self) -> list[Any]:
        """Of `outdated`."""
        return [self.panel, self.flown]

    def outdated(self, flown: str | None, shown: Shown | None) -> Updates:
        """Take the flight away if it is about another answer than the one that is shown."""
        return {self.panel: "", self.flown: ""} if flown and flown != _about(shown) else {}

    def restyle(self, flown: str | None, shown: Shown | None, **drawing: Any) -> Updates:
        """Draw the flight in other colours, if there is one."""
        return self.show(shown, **drawing) if flown and flown == _about(shown) else {}

    def show(self, shown: Shown | None, **drawing: Any) -> Updates:
        """Draw the flight: no pass beside the one that the tab needs."""
        if shown is None or unfinished(**drawing):
            return {}

        def draw() -> Updates:
            return {self.panel: self._panel(shown, **drawing), self.flown: _about(shown)}

        return self._page.or_error(draw)

    def _panel(self, shown: Shown, **drawing: Any) -> str:
        t = self._page.t
        view, observation = drawing_options(**drawing), self._page.observation(shown)
        frames = fly_through(observation, self._page.explorer.blocks(shown), view)
        figures = "".join(
            f'<figure data-name="{escape(frame.caption)}"{"" if place == 0 else " hidden"}>'
            f'<img alt="{escape(t("Mean of the channels after {}, over the photo", frame.heatmap.block.name))}" '
            f'src="{markup.data_uri(frame.picture)}">'
            f"<figcaption>{escape(frame.caption)}{markup.scale(t, frame.heatmap, view)}</figcaption></figure>"
            for place, frame in enumerate(frames)
        )
        controls = (
            f'<div class="controls"><button type="button" aria-pressed="false"><span>{escape(t("Play"))}</span>'
            f"<span>{escape(t('Pause'))}</span></button>"
            f'<input type="range" min="0" max="{len(frames) - 1}" value="0" aria-label="{escape(t("Block"))}" '
            f'aria-valuetext="{escape(frames[0].caption)}"></div>'
        )
        hint = t(
            "Mean of the channels after the stem and each of the {} blocks, each on its own scale.", len(frames) - 1
        )
        return markup.panel(t("Flight through the network"), f'<div class="flight">{figures}{controls}</div>', hint)

    def file(self, shown: Shown | None, **drawing: Any) -> str:
        """The flight as a GIF."""

        def encode(observation: Observation) -> bytes:
            assert shown is not None  # `Page.file` has seen to it
            return gif(fly_through(observation, self._page.explorer.blocks(shown), drawing_options(**drawing)))

        return self._page.file(shown, "{}.flight.gif".format, encode)


def _about(shown: Shown | None) -> str:
    return "" if shown is None else f"{about(shown)} {shown.source.framing}"
