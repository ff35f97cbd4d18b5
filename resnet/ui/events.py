"""Options of events, and the scripts that report and save in the browser."""

from __future__ import annotations

from typing import Any

import gradio as gr

from resnet.network.batching import MOST_TOGETHER

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


def change_of(control: Any) -> Any:
    """Return the event of a control whose value a visitor has changed.

    Of sliders it is not `change`: where a number field was emptied and filled again while a request was under way, that
    was seen to fire without end. gradio-app/gradio#12346 is about `change` events that fire too often.
    """
    return control.input if isinstance(control, gr.Slider) else control.change


IN_BROWSER: dict[str, Any] = {**PRIVATE, "trigger_mode": "multiple"}
"""Events that are handled in the browser alone, in the order in which they happen."""


_NUMBERED_SCRIPT = """(...values) => {
  window.events = (window.events ?? 0) + 1;
  return [...%s, window.events];
}"""


def numbered(script: str | None, inputs: int) -> str:
    """Return a function of the browser that gives an event's values and its number, which counts the page's events.

    The requests of two events can overtake each other on their way; the numbers say which event was first.

    Args:
        script: Gives the values; None for those of the inputs.
        inputs: How many there are; Gradio hands over the values of the outputs as well.
    """
    values = f"[({script})(...values)].flat()" if script else f"values.slice(0, {inputs})"
    return _NUMBERED_SCRIPT % values


def chosen_script(part: gr.HTML, *, number: bool = False) -> str:
    """Return a function of the browser that gives what was last chosen in our HTML.

    Args:
        part: HTML with `CHOICE_SCRIPT`, or one that notes its choice likewise.
        number: Whether the choice is a number.
    """
    choice = f"document.querySelector('#{part.elem_id} [data-chosen]').dataset.chosen"
    return f"() => Number({choice})" if number else f"() => {choice}"


CHOICE_SCRIPT = """
const radios = () => [...element.querySelectorAll("[role=radio]")];
const isThere = (choice) => radios().some((radio) => radio.dataset.choice === choice);
const mark = (choice) => {
  const [first] = radios();
  for (const radio of radios()) {
    const isChosen = radio.dataset.choice === choice;
    radio.setAttribute("aria-checked", isChosen);
    radio.tabIndex = isChosen || (radio === first && !isThere(choice)) ? 0 : -1;
  }
};
let chosen = null;
element.dataset.choices = "";
// What comes from the server may have been drawn before the last choice.
watch("value", () => isThere(chosen) && mark(chosen));
element.addEventListener("chosen", (event) => mark((chosen = event.detail)));
const choose = (button) => {
  if (button.role === "radio") {
    mark((chosen = button.dataset.choice));
    button.focus();
  }
  element.dataset.chosen = button.dataset.choice;
  trigger("select");
};
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-choice]");
  if (button) choose(button);
});
// Left and right go through all of them; up and down go to the nearest one above or below, if there are rows.
const beside = (button, key) => {
  const all = radios(), place = all.indexOf(button), here = button.getBoundingClientRect();
  const step = ["ArrowLeft", "ArrowUp"].includes(key) ? -1 : 1;
  if (["ArrowUp", "ArrowDown"].includes(key)) {
    const distances = all.map((radio) => {
      const there = radio.getBoundingClientRect(), rows = Math.round((step * 2 * (there.top - here.top)) / here.height);
      return rows < 1 ? Infinity : rows * 1e5 + Math.abs(there.left - here.left); // the cells of a row differ a little
    });
    const nearest = Math.min(...distances);
    if (nearest < Infinity) return all[distances.indexOf(nearest)];
  }
  return all[(place + step + all.length) % all.length];
};
element.addEventListener("keydown", (event) => {
  const button = event.target.closest("[role=radio]");
  if (!button || !["ArrowLeft", "ArrowUp", "ArrowRight", "ArrowDown"].includes(event.key)) return;
  event.preventDefault();
  choose(beside(button, event.key));
});
"""
"""Buttons inside our HTML note which one was chosen; those of a radio group are one stop of the keyboard."""

CHOSEN_SCRIPT = """(value) => {
  document.querySelector("#%s [data-choices]")?.dispatchEvent(new CustomEvent("chosen", { detail: String(value) }));
}"""
"""Tells `CHOICE_SCRIPT` that a field has another value by now, as by typing."""

SAVE_SCRIPT = "() => { document.querySelector('#%s')?.click(); }"
