"""The server around the page: who may ask, what every response says to browsers, health and metrics."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Sequence
from inspect import signature
from typing import Any
from urllib.parse import urlsplit

import gradio as gr
from fastapi import HTTPException
from gradio.route_utils import FnIndexInferError
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from resnet.batching import MOST_TOGETHER
from resnet.errors import ResNetError
from resnet.explorer import Explorer
from resnet.metrics import ERRORS, REQUESTS, count_error
from resnet.ui.sessions import Mailboxes, forget
from resnet.ui.turns import Turns

QUEUE_SIZE = 64
"""Requests that may wait; more are told to come back later."""

LOOPBACK = ("localhost", "127.0.0.1", "::1")
NO_ADDRESSES = "This server does not fetch addresses; upload the photo itself, or send it as a data URL."

MISFIT = "A value does not fit the field that it was sent for; a photo must be an uploaded file or a data URL."
NO_ROOM = "The server cannot store files now: {}. Please try later."

_CALL = signature(gr.Blocks.call_function)
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EROFS)
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS")
_PARENTS = "'self' https://huggingface.co" if os.environ.get("SPACE_ID") else "'self'"
# Gradio's page needs inline scripts and `new Function`; what it must not do is load or send anything elsewhere.
_PAGE_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' data: blob:; "
    f"worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors {_PARENTS}"
)
# A visitor's file is shown, but nothing in it runs.
_FILE_POLICY = "default-src 'none'; img-src 'self'; style-src 'unsafe-inline'; sandbox"
_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), payment=(), usb=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}


class GuardedBlocks(gr.Blocks):
    """Gradio's page with what it leaves open: addresses of visitors, a full queue, late answers, faults uncounted.

    Attributes:
        explorer: What asks the network.
        fetch: Whether addresses that visitors send are fetched. Gradio fetches public ones from anywhere in
            the input of any component, so this is decided here, before the components see it.
        stopping: Whether new requests are refused, because the server is about to end.
    """

    def __init__(self, explorer: Explorer, *, fetch: bool, **options: Any) -> None:
        """Start an empty page.

        Args:
            explorer: What asks the network.
            fetch: Whether to fetch addresses.
            options: Of `gr.Blocks`.
        """
        super().__init__(**options)
        self.explorer = explorer
        self.fetch = fetch
        self.stopping = False
        self._turns = Turns()

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False) -> Any:
        """Refuse, in a sentence, what does not fit the fields, and addresses unless they are switched on."""
        wanted = len(block_fn.inputs)
        if len(inputs) != wanted:
            raise gr.Error(f"This endpoint takes {wanted} values; received {len(inputs)}.", print_exception=False)
        if not self.fetch:
            traverse(inputs, _refuse_address, is_file_obj_with_meta)
        try:
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except gr.Error:
            raise
        except OSError as error:
            if error.errno not in _NO_ROOM:
                raise gr.Error(MISFIT, print_exception=False) from error
            raise gr.Error(NO_ROOM.format(error.strerror), print_exception=False) from error
        except Exception as error:
            raise gr.Error(MISFIT, print_exception=False) from error

    async def call_function(self, block_fn: Any, *args: Any, **options: Any) -> Any:
        """Leave out of an event's answer what a later event has answered already; programs get all they ask for."""
        bound = _CALL.bind(self, block_fn, *args, **options).arguments
        # Each step of a long event, such as many photos, tells of the present.
        turn = self._turns.take() if bound.get("iterator") else self._turns.of(bound.get("event_id"))
        result = await super().call_function(block_fn, *args, **options)
        state = bound.get("state")
        if state is not None and block_fn.api_visibility == "private":
            result["prediction"] = self._turns.still_wanted(result["prediction"], block_fn.outputs, turn, state.turns)
        return result

    async def process_api(self, *args: Any, **options: Any) -> Any:
        """Count what ends a request; a call that names no session leaves none behind."""
        try:
            return await super().process_api(*args, **options)
        except gr.Error as error:
            if isinstance(error.__cause__, ResNetError):
                count_error(error.__cause__)
            raise
        except OSError as error:
            count_error(error)
            if error.errno not in _NO_ROOM:
                raise
            raise gr.Error(NO_ROOM.format(error.strerror), print_exception=False) from error
        except Exception as error:
            count_error(error)
            raise
        finally:
            if options.get("event_id") == options.get("session_hash"):  # Gradio's own name for it
                forget(self.state_holder, options.get("session_hash"))

    def mend_queue(self) -> None:
        """Let a full queue say when to come back, forget nobody who waits, and survive visitors who leave.

        Gradio forgets a visitor's messages when he leaves; the next message to him, such as his place in the
        queue, would end the loop that serves everybody.
        """
        push, send = self._queue.push, self._queue.send_message

        def send_if_there(event: Any, message: Any) -> None:
            if event.session_hash in self._queue.pending_messages_per_session:
                send(event, message)

        async def push_or_say(*args: Any, **options: Any) -> Any:
            if self.stopping:
                raise HTTPException(503, "The server is being restarted. Please try again in a minute.")
            waiting = len(self._queue)
            if waiting >= QUEUE_SIZE:
                ERRORS.labels("QueueFull").inc()
                seconds = max(1, round(self.expected_wait()))
                # Gradio's own status for it, 503, makes its page say something else and no time.
                raise HTTPException(
                    429,
                    f"The server is busy: {waiting} requests wait already, the most that may. "
                    f"Please try again in about {seconds} s.",
                    headers={"Retry-After": str(seconds)},
                )
            turn = self._turns.take()
            taken, event, *outcome = await push(*args, **options)
            if taken:
                self._turns.note(str(event), turn)
            return taken, event, *outcome

        self._queue.pending_messages_per_session = Mailboxes(self._queue)  # type: ignore[assignment]
        self._queue.push = push_or_say  # type: ignore[method-assign]
        self._queue.send_message = send_if_there  # type: ignore[assignment,method-assign]

    def expected_wait(self) -> float:
        """Seconds until all that wait now will have been answered, by what requests took so far."""
        queue = self._queue
        known = [one.avg_time for one in queue.process_time_per_fn.values() if one.count]
        average = sum(known) / len(known) if known else 1.0
        return len(queue) * average / max(1, min(len(queue), MOST_TOGETHER))


