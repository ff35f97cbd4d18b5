"""Compare: another photo, or the same one after a change, and the stage at which the answers part."""

from __future__ import annotations

from collections.abc import Callable
from html import escape
from typing import Any

import gradio as gr

from resnet.errors import ResNetError
from resnet.maps.comparison import CHANGES, on_shared_scales, similarities, verdict
from resnet.maps.heatmaps import Heatmap, ViewOptions
from resnet.maps.observation import Observation
from resnet.output.charts import similarity_chart
from resnet.output.data import comparison_dictionary
from resnet.output.figures import comparison_figure
from resnet.output.saving import arrays_file, json_file, origin
from resnet.service.explorer import Shown
from resnet.stages import STAGE_NAMES
from resnet.ui import markup
from resnet.ui.events import NETWORK, QUICK, change_of
from resnet.ui.messages import Updates
from resnet.ui.page import Page
from resnet.ui.parts import html, photo_field
from resnet.ui.view import unfinished, view_options

CHANGE_NAMES = {
    "rotate": "Rotate",
    "blur": "Blur",
    "noise": "Add noise",
    "grey": "Remove colour",
    "brightness": "Change the brightness",
    "occlude": "Cover the middle",
}


class CompareTab:
    """The tab for two answers side by side."""

    def __init__(self, page: Page, maps_view: dict[str, Any]) -> None:
        """Add the tab to the page that is built.

        Args:
            page: The page.
            maps_view: The controls of the *Maps* tab that say how maps are shown, by name.
        """
        self._page = page
        t = page.t
        with gr.Tab(t("Compare"), id="compare", elem_id="tab-compare") as self.tab:
            with gr.Row(elem_classes="with-result"):
                with gr.Column(min_width=240):
                    self.other = photo_field(
                        label=t("Another photo"),
                        sources=["upload", "clipboard"],
                        placeholder=t("Drop another photo here; without one the same photo is changed"),
                        height=180,
                        elem_id="other-photo",
                        alt_text=t("Another photo"),
                    )
                with gr.Column(min_width=240):
                    self.change = gr.Dropdown(
                        [(t(name), change) for change, name in CHANGE_NAMES.items()],
                        value="rotate",
                        label=t("Change of the same photo"),
                        elem_id="change",
                    )
                    self.amount = gr.Slider(**self.range_of("rotate"), step=1, elem_id="amount")
            self.result = html(self._waiting(), elem_id="compare-result")
            compared = {"path": self.other, "change": self.change, "amount": self.amount}
            inputs = {**compared, "top_k": page.top_k, **maps_view}
            shown = {"shown": page.result, **inputs}
            page.downloads("comparison", {"figure": self.figure, "data": self.data, "maps": self.raw}, shown, **NETWORK)
        page.on_tab(self.tab, "compare", self.compare, inputs, [self.result], panel=self.result)
        ranged = page.on(
            self.change.change,
            lambda change: gr.update(**self.range_of(change)),
            {"change": self.change},
            self.amount,
            queue=False,
            show_progress="hidden",
        )
        page.on_each(
            [self.other.change, ranged.then, self.amount.input],
            self.compare,
            {"shown": page.result, **inputs},
            [self.result],
            **{**QUICK, **NETWORK, "show_progress": "minimal"},
        )
        page.on(
            [change_of(control) for control in (page.top_k, *page.drawing.values())],
            self.restyle,
            {"active": page.active, "shown": page.result, **inputs},
            [self.result],
            **{**QUICK, **NETWORK},
        )

    def range_of(self, change: str) -> dict[str, Any]:
        """The slider for a change: its range, usual amount and unit."""
        t, chosen = self._page.t, CHANGES[change]
        return {
            "minimum": chosen.low,
            "maximum": chosen.high,
            "value": chosen.usual,
            "label": t("Amount, {}", t(chosen.unit)),
        }

    def _waiting(self) -> str:
        t = self._page.t
        return markup.panel(t("Side by side"), markup.empty(t("Choose a photo first.")))

    def compare(
        self, shown: Shown | None, path: str | None, change: str, amount: Any, top_k: Any, **view: Any
    ) -> Updates:
        """Both answers side by side, and how alike their stages are."""
        if shown is None:
            return {self.result: self._waiting()}
        if amount is None or top_k is None or unfinished(**view):
            return {}

        def draw() -> str:
            one = self._page.observation(shown)
            inside = _inside(change, amount)
            _, other = self._page.explorer.observe_other(shown, path, change, inside)
            names = self._names(one, other, path, change, inside)
            return self._side_by_side(one, other, names, top_k, view_options(**view))

        try:
            return {self.result: draw()}
        except ResNetError as error:
            return {self.result: markup.panel(self._page.t("Side by side"), self._page.refused(error))}

    def restyle(self, active: str, **inputs: Any) -> Updates:
        """The same two answers in other colours, or with more classes."""
        return self.compare(**inputs) if active == "compare" else {}

    def _names(
        self, one: Observation, other: Observation, path: str | None, change: str, amount: float
    ) -> tuple[str, str]:
        t = self._page.t
        if path:
            return one.photo_name, other.photo_name
        return t("before"), t("after: {}, {:g} {}", t(CHANGE_NAMES[change]), amount, t(CHANGES[change].unit))

    def _side_by_side(
        self, one: Observation, other: Observation, names: tuple[str, str], top_k: Any, options: ViewOptions
    ) -> str:
        t = self._page.t
        scaled = on_shared_scales(one, other, options)
        bars = "".join(
            f"<div><h3>{escape(name)}</h3>{self._photo(found, name)}"
            f"{markup.bars(t, found.predictions(top_k), name)}</div>"
            for found, name in zip((one, other), names, strict=True)
        )
        rows = [
            [escape(name), *(self._cell(found, heatmap, options, name) for heatmap in heatmaps)]
            for found, heatmaps, name in zip((one, other), scaled, names, strict=True)
        ]
        found = similarities(one, other)
        chart = similarity_chart(
            found,
            (t("cosine"), t("linear CKA"), t("CKA by chance")),
            t("Similarity of the five stages: cosine and linear CKA"),
        )
        numbers = markup.table(
            [t("Stage"), t("cosine"), t("linear CKA"), t("CKA by chance")],
            [
                [
                    one_stage.stage,
                    *(
                        "–" if value is None else f"{value:.3f}"
                        for value in (one_stage.cosine, one_stage.cka, one_stage.chance)
                    ),
                ]
                for one_stage in found
            ],
            t("Similarity of the five stages: cosine and linear CKA"),
        )
        maps = markup.table(["", *STAGE_NAMES], rows, t("Maps of both photos"))
        note = (
            t("Principal components have no common scale.")
            if options.aggregation == "pca"
            else t("{}; each stage has one scale for both.", markup.map_name(t, options))
        )
        return (
            markup.panel(t("Side by side"), f'<div class="two">{bars}</div>')
            + markup.panel(t("Maps of both photos"), maps, note)
            + markup.panel(
                t("Where they part"),
                f'<p class="verdict">{escape(t.error(verdict(found)))}</p><div class="beside">{chart}{numbers}</div>',
                t("1: the same pattern, whatever its strength; 0: for CKA what unrelated maps give on average."),
            )
        )

    @staticmethod
    def _photo(found: Observation, name: str) -> str:
        picture = found.picture.copy()
        picture.thumbnail((markup.STRIP_SIDE, markup.STRIP_SIDE))
        return f'<img class="thumbnail" alt="{escape(name)}" src="{markup.data_uri(picture)}">'

    def _cell(self, found: Observation, heatmap: Heatmap, view: ViewOptions, name: str) -> str:
        t = self._page.t
        words = escape(markup.alternative(t, heatmap.block.stage, markup.map_name(t, view), name))
        picture = markup.data_uri(found.overlay(heatmap, view, markup.SMALL_SIDE))
        return f'<img alt="{words}" src="{picture}">{markup.scale(t, heatmap, view)}'

    def figure(
        self,
        shown: Shown | None,
        path: str | None,
        change: str,
        amount: Any,
        top_k: Any,  # noqa: ARG002 - of the numbers
        kind: str,
        **view: Any,
    ) -> str:
        """The comparison as a picture."""

        def encode(one: Observation, other: Observation) -> bytes:
            return comparison_figure(one, other, similarities(one, other), view_options(**view), kind.lower())

        return self._file(shown, path, change, amount, kind.lower(), encode)

    def data(
        self,
        shown: Shown | None,
        path: str | None,
        change: str,
        amount: Any,
        top_k: Any,
        **view: Any,  # noqa: ARG002 - the figure's alone
    ) -> str:
        """The comparison in numbers."""

        def encode(one: Observation, other: Observation) -> bytes:
            answer = comparison_dictionary(one, other, similarities(one, other), top_k)
            return json_file(origin(one, ViewOptions(), top_k=top_k), answer)

        return self._file(shown, path, change, amount, "json", encode)

    def raw(
        self,
        shown: Shown | None,
        path: str | None,
        change: str,
        amount: Any,
        top_k: Any,
        **view: Any,  # noqa: ARG002 - the figure's alone
    ) -> str:
        """The maps of both as the network gives them."""

        def encode(one: Observation, other: Observation) -> bytes:
            names = (*STAGE_NAMES, "probabilities")
            arrays = {
                f"{which}_{name}": values
                for which, found in (("one", one), ("other", other))
                for name, values in zip(names, (*found.maps, found.probabilities), strict=True)
            }
            return arrays_file(origin(one, ViewOptions(), top_k=top_k, other=other.photo_name), arrays)

        return self._file(shown, path, change, amount, "npz", encode)

    def _file(
        self,
        shown: Shown | None,
        path: str | None,
        change: str,
        amount: Any,
        suffix: str,
        encode: Callable[[Observation, Observation], bytes],
    ) -> str:
        """Write a file about two answers."""

        def encode_both(one: Observation) -> bytes:
            assert shown is not None  # `Page.file` has seen to it
            inside = _inside(change, amount)
            _, other = self._page.explorer.observe_other(shown, path, change, inside)
            if path is None:
                other = other.named(f"{one.photo_name}, {change} {inside:g}")
            return encode(one, other)

        return self._page.file(shown, f"{{}}.comparison.{suffix}".format, encode_both)


def _inside(change: str, amount: Any) -> float:
    """The slider's amount; it may lag behind a new choice of the change, whose range is another."""
    chosen = CHANGES[change]
    return chosen.usual if amount is None else min(max(float(amount), chosen.low), chosen.high)
