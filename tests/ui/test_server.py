"""The server around the page: health, metrics, headers, who may ask, and how it ends."""

import contextlib
import errno
import gzip
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from gradio_client import Client, handle_file
from gradio_client.exceptions import AppError
from prometheus_client.parser import text_string_to_metric_families

from resnet.network.labels import ASSETS
from tests.conftest import running_app, serve

ROOT = Path(__file__).resolve().parents[2]
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
        assert answer.json() == {"status": "ready", "weights": "tiny-imagenet-200", "precision": "float32"}
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
    asked = httpx.post(f"{server}gradio_api/call/{endpoint}", json={"data": values})
    if asked.status_code != 200:
        return f"event: error\n{asked.json()['detail']}"
    event = asked.json()["event_id"]
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


def test_a_full_disk_while_writing_an_export_is_said(server, monkeypatch):
    def full(*_):
        raise OSError(errno.ENOSPC, "No space left on device")

    stored = {"path": upload(server, "photo.jpg", ESPRESSO.read_bytes()), "meta": {"_type": "gradio.FileData"}}
    with monkeypatch.context() as patch:
        patch.setattr("resnet.ui.api.endpoints.store_file", full)
        answer = call(server, "batch", [[stored], 1, "crop", "server", False, False])
    assert "cannot store files now: No space left on device" in answer
    assert "event: complete" in call(server, "batch", [[stored], 1, "crop", "server", False, False])


def test_a_photo_that_is_too_large_is_refused_and_the_next_one_is_answered(server):
    answer = httpx.post(f"{server}gradio_api/upload", files={"files": ("large.jpg", bytes(22_000_000))}, timeout=60)
    assert answer.status_code == 413
    assert "exceeded maximum allowed size" in answer.text
    stored = {"path": upload(server, "photo.jpg", ESPRESSO.read_bytes()), "meta": {"_type": "gradio.FileData"}}
    assert "espresso" in call(server, "classify", [stored, 1, "crop", "server"])


def page_event(config, target, inputs=3):
    """Number of the English page's event of a component by element id, with so many inputs besides its own number."""
    identifier = next(one["id"] for one in config["components"] if one["props"].get("elem_id") == target)
    events = [
        one
        for one in config["dependencies"]
        if {(identifier, "change"), (identifier, "input")} & set(map(tuple, one["targets"]))
    ]
    return next(one["id"] for one in events if len(one["inputs"]) == inputs + 1)


def begun(config, target, place):
    """What an input of such an event says when the page has been opened."""
    event = next(one for one in config["dependencies"] if one["id"] == page_event(config, target))
    return next(one["props"]["value"] for one in config["components"] if one["id"] == event["inputs"][place])


def test_who_finds_the_queue_full_is_told_so_and_nobody_who_waits_is_lost(engine, monkeypatch):
    monkeypatch.setattr("resnet.ui.layout.QUEUE_SIZE", 16)
    ready = threading.Event()

    def load():
        ready.wait(60)
        return engine

    with serve(load) as address, httpx.Client(base_url=address, timeout=60) as client:
        stored = {"path": upload(address, "photo.jpg", ESPRESSO.read_bytes()), "meta": {"_type": "gradio.FileData"}}
        config = client.get("config").json()
        body = {"data": [stored, "crop", begun(config, "photo", 2), None], "fn_index": page_event(config, "photo")}
        answers = []
        while not answers or (answers[-1].status_code == 200 and len(answers) < 100):
            visitor = {**body, "session_hash": f"visitor{len(answers)}"}
            answers.append(client.post("gradio_api/queue/join", json=visitor))
        assert (answers[-1].status_code, len(answers) >= 16) == (503, True)
        assert "Queue is full" in answers[-1].json()["detail"]
        ready.set()
        for number in range(len(answers) - 1):
            with client.stream("GET", "gradio_api/queue/data", params={"session_hash": f"visitor{number}"}) as stream:
                assert any("forward pass" in line for line in stream.iter_lines())


def test_a_photo_that_is_gone_takes_its_former_answer_along(server):
    path = upload(server, "photo.jpg", ESPRESSO.read_bytes())
    Path(path).unlink()
    with httpx.Client(base_url=server, timeout=60) as client:
        config = client.get("config").json()
        values = [{"path": path, "meta": {"_type": "gradio.FileData"}}, "crop", begun(config, "photo", 2), None]
        body = {"data": values, "fn_index": page_event(config, "photo"), "session_hash": "gone"}
        assert client.post("gradio_api/queue/join", json=body).status_code == 200
        with client.stream("GET", "gradio_api/queue/data", params={"session_hash": "gone"}) as stream:
            said = next(line for line in stream.iter_lines() if "process_completed" in line)
    assert "photo.jpg cannot be read" in said
    assert " null" in said  # there is no answer to show any more


