"""Serving the page until it is told to stop, and an end that lets running answers out."""

from __future__ import annotations

import contextlib
import io
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from types import FrameType

import gradio as gr

from resnet.service.explorer import Explorer
from resnet.service.provider import EngineProvider
from resnet.service.temporary import remove_old
from resnet.ui.hosts import is_loopback
from resnet.ui.layout import build_demo, launch_options

LOOK_EVERY = 15.0
"""Seconds between two looks at the temporary folder."""

LAST_ANSWERS = 60.0
"""Seconds that running answers may still take when the server is told to stop: the longest, the curves of a hidden
photo, take 136 passes, and a busy machine half a minute for them."""


def serve(
    provider: EngineProvider,
    folder: Path,
    host: str | None = None,
    port: int | None = None,
    names: Sequence[str] = (),
    *,
    fetch: bool = False,
    camera: bool = False,
) -> None:
    """Serve the page until the process is told to stop by Ctrl-C or SIGTERM; a second time ends at once.

    Args:
        provider: Weights, which are loaded as soon as the page answers.
        folder: Folder of `temporary_folder`, which is kept small.
        host: Address to listen on; None for Gradio's default.
        port: None for Gradio's default.
        names: Further names under which the page is reached.
        fetch: Whether addresses of photos are fetched even if others reach the page.
        camera: Whether there is a tab for the live camera even if others reach the page.

    Raises:
        OSError: The port is taken.
    """
    stop, stopping = threading.Event(), threading.Event()

    def on_signal(number: int, _: FrameType | None) -> None:
        if stop.is_set():
            sys.exit(128 + number)
        stop.set()

    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, on_signal)
    explorer = Explorer(provider)
    local = is_loopback(host) and not names
    fetch, camera = fetch or local, camera or local
    demo = build_demo(explorer, fetch=fetch, local=local, camera=camera)
    options = launch_options(explorer, stopping, host, names, fetch=fetch, camera=camera)
    with contextlib.redirect_stdout(io.StringIO()):  # Gradio's greeting, which offers a tunnel that the page lacks
        _, address, _ = demo.launch(server_port=port, prevent_thread_lock=True, **options)
    if demo.mcp_error:
        print(demo.mcp_error, file=sys.stderr)  # noqa: T201
    print(f"The page is at {address}, for language models at {address}gradio_api/mcp/. Ctrl-C ends it.", flush=True)  # noqa: T201
    provider.start()
    while not stop.wait(LOOK_EVERY):
        remove_old(folder)
    print("Stopping: running answers are finished first. Ctrl-C again ends at once.", flush=True)  # noqa: T201
    finish(demo, provider, stopping)


def finish(demo: gr.Blocks, provider: EngineProvider, stopping: threading.Event, seconds: float = LAST_ANSWERS) -> None:
    """Take no new requests, let running and queued answers end, and close the page.

    Args:
        demo: Page that is served.
        provider: Its weights.
        stopping: Event that was given to `launch_options`.
        seconds: How long to wait for answers.
    """
    stopping.set()
    server = demo.server
    server.should_exit = True
    server.thread.join(seconds)
    server.force_exit = True
    demo.close(verbose=False)
    provider.finish(seconds)  # TensorFlow aborts the process if it ends while another thread still compiles
