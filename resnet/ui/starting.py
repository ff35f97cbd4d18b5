"""Starting to listen on a machine that is slow, or busy with something else.

Gradio waits five seconds for its server, then says that no port is free, and three for its own page, then asks for a
link through a server of its makers. Where TensorFlow's libraries come from a slow disk, in which time nothing else of
the process runs, both may take longer.
"""

from __future__ import annotations

import threading
import time

from gradio import networking
from gradio.exceptions import ServerFailedToStartError
from gradio.http_server import Server


def _start(server: Server) -> None:
    """Wait until a server listens, or has ended because it can't."""
    server.thread = threading.Thread(target=server.run, daemon=True)
    if server.reloader:
        server.watch_thread = threading.Thread(target=server.watch, daemon=True)
        server.watch_thread.start()
    server.thread.start()
    while not server.started:
        if not server.thread.is_alive():
            raise ServerFailedToStartError
        time.sleep(1e-3)


def mend_start() -> None:
    """Before `launch`, which starts the server."""
    Server.run_in_thread = _start  # type: ignore[method-assign]
    networking.url_ok = lambda url: True  # noqa: ARG005 - it listens, and `launch` has had an answer of it just before
