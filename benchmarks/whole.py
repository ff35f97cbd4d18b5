"""The whole request: a 12-megapixel JPEG into the running server, the page's pictures out; and its start.

    python -m benchmarks.whole [--rounds N] [--json]

The server runs in a process of its own, as `python app.py`. Its own `/metrics` say how long each phase
took; what they leave of a request's time is transport: HTTP, Gradio's queue, and writing files.
"""

from __future__ import annotations

import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from PIL import Image

from benchmarks.served import first_choice, numbers, page_events, start_server
from benchmarks.tables import Tables, main
from resnet.network.labels import ASSETS

VIEW = ("C5", "mean", 0)
"""The enlarged stage, and which map of each stage."""
PHASES = ("decode", "prepare", "wait", "forward", "maps", "overlay", "encode")


@contextmanager
def server(folder: Path) -> Iterator[tuple[httpx.Client, dict[str, float]]]:
    """The page with the bundled weights; gives a client and the milliseconds that its start took."""
    started = time.perf_counter()
    process, url = start_server(folder, Path(os.devnull))
    took = {}
    with httpx.Client(base_url=url, timeout=120) as client:
        for name, path in (("page answers", "/"), ("weights ready", "/readyz")):
            while True:
                try:
                    if client.get(path).status_code == 200:
                        break
                except httpx.TransportError:
                    pass
                if process.poll() is not None:
                    raise SystemExit("The server ended.")
                time.sleep(0.01)
            took[name] = (time.perf_counter() - started) * 1000
        try:
            yield client, took
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def importing(module: str) -> float:
    """Milliseconds that a new Python takes to import a module."""
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", f"import {module}"], check=True, stderr=subprocess.DEVNULL)
    return (time.perf_counter() - start) * 1000


def start(folder: Path, rounds: int) -> dict[str, float]:
    """Cold start beside what the libraries alone take, in turn."""
    rows: dict[str, list[float]] = {}
    for _ in range(rounds):
        for module in ("gradio", "tensorflow"):
            rows.setdefault(f"import {module}, alone", []).append(importing(module))
        with server(folder) as (_, took):
            rows.setdefault("app.py, until the page answers", []).append(took["page answers"])
            rows.setdefault("from there until the weights are ready", []).append(
                took["weights ready"] - took["page answers"]
            )
    return {name: statistics.median(values) for name, values in rows.items()}


def spent(client: httpx.Client) -> dict[str, float]:
    """Milliseconds that the server has spent in each phase."""
    found = numbers(client.get("/metrics").text)
    return {phase: found[f"resnet_phase_seconds_sum {phase}"] * 1000 for phase in PHASES}


class Visit:
    """The page's own requests, in a session."""

    def __init__(self, client: httpx.Client, session: str = "benchmark") -> None:
        """Learn which events the photo and the maps have."""
        self._client = client
        self._session = session
        config = client.get("/config").json()
        self._events, self._choice, self._held = page_events(config), first_choice(config), ""

    def upload(self, content: bytes) -> dict[str, Any]:
        """Store a photo."""
        answer = self._client.post("/gradio_api/upload", files={"files": ("photo.jpg", content)})
        return {"path": answer.json()[0], "meta": {"_type": "gradio.FileData"}}

    def event(self, name: str, *values: Any) -> Any:
        """Return the result of one event."""
        body = {"data": [*values, None], "fn_index": self._events[name], "session_hash": self._session}
        self._client.post("/gradio_api/queue/join", json=body)
        with self._client.stream("GET", f"/gradio_api/queue/data?session_hash={self._session}") as stream:
            for line in stream.iter_lines():
                if line.startswith("data: "):
                    message = json.loads(line[6:])
                    if message["msg"] == "process_completed":
                        return message["output"]["data"]
        raise SystemExit("The page did not answer.")

    def whole(self, content: bytes) -> None:
        """Upload, classes, five maps and the enlarged one."""
        photo = self.upload(content)
        message, self._held = self.event("explain", photo, "crop", self._choice)
        if "forward pass" not in message:
            raise SystemExit(f"The photo was not answered: {message}")
        self._check(self.event("answer", 5, self._held, *VIEW, "each", "turbo", 55, True, 0)[1])

    def look(self, colormap: str) -> None:
        """Another view of the answer."""
        self._check(self.event("show", self._held, *VIEW, "each", colormap, 55, True, 0, "", 4, "", "", None)[0])

    @staticmethod
    def _check(strip: str) -> None:
        if strip.count("data:image/jpeg") < 5:
            raise SystemExit("The maps did not come.")


def request(client: httpx.Client, rounds: int) -> dict[str, float]:
    """A new 12-megapixel photo each time, and a change of its view."""
    visit = Visit(client)
    with Image.open(ASSETS / "examples" / "raccoon.jpg") as photo:
        pixels = np.asarray(photo.resize((4000, 3000), Image.Resampling.BICUBIC)).copy()
    rows: dict[str, list[float]] = {}
    for number in range(rounds + 2):
        pixels[0, 0] = number  # another photo, so that no answer is remembered
        path = Path(tempfile.gettempdir()) / f"benchmark-{os.getpid()}.jpg"
        Image.fromarray(pixels).save(path, quality=90)
        content = path.read_bytes() + bytes([number])
        path.unlink()
        before = spent(client)
        started = time.perf_counter()
        visit.whole(content)
        took = (time.perf_counter() - started) * 1000
        after = spent(client)
        begun = time.perf_counter()
        visit.look(("magma", "turbo")[number % 2])
        view = (time.perf_counter() - begun) * 1000
        if number < 2:
            continue
        phases = {name: after[name] - before[name] for name in PHASES}
        rows.setdefault("forward", []).append(phases["forward"])
        rows.setdefault("whole request", []).append(took)
        for name in PHASES:
            if name != "forward":
                rows.setdefault(name, []).append(phases[name])
        rows.setdefault("transport", []).append(took - sum(phases.values()))
        rows.setdefault("another view, whole request", []).append(view)
    return {name: statistics.median(values) for name, values in rows.items()}


def measure(rounds: int) -> Tables:
    """All tables of this module."""
    with tempfile.TemporaryDirectory() as folder:
        with server(Path(folder)) as (client, _):
            time.sleep(8)  # the tabs' passes are still being compiled
            answered = request(client, rounds)
        return {
            "page over HTTP, 12-megapixel JPEG, bundled weights, ms": answered,
            "cold start, ms": start(Path(folder), max(1, rounds // 4)),
        }


if __name__ == "__main__":
    main(__doc__, measure)
