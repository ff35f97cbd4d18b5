"""What stands before the page: names, sizes, addresses, and sentences for what Gradio leaves as a fault."""

import errno
import json
import select
import socket
import time
from pathlib import Path

import gradio as gr
import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from gradio.routes import App
from gradio.utils import get_upload_folder
from starlette.applications import Starlette
from starlette.formparsers import MultiPartException
from starlette.middleware import Middleware
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.testclient import TestClient

from resnet import temporary
from resnet.errors import OptionError
from resnet.ui import bodies, guard
from resnet.ui.guard import Guard, is_loopback, middleware

PART = b'--x\r\nContent-Disposition: form-data; name="files"; filename="a.png"\r\n\r\n' + bytes(300_000)


def small_app(names, further=()):
    def fail(request):
        raise OSError(errno.ENOSPC, "No space left on device")

    pages = [Route("/", lambda request: PlainTextResponse("page")), Route("/config", fail)]
    app = Starlette(routes=pages, middleware=[Middleware(Guard, names=names, further=further)])
    return TestClient(app, base_url="http://localhost:7860")


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "localhost.evil.example:7860"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost.evil.example"},
        {"Origin": "null"},
        {"Origin": "http://["},
        {"Origin": "http://localhost:3000"},  # another program of this machine
        {"Origin": "https://127.0.0.1"},
        {"Host": "127.0.0.1:9000", "Origin": "http://localhost:9000"},
        {"Origin": "https://demo.example:8443"},
        {"Host": ""},
    ],
    ids=str,
)
def test_other_sites_cannot_use_a_local_page(headers):
    answer = small_app(["localhost", "127.0.0.1", "demo.example"], ["demo.example"]).get("/", headers=headers)
    assert answer.status_code == 403
    assert "--name" in answer.text


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": "http://localhost:7860"},
        {"Host": "127.0.0.1:9000", "Origin": "http://127.0.0.1:9000"},
        {"Host": "LOCALHOST:7860"},
        {"Host": "[0:0:0:0:0:0:0:1]:7860"},
        {"Origin": "https://demo.example"},
        {"Host": "demo.example", "Origin": "https://demo.example"},
    ],
    ids=str,
)
def test_its_own_names_can(headers):
    app = small_app(["localhost", "127.0.0.1", "::1", "demo.example"], ["demo.example"])
    assert app.get("/", headers=headers).text == "page"


