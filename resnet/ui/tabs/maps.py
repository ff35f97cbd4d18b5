"""Maps: the five stages side by side, one enlarged, and its cells."""

from __future__ import annotations

from typing import Any

import gradio as gr

from resnet.maps.observation import Observation
from resnet.output.report import as_dictionary, result_figure
from resnet.output.saving import json_file, maps_file, origin
from resnet.service.explorer import Shown
from resnet.stages import STAGE_FILTERS, STAGE_NAMES
from resnet.ui import markup
from resnet.ui.cells import Asked, CellAnswer
from resnet.ui.elsewhere import Elsewhere
from resnet.ui.events import CHOICE_SCRIPT, QUICK, change_of
from resnet.ui.messages import Updates
from resnet.ui.page import Page
from resnet.ui.parts import html
from resnet.ui.photo_parts import PhotoParts
from resnet.ui.view import or_initial, unfinished, view_options

WAITING = "The first answer comes as soon as the weights are loaded."
"""Said by outlines while a page is new."""


class MapsTab:
    """The first tab: what the page is about."""

    def __init__(self, page: Page) -> None:
        """Add the tab to the page that is built."""
        self._page = page
        t = page.t
        with gr.Tab(t("Maps"), id="maps", elem_id="tab-maps") as self.tab:
            self.strip = html(
                markup.panel(t("Feature maps C1 to C5"), markup.outline(t(WAITING), "maps", len(STAGE_NAMES))),
                elem_id="stages",
                js_on_load=CHOICE_SCRIPT,
            )
            self.stage = gr.Radio(list(STAGE_NAMES), value=STAGE_NAMES[-1], visible=False)
            self.cell = CellAnswer(page, "maps", self._asked, {"stage": self.stage}, self._controls)
            everything = {"shown": page.result, "top_k": page.top_k, **self.view}
            page.downloads("maps", {"figure": self.figure, "data": self.data, "maps": self.raw}, everything)
            self.parts = PhotoParts(page, self.stage)
            self.elsewhere = Elsewhere(page, self.stage, self.cell.point)
        below = [*self.parts.outputs, *self.elsewhere.outputs]
        with_parts = {**self.inputs, **self.parts.inputs, **self.elsewhere.inputs}
        restyled = page.on_each(
            [change_of(control) for control in self.view.values()],
            self.restyle,
            with_parts,
            [*self.outputs, *below],
            **QUICK,
        )
        large = [self.cell.large, *below]
        enlarged = page.on(self.stage.change, self.enlarge, with_parts, large, **QUICK)
        page.on_choice(self.strip, self.stage)
        for event in (*restyled, enlarged):
            self.cell.follow(event)
        again = page.showing_errors(self.show, self.outputs, self.strip)
        opened = page.opened(self.tab, "maps")
        drawn = page.on(opened.then, again, self.inputs, self.outputs, **QUICK)
        self.cell.follow(drawn)
        self.parts.follow(drawn)
        self.elsewhere.follow(drawn)

    @property
    def inputs(self) -> dict[str, Any]:
        """Of `show`."""
        return {"shown": self._page.result, "stage": self.stage, **self.view}

    @property
    def outputs(self) -> list[Any]:
        """Of `show`."""
        return [self.strip, self.cell.large]

    def _controls(self) -> dict[str, Any]:
        """Add the controls of the view, by the names of `page.view_options`; those for drawing are in the column."""
        page, t = self._page, self._page.t
        with gr.Row(elem_id="view", elem_classes="with-result"):
            aggregation = gr.Dropdown(
                [
                    (t("Mean of channels"), "mean"),
                    (t("Maximum of channels"), "max"),
                    (t("L2 norm of channels"), "l2"),
                    (t("One channel"), "channel"),
                    (t("Principal components (RGB)"), "pca"),
                ],
                value="mean",
                label=t("Map of each stage"),
                elem_id="map",
                min_width=200,
            )
            channel = gr.Number(
                0,
                precision=0,
                minimum=0,
                maximum=STAGE_FILTERS[-1][-1] - 1,
                label=t("Channel number"),
                info=t("From 0; C1 has 64, C5 has 2,048"),
                visible=False,
                elem_id="channel",
                min_width=190,
            )
            scale = gr.Radio(
                [(t("Each map"), "each"), (t("Shared"), "shared")],
                value="each",
                label=t("Colour scale"),
                elem_id="scale",
                min_width=190,
            )
        self.view = {"aggregation": aggregation, "channel": channel, "scale": scale, **page.drawing}
        page.on(
            aggregation.change,
            self._useful_controls,
            {"aggregation": aggregation},
            [channel, scale],
            queue=False,
            show_progress="hidden",
        )
        return self.view

    def _useful_controls(self, aggregation: str) -> Updates:
        """Show only the controls that have an effect on such a map."""
        return {
            self.view["channel"]: gr.update(visible=aggregation == "channel"),
            self.view["scale"]: gr.update(visible=aggregation != "pca"),
        }

    def show(self, shown: Shown | None, stage: str, **view: Any) -> Updates:
        """Strip and enlarged map of an answer."""
        t = self._page.t
        # A number that is just being typed must not keep the former photo's maps.
        view = {name: or_initial(value, self.view[name]) for name, value in view.items()}
        if shown is None:
            waiting = markup.empty(t("The five maps appear here."))
            return {self.strip: markup.panel(t("Feature maps C1 to C5"), waiting), self.cell.large: ""}

        def draw() -> Updates:
            observation, options = self._page.observation(shown), view_options(**view)
            heatmaps, name = observation.heatmaps(options), markup.map_name(t, options)
            strip = markup.panel(
                t("Feature maps C1 to C5"),
                markup.strip(t, observation, heatmaps, options, name, stage),
                t("{}. Click a map to enlarge it.", name[:1].upper() + name[1:]),
            )
            large = markup.large(t, observation, heatmaps[STAGE_NAMES.index(stage)], options, name)
            return {self.strip: strip, self.cell.large: large}

        return self._page.or_error(draw)

    def restyle(self, shown: Shown | None, stage: str, **values: Any) -> Updates:
        """Another view of the same answer."""
        below, view = self._parted(values)
        if shown is None or unfinished(**view):
            return {}
        return {**self.show(shown, stage, **view), **self._below(shown, stage, below, view)}

    def enlarge(self, shown: Shown | None, stage: str, **values: Any) -> Updates:
        """Another stage enlarged."""
        if shown is None:
            return {}
        below, view = self._parted(values)

        def draw() -> str:
            observation, options = self._page.observation(shown), view_options(**view)
            heatmap = observation.heatmaps(options)[STAGE_NAMES.index(stage)]
            return markup.large(self._page.t, observation, heatmap, options, markup.map_name(self._page.t, options))

        return {self.cell.large: self._page.or_error(draw), **self._below(shown, stage, below, view)}

    def _parted(self, values: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Values of what stands below the maps, and those of the view."""
        below = {**self.parts.inputs, **self.elsewhere.inputs}
        return (
            {name: value for name, value in values.items() if name in below},
            {name: value for name, value in values.items() if name not in below},
        )

    def _below(self, shown: Shown, stage: str, below: dict[str, Any], view: dict[str, Any]) -> Updates:
        """Draw the parts and the like cells, where they are open."""
        drawing = {name: view[name] for name in self._page.drawing}
        updates: Updates = {}
        for part in (self.parts, self.elsewhere):
            own = {name: below[name] for name in part.inputs}
            updates |= part.draw(shown, stage=stage, **own, **drawing)
        return updates

    def _asked(self, shown: Shown, stage: str, **view: Any) -> Asked:
        observation, options = self._page.observation(shown), view_options(**view)
        heatmap = observation.heatmaps(options)[STAGE_NAMES.index(stage)]
        likeliest = observation.predictions(1)[0].index
        return observation, heatmap, markup.map_name(self._page.t, options), likeliest

    def figure(self, shown: Shown | None, top_k: Any, kind: str, **view: Any) -> str:
        """The answer as a picture."""
        return self._page.file(
            shown,
            f"{{}}.figure.{kind.lower()}".format,
            lambda found: result_figure(found, view_options(**view), top_k, kind.lower()),
        )

    def data(self, shown: Shown | None, top_k: Any, **view: Any) -> str:
        """The answer as a JSON file."""

        def encode(observation: Observation) -> bytes:
            view_of_maps = view_options(**view)
            answer = as_dictionary(observation, view_of_maps, top_k)
            about = origin(observation, view_of_maps, top_k=top_k)
            return json_file(about, answer)

        return self._page.file(shown, "{}.json".format, encode)

    def raw(self, shown: Shown | None, top_k: Any, **view: Any) -> str:
        """The maps as the network gives them."""
        return self._page.file(shown, "{}.maps.npz".format, lambda found: maps_file(found, view_options(**view), top_k))
