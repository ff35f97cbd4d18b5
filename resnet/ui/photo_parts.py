"""Parts with names on the page: the enlarged stage split into parts, each in a colour, with a legend."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr
import numpy as np

from resnet.maps.observation import Observation
from resnet.maps.parts import COLOURS, LEAST, MOST, Parts, areas, draw_parts
from resnet.output.parts import parts_dictionary, parts_figure
from resnet.output.saving import json_file, origin
from resnet.service.explorer import Shown
from resnet.stages import STAGE_NAMES
from resnet.ui import markup
from resnet.ui.events import NETWORK, QUICK
from resnet.ui.messages import Updates
from resnet.ui.page import Page, Part
from resnet.ui.parts import html
from resnet.ui.view import drawing_options, unfinished

NAMES = 2
"""Classes that are named of a part."""


class PhotoParts:
    """A button, and the parts once it is pressed."""

    def __init__(self, page: Page, stage: gr.Radio) -> None:
        """Add them to the tab that is built.

        Args:
            page: The page.
            stage: The stage that is enlarged.
        """
        self._page = page
        t = page.t
        button = gr.Button(t("Split this stage into parts"), elem_id="split", elem_classes="with-result")
        self._is_open = gr.Textbox(visible=False)
        with gr.Column(visible=False) as self._more:
            self._count = gr.Slider(LEAST, MOST, value=4, step=1, label=t("Number of parts"), elem_id="part-count")
            self._panel = html(elem_id="parts")
            about = {"shown": page.result, "stage": stage, "count": self._count, **page.drawing}
            page.downloads("parts", {"figure": self.figure, "data": self.data}, about)
        inputs = {"is_open": self._is_open, "stage": stage, "count": self._count, **page.drawing}
        self._inputs, self.outputs = {"shown": page.result, **inputs}, [self._panel]
        page.on(
            button.click,
            self.toggle,
            {"shown": page.result, "is_open": self._is_open},
            [self._is_open, self._more],
            **QUICK,
        )
        self.inputs = {"is_open": self._is_open, "count": self._count}
        page.on_each(
            [self._is_open.change, self._count.input], self.draw, self._inputs, self.outputs, **{**QUICK, **NETWORK}
        )
        page.on_cell(Part("maps", self.draw, inputs, self.outputs), "() => {}")

    def follow(self, event: gr.events.Dependency) -> None:
        """Draw the parts anew after an event, if they are open."""
        self._page.on(event.then, self.draw, self._inputs, self.outputs, **{**QUICK, **NETWORK})

    def toggle(self, shown: Shown | None, is_open: str | None) -> Updates:
        """Open the panel, or close it again."""
        opens = shown is not None and not is_open
        return {self._is_open: "open" if opens else "", self._more: gr.update(visible=opens)}

    def draw(self, shown: Shown | None, is_open: str | None, stage: str, count: Any, **drawing: Any) -> Updates:
        """Draw the parts of the enlarged stage; nothing while the panel is closed."""
        if not is_open or count is None or unfinished(**drawing):
            return {}
        if shown is None:
            waiting = markup.empty(self._page.t("The five maps appear here."))
            return {self._panel: waiting}

        def fill() -> Updates:
            t, view = self._page.t, drawing_options(**drawing)
            observation, parts = self._page.observation(shown), self._parts(shown, stage, count)
            picture = draw_parts(observation, parts, view.opacity, markup.LARGE_SIDE, smooth=view.smooth)
            words = escape(
                t("{} split into {} parts, over the photo {}", stage, len(parts.channels), observation.photo_name)
            )
            legend = self._legend(observation, parts)
            title = t("{} as a sum of {} parts", stage, len(parts.channels))
            hint = t(
                "Each place has the colour of its strongest part. Together they account for {:.0%} of the activations' "
                "sum of squares.",
                parts.explained,
            )
            content = f'<div class="parts"><img alt="{escape(words)}" src="{markup.data_uri(picture)}">{legend}</div>'
            return {self._panel: markup.panel(title, content, hint)}

        return self._page.or_error(fill)

    def _parts(self, shown: Shown, stage: str, count: Any) -> Parts:
        return self._page.explorer.parts(shown, STAGE_NAMES.index(stage), count)

    def _legend(self, observation: Observation, parts: Parts) -> str:
        """The parts' colours, areas and strongest channels, and at C5 the classes that the head gives each alone."""
        t = self._page.t
        rows = []
        for place, (area, channels) in enumerate(zip(areas(observation, parts), parts.channels, strict=True)):
            lines = [t("{:.0%} of what the network saw", area)]
            if parts.probabilities is not None:
                found = parts.probabilities[place]
                names = [
                    f"{self._page.label(observation, int(index))} {found[index]:.0%}"
                    for index in np.argsort(-found, kind="stable")[:NAMES]
                ]
                lines.append(t("alone, the head calls it: {}", t(", ").join(names)))
            strongest = t(", ").join(str(channel) for channel in np.argsort(-channels, kind="stable")[:3])
            lines.append(t("strongest channels: {}", strongest))
            name = escape(t("Part {}", place + 1))
            facts = "<br>".join(map(escape, lines))
            rows.append(
                f'<li><i style="background-color:{COLOURS[place]}"></i><span><b>{name}</b><br>{facts}</span></li>'
            )
        return f"<ol>{''.join(rows)}</ol>"

    def figure(self, shown: Shown | None, kind: str, stage: str, count: Any, **drawing: Any) -> str:
        """The parts as a picture."""

        def encode(observation: Observation) -> bytes:
            assert shown is not None  # `Page.file` has seen to it
            parts = self._parts(shown, stage, count)
            return parts_figure(observation, parts, drawing_options(**drawing), kind.lower())

        return self._page.file(shown, f"{{}}.parts.{kind.lower()}".format, encode)

    def data(self, shown: Shown | None, stage: str, count: Any, **drawing: Any) -> str:
        """The parts in numbers."""

        def encode(observation: Observation) -> bytes:
            assert shown is not None  # `Page.file` has seen to it
            answer = parts_dictionary(observation, self._parts(shown, stage, count))
            return json_file(origin(observation, drawing_options(**drawing)), answer)

        return self._page.file(shown, "{}.parts.json".format, encode)