def test_only_a_page_for_this_machine_alone_asks_for_names(monkeypatch):
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    assert is_loopback(None)
    assert is_loopback("127.0.0.1")
    assert all(map(is_loopback, ("127.0.0.2", "::1", "[::1]", "LOCALHOST")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.0.2.2", "localhost.example")))
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    assert not is_loopback(None)
    monkeypatch.setenv("GRADIO_SERVER_NAME", "127.0.0.2")
    (local,) = middleware(None, [])
    assert "127.0.0.2" in local.kwargs["names"]
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    (public,) = middleware(None, [])
    assert public.kwargs["names"] is None
    (named,) = middleware("192.0.2.2", ["demo.example"])
    assert {"demo.example", "192.0.2.2"} <= set(named.kwargs["names"])  # Gradio asks its own address at the start


def test_what_another_site_embeds_is_refused_and_what_it_links_to_is_not():
    client = small_app(None)
    embedded = {"Sec-Fetch-Site": "cross-site", "Sec-Fetch-Mode": "no-cors", "Sec-Fetch-Dest": "image"}
    answer = client.get("/", headers=embedded)
    assert (answer.status_code, answer.text) == (403, guard.CROSS_SITE)
    assert client.get("/", headers={**embedded, "Sec-Fetch-Site": "same-origin"}).text == "page"
    assert client.get("/", headers={**embedded, "Sec-Fetch-Site": "none"}).text == "page"
    linked = {**embedded, "Sec-Fetch-Mode": "navigate"}
    assert client.get("/", headers=linked).text == "page"
    for path in ("/readyz", "/metrics", "/gradio_api/info", "/config"):  # which no link leads to
        assert client.get(path, headers=linked).status_code == 403
    assert client.get("/", headers={**embedded, "Sec-Fetch-Site": "same-site"}).status_code == 403  # another port
    assert client.get("/").text == "page"  # a program


def test_strangers_are_told_only_whether_the_server_is_ready(server):
    here = httpx.get(f"{server}readyz")
    assert here.json() == {"status": "ready", "weights": "tiny-imagenet-200", "runtime": "tensorflow"}
    stranger = httpx.get(f"{server}readyz", headers={"Host": "demo.example"})
    assert (stranger.status_code, stranger.json()) == (200, {"status": "ready"})
    scope = {"type": "http", "headers": [(b"host", b"localhost:7860")]}
    assert guard.is_from_here({**scope, "client": ("127.0.0.1", 1)})
    assert guard.is_from_here({**scope, "client": ("::1", 1)})
    assert not guard.is_from_here({**scope, "client": ("192.0.2.1", 1)})
    assert not guard.is_from_here(scope)


def test_every_way_into_gradio_is_known():
    """A new release may bring further ones: what they do is to be looked at before they are let through."""
    used = [path for path in App.create_app(gr.Blocks()).openapi()["paths"] if guard._is_used(path)]
    ways = {path.removeprefix("/gradio_api").strip("/").partition("/")[0].partition("{")[0] for path in used}
    assert ways == {
        *("", "api", "app_id", "assets", "call", "cancel", "config", "favicon.ico", "file", "file=", "heartbeat"),
        *("info", "login_check", "manifest.json", "openapi.json", "pwa_icon", "queue", "reset", "robots.txt", "run"),
        *("startup-events", "static", "svelte", "theme.css", "token", "upload", "upload_progress", "user"),
    }


def test_who_asks_whether_the_server_is_well_needs_no_name():
    async def page(scope, receive, send):
        await PlainTextResponse("well")(scope, receive, send)

    client = TestClient(Guard(page, ["demo.example"]), base_url="http://192.0.2.2")
    assert client.get("/healthz").text == client.get("/readyz").text == "well"
    assert client.get("/").status_code == client.get("/metrics").status_code == 403


def test_a_full_disk_is_said():
    answer = small_app(None).get("/config")
    assert answer.status_code == 507
    assert answer.text == "The server cannot store files now: No space left on device. Please try later."


def test_who_leaves_during_an_upload_leaves_no_fault():
    async def interrupted(scope, receive, send):
        raise ClientDisconnect

    scope = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "headers": []}
    with start_blocking_portal() as portal:  # in a thread of its own: the browser tests keep a loop running in this one
        assert portal.call(Guard(interrupted, None), scope, None, None) is None


def test_names_are_taken_as_people_write_them():
    (given,) = middleware(None, ["Demo.Example", "demo.example:8443", "https://demo.example/page", "2001:DB8::1"])
    assert set(given.kwargs["names"]) == {"localhost", "127.0.0.1", "::1", "demo.example", "2001:db8::1"}
    with pytest.raises(OptionError, match=r"must be like demo.example; received ':8443'"):
        middleware(None, [":8443"])


@pytest.mark.parametrize(
    "path",
    [
        "gradio_api/file=https://example.com/x.png",
        "gradio_api/file/https://example.com/x.png",
        "gradio_api/file=HTTP://127.0.0.1:1/x.png",
        "gradio_api/file%3Dhttp%3A%2F%2F127.0.0.1:1/x.png",
    ],
)
def test_no_address_is_fetched_and_handed_on(server, path):
    for answer in (httpx.get(server + path), httpx.head(server + path)):
        assert answer.status_code == 403
        assert "sandbox" in answer.headers["Content-Security-Policy"]
    assert httpx.get(server + path).text == "This server hands out files of its own, not those of other addresses."


@pytest.mark.parametrize(
    "path",
    [
        "process_recording",
        "component_server",
        "component_server/",
        "stream/123",
        "stream/123/close",
        "stream/",
        "proxy=%00",
        "custom_component/1/client/component/%1b[31mforged",
        "dev/reload",
        "vibe-code",
        "runs",
        "run-history/records",
        "monitoring/summary",
    ],
)
def test_ways_in_that_the_page_has_no_use_for_are_closed(server, path):
    answer = httpx.post(f"{server}gradio_api/{path}", files={"video": ("a.mp4", b"x")})
    assert (answer.status_code, answer.text) == (404, guard.NOT_HERE)


@pytest.mark.parametrize("in_parts", [False, True])
@pytest.mark.parametrize("path", ["queue/join", "call/classify", "call/v2/classify", "upload"])
def test_more_than_a_request_may_have_is_refused(server, monkeypatch, path, in_parts):
    monkeypatch.setattr(bodies, "MOST_SENT", 1_000_000)
    monkeypatch.setattr(bodies, "MOST_UPLOADED", 1_000_000)
    if path == "upload":
        request = httpx.Request("POST", "http://localhost", files={"files": ("a.png", bytes(1_500_000))})
        request.read()
        body, kind = request.content, request.headers["Content-Type"]
    else:
        body, kind = json.dumps({"data": ["x" * 1_500_000], "session_hash": "x"}).encode(), "application/json"
    content = (body[start : start + 100_000] for start in range(0, len(body), 100_000)) if in_parts else body
    stored = set(Path(get_upload_folder()).rglob("*"))
    answer = httpx.post(f"{server}gradio_api/{path}", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 413
    if path == "upload":
        assert answer.text.endswith("the maximum allowed size, 1 MB; please send fewer photos at a time.")
        assert set(Path(get_upload_folder()).rglob("*")) == stored
    else:
        assert "A request may have at most 1 MB; please upload photos as files." in answer.text


def test_a_request_of_very_many_values_is_refused(server):
    body = b'{"data":[' + b"[]," * 600_000 + b'[]],"session_hash":"x"}'
    answer = httpx.post(f"{server}gradio_api/queue/join", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert "A request may have at most 1,000,000 values." in answer.text


@pytest.mark.parametrize("query", ["", "?upload_id=x"])
def test_an_upload_of_other_things_than_files_is_refused(server, query):
    answer = httpx.post(f"{server}gradio_api/upload{query}", files={"files": (None, b"x" * 100)})
    assert (answer.status_code, answer.text) == (400, bodies.ONLY_FILES)


def test_an_upload_of_more_files_than_a_batch_takes_is_refused(server, monkeypatch):
    def send(count):
        files = [("files", (f"{number}.png", b"tiny")) for number in range(count)]
        return httpx.post(f"{server}gradio_api/upload", files=files, timeout=60)

    assert len(send(200).json()) == 200
    stored = set(Path(get_upload_folder()).rglob("*"))
    answer = send(201)
    assert (answer.status_code, answer.text) == (
        400,
        "An upload may have at most 200 files; please send fewer at a time.",
    )
    assert set(Path(get_upload_folder()).rglob("*")) == stored


@pytest.mark.parametrize("size", [1, 7, 64, 10_000])
def test_files_are_counted_however_an_upload_is_cut(size):
    async def send(count):
        request = httpx.Request("POST", "http://x", files=[("files", (f"{n}.png", b"--tiny--")) for n in range(count)])
        body = request.read()
        parts = [body[start : start + size] for start in range(0, len(body), size)]

        async def receive():
            return {"type": "http.request", "body": parts.pop(0), "more_body": bool(parts)}

        headers = [(name.lower(), value) for name, value in request.headers.raw]
        upload = bodies.Body({"path": "/gradio_api/upload", "headers": headers}, receive, set())
        while parts:
            await upload.receive()

    with start_blocking_portal() as portal:
        portal.call(send, 200)
        with pytest.raises(MultiPartException, match="at most 200 files"):
            portal.call(send, 201)


def test_all_uploads_together_hold_so_many_files_at_most(server, monkeypatch):
    monkeypatch.setattr(bodies, "MOST_FILES_TOGETHER", 3)
    upload = "upload", "multipart/form-data; boundary=x"
    stored = set(Path(get_upload_folder()).rglob("*"))
    with begin(server, *upload, PART * 2) as first, begin(server, *upload, PART * 2) as second:
        (refused,), _, _ = select.select([first, second], [], [], 50)  # whichever has come later
        assert refused.recv(1000).startswith(b"HTTP/1.1 400 ")
    wait_for(lambda: set(Path(get_upload_folder()).rglob("*")) == stored)
    assert httpx.post(f"{server}gradio_api/upload", files={"files": ("a.png", b"x")}).status_code == 200


def test_an_upload_that_comes_slowly_ends_as_well(server, monkeypatch):
    monkeypatch.setattr(bodies, "LONGEST_UPLOAD", 1.0)
    with begin(server, "upload", "multipart/form-data; boundary=x", PART) as connection:
        for _ in range(100):
            if select.select([connection], [], [], 0.2)[0]:
                break
            connection.sendall(b" ")
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")


def test_an_upload_that_is_broken_off_leaves_nothing(server):
    stored = set(Path(get_upload_folder()).rglob("*"))
    with begin(server, "upload", "multipart/form-data; boundary=x", PART):
        wait_for(lambda: set(Path(get_upload_folder()).rglob("*")) != stored)
    wait_for(lambda: set(Path(get_upload_folder()).rglob("*")) == stored)


def begin(server, path, kind, sent, length=9_000_000):
    """A connection that has sent the beginning of a request."""
    host, port = httpx.URL(server).host, httpx.URL(server).port
    head = f"POST /gradio_api/{path} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Length: {length}\r\n"
    connection = socket.create_connection((host, port), timeout=60)
    connection.sendall(head.encode() + f"Content-Type: {kind}\r\n\r\n".encode() + sent)
    return connection


def test_requests_that_come_slowly_take_so_much_memory_together_and_no_more(server, monkeypatch):
    monkeypatch.setattr(bodies, "MOST_SENT_TOGETHER", 1_000_000)
    join = "queue/join", "application/json"
    body = json.dumps({"data": [" " * 500_000], "fn_index": -1, "session_hash": "x"}).encode()
    with begin(server, *join, body) as first, begin(server, *join, body) as second:
        (refused,), _, _ = select.select([first, second], [], [], 50)  # whichever has come later
        assert refused.recv(100).startswith(b"HTTP/1.1 429 ")
        small = httpx.post(f"{server}gradio_api/queue/join", json={"data": [], "fn_index": -1, "session_hash": "x"})
        assert small.text == guard.NO_ENDPOINT
    # Both have left, and what they brought with them.
    kind = {"Content-Type": join[1]}
    wait_for(lambda: httpx.post(server + "gradio_api/queue/join", content=body, headers=kind).text == guard.NO_ENDPOINT)


def test_who_sends_nothing_more_is_waited_for_no_longer(server, monkeypatch):
    monkeypatch.setattr(bodies, "PATIENCE", 0.5)
    with begin(server, "queue/join", "application/json", b'{"data": [') as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")
    stored = set(Path(get_upload_folder()).rglob("*"))
    with begin(server, "upload", "multipart/form-data; boundary=x", PART) as connection:
        assert connection.recv(100).startswith(b"HTTP/1.1 400 ")
    wait_for(lambda: set(Path(get_upload_folder()).rglob("*")) == stored)


def test_who_sends_a_byte_now_and_then_is_not_waited_for_for_ever(server, monkeypatch):
    monkeypatch.setattr(bodies, "LONGEST", 1.0)
    with begin(server, "queue/join", "application/json", b'{"data": [') as connection:
        for _ in range(100):
            if select.select([connection], [], [], 0.2)[0]:
                break
            connection.sendall(b" ")
        assert connection.recv(100).startswith(b"HTTP/1.1 408 ")


def test_an_upload_ends_when_there_is_no_more_room_for_it(server, monkeypatch):
    stored = set(Path(get_upload_folder()).rglob("*"))
    with begin(server, "upload", "multipart/form-data; boundary=x", PART) as connection:
        wait_for(lambda: set(Path(get_upload_folder()).rglob("*")) != stored)
        monkeypatch.setattr(temporary.full, "is_set", lambda: True)
        connection.sendall(bytes(100_000))
        answer = connection.recv(10_000)
        assert answer.startswith(b"HTTP/1.1 400 ")
    wait_for(lambda: set(Path(get_upload_folder()).rglob("*")) == stored)


def wait_for(fact):
    deadline = time.monotonic() + 60
    while not fact():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_no_files_are_taken_while_there_is_no_room_for_them(server, monkeypatch):
    async def page(scope, receive, send):
        await PlainTextResponse("taken")(scope, receive, send)

    client = TestClient(Guard(page, None))
    monkeypatch.setattr(temporary.full, "is_set", lambda: True)
    answer = client.post("/gradio_api/upload", content=b"x")
    assert answer.status_code == 507
    assert answer.text.startswith("The server cannot store files now: visitors' files fill the room that they have.")
    assert client.post("/gradio_api/mcp/", content=b"x").status_code == 507  # stores photos by itself
    assert client.post("/gradio_api/queue/join", content=b"x").text == "taken"
    photo = {"path": None, "url": "data:image/png;base64,eA==", "meta": {"_type": "gradio.FileData"}}
    event = httpx.post(f"{server}gradio_api/call/classify", json={"data": [photo, 1, "crop", "server"]}).json()
    answer = httpx.get(f"{server}gradio_api/call/classify/{event['event_id']}", timeout=60)
    assert "There is no room for files now; please try again in some minutes." in answer.text
    monkeypatch.undo()
    assert client.post("/gradio_api/upload", content=b"x").text == "taken"


@pytest.mark.parametrize(
    ("path", "body", "status"),
    [
        ("call/v2/nothing", {}, 404),
        ("call/nothing", {"data": []}, 404),
        ("queue/join", {"data": [], "session_hash": "x", "fn_index": 9999}, 404),
        ("call/v2/classify", {}, 422),
        ("call/v2/classify", {"foto": None}, 422),
    ],
)
def test_calls_that_fit_no_endpoint_get_a_sentence(server, capfd, path, body, status):
    answer = httpx.post(f"{server}gradio_api/{path}", json=body)
    assert answer.status_code == status
    assert answer.text in (guard.NO_ENDPOINT, guard.WRONG_VALUES)
    assert "Traceback" not in capfd.readouterr().err


@pytest.mark.parametrize(
    ("method", "path", "options", "status"),
    [
        ("GET", "?page=zz", {}, 404),
        ("GET", "static/" + "a" * 5000, {}, 404),
        ("POST", "gradio_api/upload", {"headers": {"Content-Type": "multipart/form-data; boundary=" + "b" * 300}}, 400),
        ("POST", "gradio_api/upload", {"files": {"files": (None, "")}}, 400),
        ("POST", "gradio_api/upload?upload_id=" + "a" * 65, {"files": {"files": b"a photo"}}, 400),
        ("GET", "gradio_api/upload_progress?upload_id=" + "a" * 65, {}, 400),
        ("GET", "gradio_api/queue/data?session_hash=nobody", {}, 200),  # and "404" in the stream, as Gradio does it
        ("GET", "gradio_api/call/explain/nobody", {}, 200),
        ("POST", "gradio_api/queue/join", {"content": '{"data": [], "session_hash": "x", "fn_index": 1e400}'}, 422),
    ],
    ids=str,
)
def test_malformed_requests_get_a_sentence(server, capfd, method, path, options, status):
    answer = httpx.request(method, server + path, **options)
    assert answer.status_code == status
    assert answer.text
    assert "Traceback" not in capfd.readouterr().err


def test_a_session_of_a_very_long_name_is_refused(server):
    body = {"data": [], "fn_index": 0, "session_hash": "x" * 65}
    for path in ("queue/join", "run/predict"):
        answer = httpx.post(f"{server}gradio_api/{path}", json=body)
        assert answer.status_code == 400
        assert "may have at most 64 letters; received 65" in answer.text


def test_who_fetches_no_answers_gets_no_more(server, monkeypatch):
    monkeypatch.setattr("resnet.ui.server.MOST_UNREAD", 3)
    # An endpoint that needs no network.
    events = json.loads(httpx.get(f"{server}config").text)["dependencies"]
    event = next(one["id"] for one in events if one["targets"] and one["targets"][0][1] == "select" and one["queue"])
    body = {"data": [], "fn_index": event, "session_hash": "forgetful"}
    answers = []
    while len(answers) < 100 and answers[-1:] != [429]:
        answers.append(httpx.post(f"{server}gradio_api/queue/join", json=body).status_code)
        time.sleep(0.05)
    assert (answers[0], answers[-1]) == (200, 429)
    body["session_hash"] = "another"
    assert httpx.post(f"{server}gradio_api/queue/join", json=body).status_code == 200


def test_a_fault_of_the_program_stays_one():
    async def broken(scope, receive, send):
        raise KeyError("defect")

    for path in ("/config", "/"):
        with pytest.raises(KeyError):
            TestClient(Guard(broken, None)).get(path)
