"""Every endpoint in the server's own schema, with values that nobody should send."""

import json

import httpx
import pytest

from resnet.network.labels import ASSETS

REMOTE = {"path": "http://127.0.0.1:1/", "meta": {"_type": "gradio.FileData"}}
LOCAL = {"path": "/etc/passwd", "meta": {"_type": "gradio.FileData"}}
HOSTILE = [
    None, True, -1, 0, 10**30, -(10**30), 1e308, 0.5, "", "x" * 100_000, "\0", "<script>alert(1)</script>",
    "../../etc/passwd", "{}", "{0.__class__}", "%s%n", "' OR 1=1 --", "NaN", [], [[[]]], [1] * 1000, {},
    {"a": {"b": []}}, {"path": "/etc/passwd"}, LOCAL, REMOTE, {"__type__": "update", "value": 1},
    {"is_file": True, "name": "/etc/passwd"},
]  # fmt: skip


@pytest.fixture(scope="module")
def web(server):
    with httpx.Client(base_url=server, timeout=120) as client:
        yield client


@pytest.fixture(scope="module")
def photo(web):
    path = ASSETS / "examples" / "espresso.jpg"
    stored = web.post("gradio_api/upload", files={"files": ("espresso.jpg", path.read_bytes())}).json()[0]
    return {"path": stored, "meta": {"_type": "gradio.FileData"}}


def ask(web, endpoint, values):
    body = json.dumps({"data": values}).encode()
    started = web.post(f"gradio_api/call{endpoint}", content=body, headers={"Content-Type": "application/json"})
    if started.status_code == 403:  # a file that nobody has uploaded, or an address
        return f"event: error\ndata: {started.text}\n"
    assert started.status_code == 200, started.text[:300]
    return web.get(f"gradio_api/call{endpoint}/{started.json()['event_id']}").text


@pytest.mark.slow
def test_no_endpoint_ends_in_silence_or_a_traceback(web, photo, capfd):
    endpoints = web.get("gradio_api/info").json()["named_endpoints"]
    assert len(endpoints) == 12
    tried = 0
    for endpoint, described in endpoints.items():
        usual = [parameter["parameter_default"] for parameter in described["parameters"]]
        usual[0] = [photo] if endpoint == "/batch" else photo
        for place in range(len(usual)):
            # Not all with all, which would take minutes: each parameter meets another sixth of the values.
            for value in HOSTILE[(place + tried) % 6 :: 6]:
                answer = ask(web, endpoint, [*usual[:place], value, *usual[place + 1 :]])
                kind, _, data = answer.strip().rpartition("data: ")
                where = f"{endpoint}, parameter {place}, {str(value)[:60]}: {answer[:300]}"
                assert kind.rstrip().endswith(("event: complete", "event: error")), where
                assert json.loads(data), where
                assert "root:" not in data, where
                assert "event: complete" in kind or len(data) < 1000, where
                tried += 1
    assert tried > 200
    output = capfd.readouterr()
    assert "Traceback" not in output.err + output.out


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999"])
def test_numbers_that_are_none_are_named(web, photo, value):
    body = json.dumps({"data": [photo, "HERE", "crop", "server"]}).replace('"HERE"', value).encode()
    started = web.post("gradio_api/call/classify", content=body, headers={"Content-Type": "application/json"})
    if started.status_code == 200:
        answer = web.get(f"gradio_api/call/classify/{started.json()['event_id']}").text
        assert "number of classes must be" in answer
    else:
        assert started.status_code == 422


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[]", b'{"data": 5}', b'{"data": {"a": 1}}', b"\xff\xfe", b'{"data":' + b"[" * 5000],
    ids=range(7),
)
def test_what_is_no_request_is_refused(web, capfd, body):
    answer = web.post("gradio_api/call/classify", content=body, headers={"Content-Type": "application/json"})
    assert 400 <= answer.status_code < 500
    assert "Traceback" not in answer.text + capfd.readouterr().err


def test_an_endpoint_that_is_none_is_refused(web, capfd):
    assert web.post("gradio_api/call/nothing", json={"data": []}).status_code == 404
    assert "Traceback" not in capfd.readouterr().err
