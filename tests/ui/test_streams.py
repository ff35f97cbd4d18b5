"""Streams of answers: one for many questions, and none lost at its end."""

import asyncio
import json
import threading

from anyio.from_thread import start_blocking_portal

from resnet.ui import streams
from resnet.ui.guard import Guard

CLOSE = b'data: {"msg":"close_stream","event_id":null}\n\n'


def in_a_loop(run):
    """Run to the end; what hangs fails."""
    with start_blocking_portal() as portal:
        return portal.call(asyncio.wait_for, run(), 30)


class Gradio:
    """Answers as Gradio does: a stream gives the next answer and ends, unless nobody listens."""

    def __init__(self):
        self.order, self.told = [], []
        self.hold, self.held = None, asyncio.Event()

    async def __call__(self, scope, receive, send):
        if scope["method"] == "POST":
            if self.hold:
                self.held.set()
                await self.hold.wait()
            self.order.append(f"asked by {json.loads((await receive())['body'])['session_hash']}")
            return
        await send({"type": "http.response.start", "status": 200, "headers": []})
        listening = asyncio.ensure_future(receive())
        listening.add_done_callback(lambda done: done.cancelled() or self.told.append(done.result()))
        await asyncio.sleep(0)
        self.order.append("answered")
        await send({"type": "http.response.body", "body": b"data: answer", "more_body": True})
        await send({"type": "http.response.body", "body": CLOSE, "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
        listening.cancel()


class Page:
    """A page that listens, asks, and leaves."""

    def __init__(self, gradio, stopping=None):
        self._app = Guard(gradio, (), stopping or threading.Event(), names=None, further=(), fetch=False)
        self._left, self._came = asyncio.Event(), asyncio.Event()
        self.read = []

    def listen(self):
        async def receive():
            await self._left.wait()
            return {"type": "http.disconnect"}

        path = {"path": "/gradio_api/queue/data", "method": "GET", "query_string": b"session_hash=page"}
        return self._ask(path, receive)

    def ask(self, session="page"):
        async def receive():
            return {"type": "http.request", "body": json.dumps({"session_hash": session}).encode()}

        return self._ask({"path": "/gradio_api/queue/join", "method": "POST"}, receive)

    def _ask(self, path, receive):
        async def send(message):
            self.read.append(message.get("body", message["type"]))
            self._came.set()

        return asyncio.ensure_future(self._app({"type": "http", "headers": [], **path}, receive, send))

    async def until(self, body, times=1):
        while self.read.count(body) < times:
            self._came.clear()
            await self._came.wait()

    def leave(self):
        self._left.set()


def test_a_page_that_asks_again_is_answered_by_the_same_stream(monkeypatch):
    monkeypatch.setattr(streams, "OPEN_SECONDS", 3600)

    async def run():
        gradio = Gradio()
        page = Page(gradio)
        listening = page.listen()
        for number in range(1, 4):
            await page.until(b"data: answer", number)
            if number < 3:
                await page.ask()
        page.leave()
        await listening
        return gradio, page.read

    gradio, read = in_a_loop(run)
    assert gradio.order == ["answered", "asked by page", "answered", "asked by page", "answered"]
    assert read == ["http.response.start", *[b"data: answer"] * 3]
    assert gradio.told == []  # that nobody listens, upon which Gradio forgets what it would answer next


def test_a_stream_stays_open_for_a_question_that_is_being_taken_in(monkeypatch):
    monkeypatch.setattr(streams, "OPEN_SECONDS", 0)

    async def run():
        gradio = Gradio()
        gradio.hold = asyncio.Event()
        page = Page(gradio)
        own = page.ask()
        await gradio.held.wait()
        listening = page.listen()
        await page.until(b"data: answer", 3)
        assert CLOSE not in page.read
        gradio.hold.set()
        await own
        await page.until(CLOSE)
        page.leave()
        await listening
        return page.read

    assert in_a_loop(run)[-2:] == [CLOSE, b""]


def test_a_question_that_ends_while_gradio_ends_its_stream_is_answered(monkeypatch):
    monkeypatch.setattr(streams, "OPEN_SECONDS", 3600)

    class Slow(Gradio):
        async def __call__(self, scope, receive, send):
            await super().__call__(scope, receive, send)
            if scope["method"] == "GET" and self.order.count("answered") == 1:
                await page.ask()

    async def run():
        nonlocal page
        page = Page(Slow())
        listening = page.listen()
        await page.until(b"data: answer", 2)
        page.leave()
        await listening

    page = None
    in_a_loop(run)


def test_a_question_waits_until_its_page_has_closed_its_idle_stream(monkeypatch):
    """A page that asks before it has read that the stream closes would listen to nothing."""
    monkeypatch.setattr(streams, "OPEN_SECONDS", 0)

    async def run():
        gradio = Gradio()
        page = Page(gradio)
        listening = page.listen()
        await page.until(CLOSE)
        own = page.ask()
        await page.ask("another page")
        for _ in range(100):
            await asyncio.sleep(0)
        gradio.order.append("closed")
        page.leave()
        await asyncio.gather(listening, own)
        await page.ask()
        return gradio, page.read

    gradio, read = in_a_loop(run)
    assert gradio.order == ["answered", "asked by another page", "closed", "asked by page", "asked by page"]
    assert read == ["http.response.start", b"data: answer", CLOSE, b""]
    assert gradio.told == []


def test_an_idle_stream_does_not_keep_a_server_that_is_to_stop(monkeypatch):
    monkeypatch.setattr(streams, "OPEN_SECONDS", 3600)
    monkeypatch.setattr(streams, "CLOSING_SECONDS", 0)

    async def run():
        stopping = threading.Event()
        page = Page(Gradio(), stopping)
        listening = page.listen()
        await page.until(b"data: answer")
        stopping.set()
        await asyncio.wait_for(listening, 60)
        return page.read

    assert in_a_loop(run)[-2:] == [CLOSE, b""]
