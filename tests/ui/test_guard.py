"""What stands before the page: names, sizes, addresses, ways in, and what browsers are told."""

import asyncio
import json
import threading

import gradio as gr
import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from resnet.errors import OptionError
from resnet.service import temporary
from resnet.ui import bodies, guard, hosts
from resnet.ui.guard import Guard, middleware
from resnet.ui.hosts import is_loopback
from tests.spaces import free_port


def guarded(app, names=None, further=(), fetch=True, stopping=None):
    return Guard(app, ("classify",), stopping or threading.Event(), names=names, further=further, fetch=fetch)


async def page(scope, receive, send):
    await PlainTextResponse("page")(scope, receive, send)


def client_of(*names, further=()):
    return TestClient(guarded(page, names or None, further), base_url="http://localhost:7860")


def test_other_sites_cannot_use_a_local_page():
    client = client_of("localhost", "127.0.0.1", "demo.example", further=["demo.example"])
    for headers in (
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
    ):
        answer = client.get("/", headers=headers)
        assert answer.status_code == 403, headers
        assert "--name" in answer.text


def test_its_own_names_can():
    client = client_of("localhost", "127.0.0.1", "::1", "demo.example", further=["demo.example"])
    for headers in (
        {},
        {"Origin": "http://localhost:7860"},
        {"Host": "127.0.0.1:9000", "Origin": "http://127.0.0.1:9000"},
        {"Host": "LOCALHOST:7860"},
        {"Host": "[0:0:0:0:0:0:0:1]:7860"},
        {"Origin": "https://demo.example"},
        {"Host": "demo.example", "Origin": "https://demo.example"},
    ):
        assert client.get("/", headers=headers).text == "page", headers


def options_of(host, names=()):
    (found,) = middleware(("classify",), threading.Event(), host, names, fetch=False)
    return found.kwargs


def test_only_a_page_for_this_machine_alone_asks_for_names(monkeypatch):
    monkeypatch.delenv("GRADIO_SERVER_NAME", raising=False)
    assert is_loopback(None)
    assert all(map(is_loopback, ("127.0.0.1", "127.0.0.2", "::1", "[::1]", "LOCALHOST")))
    assert not any(map(is_loopback, ("0.0.0.0", "::", "192.0.2.2", "localhost.example")))
    monkeypatch.setenv("GRADIO_SERVER_NAME", "0.0.0.0")
    assert not is_loopback(None)
    assert options_of(None)["names"] is None
    monkeypatch.setenv("GRADIO_SERVER_NAME", "127.0.0.2")
    assert "127.0.0.2" in options_of(None)["names"]
    # Gradio asks its own address at the start.
    assert {"demo.example", "192.0.2.2"} <= set(options_of("192.0.2.2", ["demo.example"])["names"])


def test_names_are_taken_as_people_write_them():
    given = options_of(None, ["Demo.Example", "demo.example:8443", "https://demo.example/page", "2001:DB8::1"])
    assert set(given["names"]) == {"localhost", "127.0.0.1", "::1", "demo.example", "2001:db8::1"}
    with pytest.raises(OptionError, match=r"must look like demo.example; received ':8443'"):
        options_of(None, [":8443"])


def test_strangers_are_told_only_whether_the_server_is_ready(server):
    here = httpx.get(f"{server}readyz")
    assert here.json() == {"status": "ready", "weights": "tiny-imagenet-200", "precision": "float32"}
    stranger = httpx.get(f"{server}readyz", headers={"Host": "demo.example"})
    assert (stranger.status_code, stranger.json()) == (200, {"status": "ready"})
    scope = {"type": "http", "headers": [(b"host", b"localhost:7860")]}
    assert hosts.is_from_here({**scope, "client": ("127.0.0.1", 1)})
    assert hosts.is_from_here({**scope, "client": ("::1", 1)})
    assert not hosts.is_from_here({**scope, "client": ("192.0.2.1", 1)})
    assert not hosts.is_from_here(scope)


def test_who_asks_whether_the_server_is_well_needs_no_name():
    client = TestClient(guarded(page, ["demo.example"]), base_url="http://192.0.2.2")
    assert client.get("/healthz").text == client.get("/readyz").text == "page"
    assert client.get("/").status_code == client.get("/metrics").status_code == 403


def test_every_way_into_gradio_is_known():
    """A new release may bring further ones: what they do is to be looked at before they are let through."""
    is_used = guarded(page)._is_used
    with gr.Blocks() as demo:
        pass
    app, _, _ = demo.launch(server_port=free_port(), prevent_thread_lock=True, quiet=True)
    demo.close()
    used = {path for path in app.openapi()["paths"] if is_used(path.replace("{api_name}", "classify"))}
    ways = {path.removeprefix("/gradio_api").strip("/").partition("/")[0].partition("{")[0] for path in used}
    assert ways == {
        *("", "api", "app_id", "assets", "call", "cancel", "config", "favicon.ico", "file", "file=", "heartbeat"),
        *("info", "login_check", "manifest.json", "openapi.json", "pwa_icon", "queue", "reset", "robots.txt", "run"),
        *("startup-events", "static", "svelte", "theme.css", "token", "upload", "upload_progress", "user"),
    }


