"""Evidence: which parts of each stage speak for which class, and for one class against another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import gradio as gr

from resnet.maps.evidence import EVIDENCE_SCALES, LINEAR_METHODS, MAXIMUM_CLASSES, METHOD_NAMES, METHODS, Evidence
from resnet.maps.heatmaps import Heatmap, ViewOptions
from resnet.maps.observation import Observation
from resnet.output.data import evidence_dictionary
from resnet.output.figures import evidence_figure
from resnet.output.saving import evidence_file, json_file, origin
from resnet.service.explorer import Shown
from resnet.stages import STAGE_NAMES
from resnet.ui import markup
from resnet.ui.cells import Asked, CellAnswer
from resnet.ui.classes import about, class_choices, classes_to_show
from resnet.ui.events import CHOICE_SCRIPT, NETWORK, QUICK, change_of
from resnet.ui.messages import Updates
from resnet.ui.page import Page
from resnet.ui.panels.evidence import difference_panel, matrix_panel
from resnet.ui.parts import html
from resnet.ui.view import drawing_options, setting, unfinished


class EvidenceTab:
    """The tab for class activation maps."""

    def __init__(self, page: Page, wanted: gr.Textbox) -> None:
        """Add the tab to the page that is built.

        Args:
            page: The page.
            wanted: Names of the classes that a link asks for, until an answer has shown them.
        """
        self._page = page
        t = page.t
        with gr.Tab(t("Evidence"), id="evidence", elem_id="tab-evidence") as self.tab:
            with gr.Row(elem_classes="with-result"):
                self.classes = gr.Dropdown(
                    [],
                    multiselect=True,
                    max_choices=MAXIMUM_CLASSES,
                    label=t("Classes"),
                    info=t("The likeliest at first; type part of a name to add any other, up to {}", MAXIMUM_CLASSES),
                    elem_id="evidence-classes",
                    min_width=320,
                )
                self.method = gr.Radio(
                    [(METHOD_NAMES[method], method) for method in METHODS],
                    value="hirescam",
                    label=t("Method"),
                    elem_id="method",
                    min_width=320,
                )
                self.scale = gr.Radio(
                    [(t("Each stage"), "stage"), (t("Each map"), "each")],
                    value=EVIDENCE_SCALES[0],
                    label=t("Colour scale"),
                    elem_id="evidence-scale",
                    min_width=190,
                )
            self.chosen = gr.Textbox(visible=False)
            self.made_for, self.drawn = gr.Textbox(visible=False), gr.Textbox(visible=False)
            matrix = {"classes": self.classes, "method": self.method, "scale": self.scale}
            large = {**matrix, "chosen": self.chosen, **page.drawing}
            self.cell = CellAnswer(page, "evidence", self._asked, large, self._pair)
            self.difference = html(elem_id="difference")
            self.matrix = html(
                markup.panel(
                    t("Class evidence"),
                    markup.empty(t("Choose a photo first; what speaks for each class appears here.")),
                ),
                elem_id="matrix",
                js_on_load=CHOICE_SCRIPT,
            )
            drawn = {"one": self.one, "other": self.other, **page.drawing}
            shown = {"shown": page.result, **matrix, **drawn}
            page.downloads("evidence", {"figure": self.figure, "data": self.data, "maps": self.raw}, shown)
        self._wanted = wanted
        inputs = {
            "made_for": self.made_for,
            "wanted": wanted,
            "top_k": page.top_k,
            "one": self.one,
            "other": self.other,
            **large,
        }
        everything = {"shown": page.result, **inputs}
        outputs = [
            *(self.made_for, self.drawn, wanted, self.classes, self.one, self.other),
            *(self.matrix, self.difference, self.cell.large),
        ]
        page.on_tab(self.tab, "evidence", self.draw, inputs, outputs, panel=self.matrix, follow=self.cell.follow)
        # Not `input`, which does not fire when a class is removed.
        changed = page.on(
            self.classes.change, self.draw_others, {"drawn": self.drawn, **everything}, outputs, **{**QUICK, **NETWORK}
        )
        redrawn = page.on_each(
            [self.method.change, self.scale.change, self.one.input, self.other.input],
            self.draw,
            everything,
            outputs,
            **{**QUICK, **NETWORK},
        )
        restyled = page.on(
            [change_of(control) for control in page.drawing.values()],
            self.restyle,
            {"active": page.active, **everything},
            outputs,
            **QUICK,
        )
        page.on_choice(self.matrix, self.chosen)
        enlarged = page.on(self.chosen.change, self.enlarge, {"shown": page.result, **large}, self.cell.large, **QUICK)
        for event in (changed, *redrawn, restyled, enlarged):
            self.cell.follow(event)

    def _pair(self) -> dict[str, Any]:
        """Add the choice of two classes whose difference is shown."""
        t = self._page.t
        with gr.Group(elem_classes="with-result"):
            self.one = gr.Dropdown([], label=t("Why this class …"), elem_id="why")
            self.other = gr.Dropdown([], label=t("… and not this one"), elem_id="why-not")
        return {}

    def draw(
        self,
        shown: Shown | None,
        made_for: str | None,
        wanted: list[str] | None,
        top_k: Any,
        classes: list[int] | None,
        method: str,
        scale: str,
        one: int | None,
        other: int | None,
        chosen: str | None,
        **drawing: Any,
    ) -> Updates:
        """All of the tab for an answer: of a new one about its likeliest classes, or those that a link names."""
        t = self._page.t
        nothing = {self.drawn: "", self.difference: "", self.cell.large: ""}
        if shown is None:
            waiting = markup.empty(t("Choose a photo first; what speaks for each class appears here."))
            asked = {self.made_for: "", self._wanted: None if made_for else wanted}
            return {**nothing, **asked, self.matrix: markup.panel(t("Class evidence"), waiting)}
        if unfinished(**drawing):
            return {}
        same = made_for == about(shown)
        if same and not classes:
            none = gr.update(choices=[], value=None)
            waiting = markup.panel(t("Class evidence"), markup.empty(t("Choose at least one class.")))
            return {**nothing, self.one: none, self.other: none, self.matrix: waiting}

        def fill() -> Updates:
            observation = self._page.observation(shown)
            rows, still = classes_to_show(shown, observation.manifest, made_for, wanted, classes or [])
            rows = rows[:MAXIMUM_CLASSES] or observation.likeliest_indices(
                min(max(int(top_k or 5), 2), MAXIMUM_CLASSES)
            )
            evidence = self._page.explorer.evidence(shown, tuple(rows))
            options = [(self._page.label(observation, index), index) for index in evidence.classes]
            first = one if one in evidence.classes else evidence.classes[0]
            second = other if other in evidence.classes else evidence.classes[min(1, len(evidence.classes) - 1)]
            view = drawing_options(**drawing)
            place = _place(chosen, len(evidence.classes))
            known = {} if same else {"choices": class_choices(self._page.t, observation.manifest)}
            return {
                self.made_for: about(shown),
                self.drawn: _drawn(shown, rows),
                self._wanted: still,
                self.classes: setting(classes, rows, **known),
                self.one: setting(one, first, choices=options),
                self.other: setting(other, second, choices=options),
                self.matrix: matrix_panel(t, observation, evidence, method, scale, place, view),
                self.difference: difference_panel(t, observation, evidence, method, first, second, view),
                self.cell.large: self._large(observation, evidence, method, scale, chosen, view),
            }

        return self._page.or_error(fill)

    def draw_others(self, drawn: str | None, shown: Shown | None, classes: list[int] | None, **inputs: Any) -> Updates:
        """Other classes, unless `draw` itself has set them."""
        if shown is not None and drawn == _drawn(shown, classes or []):
            return {}
        return self.draw(shown=shown, classes=classes, **inputs)

    def restyle(self, active: str, **inputs: Any) -> Updates:
        """The same maps in other colours."""
        return self.draw(**inputs) if active == "evidence" else {}

    def enlarge(
        self,
        shown: Shown | None,
        classes: list[int] | None,
        method: str,
        scale: str,
        chosen: str | None,
        **drawing: Any,
    ) -> Any:
        """One map of the matrix, large."""
        if shown is None or not classes or unfinished(**drawing):
            return gr.skip()
        return self._page.or_error(
            lambda: self._large(
                self._page.observation(shown),
                self._page.explorer.evidence(shown, tuple(classes)),
                method,
                scale,
                chosen,
                drawing_options(**drawing),
            )
        )

    def figure(
        self,
        shown: Shown | None,
        classes: list[int] | None,
        method: str,
        scale: str,
        one: int | None,
        other: int | None,
        kind: str,
        **drawing: Any,
    ) -> str:
        """The matrix as a picture, with the row of the difference where the tab shows one."""

        def encode(observation: Observation) -> bytes:
            assert shown is not None  # `Page.file` has seen to it
            evidence = self._page.explorer.evidence(shown, tuple(classes or ()))
            difference = None
            if method in LINEAR_METHODS and one != other and {one, other} <= set(evidence.classes):
                difference = evidence.classes.index(one), evidence.classes.index(other)
            view = drawing_options(**drawing)
            return evidence_figure(observation, evidence, method, scale, view, difference, kind.lower())

        return self._page.file(shown, f"{{}}.evidence.{kind.lower()}".format, encode)

    def data(
        self,
        shown: Shown | None,
        classes: list[int] | None,
        method: str,
        scale: str,
        **drawing: Any,  # noqa: ARG002 - the figure's alone
    ) -> str:
        """The matrix in numbers."""

        def encode(observation: Observation) -> bytes:
            assert shown is not None  # `Page.file` has seen to it
            evidence = self._page.explorer.evidence(shown, tuple(classes or ()))
            answer = evidence_dictionary(observation, evidence, method, scale)
            return json_file(origin(observation, ViewOptions(), method=method, scale=scale), answer)

        return self._page.file(shown, "{}.evidence.json".format, encode)

    def raw(
        self,
        shown: Shown | None,
        classes: list[int] | None,
        **choices: Any,  # noqa: ARG002 - the figure's alone
    ) -> str:
        """The maps of all methods, stages and chosen classes."""

        def encode(observation: Observation) -> bytes:
            assert shown is not None  # `Page.file` has seen to it
            return evidence_file(observation, self._page.explorer.evidence(shown, tuple(classes or ())))

        return self._page.file(shown, "{}.evidence.npz".format, encode)

    def _map(self, evidence: Evidence, method: str, scale: str, chosen: str | None) -> tuple[int, Heatmap]:
        row, stage = _place(chosen, len(evidence.classes))
        return evidence.classes[row], evidence.matrix(method, scale)[row][stage]

    def _large(
        self,
        observation: Observation,
        evidence: Evidence,
        method: str,
        scale: str,
        chosen: str | None,
        view: ViewOptions,
    ) -> str:
        index, heatmap = self._map(evidence, method, scale, chosen)
        title = self._page.t("{} in {}", self._page.label(observation, index), heatmap.block.stage)
        return markup.large(self._page.t, observation, heatmap, view, METHOD_NAMES[method], title)

    def _asked(
        self,
        shown: Shown,
        classes: list[int] | None,
        method: str,
        scale: str,
        chosen: str | None,
        **drawing: Any,  # noqa: ARG002
    ) -> Asked | None:
        if not classes:
            return None
        evidence = self._page.explorer.evidence(shown, tuple(classes))
        index, heatmap = self._map(evidence, method, scale, chosen)
        return self._page.observation(shown), heatmap, METHOD_NAMES[method], index


def _drawn(shown: Shown, classes: Sequence[int]) -> str:
    """Return the title of the matrix."""
    return f"{about(shown)} {list(classes)}"


def _place(chosen: str | None, classes: int) -> tuple[int, int]:
    """Row and stage of the map that was chosen; at first those of the likeliest class at C5."""
    row, _, stage = (chosen or "").partition(":")
    places = int(row) if row.isdecimal() else 0, int(stage) if stage.isdecimal() else len(STAGE_NAMES)
    return min(places[0], classes - 1), min(places[1], len(STAGE_NAMES) - 1)
