"""Streams of answers: kept open for a while, and closed so that no answer is lost.

Gradio's server ends a page's stream whenever nothing is asked any more, with "close" as the last message. A page that
asks again before it has read that takes the stream for open, listens to nothing, and shows the answer only after its
next question; events that follow each other run into this, and each of them opens another connection.
"""

from __future__ import annotations

import asyncio
import threading
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

OPEN_SECONDS = 3.0
"""Time for which a stream stays open for the next question. A browser has six connections to a server for all tabs."""

LOOK_SECONDS = 0.5
"""Time between two looks whether the server is to stop, which an idle stream must not delay."""

CLOSING_SECONDS = 1.0
"""Time in which a page closes a stream that it was told to close; a message there and back."""

_CLOSE = b'data: {"msg":"close_stream"'


@dataclass
class _Stream:
    """A page's stream, while nothing is answered.

    Attributes:
        close: The message that tells the page to close it.
        asked: Set by the page's next question.
        closing: Set once the page was told to close it.
        closed: Set at its end.
    """

    close: Message
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    closing: bool = False
    closed: asyncio.Event = field(default_factory=asyncio.Event)


class Streams:
    """The streams of all pages, by the names of their sessions."""

    def __init__(self, stopping: threading.Event) -> None:
        """No stream is open.

        Args:
            stopping: Set when the server is to stop.
        """
        self._stopping = stopping
        self._idle: dict[str, _Stream] = {}
        self._asking: Counter[str] = Counter()

    @asynccontextmanager
    async def question(self, session: str) -> AsyncIterator[None]:
        """Keep a page's stream open while its question is taken in; if it is just being closed, wait for that first."""
        stream = self._idle.get(session)
        if stream and stream.closing:
            await stream.closed.wait()
        elif stream:
            stream.asked.set()
        self._asking[session] += 1
        try:
            yield
        finally:
            self._asking[session] -= 1
            self._asking += Counter()  # forgets who asks nothing

    async def answer(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand on the answers of a page as one stream, until it is idle for a while."""
        session = parse_qs(scope.get("query_string", b"").decode("latin-1")).get("session_hash", [""])[0]
        has_started, idle = False, None

        async def receive_while_answering() -> Message:
            message = await receive()
            if idle:  # Gradio is at its end, and would forget the session if it heard that nobody listens
                await asyncio.Event().wait()
            return message

        async def send_all_but_the_end(message: Message) -> None:
            nonlocal has_started, idle
            if message["type"] == "http.response.start":
                if not has_started:
                    await send(message)
                has_started = True
            elif message.get("body", b"").startswith(_CLOSE):
                # From here on, and no later: what is asked now is not answered any more by this call of Gradio.
                idle = self._idle[session] = _Stream(message)
                if self._asking[session]:
                    idle.asked.set()
            elif message.get("more_body") or not idle:
                await send(message)

        goes_on = True
        while goes_on:
            idle = None
            await app(scope, receive_while_answering, send_all_but_the_end)
            goes_on = idle is not None and await self._is_asked(session, idle, receive, send)

    async def _is_asked(self, session: str, stream: _Stream, receive: Receive, send: Send) -> bool:
        """Wait for a page's next question; without one, close its stream."""
        left, asked = (asyncio.ensure_future(one) for one in (_disconnected(receive), stream.asked.wait()))
        try:
            await self._first_of(left, asked)
            if left.done():
                return False
            if stream.asked.is_set():
                return True
            stream.closing = True
            await send(stream.close)
            await asyncio.wait((left,), timeout=CLOSING_SECONDS)
            await send({"type": "http.response.body", "body": b"", "more_body": False})
            return False
        finally:
            left.cancel()
            asked.cancel()
            stream.closed.set()
            if self._idle.get(session) is stream:
                del self._idle[session]

    async def _first_of(self, *waiting: asyncio.Future[Any]) -> None:
        """Wait until one of them is done, the stream has been idle for long enough, or the server is to stop."""
        for _ in range(round(OPEN_SECONDS / LOOK_SECONDS)):
            done, _ = await asyncio.wait(waiting, timeout=LOOK_SECONDS, return_when=asyncio.FIRST_COMPLETED)
            if done or self._stopping.is_set():
                return


async def _disconnected(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
