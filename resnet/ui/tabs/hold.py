"""Does it hold? Hide the hottest part of a map, classify again, and measure by how much the map matters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import gradio as gr

from resnet.errors import ResNetError
from resnet.maps.evidence import METHOD_NAMES, METHODS
from resnet.maps.observation import Observation
from resnet.maps.occlusion import FILLS
from resnet.output.hiding import Trial
from resnet.output.saving import json_file
from resnet.service.explorer import Shown
from resnet.stages import STAGE_NAMES
from resnet.ui import markup
from resnet.ui.classes import about, class_choices, classes_to_show
from resnet.ui.drawn import Drawn
from resnet.ui.events import LONG, NETWORK, PRIVATE, QUICK
from resnet.ui.handlers import Running
from resnet.ui.messages import Updates
from resnet.ui.page import Page
from resnet.ui.panels.hold import curves_panel, hidden_panel
from resnet.ui.parts import html
from resnet.ui.view import setting


class HoldTab:
    """The tab that puts a map to the test."""

    def __init__(self, page: Page, wanted: gr.Textbox) -> None:
        """Add the tab to the page that is built.

        Args:
            page: The page.
            wanted: Names of the classes that a link asks for, until an answer has shown them.
        """
        self._page = page
        t = page.t
        with gr.Tab(t("Does it hold?"), id="hold", elem_id="tab-hold") as self.tab:
            with gr.Row(elem_classes="with-result"):
                self.source = gr.Dropdown(
                    [
                        *((t("{} of the class", METHOD_NAMES[method]), method) for method in METHODS),
                        (t("Mean of channels"), "mean"),
                        (t("Maximum of channels"), "max"),
                        (t("L2 norm of channels"), "l2"),
                    ],
                    value="hirescam",
                    label=t("Hide what is hottest in"),
                    elem_id="hold-map",
                    min_width=220,
                )
                self.stage = gr.Radio(list(STAGE_NAMES), value="C5", label=t("Stage"), elem_id="hold-stage")
                self.target = gr.Dropdown(
                    [], label=t("Class"), info=t("Type part of a name"), elem_id="hold-class", min_width=220
                )
            with gr.Row(elem_classes="with-result"):
                self.percent = gr.Slider(
                    0, 100, value=20, step=1, label=t("Hidden part of the network's input, %"), elem_id="hold-percent"
                )
                self.fill = gr.Radio(
                    [(t("Blur"), FILLS[0]), (t("The photo's mean colour"), FILLS[1])],
                    value=FILLS[0],
                    label=t("Hidden by"),
                    elem_id="hold-fill",
                )
            self.result = html(self._waiting(), elem_id="hold-result")
            with gr.Row(elem_classes="with-result"):
                measure = gr.Button(t("Measure deletion and insertion curves"), elem_id="measure")
                self.stop = gr.Button(t("Stop"), elem_id="hold-stop", interactive=False)
            self.progress = html(elem_id="hold-progress")
            self.curves = html(elem_id="curves")
            trial = {"source": self.source, "stage": self.stage, "target": self.target, "fill": self.fill}
            tested = {"shown": page.result, **trial, "percent": self.percent}
            page.downloads("hold", {"figure": self.figure, "data": self.data, "maps": self.raw}, tested, **NETWORK)
            self.made_for = gr.Textbox(visible=False)
            self.drawn = Drawn(page, trial, self.made_for)
            self.answer, self.measured = gr.Textbox(visible=False), gr.Textbox(visible=False)
        self._wanted, self._running = wanted, Running()
        told = {"made_for": self.made_for, "measured": self.measured, "wanted": wanted}
        inputs = {**told, "percent": self.percent, **trial, **self.drawn.inputs}
        outputs = [self.made_for, self.answer, wanted, self.target, self.result, self.progress, self.curves]
        outputs += self.drawn.outputs
        page.on_tab(self.tab, "hold", self.hide, inputs, outputs, panel=self.result)
        page.on_each(
            [self.source.change, self.stage.change, self.target.input, self.percent.input, self.fill.change],
            page.showing_errors(self.hide, outputs, self.result),
            {"shown": page.result, **inputs},
            outputs,
            **{**QUICK, **NETWORK},
        )
        # Noted in the browser, before any request: a change of the controls whose answer is still to come
        # then finds that the curves are of what they say.
        noted = measure.click(
            None,
            [self.answer, self.source, self.stage, self.target, self.fill],
            [self.measured, self.curves],
            js='(...chosen) => [chosen.join(" "), ""]',
            **PRIVATE,
        )
        measuring = page.on(
            noted.then,
            self.measure,
            {"shown": page.result, "answer": self.answer, **trial},
            [self.progress, self.curves, self.stop],
            show_progress="hidden",
            trigger_mode="always_last",  # of something else, while one is being measured
            session=True,
            **LONG,
        )
        switch: dict[str, Any] = {"queue": False, "show_progress": "hidden"}
        page.on(measuring.failure, self._ended, outputs=[self.progress, self.stop], **switch)
        page.on(self.stop.click, self._stopped, outputs=[self.progress, self.stop], session=True, **switch)

    def _waiting(self) -> str:
        t = self._page.t
        return markup.panel(t("With a part hidden"), markup.empty(t("Choose a photo first.")))

    def hide(
        self,
        shown: Shown | None,
        made_for: str | None,
        measured: str | None,
        wanted: list[str] | None,
        source: str,
        stage: str,
        target: int | None,
        percent: Any,
        fill: str,
        **drawn: Any,
    ) -> Updates:
        """All of the tab for an answer: of a new one about its likeliest class, or the one that a link names.

        Curves of other choices than the current ones are removed.
        """
        if shown is None:
            return {
                self.made_for: "",
                self.answer: "",
                self._wanted: None if made_for else wanted,
                self.result: self._waiting(),
                self.progress: "",
                self.curves: "",
                **self.drawn.update(shown, **drawn),
            }
        if percent is None:  # an emptied field waits for its number
            return {}

        def fill_in() -> Updates:
            observation = self._page.observation(shown)
            chosen = [] if target is None else [target]
            rows, still = classes_to_show(shown, observation.manifest, made_for, wanted, chosen)
            goal = [*rows, *observation.likeliest_indices(1)][0]
            same = made_for == about(shown)
            known = {} if same else {"choices": class_choices(self._page.t, observation.manifest)}
            try:
                result = self._result(shown, source, stage, goal, percent, fill)
            except ResNetError as error:  # such as a flat map; the curves may be right all the same
                result = self._page.refused(error)
            updates = {
                self.made_for: about(shown),
                self.answer: _answer(shown),
                self._wanted: still,
                self.target: setting(target, goal, **known),
                self.result: result,
                **self.drawn.update(shown, **drawn, source=source, stage=stage, target=goal, fill=fill),
            }
            if measured and measured != f"{_answer(shown)} {source} {stage} {goal} {fill}":
                updates |= {self.curves: "", self.progress: ""}
            return updates

        return self._page.or_error(fill_in)

    def _result(self, shown: Shown, source: str, stage: str, target: int, percent: Any, fill: str) -> str:
        t = self._page.t
        place = STAGE_NAMES.index(stage)
        observation = self._page.observation(shown)
        heatmap = self._page.explorer.hiding_map(shown, source, place, target)
        hidden = self._page.explorer.hidden(shown, heatmap, percent, fill)
        return hidden_panel(t, observation, hidden, target)

    def measure(
        self,
        session: str,
        shown: Shown | None,
        answer: str | None,
        source: str,
        stage: str,
        target: int | None,
        fill: str,
    ) -> Iterator[Updates]:
        """Both curves as they come, and at last with their areas and the verdict by moved copies."""
        t = self._page.t
        if shown is None or target is None:
            raise self._page.fault(t("Choose a photo first."))
        if answer != _answer(shown):  # and the class is still the former answer's
            raise self._page.fault(t("The answer has just changed. Please measure again."))
        heatmap = self._page.explorer.hiding_map(shown, source, STAGE_NAMES.index(stage), target)
        name = self._page.label(self._page.observation(shown), target)
        self._running.begin(session)
        try:
            for curves in self._page.explorer.curves(shown, heatmap, target, fill):
                if not self._running.is_wanted(session):
                    yield self._end_by_stop()  # Gradio shows what was yielded last once more
                    return
                done = curves.measured == curves.images
                so_far = curves.measured, curves.images
                progress = markup.progress(t("{} of {} images", *so_far), *so_far)
                yield {
                    self.progress: "" if done else progress,
                    self.curves: curves_panel(t, curves, name, done=done),
                    self.stop: gr.update(interactive=not done),
                }
        finally:
            self._running.stop(session)

    def _ended(self) -> Updates:
        return {self.progress: "", self.stop: gr.update(interactive=False)}

    def _stopped(self, session: str) -> Updates:
        return self._end_by_stop() if self._running.stop(session) else {}

    def _end_by_stop(self) -> Updates:
        said = self._page.t("Stopped. The curves show what was measured.")
        return {self.progress: markup.message(said), self.stop: gr.update(interactive=False)}

    def figure(self, shown: Shown | None, kind: str, **trial: Any) -> str:
        """The tab's content as a picture, with the curves if they were measured."""
        name = f"{{}}.hold.{kind.lower()}".format
        return self._page.file(shown, name, lambda found: self._trial(found, shown, **trial).figure(kind.lower()))

    def data(self, shown: Shown | None, **trial: Any) -> str:
        """The same in numbers."""

        def encode(observation: Observation) -> bytes:
            tested = self._trial(observation, shown, **trial)
            return json_file(tested.about, tested.dictionary())

        return self._page.file(shown, "{}.hold.json".format, encode)

    def raw(self, shown: Shown | None, **trial: Any) -> str:
        """The map, the photo with its part hidden, and all probabilities."""
        name = "{}.hold.npz".format
        return self._page.file(shown, name, lambda found: self._trial(found, shown, **trial).file())

    def _trial(
        self,
        observation: Observation,
        shown: Shown | None,
        source: str,
        stage: str,
        target: int | None,
        fill: str,
        percent: Any,
    ) -> Trial:
        assert shown is not None  # `Page.file` has seen to it
        explorer = self._page.explorer
        goal = observation.likeliest_indices(1)[0] if target is None else target
        heatmap = explorer.hiding_map(shown, source, STAGE_NAMES.index(stage), goal)
        hidden = explorer.hidden(shown, heatmap, percent, fill)
        curves = explorer.measured_curves(shown, heatmap, goal, fill)
        return Trial(observation, source, heatmap, goal, fill, hidden, curves)


def _answer(shown: Shown) -> str:
    """All that an answer depends on: photo, framing and weights."""
    return " ".join(map(str, shown.key))
