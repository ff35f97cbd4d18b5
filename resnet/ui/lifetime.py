"""Serving the page until it is told to stop, and an end that loses no answer in hand."""

from __future__ import annotations

import gc
import logging
import signal
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from resnet.memory import give_back
from resnet.temporary import look
from resnet.ui.layout import launch_options
from resnet.ui.server import GuardedBlocks

LOOK_EVERY = 15.0
"""Seconds between two looks at the temporary folder and at free memory."""

LAST_ANSWERS = 60.0
"""Seconds that answers in hand may still take when the server is told to stop: the longest, the curves of a hidden
photo, take 136 passes, and a busy machine half a minute for them."""

_log = logging.getLogger(__name__)


def serve(
    demo: GuardedBlocks, folder: Path, host: str | None = None, port: int | None = None, names: Sequence[str] = ()
) -> None:
    """Serve the page until the process is told to stop (Ctrl-C or SIGTERM).

    Args:
        demo: The page.
        folder: Of `temporary.temporary_folder`, to be kept small.
        host: Address to listen on; None for Gradio's default.
        port: None for Gradio's default.
        names: Further names under which the page is reached.

    Raises:
        OSError: The port is taken.
    """
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    demo.launch(server_port=port, prevent_thread_lock=True, **launch_options(demo, host, names))
    gc.enable()  # `app.py` starts without
    while not stop.wait(LOOK_EVERY):
        removed = look(folder)
        if removed:
            _log.info("Removed %.0f MB of old temporary files.", removed / 1e6)
        give_back()
    print("Stopping: answers in hand are finished first.", flush=True)  # noqa: T201 - for whoever pressed Ctrl-C
    finish(demo)


def finish(demo: GuardedBlocks, seconds: float = LAST_ANSWERS) -> None:
    """Take no new requests, let those in hand end, and close the page."""
    demo.stopping = True
    queue = demo._queue
    for waiting in queue.event_queue_per_concurrency_id.values():
        waiting.queue.clear()
    ends = time.monotonic() + seconds
    while any(queue.active_jobs) and time.monotonic() < ends:
        time.sleep(0.05)
    time.sleep(0.5)  # until the last answer has left
    demo.close(verbose=False)
    # TensorFlow aborts the process if it ends while another thread still compiles.
    demo.explorer.provider.finish(seconds)
