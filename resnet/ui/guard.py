"""What stands before the page: who may ask, and for what, and what every response says to browsers."""

from __future__ import annotations

import contextlib
import errno
import os
import re
from collections.abc import Sequence
from ipaddress import ip_address
from urllib.parse import urlsplit

from fastapi import HTTPException
from gradio.route_utils import FnIndexInferError
from python_multipart.exceptions import FormParserError
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resnet.errors import OptionError
from resnet.metrics import REQUESTS, count_error
from resnet.temporary import full
from resnet.ui.bodies import NO_ROOM, NO_ROOM_ERRORS, NO_ROOM_FOR_FILES, Body, is_upload
from resnet.ui.language import LANGUAGES
from resnet.ui.turns import arrive

LOOPBACK = ("localhost", "127.0.0.1", "::1")

NOT_HERE = "There is nothing of that name here."
MALFORMED = "The request is malformed."
CROSS_SITE = "Other sites may link to this page, but not use it."
NO_ENDPOINT = "There is no endpoint of that name."
WRONG_VALUES = "The values do not fit the parameters of this endpoint; /gradio_api/info lists them."

_TOOLS = "/gradio_api/mcp"
# What asks whether the server is well may know its address alone, and is told nothing else.
_PROBES = ("/healthz", "/readyz")
# What the page, programs and language models ask for; Gradio has more ways in, for components and tools of its own
# that this page lacks, some of them past all bounds.
_NAVIGABLE = {language.route for language in LANGUAGES}
_PAGES = {
    *("", *(language.route for language in LANGUAGES), "config", "theme.css", "favicon.ico", "manifest.json"),
    *("robots.txt", "assets", "static", "svelte", "pwa_icon", "healthz", "readyz", "metrics"),
}
_ENDPOINTS = {
    *("info", "openapi.json", "app_id", "startup-events", "heartbeat", "queue", "call", "run", "api", "upload"),
    *("upload_progress", "cancel", "reset", "login_check", "user", "token", "theme.css", "mcp"),
}
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_PARENTS = "'self' https://huggingface.co" if os.environ.get("SPACE_ID") else "'self'"
# Gradio's page needs inline scripts and `new Function`; what it must not do is load or send anything elsewhere.
_PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    f"worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors {_PARENTS}"
)
# A visitor's file is shown, but nothing in it runs.
_FILE_POLICY = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; frame-ancestors 'self'; sandbox"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
# Gradio's second name for `/file=` is `/file/`.
_FILE = re.compile(r"/file[=/]")
_API = "/gradio_api/"
# Gradio would fetch it and hand it on, as a page of this server; even if it fetches no addresses of photos.
_ELSEWHERE = re.compile(r"/file[=/]\s*https?:", re.IGNORECASE)


