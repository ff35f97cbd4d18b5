"""Viewers of each photo: a photo that is cleared is deleted, unless others look at the same file."""

from __future__ import annotations

import threading

from cachetools import LRUCache

MOST_VIEWERS = 2000
"""Viewers whose photo is known; those of others are left to be deleted by their age."""


class Viewers:
    """The photo of each viewer: Gradio keeps equal uploads of several visitors as one file. Thread-safe."""

    def __init__(self) -> None:
        """Nobody looks at anything yet."""
        self._lock = threading.Lock()
        self._photos: LRUCache[str, tuple[str, str | None]] = LRUCache(MOST_VIEWERS)

    def look(self, viewer: str, path: str, digest: str | None = None) -> None:
        """Note at which photo somebody looks.

        Args:
            viewer: Such as the session of a page.
            path: Of the photo.
            digest: Of its content, if it is known.
        """
        with self._lock:
            self._photos[viewer] = path, digest

    def leave(self, viewer: str) -> tuple[str, str | None] | None:
        """Note that somebody looks at his photo no longer; its path and digest, unless somebody else does."""
        with self._lock:
            photo = self._photos.pop(viewer, None)
            return photo if photo and all(photo[0] != path for path, _ in self._photos.values()) else None