@pytest.mark.parametrize(("camera", "status"), [(True, 200), (False, 404)])
def test_frames_are_taken_where_there_is_a_camera(camera, status):
    client = TestClient(Guard(page, (), threading.Event(), names=None, further=(), fetch=False, camera=camera))
    for path in ("stream/6bcba52b13b5", "stream/6bcba52b13b5/close"):
        assert client.post(f"/gradio_api/{path}", json={"data": [{"url": "data:,"}]}).status_code == status


def test_ways_in_that_the_page_has_no_use_for_are_closed(server):
    for path in (
        *("process_recording", "component_server", "component_server/", "stream/", "stream/a/b/playlist.m3u8"),
        *("proxy=%00", "custom_component/1/client/component/%1b[31mforged", "dev/reload", "vibe-code", "runs"),
        *(
            "run-history/records",
            "monitoring/summary",
            "call/nothing",
            "call/v2/nothing",
            "run/nothing",
            "api/explain_",
        ),
    ):
        answer = httpx.post(f"{server}gradio_api/{path}", files={"video": ("a.mp4", b"x")})
        assert (answer.status_code, answer.json()) == (404, {"detail": guard.NOT_HERE}), path


def test_no_address_is_fetched_and_handed_on(server):
    for path in (
        "gradio_api/file=https://example.com/x.png",
        "gradio_api/file/https://example.com/x.png",
        "gradio_api/file=HTTP://127.0.0.1:1/x.png",
        "gradio_api/file%3Dhttp%3A%2F%2F127.0.0.1:1/x.png",
    ):
        for answer in (httpx.get(server + path), httpx.head(server + path)):
            assert answer.status_code == 403
            assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert httpx.get(server + path).json()["detail"] == guard.ELSEWHERE


@pytest.mark.parametrize("in_parts", [False, True])
@pytest.mark.parametrize("path", ["queue/join", "call/classify", "call/v2/classify", "mcp/", "upload"])
def test_more_than_a_request_may_have_is_refused(server, monkeypatch, path, in_parts):
    monkeypatch.setattr(guard, "MOST_SENT", 1_000_000)
    monkeypatch.setattr(guard, "MOST_UPLOADED", 1_000_000)
    if path == "upload":
        request = httpx.Request("POST", "http://localhost", files={"files": ("a.png", bytes(1_500_000))})
        request.read()
        body, kind = request.content, request.headers["Content-Type"]
    else:
        body, kind = json.dumps({"data": ["x" * 1_500_000], "session_hash": "x"}).encode(), "application/json"
    content = (body[start : start + 100_000] for start in range(0, len(body), 100_000)) if in_parts else body
    answer = httpx.post(f"{server}gradio_api/{path}", content=content, headers={"Content-Type": kind})
    assert answer.status_code == 413
    assert answer.json()["detail"] == guard.TOO_LARGE.format(1)


FILE = {"_type": "gradio.FileData"}
ADDRESS = "https://example.com/x.png"


