"""The tree as a Hugging Face Space: its environment, its proxy, and the Hub's page around it.

`make space` starts all three, and says how to look at them; `tests/browser/test_space.py` uses the page.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import httpx
import trustme
import uvicorn
from starlette.applications import Starlette
from starlette.responses import HTMLResponse, StreamingResponse
from starlette.routing import Route

ROOT = Path(__file__).parent.parent
HUB, SPACE = "huggingface.co", "someone-resnet.hf.space"
ADDRESS = f"https://{HUB}/spaces/someone/resnet"
AROUND = f'<!doctype html><title>Hub</title><iframe src="https://{SPACE}/?__theme=light" width="1200" height="800">'
METHODS = ["GET", "HEAD", "POST"]
OF_ONE_CONNECTION = {"connection", "host", "keep-alive", "transfer-encoding"}


def environment(port, **further):
    """The variables that Hugging Face sets, without a home that can be written to."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": "/dev/null/home",
        "SYSTEM": "spaces",
        "SPACE_ID": "someone/resnet",
        "SPACE_HOST": SPACE,
        "SPACE_AUTHOR_NAME": "someone",
        "SPACE_REPO_NAME": "resnet",
        "GRADIO_SERVER_NAME": "0.0.0.0",
        "GRADIO_SERVER_PORT": str(port),
        "PYTHONUNBUFFERED": "1",
        "CUDA_VISIBLE_DEVICES": "-1",
        **further,
    }


def free_port():
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextlib.contextmanager
def app(python, **further):
    """Start app.py as a Space; gives its address on this machine once the weights are ready, and what it prints."""
    port = free_port()
    with tempfile.TemporaryFile("w+") as printed:
        process = subprocess.Popen(
            [python, "app.py"], cwd=ROOT, env=environment(port, **further), stdout=printed, stderr=subprocess.STDOUT
        )
        try:
            address, end = f"http://127.0.0.1:{port}", time.monotonic() + 180
            while not is_ready(address):
                if process.poll() is not None or time.monotonic() > end:
                    printed.seek(0)
                    raise RuntimeError(f"The Space did not start:\n{printed.read()}")
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.3)

            def said():
                printed.seek(0)
                return printed.read()

            yield address, said
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(60)


def is_ready(address):
    """Whether the app answers photos."""
    with contextlib.suppress(httpx.TransportError):
        return httpx.get(f"{address}/readyz", timeout=5).status_code == 200
    return False


@contextlib.contextmanager
def hub(target):
    """Serve the Hub's page, and the app by the Space's name, over TLS; gives the port."""
    client = httpx.AsyncClient(base_url=target, timeout=None)

    async def forward(request):
        if request.url.hostname == HUB:
            return HTMLResponse(AROUND)
        kept = {name: value for name, value in request.headers.items() if name not in OF_ONE_CONNECTION}
        told = {**kept, "host": SPACE, "x-forwarded-host": SPACE, "x-forwarded-proto": "https"}
        path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
        asked = client.build_request(request.method, path, headers=told, content=request.stream())
        answer = await client.send(asked, stream=True)
        given = {name: value for name, value in answer.headers.items() if name not in OF_ONE_CONNECTION}

        async def body():
            try:
                async for part in answer.aiter_raw():
                    yield part
            finally:
                await answer.aclose()

        return StreamingResponse(body(), answer.status_code, given)

    with trustme.CA().issue_cert(HUB, SPACE).private_key_and_cert_chain_pem.tempfile() as certificate:
        port = free_port()
        proxy = Starlette(routes=[Route("/{path:path}", forward, methods=METHODS)])
        server = uvicorn.Server(
            uvicorn.Config(proxy, port=port, ssl_certfile=certificate, log_level="warning", timeout_graceful_shutdown=1)
        )
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            yield port
        finally:
            server.should_exit = True
            thread.join()


def browser_arguments(port):
    """What lets Chromium find the Hub and the Space on this machine."""
    return [f"--host-resolver-rules=MAP * 127.0.0.1:{port}", "--ignore-certificate-errors"]


def main(python):
    """Serve until Ctrl-C."""
    weights = {name: value for name, value in os.environ.items() if name == "RESNET_WEIGHTS"}
    with app(python, **weights) as (address, said), hub(address) as port:
        print(said())
        print(f"As a Space; look at it with\nchromium {' '.join(map(repr, browser_arguments(port)))} {ADDRESS}")
        with contextlib.suppress(KeyboardInterrupt):
            threading.Event().wait()


if __name__ == "__main__":
    main(*sys.argv[1:])
