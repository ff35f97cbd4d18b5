"""Answers out of turn: what a visitor asked for last is what stays on the page, whichever answer comes last.

Gradio shows answers in the order in which they come. One that took long, as a new photo's, would take away what
a visitor has asked for since.
"""

from __future__ import annotations

from itertools import count
from typing import Any

import gradio as gr
from cachetools import LRUCache

MOST_EVENTS = 2000
"""Events whose turn is remembered until they have been answered."""


class Turns:
    """The order in which events came, and by it which of their answers are still wanted."""

    def __init__(self) -> None:
        """Start with no event."""
        self._next = count(1)
        self._of_events: LRUCache[str, int] = LRUCache(MOST_EVENTS)

    def take(self) -> int:
        """The turn of an event that comes now; higher than all before."""
        return next(self._next)

    def note(self, event: str, turn: int) -> None:
        """Remember the turn of an event that has to wait."""
        self._of_events[event] = turn

    def of(self, event: str | None) -> int:
        """The turn of an event; of one that did not have to wait, a new one."""
        return self._of_events.pop(event or "", 0) or self.take()

    @staticmethod
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
