"""The same elsewhere: a button, and once it is pressed the cells that resemble the asked one, photo by photo."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from resnet.errors import ResNetError
from resnet.maps.elsewhere import Resemblance
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import Observation
from resnet.network.labels import EXAMPLES
from resnet.output.elsewhere import elsewhere_dictionary, elsewhere_figure
from resnet.output.saving import json_file, origin
from resnet.service.explorer import Shown
from resnet.stages import STAGE_NAMES
from resnet.ui import markup
from resnet.ui.cells import cell_at, read_point, sees
from resnet.ui.events import NETWORK, QUICK
from resnet.ui.messages import Updates
from resnet.ui.page import Page, Part
from resnet.ui.parts import html, photo_field
from resnet.ui.view import drawing_options, unfinished


class Elsewhere:
    """The part of *Maps* that looks for the asked cell in other photos."""

    def __init__(self, page: Page, stage: gr.Radio, point: gr.Textbox) -> None:
        """Add it to the tab that is built.

        Args:
            page: The page.
            stage: The stage that is enlarged.
            point: Where a visitor has asked.
        """
        self._page = page
        t = page.t
        button = gr.Button(t("Find the same elsewhere"), elem_id="look-elsewhere", elem_classes="with-result")
        self._is_open = gr.Textbox(visible=False)
        with gr.Column(visible=False) as self._more:
            self._panel = html(elem_id="elsewhere")
            self._other = photo_field(
                label=t("Look in this photo instead of the examples"),
                sources=["upload", "clipboard"],
                placeholder=t("Drop another photo here"),
                height=140,
                elem_id="elsewhere-photo",
                alt_text=t("Another photo"),
            )
            asked = {"stage": stage, "point": point, "path": self._other}
            everything = {"shown": page.result, **asked, **page.drawing}
            page.downloads("elsewhere", {"figure": self.figure, "data": self.data}, everything, **NETWORK)
        # Named apart from the other parts of the tab, with which one event draws them.
        self.inputs = {"look": self._is_open, "point": point, "path": self._other}
        self.outputs = [self._panel]
        inputs = {**self.inputs, "stage": stage, **page.drawing}
        self._inputs = {"shown": page.result, **inputs}
        page.on(
            button.click,
            self.toggle,
            {"shown": page.result, "look": self._is_open},
            [self._is_open, self._more],
            **QUICK,
        )
        page.on_each(
            [self._is_open.change, point.change, self._other.change],
            self.draw,
            self._inputs,
            self.outputs,
            **{**QUICK, **NETWORK},
        )
        page.on_cell(Part("maps", self.draw, inputs, self.outputs), "() => {}")

    def follow(self, event: gr.events.Dependency) -> None:
        """Draw the panel anew after an event, if it is open."""
        self._page.on(event.then, self.draw, self._inputs, self.outputs, **{**QUICK, **NETWORK})

    def toggle(self, shown: Shown | None, look: str | None) -> Updates:
        """Open the panel, or close it again."""
        opens = shown is not None and not look
        return {self._is_open: "open" if opens else "", self._more: gr.update(visible=opens)}

    def draw(
        self, shown: Shown | None, look: str | None, point: str | None, path: str | None, stage: str, **drawing: Any
    ) -> Updates:
        """Draw the panel for the asked cell; nothing while it is closed."""
        if not look or unfinished(**drawing):
            return {}
        t = self._page.t
        if shown is None:
            return {self._panel: markup.empty(t("The five maps appear here."))}

        def fill() -> Updates:
            place = self._cell(shown, stage, point)
            title = t("The same elsewhere")
            if place is None:
                return {self._panel: markup.panel(title, markup.empty(t("Click the map above to ask a cell.")))}
            found, view = self._found(shown, stage, place, path), drawing_options(**drawing)
            figures = "".join(self._figure(one, place if one is found[0] else None, view) for one in found)
            scale = markup.scale(t, found[0].heatmap, view)
            hint = t(
                "Cosine of each cell's channels in {} and those of the asked one, row {}, column {}; all on one scale. "
                "Frames are the most similar cells.",
                stage, place[0] + 1, place[1] + 1,
            )  # fmt: skip
            content = f'<div class="elsewhere">{figures}</div>{scale}'
            return {self._panel: markup.panel(title, content, hint)}

        try:
            return fill()
        except ResNetError as error:  # it keeps nothing else of the tab from being drawn
            return {self._panel: self._page.refused(error)}

    def _cell(self, shown: Shown, stage: str, point: str | None) -> tuple[int, int] | None:
        """Row and column of the asked cell; None if none is asked, or the network did not see it."""
        observation, where = self._page.observation(shown), read_point(point)
        if where is None or not sees(observation, where):
            return None
        return cell_at(observation, observation.blocks[STAGE_NAMES.index(stage)], where)

    def _found(self, shown: Shown, stage: str, place: tuple[int, int], path: str | None) -> tuple[Resemblance, ...]:
        paths = [path] if path else [str(example) for example in EXAMPLES]
        return self._page.explorer.elsewhere(shown, STAGE_NAMES.index(stage), *place, paths)

    def _figure(self, one: Resemblance, asked: tuple[int, int] | None, view: ViewOptions) -> str:
        t, observation = self._page.t, one.observation
        width, height = observation.geometry.photo_size
        boxes = "".join(markup.rectangle(match.box, "match") for match in one.matches)
        if asked:
            boxes += markup.rectangle(observation.geometry.cell_box(one.heatmap.block, *asked), "cell")
        words = t("Cells like the asked one in {}", observation.photo_name)
        picture = markup.data_uri(observation.overlay(one.heatmap, view, markup.STRIP_SIDE))
        best = t("most similar: {:.2f}", one.matches[0].cosine) if one.matches else ""
        name = t("this photo") if asked else observation.photo_name
        return (
            f'<figure><div class="map"><img alt="{escape(words)}" src="{picture}">'
            f'<svg viewBox="0 0 {width} {height}" preserveAspectRatio="none" aria-hidden="true">{boxes}</svg></div>'
            f"<figcaption><b>{escape(name)}</b><br>{escape(best)}</figcaption></figure>"
        )

    def figure(
        self, shown: Shown | None, kind: str, stage: str, point: str | None, path: str | None, **drawing: Any
    ) -> str:
        """The maps as a picture."""

        def encode(_: Observation) -> bytes:
            place, found = self._made(shown, stage, point, path)
            return elsewhere_figure(found, *place, drawing_options(**drawing), kind.lower())

        return self._page.file(shown, f"{{}}.elsewhere.{kind.lower()}".format, encode)

    def data(self, shown: Shown | None, stage: str, point: str | None, path: str | None, **drawing: Any) -> str:
        """The cosines and the most similar cells."""

        def encode(observation: Observation) -> bytes:
            place, found = self._made(shown, stage, point, path)
            return json_file(origin(observation, drawing_options(**drawing)), elsewhere_dictionary(found, *place))

        return self._page.file(shown, "{}.elsewhere.json".format, encode)

    def _made(
        self, shown: Shown | None, stage: str, point: str | None, path: str | None
    ) -> tuple[tuple[int, int], tuple[Resemblance, ...]]:
        assert shown is not None  # `Page.file` has seen to it
        place = self._cell(shown, stage, point)
        if place is None:
            raise self._page.fault(self._page.t("Click the map above to ask a cell."))
        return place, self._found(shown, stage, place, path)