class Guard:
    """Middleware: counts requests, sets headers, zips the page, and refuses what the page never asks for.

    A page on this machine is reached by anything that runs in its user's browser. So it answers only to
    names of its own, against DNS rebinding, and only to pages of its own, against forged requests; see
    https://owasp.org/www-community/attacks/csrf. Programs send no `Origin` and are not concerned.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str] | None, further: Sequence[str] = ()) -> None:
        """Wrap an application.

        Args:
            app: The application.
            names: Hosts that it answers to; None for all, where others are meant to reach it.
            further: Those of them that a proxy has, whose pages at the usual port may ask.
        """
        self._app = app
        self._zipped = GZipMiddleware(app, compresslevel=5)
        self._names = names
        self._further = further
        self._held: set[Body] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        arrive(scope)
        path = scope["path"]
        policy = _FILE_POLICY if _FILE.search(path) else _PAGE_POLICY
        method = scope["method"] if scope["method"] in _METHODS else "other"
        started = False

        async def send_with_headers(message: Message) -> None:
            nonlocal started
            if message["type"] == "http.response.start":
                started = True
                REQUESTS.labels(method, str(message["status"])).inc()
                headers = MutableHeaders(scope=message)
                for name, value in _HEADERS.items():
                    headers.setdefault(name, value)
                headers.setdefault("Content-Security-Policy", policy)
            await send(message)

        # Gradio zips files by their names' endings, and leaves out the page itself, which is 430 kB of text. What
        # the endpoints send is pictures, or comes bit by bit.
        whole = self._app if "." in path or "/gradio_api/" in path else self._zipped
        answer: ASGIApp = self._refusal(scope) or whole
        body = Body(scope, receive, self._held)
        try:
            await answer(scope, body.receive, send_with_headers)
        except ClientDisconnect:
            return  # in the middle of an upload: no fault, and nobody is there to be told
        except Exception as error:
            if started and isinstance(error.__cause__, HTTPException):  # Gradio has sent the sentence as an event
                await send({"type": "http.response.body", "body": b"", "more_body": False})
                return
            sentence = None if started else _mended(scope, error)
            if sentence is None:
                raise
            await sentence(scope, receive, send_with_headers)
        finally:
            body.forget()

    def _refusal(self, scope: Scope) -> PlainTextResponse | None:
        path, headers = scope["path"], Headers(scope=scope)
        if self._names is not None and path not in _PROBES:
            sentence = self._stranger(headers, self._names, self._further)
            if sentence:
                return PlainTextResponse(sentence, 403)
        # What has an origin is checked by that; a link or a frame of another site has none, and may lead to the page.
        foreign = headers.get("sec-fetch-site", "none") not in ("same-origin", "none")
        is_page = path.removeprefix(scope.get("root_path", "")).strip("/") in _NAVIGABLE
        if foreign and "origin" not in headers and not (is_page and headers.get("sec-fetch-mode") == "navigate"):
            return PlainTextResponse(CROSS_SITE, 403)
        if _ELSEWHERE.search(path):
            return PlainTextResponse("This server hands out files of its own, not those of other addresses.", 403)
        if not _is_used(path.removeprefix(scope.get("root_path", ""))):
            return PlainTextResponse(NOT_HERE, 404)
        if (is_upload(scope) or _TOOLS in path) and full.is_set():
            return PlainTextResponse(NO_ROOM_FOR_FILES, 507)
        return None

    @staticmethod
    def _stranger(headers: Headers, names: Sequence[str], further: Sequence[str]) -> str | None:
        host, origin = headers.get("host", ""), headers.get("origin")
        if _name_of(f"//{host}") not in names:
            return f"This page does not answer to the name {host!r}. Start it with --name to allow that."
        # Another port is another program, unless it is that of a proxy with a name of its own.
        own = {f"{scheme}://{name}" for scheme in ("http", "https") for name in (host, *further)}
        if origin is not None and origin not in own:
            return f"The site {origin!r} may not use this page. Start it with --name to allow that."
        return None


def _is_used(path: str) -> bool:
    """Tell whether a path is one that the page, programs or language models ask for."""
    page, is_api, endpoint = path.partition(_API)
    if is_api:
        return bool(_FILE.match("/" + endpoint)) or endpoint.partition("/")[0] in _ENDPOINTS
    return page.lstrip("/").partition("/")[0] in _PAGES


def _mended(scope: Scope, error: Exception) -> PlainTextResponse | None:
    """What to say where Gradio lets a caller's mistake, or a full disk, become a fault; None for other faults."""
    path = scope["path"]
    if isinstance(error, HTTPException):
        return PlainTextResponse(str(error.detail), error.status_code, error.headers)
    if isinstance(error, OSError) and error.errno in NO_ROOM_ERRORS:
        count_error(error)
        return PlainTextResponse(NO_ROOM.format(error.strerror), 507)
    if isinstance(error, OSError) and error.errno == errno.ENAMETOOLONG:
        return PlainTextResponse(NOT_HERE, 404)
    if isinstance(error, KeyError) and path == "/" and b"page=" in scope["query_string"]:
        return PlainTextResponse(NOT_HERE, 404)
    malformed = (FormParserError, UnicodeEncodeError, OverflowError)
    if ("/gradio_api/" in path and isinstance(error, malformed)) or (is_upload(scope) and isinstance(error, TypeError)):
        return PlainTextResponse(MALFORMED, 400)
    asked = "/call/" in path or path.endswith("/queue/join")
    if isinstance(error, FnIndexInferError) or (asked and isinstance(error, KeyError)):
        return PlainTextResponse(NO_ENDPOINT, 404)
    if "/call/v2/" in path and isinstance(error, (TypeError, ValueError)):
        return PlainTextResponse(WRONG_VALUES, 422)
    return None


def is_from_here(scope: Scope) -> bool:
    """Tell whether a request comes from this machine, under one of its own names: no proxy, no other site."""
    host = _name_of(f"//{Headers(scope=scope).get('host', '')}")
    return host in LOOPBACK and is_loopback((scope.get("client") or ("none",))[0])


def _name_of(address: str | None) -> str:
    try:
        name = urlsplit(address or "").hostname or ""
    except ValueError:
        return ""
    with contextlib.suppress(ValueError):
        return str(ip_address(name))
    return name


def _host_of(name: str) -> str:
    """The host in a name as a person writes it: alone, with a port, in an address."""
    with contextlib.suppress(ValueError):
        return str(ip_address(name.strip("[]")))
    return _name_of(name if "//" in name else f"//{name}")


def _place(host: str | None) -> str:
    return _host_of((host or os.environ.get("GRADIO_SERVER_NAME") or LOOPBACK[0]).lower())


def is_loopback(host: str | None) -> bool:
    """Whether a server that listens there is reached from its own machine only.

    Args:
        host: As given to `launch`; None for Gradio's default.
    """
    place = _place(host)
    with contextlib.suppress(ValueError):
        return ip_address(place).is_loopback
    return place in LOOPBACK


def middleware(host: str | None, names: Sequence[str]) -> list[Middleware]:
    """What stands before the page.

    Args:
        host: Where the server listens.
        names: Further names under which the page is reached, such as a proxy's; as such or as addresses.

    Raises:
        OptionError: A name is none.
    """
    further = [_host_of(name) for name in names]
    if "" in further:
        raise OptionError(
            "A name under which the page is reached must be like demo.example; received {!r}.",
            names[further.index("")],
        )
    allowed = (*LOOPBACK, _place(host), *further) if is_loopback(host) or names else None
    return [Middleware(Guard, names=allowed, further=further)]
