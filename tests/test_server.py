"""The server around the page: health, metrics, headers, who may ask, and how it ends."""

import base64
import errno
import gzip
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from gradio_client.utils import QueueError
from prometheus_client.parser import text_string_to_metric_families

from resnet.labels import ASSETS
from resnet.provider import EngineProvider
from resnet.ui.layout import build_demo
from tests.conftest import free_port, serve

ROOT = Path(__file__).resolve().parent.parent
ESPRESSO = ASSETS / "examples" / "espresso.jpg"


def samples(server):
    text = httpx.get(f"{server}metrics").text
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_a_server_without_weights_is_alive_but_not_ready(engine):
    ready = threading.Event()

    def load():
        ready.wait(60)
        return engine

    with serve(load) as address:
        assert httpx.get(f"{address}healthz").json() == {"status": "alive"}
        answer = httpx.get(f"{address}readyz")
        assert (answer.status_code, answer.json()) == (503, {"status": "loading"})
        assert samples(address)["resnet_ready",] == 0
        ready.set()
        for _ in range(200):
            answer = httpx.get(f"{address}readyz")
            if answer.status_code == 200:
                break
            time.sleep(0.1)
        assert answer.json() == {"status": "ready", "weights": "tiny-imagenet-200", "runtime": "tensorflow"}
        assert samples(address)["resnet_ready",] == 1


def test_metrics_count_photos_phases_errors_and_the_cache(server, tmp_path, make_photo):
    before = samples(server)
    client = Client(server, verbose=False)
    photo = handle_file(str(make_photo(seed=4711)))
    client.predict(photo, api_name="/explain")
    client.predict(photo, api_name="/explain")
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(b"text")
    with pytest.raises(AppError):
        client.predict(handle_file(str(bad)), api_name="/classify")
    with pytest.raises(AppError):
        client.predict(photo, top_k=0, api_name="/classify")
    client.close()
    after = samples(server)

    def grown(*key):
        return after[key] - before.get(key, 0)

    assert grown("resnet_photos_total") == 2
    assert grown("resnet_passes_total") == 1
    assert grown("resnet_pass_images_count") == 1
    assert grown("resnet_errors_total", "ImageError") == 1
    assert grown("resnet_errors_total", "OptionError") == 1
    assert grown("resnet_errors_total", "Defect") == 0
    assert grown("resnet_phase_seconds_count", "decode") == 3
    assert grown("resnet_phase_seconds_count", "forward") == 1
    assert grown("resnet_phase_seconds_count", "overlay") == 10
    assert grown("resnet_cache_requests_total", "hit") == 1
    assert grown("resnet_cache_bytes") > 0
    assert grown("resnet_http_requests_total", "200", "POST") > 3


def test_every_response_tells_browsers_what_not_to_do(server):
    for path in ("/", "/zh", "/healthz", "/gradio_api/info", "/config", "/nowhere"):
        headers = httpx.get(server + path.removeprefix("/")).headers
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Referrer-Policy"] == "same-origin"
        policy = headers["Content-Security-Policy"]
        assert "default-src 'self'" in policy
        assert "frame-ancestors 'self'" in policy
        assert "http" not in policy  # nothing from or to anywhere else


def test_the_page_is_zipped_for_those_who_can_read_it(server):
    for path in ("", "zh", "config"):
        plain = httpx.get(server + path, headers={"Accept-Encoding": "identity"})
        assert "Content-Encoding" not in plain.headers
        with httpx.stream("GET", server + path, headers={"Accept-Encoding": "gzip"}) as zipped:
            sent = b"".join(zipped.iter_raw())
        assert zipped.headers["Content-Encoding"] == "gzip"
        assert zipped.headers["Vary"] == "Accept-Encoding"
        assert len(sent) < len(plain.content) / 3
        assert abs(len(gzip.decompress(sent)) - len(plain.content)) < 100  # both name the request they are for
    photo = upload(server, "photo.png", ESPRESSO.read_bytes())
    answer = httpx.get(f"{server}gradio_api/file={photo}", headers={"Accept-Encoding": "gzip"})
    assert "Content-Encoding" not in answer.headers


def call(server, endpoint, values):
    event = httpx.post(f"{server}gradio_api/call/{endpoint}", json={"data": values}).json()["event_id"]
    return httpx.get(f"{server}gradio_api/call/{endpoint}/{event}", timeout=60).text


def upload(server, name, content):
    return httpx.post(f"{server}gradio_api/upload", files={"files": (name, content)}).json()[0]


@pytest.mark.parametrize("name", ["page.html", "drawing.svg", "photo.jpg"])
def test_a_visitors_file_never_runs_as_a_page(server, name):
    content = b"<html><svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg></html>"
    answer = httpx.get(f"{server}gradio_api/file={upload(server, name, content)}")
    assert answer.content == content
    assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


