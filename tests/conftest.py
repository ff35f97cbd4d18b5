"""What the tests share: no network, throw-away folders, the big network once, and no silent skip."""

from __future__ import annotations

import atexit
import contextlib
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

_SCRATCH = Path(tempfile.mkdtemp(prefix="resnet-tests-"))
atexit.register(shutil.rmtree, _SCRATCH, ignore_errors=True)
os.environ.update(
    RESNET_WEIGHTS="bundled",
    RESNET_PRECISION="float32",  # else results would depend on the processor
    KERAS_HOME=str(_SCRATCH / "keras"),
    GRADIO_TEMP_DIR=str(_SCRATCH / "gradio"),
    GRADIO_ANALYTICS_ENABLED="False",
    GRADIO_ANALYTICS_CACHE_FREQUENCY=str(10**9),  # as app.py sets it
    HF_HUB_OFFLINE="1",
    NO_PROXY="localhost,127.0.0.1",
    no_proxy="localhost,127.0.0.1",
    CUDA_VISIBLE_DEVICES="-1",
    # TensorFlow turns it on where the processor has AVX512-VNNI; there the eager gradient of a convolution of
    # the tiny test network aborts the process (TensorFlow 2.21), and results would depend on the processor.
    TF_ENABLE_ONEDNN_OPTS="0",
    # Tests run side by side: threads that wait for each other would only take the others' time.
    OPENBLAS_NUM_THREADS="1",
    TF_NUM_INTRAOP_THREADS="1",
)

import certifi
import httpx
import numpy as np
import pytest
from PIL import Image

from resnet.photo.preprocess import InputSpec
from tests.spaces import free_port

# Every client of HTTP reads the file of certificates anew, and no test has a connection that needs one of them.
_CERTIFICATE = Path(certifi.where()).read_text("utf-8").partition("-----END CERTIFICATE-----")
(_SCRATCH / "certificate.pem").write_text("".join(_CERTIFICATE[:2]), "utf-8")
os.environ["SSL_CERT_FILE"] = str(_SCRATCH / "certificate.pem")

LOCAL = ("127.", "::1", "localhost", "0.0.0.0")


@pytest.fixture(scope="session", autouse=True)
def no_network():
    """Refuse every connection that would leave this machine."""

    def guarded(connect):
        def only_local(self, address):
            if isinstance(address, tuple) and not str(address[0]).startswith(LOCAL):
                raise OSError(101, f"the tests have no network: {address[0]}")
            return connect(self, address)

        return only_local

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(socket.socket, "connect", guarded(socket.socket.connect))
        patch.setattr(socket.socket, "connect_ex", guarded(socket.socket.connect_ex))
        yield


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Where RESNET_NO_SKIPS is set, a test that skips has failed."""
    report = (yield).get_result()
    if report.skipped and not hasattr(report, "wasxfail") and os.environ.get("RESNET_NO_SKIPS"):
        report.outcome = "failed"
        report.longrepr = f"skipped, and RESNET_NO_SKIPS is set: {report.longrepr}"


@pytest.fixture(scope="session")
def engine():
    """The bundled network, loaded once."""
    from resnet.network.sources import load_bundled

    return load_bundled()


@pytest.fixture
def loaded(engine, monkeypatch):
    """The session's network instead of a new one for each command."""
    from resnet.cli import arguments

    monkeypatch.setattr(arguments, "load_engine", lambda choice: engine)


@pytest.fixture
def bundled_spec():
    return InputSpec(size=128, detail=64)


@pytest.fixture
def make_photo(tmp_path):
    """Write a photo of noise and return its path."""

    def make(name="photo.png", size=(90, 60), seed=0, **options):
        noise = np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), np.uint8)
        path = tmp_path / name
        Image.fromarray(noise).save(path, **options)
        return path

    return make


@contextlib.contextmanager
def serve(load, fetch=False):
    """The page on a free port, with `load` in place of loading the bundled weights; gives its address."""
    from resnet.network import sources
    from resnet.service.explorer import Explorer
    from resnet.service.provider import EngineProvider
    from resnet.ui.layout import build_demo, launch_options

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sources, "load_bundled", load)
        provider = EngineProvider("bundled")
        provider.start()
        explorer = Explorer(provider)
        demo = build_demo(explorer, fetch=fetch)
        options = launch_options(explorer, threading.Event(), "127.0.0.1", fetch=fetch)
        _, url, _ = demo.launch(server_port=free_port(), prevent_thread_lock=True, quiet=True, **options)
        try:
            yield url
        finally:
            demo.close()


@contextlib.contextmanager
def running_app(folder, *arguments):
    """`app.py` in a process of its own, with a folder for its files; gives the process and its address once ready."""
    port = free_port()
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(folder), "TMPDIR": str(folder)}
    environment |= {"HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"}  # leads to nothing
    process = subprocess.Popen(
        [sys.executable, "app.py", "--weights", "bundled", "--port", str(port), *map(str, arguments)],
        cwd=Path(__file__).resolve().parent.parent,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        for _ in range(600):
            try:
                if httpx.get(f"http://127.0.0.1:{port}/readyz").status_code == 200:
                    break
            except httpx.TransportError:
                pass
            assert process.poll() is None
            time.sleep(0.2)
        yield process, f"http://127.0.0.1:{port}/"
    finally:
        process.kill()
        process.wait()


@pytest.fixture(scope="session")
def server(engine):
    """The page with the session's network."""
    with serve(lambda: engine) as url:
        yield url
    engine.prepare()  # waits for the server's own preparation, during which TensorFlow cannot end
