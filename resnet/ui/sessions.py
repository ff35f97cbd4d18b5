"""What the server remembers of each visitor: little, for as long as he is there, and of so many at most.

Gradio 6 keeps of every session, and each call of a program may be one, the settings of all components and the
last value of each, about 1 MB; only links that this page does not offer need them. And of 2,000 sessions' messages
it drops those of the session that began first, even while that one waits for an answer. Of the names of all files
that visitors sent or fetched, kept for a cleaning that ends for good when a name comes during it, it keeps most for
ever; `temporary.make_room` needs none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

import gradio.blocks
import gradio.mcp
import gradio.route_utils
import gradio.routes
import gradio.state_holder
from cachetools import Cache, LRUCache
from fastapi import HTTPException
from gradio.blocks import Blocks
from gradio.queueing import Queue
from gradio.route_utils import FileUploadProgress
from gradio.state_holder import SessionState, StateHolder
from gradio_client.utils import ServerMessage
from starlette.formparsers import MultiPartException

MOST_MAILBOXES = 2000
"""Sessions that messages wait for; of more, those of the sessions that have been away longest are dropped."""

MOST_UNREAD = 64
"""Answers, or parts of them, that may lie unread in a session that asks for more."""

MOST_UNREAD_TOGETHER = 2000
"""Answers that may lie unread in all sessions together; one takes some 0.2 MB."""

_ANSWERS = (ServerMessage.process_completed, ServerMessage.process_generating)

LONGEST_NAME = 64
"""Letters of the name of a session or an upload, which callers choose and the server keeps."""

LONG_NAME = f"name may have at most {LONGEST_NAME} letters; received {{}}."


class LightSession(SessionState):
    """Gradio's session without a copy of every component's settings and last value.

    Attributes:
        turns: Of what each component shows, by its id; see `resnet.ui.turns`.
    """

    def __init__(self, blocks: Blocks) -> None:
        """Begin a session of a page."""
        super().__init__(SimpleNamespace(default_config=blocks.default_config, blocks={}))  # type: ignore[arg-type]
        self.turns: dict[int, int] = {}

    def __setitem__(self, key: int, value: Any) -> None:
        """Keep a state's value, or a component that an event has changed."""
        super().__setitem__(key, value)
        self.config_values.clear()

    def _update_config(self, key: int) -> None:
        """Keep nothing of it."""

    def _update_value_in_config(self, key: int, value: Any) -> None:
        """Keep nothing of it."""


for _module in (gradio.state_holder, gradio.blocks, gradio.route_utils, gradio.mcp):
    _module.SessionState = LightSession  # type: ignore[attr-defined]


def check_name(session: str | None) -> None:
    """Refuse a name that is too long to be kept.

    Raises:
        HTTPException: 400.
    """
    if session and len(session) > LONGEST_NAME:
        raise HTTPException(400, f"A session's {LONG_NAME.format(len(session))}")


_session_of = StateHolder.__getitem__


def _checked(self: StateHolder, session: str) -> SessionState:
    check_name(session)
    return _session_of(self, session)


StateHolder.__getitem__ = _checked  # type: ignore[method-assign]


def forget(holder: StateHolder, session: str | None) -> None:
    """Let go of a session that nobody can come back to."""
    with holder.lock:
        holder.session_data.pop(session or "", None)
        holder.time_last_used.pop(session or "", None)


def _answers_in(messages: Any) -> int:
    return sum(one.msg in _ANSWERS for one in messages._queue)


class Mailboxes(LRUCache[str, Any]):
    """Messages to each session that have not been fetched; with them go the names of its events."""

    def __init__(self, queue: Queue) -> None:
        """Take the place of a queue's own."""
        super().__init__(MOST_MAILBOXES)
        self._events = queue.pending_event_ids_session

    def unread(self, session: str | None) -> int:
        """Answers, and parts of them, that wait for a session; other messages are small."""
        messages = self.get(session or "")
        return 0 if messages is None else _answers_in(messages)

    def make_room(self) -> None:
        """Forget the sessions with the most unread answers while there are too many."""
        boxes = {session: Cache.__getitem__(self, session) for session in self}  # which does not count as use
        if sum(messages.qsize() for messages in boxes.values()) <= MOST_UNREAD_TOGETHER:
            return
        unread = {session: _answers_in(messages) for session, messages in boxes.items()}
        excess = sum(unread.values()) - MOST_UNREAD_TOGETHER
        for session in sorted(unread, key=unread.__getitem__, reverse=True):
            if excess <= 0:
                break
            excess -= unread[session]
            del self[session]

    def __delitem__(self, session: str) -> None:
        """Forget a session: the one that has been away longest, or one that has left."""
        super().__delitem__(session)
        self._events.pop(session, None)


class _Signals(LRUCache[str, asyncio.Event]):
    """Of each upload, whether it has begun."""

    def __missing__(self, upload: str) -> asyncio.Event:
        event = self[upload] = asyncio.Event()
        return event


class LightProgress(FileUploadProgress):
    """Gradio's record of uploads, of which it keeps those that nobody watches, and signals of all, for ever."""

    def __init__(self) -> None:
        """Begin with none."""
        self._statuses = LRUCache(MOST_MAILBOXES)  # type: ignore[assignment]
        self._signals = _Signals(MOST_MAILBOXES)  # type: ignore[assignment]

    def track(self, upload_id: str) -> None:
        """Begin to watch an upload.

        Raises:
            MultiPartException: Its name is too long to be kept. It makes Gradio remove what it has stored.
        """
        if len(upload_id) > LONGEST_NAME:
            raise MultiPartException(f"An upload's {LONG_NAME.format(len(upload_id))}")
        super().track(upload_id)

    async def is_tracked(self, upload_id: str) -> bool:
        """Wait until an upload begins.

        Raises:
            HTTPException: 400: its name is too long to be kept.
        """
        if len(upload_id) > LONGEST_NAME:
            raise HTTPException(400, f"An upload's {LONG_NAME.format(len(upload_id))}")
        return await super().is_tracked(upload_id)


gradio.routes.file_upload_statuses = LightProgress()


class _NoNames(set[str]):
    """A set that stays empty."""

    def add(self, name: str) -> None:
        """Leave it out."""

    def update(self, *names: Iterable[str]) -> None:
        """Leave all of them out."""


def keep_no_names(page: Blocks) -> None:
    """Let a page that has been built remember no names of files."""
    page.upload_file_set = _NoNames()
    for block in page.blocks.values():
        block.temp_files = _NoNames()
    page.temp_file_sets.clear()
