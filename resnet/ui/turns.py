"""Answers out of turn: what a visitor asked for last is what stays on the page, whichever answer comes last.

Gradio shows answers in the order in which they come. One that took long, as a new photo's, would take away what
a visitor has asked for since.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from itertools import count
from typing import Any

import gradio as gr

_TURN = "resnet.turn"
_next = count(1)


def take() -> int:
    """The turn of what happens now; higher than all before."""
    return next(_next)


def arrive(scope: MutableMapping[str, Any]) -> None:
    """Give a request its turn, before anything that would let another one overtake it.

    Args:
        scope: Of the request, as ASGI has it.
    """
    scope[_TURN] = take()


def turn_of(request: Any) -> int:
    """The turn of an event's request.

    Args:
        request: As Gradio gives it to an event; None for an event that has none, whose turn is now.
    """
    scope = getattr(getattr(request, "request", None), "scope", {})
    return int(scope.get(_TURN) or take())


def still_wanted(answer: Any, outputs: list[Any], turn: int, shown: dict[int, int]) -> Any:
    """An answer without what a later event has answered already.

    Args:
        answer: What an event's function has given: one value for one output, else one each.
        outputs: Components that it is for.
        turn: Of the event.
        shown: The turn of what each component of the session shows, by its id; renewed.

    Returns:
        The answer with `gr.skip()` in the place of what is out of date.
    """
    if len(outputs) != 1 and not (isinstance(answer, tuple) and len(answer) == len(outputs)):
        return answer
    values = [answer] if len(outputs) == 1 else list(answer)
    for place, component in enumerate(outputs):
        if values[place] == gr.skip():
            continue
        if shown.get(component._id, 0) > turn:
            values[place] = gr.skip()
        else:
            shown[component._id] = turn
    return values[0] if len(outputs) == 1 else tuple(values)
