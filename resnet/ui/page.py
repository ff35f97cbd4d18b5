"""Shared by all parts of the page: language, network, event options, and the displayed answer."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from typing import Any

import gradio as gr

from resnet.errors import ResNetError
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import Observation
from resnet.metrics import count_error
from resnet.network.batching import MOST_TOGETHER
from resnet.options import number
from resnet.output.report import safe_stem
from resnet.service.explorer import Explorer, Shown
from resnet.ui import markup
from resnet.ui.files import store
from resnet.ui.handlers import LastChoice, checked, faults_counted, time_of
from resnet.ui.language import Language
from resnet.ui.signed import sign, verify

NETWORK: dict[str, Any] = {"concurrency_id": "network", "concurrency_limit": MOST_TOGETHER}
"""Events that may run the network: as many at once as can share a forward pass."""

LONG: dict[str, Any] = {"concurrency_id": "long", "concurrency_limit": 2}
"""Events of many passes: between two of their passes those of other visitors get their turn."""

PRIVATE: dict[str, Any] = {"api_visibility": "private"}
QUICK: dict[str, Any] = {
    "concurrency_limit": 4,
    "show_progress": "hidden",
    "trigger_mode": "always_last",
}
"""Events that only draw."""

CLICK: dict[str, Any] = {**QUICK, "trigger_mode": "multiple"}
"""Events that tell what was clicked: of another mode Gradio would tell the first click again, or only the first."""

CHOICE_SCRIPT = """
let chosen = null;
const mark = () => {
  for (const radio of element.querySelectorAll("[role=radio]")) {
    radio.setAttribute("aria-checked", radio.dataset.choice === chosen);
    radio.tabIndex = radio.dataset.choice === chosen ? 0 : -1;
  }
};
// What comes from the server may have been drawn before the last choice.
watch("value", () => chosen && mark());
const choose = (button) => {
  if (button.role === "radio") {
    chosen = button.dataset.choice;
    mark();
    button.focus();
  }
  trigger("select", { choice: button.dataset.choice, at: performance.now() });
};
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-choice]");
  if (button) choose(button);
});
const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1 };
element.addEventListener("keydown", (event) => {
  const radios = [...element.querySelectorAll("[role=radio]")], place = radios.indexOf(event.target);
  if (place < 0 || !steps[event.key]) return;
  event.preventDefault();
  choose(radios[(place + steps[event.key] + radios.length) % radios.length]);
});
"""
"""Buttons inside our HTML report which one was chosen; those of a radio group are one stop of the keyboard."""

SAVE_SCRIPT = "() => { document.querySelector('#%s')?.click(); }"


def setting(current: Any, value: Any, **settings: Any) -> dict[str, Any]:
    """An update of a control that leaves its value alone where that is right: a visitor may change it meanwhile.

    Args:
        current: What it said when the event came.
        value: What it is to say.
        settings: What else to change.
    """
    update: dict[str, Any] = gr.update(**settings, **({} if value == current else {"value": value}))
    return update


def view_options(
    aggregation: str, channel: Any, colormap: str, scale: str, opacity_percent: Any, smooth: bool
) -> ViewOptions:
    """The view that the page's controls describe; the channel's number counts only while it is to be seen.

    Raises:
        OptionError: A number is missing or outside its range.
    """
    opacity = number("opacity in percent", opacity_percent, 0, 100) / 100
    return ViewOptions(aggregation, channel if aggregation == "channel" else 0, colormap, opacity, scale, smooth)


def unfinished(aggregation: str, channel: Any, *others: Any) -> bool:
    """Return True if a visible number field of the view is still empty."""
    return None in others or (channel is None and aggregation == "channel")


def or_initial(value: Any, control: Any) -> Any:
    """Return the value of a control, or its initial value while its number field is empty."""
    return control.value if value is None else value


def drawing_options(colormap: str, opacity_percent: Any, smooth: bool) -> ViewOptions:
    """Return the view options of the drawing controls, for maps that do not aggregate channels."""
    return view_options("mean", 0, colormap, "each", opacity_percent, smooth)


@dataclass(frozen=True)
class Part:
    """A part of the page that follows the answer that is shown while its tab is open.

    Attributes:
        tab: Identifier of its tab.
        answer: Takes the answer that is shown and then the values of `inputs`.
        inputs: Components.
        outputs: Components that get what `answer` gives.
    """

    tab: str
    answer: Callable[..., Any]
    inputs: list[Any]
    outputs: list[Any]


class Page:
    """One page in one language, while it is built and while it answers.

    Attributes:
        t: The language: call it with an English sentence.
        explorer: What asks the network.
        result: The answer that is shown, a `Shown` or None.
        active: Identifier of the tab that is open.
        drawing: Colormap, opacity in percent, and smoothness, in the order of `drawing_options`.
        top_k: Number of classes.
    """

    result: gr.Textbox
    active: gr.Textbox
    drawing: list[gr.components.Component]
    top_k: gr.Slider

    def __init__(self, language: Language, explorer: Explorer) -> None:
        """Start a page; its parts add themselves."""
        self.t = language
        self.explorer = explorer
        self._last = LastChoice()
        self._held: set[Any] = set()
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
        inputs: Sequence[Any] | Any = (),
        outputs: Sequence[Any] | Any = (),
        **options: Any,
    ) -> gr.events.Dependency:
        """Connect events to a handler; check values, count errors and drop outdated answers.

        Args:
            triggers: Such as `slider.change`, or several of them.
            handler: Takes the values of `inputs`, gives those of `outputs`.
            inputs: A component, or several.
            outputs: A component, or several.
            options: Of the event; "progress" passes a `gr.Progress` on to the handler.
        """
        inputs, outputs = (_listed(components) for components in (inputs, outputs))
        answer = self.answering(handler, inputs, outputs, progress=options.pop("progress", False))
        options = {"preprocess": False, **PRIVATE, **options}
        if isinstance(triggers, list):
            triggers = partial(gr.on, triggers)
        dependency: gr.events.Dependency = triggers(answer, inputs, outputs, **options)
        return dependency

    def on_event(
        self, trigger: Any, handler: Callable[[gr.EventData], Any], output: Any, **options: Any
    ) -> gr.events.Dependency:
        """Connect an event to a handler that takes the event's data, such as the clicked button."""

        def answer(request: gr.Request, event: gr.EventData) -> Any:
            with faults_counted(self.refusal):
                if self._last.is_overtaken(request, output, time_of(event)):
                    return gr.skip()
                return self._given(request, [output], handler(event))

        dependency: gr.events.Dependency = trigger(answer, None, output, **{**PRIVATE, **options})
        return dependency

    def on_each(self, triggers: Sequence[Any], *handler: Any, **options: Any) -> list[gr.events.Dependency]:
        """Connect several triggers to one handler, as one event each.

        Of several triggers of one event Gradio can lose the last call if they follow each other quickly, as when a
        control sets another.
        """
        return [self.on(trigger, *handler, **options) for trigger in triggers]

    def answering(
        self, handler: Callable[..., Any], inputs: Sequence[Any], outputs: Sequence[Any], *, progress: bool = False
    ) -> Callable[..., Any]:
        """Return the function that Gradio calls for a handler; see `on`."""

        def run(request: gr.Request, values: Sequence[Any], **options: Any) -> Any:
            with faults_counted(self.refusal):
                given = [checked(component, value) for component, value in zip(inputs, values, strict=True)]
                given = [
                    verify(value) if component in self._held else value
                    for component, value in zip(inputs, given, strict=True)
                ]
                return self._given(request, outputs, handler(*given, **options))

        def answer(request: gr.Request, *values: Any) -> Any:
            return run(request, values)

        def answer_with_progress(
            request: gr.Request,
            progress: gr.Progress = gr.Progress(),  # noqa: B008 - Gradio looks for it in the signature
            *values: Any,
        ) -> Any:
            return run(request, values, progress=progress)

        return answer_with_progress if progress else answer

    def _given(self, request: gr.Request, outputs: Sequence[Any], result: Any) -> Any:
        """Return a handler's result as Gradio takes it, without what is out of date."""
        values = list(result) if len(outputs) != 1 else [result]
        values = [
            sign(value) if component in self._held and value != gr.skip() else value
            for component, value in zip(outputs, values, strict=True)
        ]
        wanted = self._last.filter(request, outputs, values)
        return wanted[0] if len(outputs) == 1 else tuple(wanted)

    def or_error(self, answer: Callable[[], Any]) -> Any:
        """Return what `answer` gives; what a user can fix becomes a message in the page's language."""
        try:
            return answer()
        except ResNetError as error:
            raise self.refusal(error) from error

    def refusal(self, error: ResNetError) -> gr.Error:
        """Return the message for an error, in the page's language."""
        return self.fault(self.t.error(error))

    def fault(self, sentence: str) -> gr.Error:
        """A message about what cannot be done; the sentence is in the page's language."""
        return gr.Error(escape(sentence), title=self.t("Error"), print_exception=False)

    def warn(self, sentence: str) -> None:
        """Show a message about what is done otherwise than asked."""
        gr.Warning(escape(sentence), title=self.t("Warning"))

    def warn_of_link(self, sentence: str) -> None:
        """Show what is wrong in a link."""
        self.warn(self.t("A part of the link is left out. {}", sentence))

    def refused(self, error: ResNetError) -> str:
        """Return the error message to display instead of an answer, and count the error."""
        count_error(error)
        return markup.message(self.t.error(error), "error")

    def showing_errors(self, refresh: Callable[..., Any], outputs: Sequence[Any], panel: Any) -> Callable[..., Any]:
        """Display errors of `or_error` in place of the answer, so that no outdated answer remains.

        Args:
            refresh: Gives what `outputs` get.
            outputs: Components; the texts and pictures among them are emptied, controls stay.
            panel: Which of them says why.
        """

        def answer(*values: Any) -> Any:
            try:
                return refresh(*values)
            except gr.Error as refusal:
                error = refusal.__cause__
                if not isinstance(error, ResNetError):
                    raise
                said = self.refused(error)
                given = [
                    said if output is panel else "" if isinstance(output, gr.HTML) else gr.skip() for output in outputs
                ]
                return given[0] if len(given) == 1 else tuple(given)

        return answer

    def observation(self, shown: Shown) -> Observation:
        """The answer that is shown; computed again if it has left the cache."""
        return self.explorer.observation(shown)

    def on_tab(
        self,
        tab: gr.Tab,
        name: str,
        refresh: Callable[..., Any],
        inputs: Sequence[Any],
        outputs: Sequence[Any],
        *,
        panel: Any,
        follow: Callable[[gr.events.Dependency], None] | None = None,
    ) -> None:
        """Refresh a tab when it is opened, and with each new answer while it is open; it may run the network.

        Args:
            tab: The tab.
            name: Its identifier.
            refresh: Takes the answer that is shown and then `inputs`.
            inputs: Further components.
            outputs: What it gives.
            panel: Where progress is shown, and what is refused.
            follow: Told of each event that refreshes the tab.
        """
        # A number that is an output as well is left to `refresh`, which fills it in.
        numbers = [
            isinstance(component, gr.Slider | gr.Number) and all(component is not output for output in outputs)
            for component in inputs
        ]

        def refresh_wholly(shown: Shown | None, *values: Any) -> Any:
            # A number that is just being typed must not keep what belongs to the former photo.
            filled = [
                or_initial(value, component) if is_number else value
                for value, component, is_number in zip(values, inputs, numbers, strict=True)
            ]
            return refresh(shown, *filled)

        answer = self.showing_errors(refresh_wholly, outputs, panel)
        opened = self.opened(tab, name)
        refreshed = self.on(opened.then, answer, [self.result, *inputs], outputs, **_progress_on([panel]))
        if follow:
            follow(refreshed)
        self._tabs.append(Part(name, answer, list(inputs), list(outputs)))
        self._panels.append(panel)

    def opened(self, tab: gr.Tab, name: str) -> gr.events.Dependency:
        """Note that a tab has been opened.

        Args:
            tab: The tab.
            name: Its identifier.
        """
        return self.on(tab.select, lambda: name, outputs=self.active, **{**CLICK, "queue": False})

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
            inputs = [component for part in parts for component in part.inputs]
            outputs = [component for part in parts for component in part.outputs]
            event = self.on(event.then, _of_active(parts), [self.active, self.result, *inputs], outputs, **options)
        drawings = ", ".join(self._drawings)
        event.then(None, None, None, js=f"() => [{drawings}].forEach((draw) => draw())", **PRIVATE)

    def downloads(self, button: gr.Button, make: Callable[..., str], inputs: Sequence[Any], name: str) -> None:
        """Connect a button to a function that creates a file, and download the file.

        Args:
            button: That is seen.
            make: Gives the file's path from `inputs`.
            inputs: Components.
            name: Element id of the hidden button that hands the file over.
        """
        file = gr.DownloadButton(visible="hidden", elem_id=name)
        made = self.on(button.click, make, inputs, file, concurrency_limit=2)
        made.success(None, js=SAVE_SCRIPT % name, **PRIVATE)

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

        return str(self.or_error(write))


def _listed(components: Any) -> list[Any]:
    return list(components) if isinstance(components, list | tuple) else [components]


def _progress_on(panels: list[Any]) -> dict[str, Any]:
    """Options of an event that may run the network and shows its progress on panels."""
    return {**QUICK, **NETWORK, "show_progress": "minimal", "show_progress_on": panels}


def _of_active(parts: Sequence[Part]) -> Callable[..., Any]:
    """Return a handler that updates only the open tab."""

    def answer(active: str, shown: Shown | None, *values: Any) -> Any:
        given: list[Any] = []
        place = 0
        for part in parts:
            own = values[place : place + len(part.inputs)]
            place += len(part.inputs)
            if part.tab != active:
                given += [gr.skip()] * len(part.outputs)
            elif len(part.outputs) == 1:
                given.append(part.answer(shown, *own))
            else:
                given += part.answer(shown, *own)
        return tuple(given)

    return answer
