"""The endpoints as tools for language models, which Gradio serves by the Model Context Protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from functools import partial
from typing import Any

import gradio.mcp
from gradio.blocks import Blocks
from gradio.mcp import GradioMCPServer

from resnet.ui.bodies import MOST_SENT

_make = GradioMCPServer.__init__
# Gradio passes a call on as a client of its own server. It lets one of the forty threads that the whole server has
# make that client, and one wait for the answer: forty calls at a time would wait for themselves.
_client_thread = ThreadPoolExecutor(1, "tools")


def _with_room(self: GradioMCPServer, blocks: Blocks) -> None:
    """Make the server with room for photos in data URLs, which versions of `mcp` that have a bound lack."""
    _make(self, blocks)
    bound = getattr(self.manager, "asgi_app", None)
    if bound is not None:
        bound.max_body_size = MOST_SENT
        with_room = partial(self.SseServerTransport, max_request_body_size=MOST_SENT)
        self.SseServerTransport = with_room  # type: ignore[assignment]


async def _in_turn(make: Callable[[], Any]) -> Any:
    """Let the client be made by the one thread that is there for it, so that there is one client as well."""
    return await asyncio.get_running_loop().run_in_executor(_client_thread, copy_context().run, make)


async def _without_a_thread(_: GradioMCPServer, job: Any) -> list[Any]:
    """Wait for an answer."""
    return [await asyncio.wrap_future(job.future)]


def mend_tools() -> None:
    """Before `launch`, which makes the server."""
    GradioMCPServer.__init__ = _with_room  # type: ignore[method-assign]
    gradio.mcp.run_sync = _in_turn  # type: ignore[assignment,attr-defined]
    GradioMCPServer._execute_tool_without_progress = _without_a_thread  # type: ignore[assignment,method-assign]
