"""Event handlers: values checked, faults counted, and the last choice wins."""

from __future__ import annotations

import contextlib
import errno
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from math import isfinite
from typing import Any

import gradio as gr
from cachetools import LRUCache

from resnet.errors import OptionError, ResNetError
from resnet.metrics import count_error
from resnet.options import repr_of
from resnet.ui.uploads import file_paths, photo_path

MOST_SESSIONS = 2000
"""Sessions for which the order of answers is remembered."""

NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)

Drawing = tuple[float, frozenset[Any]]
"""Number of an event, and the components that it draws."""


class LastChoice:
    """Drops from an answer what a later event has answered already.

    Gradio shows answers in the order in which they come. A slow one, such as that of a new photo, would otherwise
    replace what the visitor has asked for since. Thread-safe.
    """

    def __init__(self) -> None:
        """Remember nothing yet."""
        self._lock = threading.Lock()
        self._numbers: LRUCache[str | None, dict[Any, float]] = LRUCache(MOST_SESSIONS)
        self._turns: LRUCache[str | None, tuple[threading.Lock, list[Drawing]]] = LRUCache(MOST_SESSIONS)

    @contextlib.contextmanager
    def turn(
        self, session: str | None, number: float | None, components: Sequence[Any], *, alone: bool
    ) -> Iterator[None]:
        """Run a page's drawings one after another, each from the start of its handler to the end of `filter`.

        Two that end at the same time could leave the server in another order than they were filtered in. So an
        earlier one also leaves alone what a later one is about to draw.

        Args:
            session: Of the page.
            number: Of the event; None comes last.
            components: What it draws.
            alone: Whether it waits for others, and they for it.
        """
        drawing = (float("inf") if number is None else number, frozenset(components))
        with self._lock:
            lock, waiting = self._turns.setdefault(session, (threading.Lock(), []))
            waiting.append(drawing)
        try:
            with lock if alone else contextlib.nullcontext():
                yield
        finally:
            with self._lock:
                waiting.remove(drawing)

    def filter(self, session: str | None, number: float | None, updates: Mapping[Any, Any]) -> dict[Any, Any]:
        """Return the updates without those that are out of date.

        Args:
            session: Of the page that is answered.
            number: Of the event, higher than those of the page's events before; None comes last.
            updates: Component → value.
        """
        wanted = {}
        with self._lock:
            shown = self._numbers.setdefault(session, {})
            _, drawings = self._turns.get(session, (None, []))
            for component, value in updates.items():
                drawn = [other for other, components in drawings if component in components]
                latest = max(shown.get(component, 0), *drawn, 0)
                if value != gr.skip() and (number is None or latest <= number):
                    shown[component] = shown.get(component, 0) if number is None else number
                    wanted[component] = value
        return wanted


class Running:
    """Long answers that visitors can stop, one a session. Thread-safe.

    Gradio's own way (`cancels`) loses what is asked for while the step in hand ends.
    """

    def __init__(self) -> None:
        """Nothing runs yet."""
        self._lock = threading.Lock()
        self._wanted: LRUCache[str, bool] = LRUCache(MOST_SESSIONS)

    def begin(self, session: str) -> None:
        """Note that an answer begins."""
        with self._lock:
            self._wanted[session] = True

    def is_wanted(self, session: str) -> bool:
        """Tell whether the answer that began last is still to go on."""
        with self._lock:
            return self._wanted.get(session, False)

    def stop(self, session: str) -> bool:
        """End what runs after the step in hand; whether anything did."""
        with self._lock:
            return self._wanted.pop(session, False)


@contextlib.contextmanager
def faults_counted(say: Callable[[ResNetError], gr.Error]) -> Iterator[None]:
    """Count what ends a request, and turn errors that a user can fix into messages.

    Args:
        say: Makes the message of an error.
    """
    try:
        yield
    except gr.Error as error:
        if isinstance(error.__cause__, ResNetError):
            count_error(error.__cause__)
        raise
    except ResNetError as error:
        count_error(error)
        raise say(error) from error
    except OSError as error:
        count_error(error)
        if error.errno not in NO_ROOM:
            raise
        fault = OptionError("The server cannot store files now: {}. Please try again later.", error.strerror)
        raise say(fault) from error
    except Exception as error:
        count_error(error)
        raise


_KINDS: dict[type, tuple[type, ...]] = {
    gr.Slider: (int, float),
    gr.Number: (int, float),
    gr.Checkbox: (bool,),
    gr.Textbox: (str,),
}


def checked(component: Any, value: Any) -> Any:
    """Return the value of a component as handlers expect it. Gradio hands it over unchecked.

    Photos and files become paths. The range of a number is checked where the number is used.

    Raises:
        ResNetError: The value is of another kind, no choice of the component, or no photo.
    """
    if isinstance(component, gr.Image):
        return photo_path(value)
    if isinstance(component, gr.File):
        return file_paths(value)
    if value is None:
        return None
    if isinstance(component, gr.Radio | gr.Dropdown):
        known = [choice for _, choice in component.choices]
        entries = value if isinstance(value, list) else [value]
        # Lists of classes differ from visitor to visitor; their indices are checked where they are used.
        is_class = isinstance(component, gr.Dropdown) and not any(isinstance(choice, str) for choice in known)
        fits = all(entry in known or (is_class and type(entry) is int) for entry in entries)
    else:
        kinds = next((kinds for kind, kinds in _KINDS.items() if isinstance(component, kind)), None)
        fits = kinds is None or (type(value) in kinds and (type(value) is not float or isfinite(value)))
    if not fits:
        raise OptionError("“{}” cannot be {}.", str(component.label or component.elem_id), repr_of(value))
    return value