def _refuse_address(file: dict[str, Any]) -> dict[str, Any]:
    if is_http_url_like(file["path"]):
        raise gr.Error(NO_ADDRESSES, print_exception=False)
    return file


class Guard:
    """Middleware: counts requests, sets headers, zips the page, and keeps other sites from driving a local one.

    A page on this machine is reached by anything that runs in its user's browser. So it answers only to
    names of its own, against DNS rebinding, and only to pages of its own, against forged requests; see
    https://owasp.org/www-community/attacks/csrf. Programs send no `Origin` and are not concerned.
    """

    def __init__(self, app: ASGIApp, names: Sequence[str] | None) -> None:
        """Wrap an application.

        Args:
            app: The application.
            names: Hosts that it answers to; None for all, where others are meant to reach it.
        """
        self._app = app
        self._zipped = GZipMiddleware(app, compresslevel=5)
        self._names = names

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        policy = _FILE_POLICY if "/file=" in scope["path"] else _PAGE_POLICY
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

        refused = self._refusal(Headers(scope=scope))
        # Gradio zips files by their names' endings, and leaves out the page itself, which is 430 kB of text. What
        # the endpoints send is pictures, or comes bit by bit.
        unzipped = "." in scope["path"] or "/gradio_api/" in scope["path"]
        whole = self._app if unzipped else self._zipped
        answer: ASGIApp = PlainTextResponse(refused, 403) if refused else whole
        try:
            await answer(scope, receive, send_with_headers)
        except ClientDisconnect:
            return  # in the middle of an upload: no fault, and nobody is there to be told
        except FnIndexInferError:
            if started:
                raise
            await PlainTextResponse("There is no endpoint of that name.", 404)(scope, receive, send_with_headers)
        except OSError as error:
            if started or error.errno not in _NO_ROOM:
                raise
            count_error(error)
            full = PlainTextResponse(NO_ROOM.format(error.strerror), 507)
            await full(scope, receive, send_with_headers)

    def _refusal(self, headers: Headers) -> str | None:
        if self._names is None:
            return None
        host, origin = headers.get("host", ""), headers.get("origin")
        if _name_of(f"//{host}") not in self._names:
            return f"This page does not answer to the name {host!r}. Start it with --name to allow that."
        if origin not in (None, f"http://{host}", f"https://{host}") and _name_of(origin) not in self._names:
            return f"The site {origin!r} may not use this page. Start it with --name to allow that."
        return None


def _name_of(address: str | None) -> str:
    try:
        return urlsplit(address or "").hostname or ""
    except ValueError:
        return ""


def is_loopback(host: str | None) -> bool:
    """Whether a server that listens there is reached from its own machine only.

    Args:
        host: As given to `launch`; None for Gradio's default.
    """
    return (host or os.environ.get("GRADIO_SERVER_NAME") or LOOPBACK[0]) in LOOPBACK


def middleware(host: str | None, names: Sequence[str]) -> list[Middleware]:
    """What stands before the page.

    Args:
        host: Where the server listens.
        names: Further names under which the page is reached, such as a proxy's.
    """
    allowed = (*LOOPBACK, *names) if is_loopback(host) or names else None
    return [Middleware(Guard, names=allowed)]


class _State:
    """What the page holds at the moment, as gauges."""

    def __init__(self, demo: GuardedBlocks) -> None:
        self._demo = demo

    def collect(self) -> Iterator[Metric]:
        cache, status = self._demo.explorer.cache, self._demo.explorer.provider.status
        for name, words, value in (
            ("resnet_queue_requests", "Requests that wait for their turn.", len(self._demo._queue)),
            ("resnet_cache_bytes", "Memory of the results that are held.", cache.held_bytes),
            ("resnet_cache_limit_bytes", "The most that they may take.", cache.maximum_bytes),
            ("resnet_ready", "Whether weights are loaded.", float(status.phase == "ready")),
        ):
            yield GaugeMetricFamily(name, words, value)


def routes(demo: GuardedBlocks) -> list[BaseRoute]:
    """`/healthz` (alive), `/readyz` (weights loaded) and `/metrics`."""
    explorer = demo.explorer
    own = CollectorRegistry()
    own.register(_State(demo))

    def alive(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    def ready(_: Request) -> Response:
        status = explorer.provider.status
        answer: dict[str, str] = {"status": status.phase}
        if status.manifest:
            answer["weights"] = status.manifest.name
            answer["runtime"] = explorer.provider.engine().runtime
        if status.error:
            answer["error"] = str(status.error)
        return JSONResponse(answer, 200 if status.phase == "ready" else 503)

    async def metrics(_: Request) -> Response:  # in the queue's own thread, which alone may look at it
        return Response(generate_latest(REGISTRY) + generate_latest(own), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)]
