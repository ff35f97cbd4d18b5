"""Images of different visitors share a forward pass: what waits while another pass runs goes together.

Nobody waits for company: an image that finds the network idle goes at once and alone. Those that come
while a pass runs are taken by the next one, the longest waiting first, so that nobody waits for more
than the passes of those who were there before. A batch costs less per image than single passes do.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from numpy.typing import NDArray

MOST_TOGETHER = 8
"""Images per pass at most: beyond it a batch gains little, and its answers come later."""

Result = TypeVar("Result")


@dataclass(eq=False)
class _Waiting(Generic[Result]):
    image: NDArray[Any]
    asked: float
    called: threading.Event = field(default_factory=threading.Event)
    result: Result | None = None
    error: BaseException | None = None
    done: bool = False


class Batcher(Generic[Result]):
    """Runs a function on images in batches, one batch at a time. Thread-safe.

    Attributes:
        lock: Held while the function runs, for whoever else must not run meanwhile.
        on_wait: Called with the seconds that an image has waited; does nothing by default.
    """

    def __init__(
        self,
        run: Callable[[Sequence[NDArray[Any]]], Sequence[Result]],
        most: int = MOST_TOGETHER,
        lock: threading.Lock | None = None,
    ) -> None:
        """Start with nobody waiting.

        Args:
            run: Takes images of one shape and gives a result for each, in their order.
            most: Images per call at most.
            lock: Of something else that must not run meanwhile; a new one by default.
        """
        self.lock = lock or threading.Lock()
        self.on_wait: Callable[[float], None] = lambda _: None
        self._run = run
        self._most = most
        self._waiting: list[_Waiting[Result]] = []
        self._busy = False
        self._changing = threading.Lock()

    @property
    def waiting(self) -> int:
        """Return the number of images that wait for a pass."""
        with self._changing:
            return len(self._waiting)

    def __call__(self, image: NDArray[Any]) -> Result:
        """The result for one image, after those that came earlier or together with them.

        Raises:
            Exception: What `run` raised for this image by itself; others never fail with it.
        """
        own: _Waiting[Result] = _Waiting(image, time.perf_counter())
        with self._changing:
            self._waiting.append(own)
            first, self._busy = not self._busy, True
        if not first:
            own.called.wait()
        # Called with no result, it is the one that has waited longest, and takes the others along. Each is called
        # by itself: if all waited for one lock, those that are done could be stopped by the pass after their own.
        if not own.done:
            try:
                with self.lock:
                    self._serve(self._next())
            finally:
                self._call_next()
        if own.error is not None:
            raise own.error
        return own.result  # type: ignore[return-value]

    def _call_next(self) -> None:
        with self._changing:
            self._busy = bool(self._waiting)
            if self._waiting:
                self._waiting[0].called.set()

    def _next(self) -> list[_Waiting[Result]]:
        """The image that waits longest, and those of the same shape behind it."""
        with self._changing:
            shape = self._waiting[0].image.shape
            group = [one for one in self._waiting if one.image.shape == shape][: self._most]
            self._waiting = [one for one in self._waiting if one not in group]
        now = time.perf_counter()
        for one in group:
            self.on_wait(now - one.asked)
        return group

    def _serve(self, group: list[_Waiting[Result]]) -> None:
        try:
            results = self._run([one.image for one in group])
            for one, result in zip(group, results, strict=True):
                one.result = result
        except Exception as error:  # noqa: BLE001 - it belongs to whoever asked, wherever that thread is
            if len(group) > 1:
                for one in group:
                    self._serve([one])
            else:
                group[0].error = error
        for one in group:
            one.done = True
            one.called.set()
