"""Bodies of requests: how large they may be, and whether they name addresses."""

from __future__ import annotations

import json
from typing import Any

from starlette.types import Message, Receive

MOST_UPLOADED = 2_000_000_000
"""Bytes of one upload, which may be of many photos."""

MOST_SENT = 32_000_000
"""Bytes of any other request, which Gradio holds in memory: a photo of 20 MB fits as a data URL."""


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

    async def names_address(self) -> bool:
        """Receive all of a body in JSON, and tell whether one of its values is an address on the web."""
        messages = [await self.receive()]
        while messages[-1].get("more_body"):
            messages.append(await self.receive())
        self._read = messages
        try:
            return _is_address(json.loads(b"".join(message.get("body", b"") for message in messages)))
        except (ValueError, RecursionError):
            return False  # Gradio refuses what is no JSON


def _is_address(value: Any) -> bool:
    if isinstance(value, str):
        return value.lstrip()[:8].lower().startswith(("http://", "https://"))
    if isinstance(value, list):
        return any(map(_is_address, value))
    if not isinstance(value, dict):
        return False
    if isinstance(value.get("params"), dict):  # of a call of a tool, where clients also name their makers' sites
        return _is_address(value["params"].get("arguments"))
    return any(_is_address(part) for key, part in value.items() if key != "url")  # which Gradio adds to its own files