def test_the_running_page_refuses_other_sites(server):
    assert httpx.get(server, headers={"Origin": "https://evil.example"}).status_code == 403
    assert httpx.get(server, headers={"Host": "evil.example"}).status_code == 403


def test_a_visitor_who_leaves_while_waiting_stops_nobody_else(engine):
    demo = build_demo(EngineProvider.serving(engine))
    gone = SimpleNamespace(alive=True, session_hash="gone", _id="1")
    demo._queue.send_message(gone, SimpleNamespace(event_id=None))  # ended the server's queue with a KeyError


def test_a_full_disk_while_writing_an_export_is_said(server, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    stored = {"path": upload(server, "photo.jpg", ESPRESSO.read_bytes()), "meta": {"_type": "gradio.FileData"}}
    with monkeypatch.context() as patch:
        patch.setattr("resnet.ui.api.endpoints.save_file_to_cache", full)
        answer = call(server, "batch", [[stored], 1, "crop", "server", False, False])
    assert "cannot store files now: No space left on device" in answer
    assert "event: complete" in call(server, "batch", [[stored], 1, "crop", "server", False, False])


def test_a_photo_that_is_too_large_is_named_and_those_beside_it_are_answered(server):
    names = ("large.jpg", bytes(22_000_000)), ("photo.jpg", ESPRESSO.read_bytes())
    photos = httpx.post(f"{server}gradio_api/upload", files=[("files", one) for one in names], timeout=60).json()
    stored = [{"path": path, "meta": {"_type": "gradio.FileData"}} for path in photos]
    answer = call(server, "batch", [stored, 1, "crop", "server", False, False])
    assert "large.jpg has 22.0 MB; a photo may have at most 20 MB." in answer
    assert "espresso" in answer


def test_who_finds_the_queue_full_is_told_when_to_come_back(engine):
    ready = threading.Event()

    def load():
        ready.wait(60)
        return engine

    with serve(load) as address:
        stored = {"path": upload(address, "photo.jpg", ESPRESSO.read_bytes()), "meta": {"_type": "gradio.FileData"}}
        events, refused = [], None
        with httpx.Client(base_url=address, timeout=60) as client:
            while refused is None and len(events) < 200:
                answer = client.post("gradio_api/call/classify", json={"data": [stored, 1, "crop", "server"]})
                if answer.status_code == 200:
                    events.append(answer.json()["event_id"])
                else:
                    refused = answer
            assert refused.status_code == 503  # the one that Gradio's client knows
            assert "64 requests wait already, the most that may. Please try again in about" in refused.json()["detail"]
            assert int(refused.headers["Retry-After"]) >= 1
            with pytest.raises(QueueError):
                Client(address, verbose=False).predict(handle_file(str(ESPRESSO)), api_name="/classify")
            body = {"data": [None, "crop", None], "session_hash": "visitor"}
            dependencies = client.get("config").json()["dependencies"]
            begun = [one for one in dependencies if one["api_visibility"] == "private" and one["queue"]]
            first, later = (
                next(one for one in begun if bool(one["trigger_after"]) is after) for after in (False, True)
            )
            refused = client.post("gradio_api/queue/join", json={**body, "fn_index": first["id"]})
            assert refused.status_code == 429  # of which Gradio's page shows the sentence
            # A later step of an answer that has begun.
            assert client.post("gradio_api/queue/join", json={**body, "fn_index": later["id"]}).status_code == 200
            ready.set()
            for event in events:  # nobody who waited is lost
                assert "espresso" in client.get(f"gradio_api/call/classify/{event}").text
    assert len(events) >= 64


def test_requests_that_wait_take_so_much_memory_at_most(engine, monkeypatch):
    ready = threading.Event()
    monkeypatch.setattr("resnet.ui.server.WAITING_BYTES", 1_000_000)
    photo = "data:image/jpeg;base64," + base64.b64encode(ESPRESSO.read_bytes() + bytes(300_000)).decode()

    def load():
        ready.wait(60)
        return engine

    with serve(load) as address, httpx.Client(base_url=address, timeout=60) as client:
        large, small = (
            {"data": [{"path": None, "url": url, "meta": {"_type": "gradio.FileData"}}, 1, "crop", "server"]}
            for url in (photo, "data:image/jpeg;base64,")
        )
        answers = []
        while not answers or (answers[-1].status_code == 200 and len(answers) < 30):
            answers.append(client.post("gradio_api/call/classify", json=large))
            time.sleep(0.1)  # until those that are at work no longer wait
        assert answers[-1].status_code == 503
        assert int(answers[-1].headers["Retry-After"]) >= 1
        assert client.post("gradio_api/call/classify", json=small).status_code == 200
        ready.set()
        for answer in answers[:-1]:
            assert "espresso" in client.get(f"gradio_api/call/classify/{answer.json()['event_id']}").text
        assert client.post("gradio_api/call/classify", json=large).status_code == 200


@pytest.mark.parametrize(
    ("endpoint", "value"),
    [
        ("classify", {"path": "http://127.0.0.1:1/x.jpg", "meta": {"_type": "gradio.FileData"}}),
        ("classify", {"path": "https://example.com/x.jpg", "meta": {"_type": "gradio.FileData"}}),
        ("batch", ["https://example.com/x.jpg"]),
        ("batch", [{"path": "https://example.com/x.jpg", "meta": {"_type": "gradio.FileData"}}]),
    ],
)
def test_addresses_are_not_fetched(server, endpoint, value):
    answer = call(server, endpoint, [value, 1, "crop", "server", False, False][: 6 if endpoint == "batch" else 4])
    assert "does not fetch addresses" in answer


@pytest.mark.parametrize("values", [[], [None], [None] * 100], ids=len)
def test_too_few_or_too_many_values_get_a_sentence(server, values):
    assert f"takes 4 values; received {len(values)}" in call(server, "classify", values)


@pytest.mark.parametrize(
    "photo",
    [
        17,
        "x",
        [],
        ["a"],
        {},
        {"path": 5},
        {"path": {"path": "x"}},
        {"path": "x", "meta": {}},
        {"path": "x", "meta": None},
        {"path": "x", "meta": 5},
        {"url": "data:,"},
    ],
    ids=str,
)
def test_a_photo_that_is_none_gets_a_sentence(server, capfd, photo):
    answer = call(server, "classify", [photo, 1, "crop", "server"])
    assert "event: error" in answer
    assert "null" not in answer
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    "path",
    [
        "/gradio_api/file=/etc/passwd",
        "/gradio_api/file=../../../../etc/passwd",
        "/gradio_api/file=%2e%2e%2f%2e%2e%2fetc/passwd",
        f"/gradio_api/file={ROOT}/app.py",
        f"/gradio_api/file={ROOT}/assets/weights/manifest.json",
        "/static/../../../../etc/passwd",
        "/gradio_api/static/%2e%2e/%2e%2e/%2e%2e/app.py",
        "/assets/%2e%2e/%2e%2e/app.py",
        "/gradio_api/proxy=http://127.0.0.1:1/",
        "/gradio_api/stream/x/y/z/../../../../etc/passwd",
    ],
)
def test_no_file_or_address_of_the_server_can_be_read(server, path):
    answer = httpx.get(server + path.removeprefix("/"))
    assert answer.status_code in (400, 403, 404, 405, 422)
    assert "root:" not in answer.text
    assert "Traceback" not in answer.text


