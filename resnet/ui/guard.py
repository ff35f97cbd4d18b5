"""Middleware before the page: who may ask, for what and how much, and what every response says to browsers."""

from __future__ import annotations

import asyncio
import os
import re
import threading
from collections.abc import Collection, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resnet.metrics import REQUESTS
from resnet.service.temporary import full
from resnet.ui.bodies import MOST_SENT, MOST_UPLOADED, Body
from resnet.ui.hosts import allowed_hosts, further_hosts, name_of
from resnet.ui.language import LANGUAGES
from resnet.ui.preview import CARD
from resnet.ui.streams import Streams

NOT_HERE = "There is nothing of that name here."
ELSEWHERE = "This server hands out files of its own, not those of other addresses."
STOPPING = "The server is being restarted. Please try again in a minute."
NO_ROOM = "The server has no space for files right now. Please try again in a few minutes."
TOO_LARGE = "A request may have at most {:.0f} MB; please upload photos as files, and fewer at a time."

_API = "/gradio_api/"
_PROBES = ("/healthz", "/readyz")  # whoever asks whether the server is well may know its address alone
_PAGES = {
    *("", *(language.route for language in LANGUAGES), "config", "theme.css", "favicon.ico", "manifest.json"),
    *("robots.txt", "assets", "static", "svelte", "pwa_icon", "healthz", "readyz", "metrics", CARD),
}
# Of Gradio's routes those that the page, programs and language models use; others are for components that it lacks.
_ROUTES = {
    *("info", "openapi.json", "app_id", "startup-events", "heartbeat", "queue", "upload", "upload_progress"),
    *("cancel", "reset", "login_check", "user", "token", "theme.css", "mcp"),
}
_CALLS = ("call", "run", "api")
_FRAME = re.compile(r"stream/[\w-]{1,64}$|stream/[\w-]{1,64}/close$")  # of a camera
_OPEN_STREAM = re.compile(r"/gradio_api/(heartbeat/|mcp)")
_FILE = re.compile(r"/file[=/]")
_FILE_ELSEWHERE = re.compile(r"/file[=/]\s*https?:", re.IGNORECASE)  # Gradio would fetch any site for anybody
_PARENTS = "'self' https://huggingface.co" if os.environ.get("SPACE_ID") else "'self'"
# Gradio's page needs inline scripts and `new Function`; what it must not do is load or send anything elsewhere.
_PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    f"worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors {_PARENTS}"
)
_FILE_POLICY = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Guard:
    """Counts requests, sets headers, and refuses what the page never asks for.

    Anything in a browser on this machine reaches a local page. So it answers only to names of its own (DNS rebinding)
    and to pages of its own (forged requests, https://owasp.org/www-community/attacks/csrf). Programs send no `Origin`.
    """

    def __init__(self, app: ASGIApp, endpoints: Collection[str], stopping: threading.Event, *,
                 names: Sequence[str] | None, further: Sequence[str], fetch: bool,
                 camera: bool = True) -> None:  # fmt: skip
        """Wrap an application.

        Args:
            app: The application.
            endpoints: Names of the public endpoints.
            stopping: Set when the server is to stop.
            names: Hosts that it answers to; None for all.
            further: Hosts of a proxy among them, whose pages at the usual port may ask.
            fetch: Whether addresses of photos may be sent.
            camera: Whether frames of a camera may be.
        """
        self._app = app
        self._zipped = GZipMiddleware(app, compresslevel=5)
        self._endpoints, self._stopping = endpoints, stopping
        self._streams = Streams(stopping)
        self._names, self._further, self._fetch, self._camera = names, further, fetch, camera

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        policy = _FILE_POLICY if _FILE.search(path) else _PAGE_POLICY

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                REQUESTS.labels(scope["method"][:7], str(message["status"])).inc()
                headers = MutableHeaders(scope=message)
                for name, value in {**_HEADERS, "Content-Security-Policy": policy}.items():
                    headers.setdefault(name, value)
            await send(message)

        if refused := self._refusal(scope, path):
            await refused(scope, receive, send_with_headers)
        elif scope["method"] == "POST":
            await self._receive(scope, path, receive, send_with_headers)
        elif _OPEN_STREAM.match(path):
            await self._until_stop(scope, receive, send_with_headers)
        elif path == f"{_API}queue/data":
            await self._streams.answer(self._app, scope, receive, send_with_headers)
        else:
            # Gradio zips files by their names' endings; the page itself, 430 kB of text, has none.
            whole = self._app if "." in path or _API in path else self._zipped
            await whole(scope, receive, send_with_headers)

    def _refusal(self, scope: Scope, path: str) -> Response | None:
        headers = Headers(scope=scope)
        if self._names is not None and path not in _PROBES and (stranger := self._stranger(headers, self._names)):
            return _say(path, stranger, 403)
        if _FILE_ELSEWHERE.search(path):
            return _say(path, ELSEWHERE, 403)
        if not self._is_used(path):
            return _say(path, NOT_HERE, 404)
        if self._stopping.is_set() and scope["method"] == "POST":
            return _say(path, STOPPING, 503)
        if full.is_set() and path.startswith((f"{_API}upload", f"{_API}mcp")):
            return _say(path, NO_ROOM, 507)
        return None

    def _stranger(self, headers: Headers, names: Sequence[str]) -> str | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if name_of(f"//{host}") not in names:
            return f"This page does not answer to the name {host!r}. Start it with --name to allow that."
        # Another port is another program, unless it is that of a proxy with a name of its own.
        own = {f"{scheme}://{name}" for scheme in ("http", "https") for name in (host, *self._further)}
        if origin is not None and origin not in own:
            return f"The site {origin!r} may not use this page. Start it with --name to allow that."
        return None

    def _is_used(self, path: str) -> bool:
        page, is_api, rest = path.partition(_API)
        if not is_api:
            return page.lstrip("/").partition("/")[0] in _PAGES
        route, _, name = rest.partition("/")
        if route in _CALLS:
            called = name.removeprefix("v2/").partition("/")[0]
            return called in self._endpoints or (route, called) == ("run", "predict")  # the page's unqueued events
        return route in _ROUTES or bool(_FILE.match("/" + rest) or (self._camera and _FRAME.match(rest)))

    async def _receive(self, scope: Scope, path: str, receive: Receive, send: Send) -> None:
        """Answer a request with a body, within its limits."""
        is_upload = path.rstrip("/") == f"{_API}upload"
        body, started = Body(receive, MOST_UPLOADED if is_upload else MOST_SENT), False

        async def send_unless_too_large(message: Message) -> None:
            nonlocal started
            if started or not body.too_large:
                started = True
                await send(message)

        of_tool = path.startswith(f"{_API}mcp")
        if not is_upload and (fault := await body.fault(fetch=self._fetch, of_tool=of_tool)):
            status, sentence = fault
            await _say(path, sentence, status)(scope, receive, send)
            return
        try:
            async with self._streams.question(body.session):
                await self._app(scope, body.receive, send_unless_too_large)
        except ClientDisconnect:
            if not body.too_large:  # a visitor who has left: there is nobody to answer, and nothing to report
                return
        except Exception:
            if not body.too_large:
                raise
        if body.too_large and not started:
            await _say(path, TOO_LARGE.format(body.limit / 1e6), 413)(scope, receive, send)

    async def _until_stop(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer until the server is to stop: a stream that stays open must not keep it."""
        answer = asyncio.ensure_future(self._app(scope, receive, send))
        while not answer.done() and not self._stopping.is_set():
            await asyncio.wait({answer}, timeout=0.5)
        if not answer.done():
            answer.cancel()
            await asyncio.wait({answer})
        if not answer.cancelled():
            answer.result()


def _say(path: str, sentence: str, status: int) -> Response:
    """Return a refusal in the form that whoever asks for such a path can show."""
    if _API in path:
        return JSONResponse({"detail": sentence}, status)
    return PlainTextResponse(sentence, status)


def middleware(endpoints: Collection[str], stopping: threading.Event, host: str | None, names: Sequence[str], *,
               fetch: bool, camera: bool = True) -> list[Middleware]:  # fmt: skip
    """Return what stands before the page.

    Args:
        endpoints: Names of the public endpoints.
        stopping: Set when the server is to stop.
        host: Where the server listens; None for Gradio's default.
        names: Further names under which the page is reached, such as a proxy's; as such or as addresses.
        fetch: Whether addresses of photos may be sent.
        camera: Whether frames of a camera may be.

    Raises:
        OptionError: A name is none.
    """
    further = further_hosts(names)
    allowed = allowed_hosts(host, further)
    return [Middleware(Guard, endpoints, stopping, names=allowed, further=further, fetch=fetch, camera=camera)]
