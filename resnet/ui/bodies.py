"""Bodies of requests: how large they may be, and which files they may name."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from starlette.types import Message, Receive

from resnet.ui.files import is_stored

MOST_UPLOADED = 2_000_000_000
"""Bytes of one upload, which may be of many photos."""

MOST_SENT = 32_000_000
"""Bytes of any other request, which Gradio holds in memory: a photo of 20 MB fits as a data URL."""


NO_ADDRESSES = "This server does not fetch addresses; upload the photo itself, or send it as a data URL."
NO_FILE = "A photo must be an uploaded file or a data URL."
GONE = "This photo is not on the server any more. Please choose it again."


class Body:
    """Body of a request, received up to a limit.

    Attributes:
        limit: In bytes.
        too_large: Whether more has come; the application was told that the client had left.
    """

    def __init__(self, receive: Receive, limit: int) -> None:
        """Wait for it."""
        self.limit = limit
        self.too_large = False
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

    async def fault(self, *, fetch: bool) -> str | None:
        """Receive all of a body in JSON, and say what is wrong with the files that it names; None if nothing is.

        Args:
            fetch: Whether files may be addresses on the web.
        """
        messages = [await self.receive()]
        while messages[-1].get("more_body"):
            messages.append(await self.receive())
        self._read = messages
        try:
            value = json.loads(b"".join(message.get("body", b"") for message in messages))
            return next(_faults(value, fetch=fetch), None)
        except (ValueError, RecursionError):
            return None  # Gradio refuses what is no JSON


def _faults(value: Any, *, fetch: bool, of_tool: bool = False) -> Iterator[str]:
    if isinstance(value, str) and value.lstrip()[:8].lower().startswith(("http://", "https://")):
        if not fetch:
            yield NO_ADDRESSES
    elif isinstance(value, list):
        for part in value:
            yield from _faults(part, fetch=fetch, of_tool=of_tool)
    elif isinstance(value, dict) and isinstance(value.get("params"), dict):
        # Of a call of a tool, where clients also name their makers' sites, and whose faults Gradio puts into words.
        yield from _faults(value["params"].get("arguments"), fetch=fetch, of_tool=True)
    elif isinstance(value, dict):
        if "path" in value and "meta" in value and not of_tool:  # what Gradio takes for a file
            yield from _faults_of_file(value["path"], value["meta"])
        for key, part in value.items():
            if key != "url":  # which Gradio adds to its own files
                yield from _faults(part, fetch=fetch, of_tool=of_tool)


def _faults_of_file(path: Any, meta: Any) -> Iterator[str]:
    if not isinstance(meta, dict) or not isinstance(path, str | None):
        yield NO_FILE
    elif path and not path.lstrip()[:8].lower().startswith(("http://", "https://", "data:")) and not is_stored(path):
        yield GONE