@pytest.mark.parametrize("path", ["/etc/passwd", str(ROOT / "app.py"), "/proc/self/environ", "../../etc/passwd"])
def test_no_file_of_the_server_can_be_asked_about(server, path):
    value = {"path": path, "meta": {"_type": "gradio.FileData"}}
    answer = call(server, "classify", [value, 1, "crop", "server"])
    assert "event: error" in answer
    assert "root:" not in answer
    assert "text, not a photo" not in answer  # not even whether it is there


def test_a_symbolic_link_leads_nowhere(server, tmp_path):
    stored = Path(upload(server, "link.jpg", b"x"))
    stored.unlink()
    stored.symlink_to("/etc/passwd")
    answer = httpx.get(f"{server}gradio_api/file={stored}")
    assert answer.status_code in (403, 404)
    assert "root:" not in answer.text


def collections(port):
    """How often Python has looked for garbage."""
    lines = httpx.get(f"http://127.0.0.1:{port}/metrics").text.splitlines()
    return sum(float(line.split()[-1]) for line in lines if line.startswith("python_gc_collections_total"))


@pytest.mark.slow
def test_a_server_that_is_told_to_stop_answers_what_it_has_in_hand_and_leaves_nothing(tmp_path):
    port = free_port()
    environment = {**os.environ, "GRADIO_TEMP_DIR": str(tmp_path), "TMPDIR": str(tmp_path)}
    environment |= {"HTTP_PROXY": "http://127.0.0.1:1", "http_proxy": "http://127.0.0.1:1"}  # leads to nothing
    process = subprocess.Popen(
        [sys.executable, "app.py", "--weights", "bundled", "--port", str(port)],
        cwd=ROOT,
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
        before = collections(port)
        for _ in range(20):
            httpx.get(f"http://127.0.0.1:{port}/config")
        assert collections(port) > before  # none while the page starts
        client = Client(f"http://127.0.0.1:{port}", verbose=False)
        job = client.submit(handle_file(str(ESPRESSO)), curves=True, api_name="/hold")
        while job.status().code.value != "PROCESSING":
            time.sleep(0.05)
        process.send_signal(signal.SIGTERM)
        result, _ = job.result(timeout=120)
        assert 0 < result["deletion"]["area"] < 1
        assert process.wait(120) == 0
    finally:
        process.kill()
    assert list(tmp_path.iterdir()) == []