@pytest.mark.slow
def test_the_queue_goes_on_when_thousands_come_while_somebody_waits(engine):
    """Gradio forgets the session that came first of 2,000, and would fail for all when it tells that one its place."""
    ready = threading.Event()

    def load():
        ready.wait(300)
        return engine

    with serve(load) as address, httpx.Client(base_url=address, timeout=60) as client:
        config = client.get("config").json()
        stored = {"path": upload(address, "photo.jpg", ESPRESSO.read_bytes()), "meta": {"_type": "gradio.FileData"}}
        photo = {"data": [stored, "crop", begun(config, "photo", 2), None], "fn_index": page_event(config, "photo")}
        for number in range(10):  # more than the network takes at a time, so that some of them wait
            client.post("gradio_api/queue/join", json={**photo, "session_hash": f"waiting{number}"})
        view = {"data": ["", 5, None], "fn_index": page_event(config, "top-k", inputs=2)}
        for number in range(2001):
            while client.post("gradio_api/queue/join", json={**view, "session_hash": f"{number}"}).status_code != 200:
                pass
        ready.set()
        client.post("gradio_api/queue/join", json={**photo, "session_hash": "last"})
        with client.stream("GET", "gradio_api/queue/data", params={"session_hash": "last"}) as stream:
            assert any("forward pass" in line for line in stream.iter_lines())


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
    values = [value, 1, "crop", "server", False, False][: 6 if endpoint == "batch" else 4]
    answer = httpx.post(f"{server}gradio_api/call/{endpoint}", json={"data": values})
    assert answer.status_code == 403
    assert "does not fetch addresses" in answer.json()["detail"]


def test_an_address_of_this_machine_is_not_fetched_even_where_addresses_are(engine):
    with serve(lambda: engine, fetch=True) as address:
        for endpoint, value in (
            ("classify", {"path": f"{address}favicon.ico", "meta": {"_type": "gradio.FileData"}}),
            ("batch", [f"{address}favicon.ico"]),
        ):
            values = [value, 1, "crop", "server", False, False][: 6 if endpoint == "batch" else 4]
            assert call(address, endpoint, values).startswith("event: error")


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


@pytest.fixture
def program(tmp_path):
    """`app.py` in a process of its own, ready; gives the process and its address."""
    with running_app(tmp_path) as running:
        yield running
    assert list(tmp_path.iterdir()) == []


@contextlib.contextmanager
def running_curves(address):
    """Begin the longest answer while a page and a language model are there; gives what it will end with."""
    stored = {"path": upload(address, "photo.jpg", ESPRESSO.read_bytes()), "meta": {"_type": "gradio.FileData"}}
    values = [stored, "hirescam", "C5", "", 20, "blur", True, "crop", "server"]
    with httpx.Client(base_url=address, timeout=120) as client, ThreadPoolExecutor(1) as pool:
        for path in ("heartbeat/visitor", "mcp/"):  # both stay open
            request = client.build_request("GET", f"gradio_api/{path}", headers={"Accept": "text/event-stream"})
            client.send(request, stream=True)
        before = samples(address)["resnet_passes_total",]
        running = pool.submit(client.post, "gradio_api/run/hold", json={"data": values})
        while samples(address)["resnet_passes_total",] < before + 2:
            time.sleep(0.02)
        yield running


@pytest.mark.slow
def test_a_server_that_is_told_to_stop_ends_what_it_has_begun_and_leaves_nothing(program):
    process, address = program
    with running_curves(address) as running:
        process.send_signal(signal.SIGTERM)
        refused = False
        while not refused:
            try:
                refused = httpx.post(f"{address}gradio_api/queue/join", json={}).status_code == 503
            except httpx.TransportError:
                refused = True
        assert not running.done()
        assert 0 < running.result().json()["data"][0]["deletion"]["area"] < 1
        assert process.wait(60) == 0


@pytest.mark.slow
def test_a_second_signal_ends_at_once_and_leaves_nothing(program):
    process, address = program
    with running_curves(address) as running:
        process.send_signal(signal.SIGINT)
        time.sleep(0.2)  # two signals at once are one
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 128 + signal.SIGINT
        with pytest.raises(httpx.TransportError):
            running.result()
