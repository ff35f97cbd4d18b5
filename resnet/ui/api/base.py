"""The common part of all endpoints: their turn, the photo, the class that is asked for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, TypeVar

import gradio as gr
from anyio import CapacityLimiter, to_thread

from resnet.errors import OptionError
from resnet.maps.observation import Observation
from resnet.network.batching import MOST_TOGETHER
from resnet.service.explorer import Explorer, Shown, Source
from resnet.ui.api.results import refused
from resnet.ui.handlers import faults_counted
from resnet.ui.uploads import photo_path

MOST_LONG = 2
"""Requests of many passes that are answered at a time; between their passes others get their turn."""

MOST_WAITING = 200
"""Requests that may wait; more are refused."""

Stage = Literal["C1", "C2", "C3", "C4", "C5"]
Framing = Literal["crop", "whole"]
Colormap = Literal["turbo", "viridis", "magma", "inferno", "cividis", "gray"]
Answer = TypeVar("Answer")


class Base:
    """Asks the explorer for programs and language models."""

    def __init__(self, explorer: Explorer, *, fetch: bool) -> None:
        """Remember what to ask, and whether addresses of photos are fetched."""
        self._explorer = explorer
        self._fetch = fetch
        # They do not go through Gradio's queue, whose waiting calls would hold all of its threads.
        self._short, self._long = CapacityLimiter(MOST_TOGETHER), CapacityLimiter(MOST_LONG)

    async def _answer(self, work: Callable[[], Answer], limiter: CapacityLimiter | None = None) -> Answer:
        """Run `work` in a thread, when it is its turn.

        Raises:
            gr.Error: What the caller can fix.
        """
        limiter = limiter or self._short
        with faults_counted(refused):
            waiting = limiter.statistics().tasks_waiting
            if waiting >= MOST_WAITING:
                raise OptionError("The server is busy: {} requests are waiting. Please try again later.", waiting)
            return await to_thread.run_sync(work, limiter=limiter)

    def _observe(self, photo: gr.FileData | None, framing: str, weights: str) -> tuple[Shown, Observation]:
        path = photo_path(photo)
        if path is None:
            raise OptionError("A photo is needed; received none.")
        return self._explorer.observe(Source(path, framing, weights))

    @staticmethod
    def _class(observation: Observation, name: Any) -> int:
        wanted = str(name or "").strip()
        return observation.manifest.class_named(wanted) if wanted else observation.likeliest_indices(1)[0]