def fault_of(body, of_tool=False, parts=2, fetch=False):
    """What is said of a request's body that comes in parts; the application must get all of it."""

    async def found():
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        size = -(-len(content) // parts) or 1
        pieces = [content[start : start + size] for start in range(0, len(content), size)]

        async def receive():
            return {"type": "http.request", "body": pieces.pop(0), "more_body": bool(pieces)}

        received = bodies.Body(receive, 10_000_000)
        said = await received.fault(fetch=fetch, of_tool=of_tool)
        read, more = b"", True
        while more:
            message = await received.receive()
            read, more = read + message["body"], message["more_body"]
        assert read == content
        return said

    with (
        start_blocking_portal() as portal
    ):  # in a thread of its own: a browser test may have a loop running in this one
        return portal.call(found)


def tool(arguments, **more):
    return {"jsonrpc": "2.0", "method": "tools/call", "params": {"name": "x", "arguments": arguments, **more}}


def test_addresses_are_seen_wherever_they_stand():
    file = {"path": ADDRESS, "meta": FILE}
    for body in (
        *({"data": [file]}, {"data": [[file]]}, {"data": [{"path": " HTTP://x"}]}, {"photo": file}, {"photo": ADDRESS}),
        *({"data": [[ADDRESS]]}, {"params": {}, "data": [file]}, {"data": [{"params": {}, **file}]}),
    ):
        for parts in (1, 3):
            assert fault_of(body, parts=parts) == (403, bodies.NO_ADDRESSES), body
        assert fault_of(body, fetch=True) is None
    for body in (
        tool({"photo": ADDRESS}),
        tool({"photos": [ADDRESS]}),
        [tool({"photo": file})],
        tool({"params": file}),
    ):
        assert fault_of(body, of_tool=True) == (403, bodies.NO_ADDRESSES), body


def test_addresses_that_are_no_photos_are_let_through(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    own = {"path": str(tmp_path / "x.png"), "url": "http://localhost:7860/gradio_api/file=/tmp/x.png", "meta": FILE}
    assert fault_of({"data": [own, "see http://x"]}) is None
    initialize = {"method": "initialize", "params": {"clientInfo": {"websiteUrl": ADDRESS}}}
    for body in (tool({"photo": "data:,x"}), tool({}, clientInfo={"websiteUrl": ADDRESS}), initialize):
        assert fault_of(body, of_tool=True) is None, body


def test_files_that_nobody_uploaded_are_named_whether_they_exist_or_not():
    for path, meta, sentence in (
        ("/etc/passwd", FILE, bodies.GONE),
        ("/nowhere.png", FILE, bodies.GONE),
        ("x", None, bodies.NO_FILE),
        ("x", 5, bodies.NO_FILE),
        ({"path": "x"}, FILE, bodies.NO_FILE),
        (5, FILE, bodies.NO_FILE),
    ):
        for fetch in (False, True):
            assert fault_of({"data": [[{"path": path, "meta": meta}]]}, fetch=fetch) == (403, sentence)


def test_what_takes_long_to_look_at_or_is_no_json_is_refused():
    assert fault_of(b'{"data":[' + b"0," * 200_000 + b"0]}") == (413, bodies.TOO_MANY)
    assert fault_of(b'{"data":[' + b"[]," * 200_000 + b"0]}") == (413, bodies.TOO_MANY)
    for body in (b"{", b"[" * 50_000, b"\xff", b'{"data": [' + b"1" * 5000 + b"]}"):
        assert fault_of(body) == fault_of(body, of_tool=True) == (400, bodies.NO_JSON)
    assert fault_of({"data": [], "session_hash": "x" * 65}) == (403, bodies.LONG_NAME)


def test_no_files_are_taken_while_there_is_no_room_for_them(server, monkeypatch):
    client = TestClient(guarded(page))
    monkeypatch.setattr(temporary.full, "is_set", lambda: True)
    answer = client.post("/gradio_api/upload", content=b"x")
    assert answer.status_code == 507
    assert "The server has no space for files right now" in answer.json()["detail"]
    assert client.post("/gradio_api/mcp/", content=b"x").status_code == 507  # stores photos by itself
    assert client.post("/gradio_api/queue/join", content=b"{}").text == "page"
    photo = {"path": None, "url": "data:image/png;base64,eA==", "meta": {"_type": "gradio.FileData"}}
    event = httpx.post(f"{server}gradio_api/call/classify", json={"data": [photo, 1, "crop", "server"]}).json()
    answer = httpx.get(f"{server}gradio_api/call/classify/{event['event_id']}", timeout=60)
    assert "The server has no space for files right now. Please try again in a few minutes." in answer.text
    monkeypatch.undo()
    assert client.post("/gradio_api/upload", content=b"x").text == "page"


def test_open_streams_end_when_the_server_stops_and_new_requests_are_refused():
    stopping = threading.Event()
    begun, ended = threading.Semaphore(0), []

    async def stream(scope, receive, send):
        begun.release()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append(scope["path"])
            raise

    guard_of_stream = guarded(stream, stopping=stopping)
    with start_blocking_portal() as portal:
        paths = ["/gradio_api/heartbeat/x", "/gradio_api/mcp/", "/gradio_api/mcp/sse"]
        streams = [
            portal.start_task_soon(
                guard_of_stream, {"type": "http", "method": "GET", "path": path, "headers": []}, None, None
            )
            for path in paths
        ]
        for _ in paths:
            assert begun.acquire(timeout=20)
        stopping.set()
        for one in streams:
            one.result(timeout=20)
    assert sorted(ended) == sorted(paths)
    answer = TestClient(guarded(page, stopping=stopping)).post("/gradio_api/queue/join")
    assert (answer.status_code, answer.json()["detail"]) == (503, guard.STOPPING)


def test_who_leaves_during_an_upload_leaves_no_error():
    read = []

    async def form(scope, receive, send):
        async for chunk in Request(scope, receive).stream():
            read.append(chunk)

    messages = iter([{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}])

    async def receive():
        return next(messages)

    with start_blocking_portal() as portal:
        upload = {"type": "http", "method": "POST", "path": "/gradio_api/upload", "headers": []}
        portal.call(guarded(form), upload, receive, None)
    assert read == [b"half"]


def test_a_fault_of_the_program_stays_one():
    async def broken(scope, receive, send):
        raise KeyError("defect")

    for path in ("/config", "/"):
        with pytest.raises(KeyError):
            TestClient(guarded(broken)).get(path)
    with pytest.raises(KeyError):
        TestClient(guarded(broken)).post("/gradio_api/queue/join")
