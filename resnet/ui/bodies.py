"""Bodies of requests: how large they may be, and which files they may name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from starlette.types import Message, Receive

from resnet.ui.files import is_served

MOST_UPLOADED = 2_000_000_000
"""Bytes of one upload, which may be of many photos."""

MOST_SENT = 32_000_000
"""Bytes of any other request, which Gradio holds in memory: a photo of 20 MB fits as a data URL."""


MOST_VALUES = 100_000
"""Values in such a request, roughly; each takes time to look at in which nobody else is answered."""

LONGEST_NAME = 64
"""Characters of the name of a session, which a client chooses and the server remembers."""

NO_ADDRESSES = "This server does not fetch addresses; upload the photo itself, or send it as a data URL."
NO_FILE = "A photo must be an uploaded file or a data URL."
NO_JSON = "The body of the request is not valid JSON."
TOO_MANY = "A request may have at most 100,000 values."
LONG_NAME = "The name of a session may have at most 64 characters."
GONE = "This photo is no longer on the server. Please choose it again."


class Body:
    """Body of a request, received up to a limit.

    Attributes:
        limit: In bytes.
        too_large: Whether more has come; the application was told that the client had left.
        session: Name of the page that asks, once `fault` has found no fault; empty if there is none.
    """

    def __init__(self, receive: Receive, limit: int) -> None:
        """Wait for it."""
        self.limit = limit
        self.too_large = False
        self.session = ""
        self._receive = receive
        self._taken = 0
        self._read: list[Message] = []

    async def receive(self) -> Message:
        """Return the next message, as ASGI has it."""
        if self._read:
            return self._read.pop(0)
        message = await self._receive()
        self._taken += len(message.get("body", b""))
        if self._taken > self.limit:
            self.too_large = True
            return {"type": "http.disconnect"}
        return message

    async def fault(self, *, fetch: bool, of_tool: bool) -> tuple[int, str] | None:
        """Receive all of a body in JSON, and say what is wrong with it: status and message; None if nothing is.

        Args:
            fetch: Whether files may be addresses on the web.
            of_tool: Whether it calls a tool of a language model (JSON-RPC).
        """
        messages = [await self.receive()]
        while messages[-1].get("more_body"):
            messages.append(await self.receive())
        self._read = messages
        content = b"".join(message.get("body", b"") for message in messages)
        if self.too_large or not content:
            return None
        if sum(map(content.count, (b",", b"[", b"{"))) > MOST_VALUES:  # before the time that it takes to read them
            return 413, TOO_MANY
        try:
            body = json.loads(content)
            if of_tool:
                # Clients name their makers' sites elsewhere, and Gradio puts faults of files into words.
                calls = [call for call in (body if isinstance(body, list) else [body]) if isinstance(call, dict)]
                values = [call["params"].get("arguments") for call in calls if isinstance(call.get("params"), dict)]
                found = next(_addresses(values), None) if not fetch else None
            else:
                found = next(_faults(body, fetch=fetch), None)
                self.session = str(body.get("session_hash") or "") if isinstance(body, dict) else ""
        except (ValueError, RecursionError):
            return 400, NO_JSON
        return (403, found) if found else None


def _is_address(text: str) -> bool:
    return text.lstrip()[:8].lower().startswith(("http://", "https://"))


def _parts(value: Any) -> Iterator[Any]:
    """All lists, dictionaries and strings in a value, but for what Gradio adds to its own files as "url"."""
    waiting = [value]
    while waiting:
        part = waiting.pop()
        if isinstance(part, dict | list | str):
            yield part
        if isinstance(part, dict):
            waiting.extend(inner for key, inner in part.items() if key != "url")
        elif isinstance(part, list):
            waiting.extend(part)


def _addresses(value: Any) -> Iterator[str]:
    yield from (NO_ADDRESSES for part in _parts(value) if isinstance(part, str) and _is_address(part))


def _faults(value: Any, *, fetch: bool) -> Iterator[str]:
    if not fetch:
        yield from _addresses(value)
    if isinstance(value, dict) and len(str(value.get("session_hash") or "")) > LONGEST_NAME:
        yield LONG_NAME
    for part in _parts(value):
        if not isinstance(part, dict) or "path" not in part or "meta" not in part:
            continue  # Gradio takes other things for files no more
        path, meta = part["path"], part["meta"]
        if not isinstance(meta, dict) or not isinstance(path, str | None):
            yield NO_FILE
        elif path and not _is_address(path) and not path.startswith("data:") and not is_served(path):
            yield GONE
