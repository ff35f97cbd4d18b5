"""Results of the network by key, bounded in bytes: what lets a change of view go without a new pass."""

from __future__ import annotations

import threading
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TypeVar, cast

from cachetools import LRUCache

from resnet.metrics import CACHE

CACHE_BYTES = 384_000_000


class Sized(Protocol):
    """A result that knows its memory."""

    @property
    def byte_count(self) -> int:
        """Memory that it holds, in bytes."""


Result = TypeVar("Result", bound=Sized)


class ResultCache:
    """Results by key; the longest unused goes first. Thread-safe."""

    def __init__(self, maximum_bytes: int = CACHE_BYTES) -> None:
        """Start empty.

        Args:
            maximum_bytes: A result larger than all of it is not kept.
        """
        self._held: LRUCache[Hashable, Sized] = LRUCache(maximum_bytes, getsizeof=lambda result: result.byte_count)
        self._lock = threading.Lock()
        self._busy: set[Hashable] = set()
        self._freed = threading.Condition()

    @property
    def held_bytes(self) -> int:
        """Return the size of all stored results in bytes."""
        with self._lock:
            return int(self._held.currsize)

    @property
    def maximum_bytes(self) -> int:
        """The most that is ever held, in bytes."""
        return int(self._held.maxsize)

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._held.clear()

    def forget(self, wanted: Callable[[Any], bool]) -> None:
        """Forget the results of some keys.

        Args:
            wanted: Tells whether a key is one of them.
        """
        with self._lock:
            for key in list(filter(wanted, self._held)):
                del self._held[key]

    def get(self, key: Hashable) -> Sized | None:
        """Return the stored result of a key, if there is one."""
        with self._lock:
            found = self._held.get(key)
        CACHE.labels("miss" if found is None else "hit").inc()
        return found

    def store(self, key: Hashable, result: Sized) -> None:
        """Hold a result, unless it is larger than all that may be held.

        A key must say by itself of which kind its result is.
        """
        with self._lock:
            if result.byte_count <= self._held.maxsize:
                self._held[key] = result

    @contextmanager
    def alone(self, key: Hashable) -> Iterator[None]:
        """Make other callers with the same key wait until this block has ended."""
        with self._freed:
            self._freed.wait_for(lambda: key not in self._busy)
            self._busy.add(key)
        try:
            yield
        finally:
            with self._freed:
                self._busy.remove(key)
                self._freed.notify_all()

    def get_or_make(self, key: Hashable, make: Callable[[], Result]) -> Result:
        """Return the stored result of a key, or create and store it; who asks for it meanwhile waits for it."""
        with self.alone(key):
            held = self.get(key)
            if held is None:
                held = make()
                self.store(key, held)
            return cast("Result", held)
