"""Shared by all parts of the page: language, network, event options, and the displayed answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass
from functools import partial
from inspect import isgeneratorfunction
from typing import Any

import gradio as gr

from resnet.maps.observation import Observation
from resnet.output.report import safe_stem
from resnet.service.explorer import Explorer, Shown
from resnet.ui.classes import class_name
from resnet.ui.events import CHOSEN_SCRIPT, IN_BROWSER, NETWORK, PRIVATE, QUICK, SAVE_SCRIPT, chosen_script, numbered
from resnet.ui.files import store
from resnet.ui.handlers import LastChoice, checked, faults_counted
from resnet.ui.language import Language
from resnet.ui.messages import Messages, Updates
from resnet.ui.signed import sign, verify
from resnet.ui.view import or_initial


@dataclass(frozen=True)
class Part:
    """A part of the page that follows the answer that is shown while its tab is open.

    Attributes:
        tab: Identifier of its tab.
        answer: Takes the answer that is shown as `shown`, and the values of `inputs` by name; gives
            `{component: value}`.
        inputs: Components by the names of their values.
        outputs: Components that `answer` gives values for.
    """

    tab: str
    answer: Callable[..., Updates]
    inputs: dict[str, Any]
    outputs: list[Any]


class Page(Messages):
    """One page in one language, while it is built and while it answers.

    Attributes:
        explorer: What asks the network.
        local: Whether the page is for this machine alone.
        camera: Whether it has a tab for the live camera.
        result: The answer that is shown, a `Shown` or None.
        active: Identifier of the tab that is open.
        drawing: The controls for colormap, opacity and cut in percent, smoothness, by the names of `drawing_options`.
        top_k: Number of classes.
        figure_format: "PNG", "SVG" or "PDF".
    """

    result: gr.Textbox
    active: gr.Textbox
    drawing: dict[str, Any]
    top_k: gr.Slider
    figure_format: gr.Radio

    def __init__(self, language: Language, explorer: Explorer, *, local: bool = True, camera: bool = True) -> None:
        """Start a page; its parts add themselves."""
        self.local, self.camera = local, camera
        super().__init__(language)
        self.explorer = explorer
        self._last = LastChoice()
        self._held: set[Any] = set()
        self._number = gr.Number(visible=False)
        self._tabs: list[Part] = []
        self._panels: list[Any] = []
        self._cells: list[Part] = []
        self._drawings: list[str] = []

    def browser_value(self, value: Any = None) -> gr.Textbox:
        """Add a value that the visitor's browser holds for handlers: a list, a string, a number, a `Shown`, or None.

        The server holds nothing of a visitor, so it can forget nobody among many.
        """
        field = gr.Textbox(sign(value), visible=False)
        self._held.add(field)
        return field

    def on(
        self,
        triggers: Any,
        handler: Callable[..., Any],
        inputs: Mapping[str, Any] | None = None,
        outputs: Sequence[Any] | Any = (),
        **options: Any,
    ) -> gr.events.Dependency:
        """Connect events to a handler; check values, count errors and drop outdated answers.

        Args:
            triggers: Such as `slider.change`, or several of them.
            handler: Takes the values of `inputs` by name; gives a value for one output, `Updates` for several. One
                that yields them shows each.
            inputs: Components by the names of the handler's parameters.
            outputs: A component, or several.
            options: Of the event; with "session" the handler also takes the page's session as `session`.
        """
        inputs = inputs or {}
        drawing = options.get("trigger_mode") == QUICK["trigger_mode"]
        alone = "concurrency_id" not in options  # what may run the network keeps nothing else waiting
        session = options.pop("session", False)
        answer = self.answering(handler, inputs, outputs, session=session, drawing=drawing, alone=alone)
        if options.get("show_progress") == "hidden":
            # Where an error is marked: by default on every output, all of which Gradio's page then looks at again with
            # each step of any later event.
            shown = [output for output in self._components(outputs) if isinstance(output, gr.HTML)]
            options["show_progress_on"] = shown[:1] or self._number
        script = numbered(options.pop("js", None), len(inputs))
        options = {"preprocess": False, "js": script, **PRIVATE, **options}
        if isinstance(triggers, list):
            triggers = partial(gr.on, triggers)
        dependency: gr.events.Dependency = triggers(
            answer, [*inputs.values(), self._number], outputs or None, **options
        )
        return dependency

    def on_choice(self, part: gr.HTML, field: Any) -> gr.events.Dependency:
        """Set a field to what is chosen in HTML of ours, and mark there what the field has got in another way.

        Args:
            part: HTML with `CHOICE_SCRIPT`, or one that notes its choice likewise.
            field: What gets the choice; a number if it is a `gr.Number`.
        """
        script = chosen_script(part, number=isinstance(field, gr.Number))
        dependency: gr.events.Dependency = part.select(None, None, field, js=script, **IN_BROWSER)
        field.change(None, field, None, js=CHOSEN_SCRIPT % part.elem_id, **IN_BROWSER)
        return dependency

    def on_each(self, triggers: Sequence[Any], *handler: Any, **options: Any) -> list[gr.events.Dependency]:
        """Connect several triggers to one handler, as one event each.

        Of several triggers of one event Gradio can lose the last call if they follow each other quickly, as when a
        control sets another.
        """
        return [self.on(trigger, *handler, **options) for trigger in triggers]

    def answering(
        self,
        handler: Callable[..., Any],
        inputs: Mapping[str, Any],
        outputs: Any,
        *,
        session: bool = False,
        drawing: bool = False,
        alone: bool = False,
    ) -> Callable[..., Any]:
        """Return the function that Gradio calls for a handler, with the event's number as its last value; see `on`."""

        def prepared(request: gr.Request, values: Sequence[Any]) -> tuple[Callable[[Any], Any], dict[str, Any], Any]:
            *values, number = values
            number, page = checked(self._number, number), request.session_hash
            named = {**({"session": str(page)} if session else {}), **self.read(inputs, values)}
            turn = self._last.turn(page, number, self._components(outputs), alone=alone) if drawing else nullcontext()
            return partial(self._given, page, number, outputs), named, turn

        def answer(request: gr.Request, *values: Any) -> Any:
            with faults_counted(self.refusal):
                given, named, turn = prepared(request, values)
                with turn:
                    return given(handler(**named))

        def answer_step_by_step(request: gr.Request, *values: Any) -> Iterator[Any]:
            with faults_counted(self.refusal):
                given, named, _ = prepared(request, values)
                yield from map(given, handler(**named))

        return answer_step_by_step if isgeneratorfunction(handler) else answer

    def read(self, inputs: Mapping[str, Any], values: Sequence[Any]) -> dict[str, Any]:
        """Return the values of components by name, checked, and of the browser's own values what they stand for."""
        given = {}
        for (name, component), value in zip(inputs.items(), values, strict=True):
            value = checked(component, value)
            given[name] = verify(value) if component in self._held else value
        return given

    def _given(self, session: str | None, number: float | None, outputs: Any, result: Any) -> Any:
        """Return a handler's result as Gradio takes it, without what is out of date."""
        components = self._components(outputs)
        updates = result if isinstance(outputs, list | tuple) else {outputs: result}
        unknown = set(updates) - set(components)
        assert not unknown, f"not an output of this event: {unknown}"
        updates = {
            component: sign(value) if component in self._held and value != gr.skip() else value
            for component, value in updates.items()
        }
        wanted = self._last.filter(session, number, updates)
        values = tuple(wanted.get(component, gr.skip()) for component in components)
        return values if len(values) > 1 else values[0]

    @staticmethod
    def _components(outputs: Any) -> list[Any]:
        return list(outputs) if isinstance(outputs, list | tuple) else [outputs]

    def observation(self, shown: Shown) -> Observation:
        """The answer that is shown; computed again if it has left the cache."""
        return self.explorer.observation(shown)

    def label(self, observation: Observation, index: int) -> str:
        """Return a class's name in the page's language."""
        return class_name(self.t, observation.manifest, index)

    def on_tab(
        self,
        tab: gr.Tab,
        name: str,
        refresh: Callable[..., Updates],
        inputs: Mapping[str, Any],
        outputs: Sequence[Any],
        *,
        panel: Any,
        follow: Callable[[gr.events.Dependency], None] | None = None,
    ) -> None:
        """Refresh a tab when it is opened, and with each new answer while it is open; it may run the network.

        Args:
            tab: The tab.
            name: Its identifier.
            refresh: Takes the answer that is shown as `shown`, and `inputs` by name.
            inputs: Further components by name.
            outputs: Components that it gives values for.
            panel: Where progress is shown, and what is refused.
            follow: Told of each event that refreshes the tab.
        """
        # A number that is an output as well is left to `refresh`, which fills it in.
        numbers = {
            name
            for name, component in inputs.items()
            if isinstance(component, gr.Slider | gr.Number) and component not in outputs
        }

        def refresh_wholly(shown: Shown | None, **values: Any) -> Updates:
            # A number that is just being typed must not keep what belongs to the former photo.
            initial = {name: or_initial(values[name], inputs[name]) for name in numbers}
            return refresh(shown=shown, **{**values, **initial})

        answer = self.showing_errors(refresh_wholly, outputs, panel)
        opened = self.opened(tab, name)
        everything = {"shown": self.result, **inputs}
        refreshed = self.on(opened.then, answer, everything, list(outputs), **_progress_on([panel]))
        if follow:
            follow(refreshed)
        self._tabs.append(Part(name, answer, dict(inputs), list(outputs)))
        self._panels.append(panel)

    def opened(self, tab: gr.Tab, name: str) -> gr.events.Dependency:
        """Note that a tab has been opened.

        Args:
            tab: The tab.
            name: Its identifier.
        """
        dependency: gr.events.Dependency = tab.select(None, None, self.active, js=f"() => '{name}'", **IN_BROWSER)
        return dependency

    def on_cell(self, cell: Part, script: str) -> None:
        """Say anew what a cell is like with each new answer while its tab is open.

        Args:
            cell: What says it.
            script: Draws the cell's outline in the browser afterwards.
        """
        self._cells.append(cell)
        self._drawings.append(script)

    def after_answer(self, answered: gr.events.Dependency) -> None:
        """Update the open tab after a new answer, and then its selected cell.

        One event for all tabs and one for all cells: each event is a request that costs as much as drawing a map,
        whether its tab is open or not.

        Args:
            answered: The event that sets `result`.
        """
        event = answered
        for parts, options in ((self._tabs, _progress_on(self._panels)), (self._cells, {**QUICK, **NETWORK})):
            inputs = {
                _of_part(place, name): component
                for place, part in enumerate(parts)
                for name, component in part.inputs.items()
            }
            outputs = list(dict.fromkeys(component for part in parts for component in part.outputs))
            everything = {"active": self.active, "shown": self.result, **inputs}
            event = self.on(event.then, _of_active(parts), everything, outputs, **options)
        drawings = ", ".join(self._drawings)
        event.then(None, None, None, js=f"() => [{drawings}].forEach((draw) => draw())", **PRIVATE)

    def downloads(
        self, name: str, makers: Mapping[str, Callable[..., str]], inputs: Mapping[str, Any], **options: Any
    ) -> None:
        """Add the buttons that download what a tab shows: as a figure, as numbers, as raw arrays.

        Args:
            name: Of the tab, for the elements' ids.
            makers: "figure", "data", "maps" or "flight", each with the function that gives the file's path from
                `inputs`; the figure's gets the chosen format as well, as `kind`.
            inputs: Components by name.
            options: Of the events.
        """
        t = self.t
        words = {
            "figure": t("Download figure"),
            "data": t("Download data (JSON)"),
            "maps": t("Download raw maps (NPZ)"),
            "flight": t("Download flight (GIF)"),
        }
        with gr.Row(elem_classes="with-result"):
            buttons = {what: gr.Button(words[what], elem_id=f"save-{name}-{what}") for what in makers}
        for what, make in makers.items():
            file = gr.DownloadButton(visible="hidden", elem_id=f"{name}-{what}-file")
            all_inputs = {**inputs, "kind": self.figure_format} if what == "figure" else inputs
            made = self.on(buttons[what].click, make, all_inputs, file, **{"concurrency_limit": 2, **options})
            made.success(None, js=SAVE_SCRIPT % f"{name}-{what}-file", **PRIVATE)

    def file(self, shown: Shown | None, name: Callable[[str], str], encode: Callable[[Observation], bytes]) -> str:
        """Write a file about the answer that is shown.

        Args:
            shown: The answer.
            name: Gives the file's name from the photo's stem.
            encode: Gives its content.
        """
        if shown is None:
            raise self.fault(self.t("There is no result to download yet: choose a photo first."))

        def write() -> str:
            observation = self.observation(shown)
            content = encode(observation)
            return store(content, name(safe_stem(observation.photo_name)))

        return self.or_error(write)


def _progress_on(panels: list[Any]) -> dict[str, Any]:
    """Options of an event that may run the network and shows its progress on panels."""
    return {**QUICK, **NETWORK, "show_progress": "minimal", "show_progress_on": panels}


def _of_part(place: int, name: str) -> str:
    """Return a name for a value of one of several parts."""
    return f"{place}: {name}"


def _of_active(parts: Sequence[Part]) -> Callable[..., Updates]:
    """Return a handler that updates only the open tab."""

    def answer(active: str, shown: Shown | None, **values: Any) -> Updates:
        updates: Updates = {}
        for place, part in enumerate(parts):
            if part.tab == active:
                given = {name: values[_of_part(place, name)] for name in part.inputs}
                updates |= part.answer(shown=shown, **given)
        return updates

    return answer
