"""The server around the page: what Gradio leaves open, a full queue, health and metrics."""

from __future__ import annotations

import time
from collections.abc import Iterator
from inspect import signature
from typing import Any

import gradio as gr
from cachetools import LRUCache
from fastapi import HTTPException
from gradio.queueing import Queue
from gradio_client.utils import is_file_obj_with_meta, is_http_url_like, traverse
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from resnet.batching import MOST_TOGETHER
from resnet.errors import ResNetError
from resnet.explorer import Explorer
from resnet.metrics import ERRORS, count_error
from resnet.ui.bodies import NO_ROOM, NO_ROOM_ERRORS, bytes_of
from resnet.ui.guard import is_from_here
from resnet.ui.sessions import MOST_UNREAD, Mailboxes, check_name, forget
from resnet.ui.turns import still_wanted, take, turn_of

QUEUE_SIZE = 64
"""Requests that may wait; more are told to come back later. Of the later steps of answers as many again may."""

WAITING_BYTES = 256_000_000
"""What requests that wait may take in memory together, as with photos in data URLs."""

NO_ADDRESSES = "This server does not fetch addresses; upload the photo itself, or send it as a data URL."

MISFIT = "A value does not fit the field that it was sent for; a photo must be an uploaded file or a data URL."

MOST_SIZES = 2000
"""Requests whose size is remembered, of which fewer can wait."""

BUSY_SECONDS = 5.0
"""Time after a request in which others are likely."""

REST = 0.02
"""Seconds between two looks for work after that; the first request of a visitor waits half of it on average."""

_CALL = signature(gr.Blocks.call_function)


class RestingQueue(Queue):
    """Gradio's queue, which looks for work a thousand times a second, and so takes a laptop's battery for nothing.

    Attributes:
        asked: When the last request came, by `time.monotonic`.
    """

    asked = float("-inf")

    @property
    def sleep_when_free(self) -> float:  # type: ignore[override]
        """Seconds between two looks for work."""
        often: float = vars(self)["sleep_when_free"]  # as Gradio has set it
        return often if time.monotonic() - self.asked < BUSY_SECONDS else max(often, REST)


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
        self._sizes: LRUCache[str, int] = LRUCache(MOST_SIZES)

    async def preprocess_data(self, block_fn: Any, inputs: list[Any], state: Any, explicit_call: bool = False) -> Any:
        """Refuse, in a sentence, what does not fit the fields, and addresses unless they are switched on."""
        wanted = len(block_fn.inputs)
        if len(inputs) != wanted:
            raise gr.Error(f"This endpoint takes {wanted} values; received {len(inputs)}.", print_exception=False)
        try:
            if not self.fetch:
                traverse(inputs, _refuse_address, is_file_obj_with_meta)
            return await super().preprocess_data(block_fn, inputs, state, explicit_call)
        except gr.Error:
            raise
        except OSError as error:
            if error.errno not in NO_ROOM_ERRORS:
                raise gr.Error(MISFIT, print_exception=False) from error
            raise gr.Error(NO_ROOM.format(error.strerror), print_exception=False) from error
        except Exception as error:
            raise gr.Error(MISFIT, print_exception=False) from error

    async def call_function(self, block_fn: Any, *args: Any, **options: Any) -> Any:
        """Leave out of an event's answer what a later event has answered already; programs get all they ask for."""
        bound = _CALL.bind(self, block_fn, *args, **options).arguments
        # Each step of a long event, such as many photos, tells of the present.
        turn = take() if bound.get("iterator") else turn_of(bound.get("requests"))
        result = await super().call_function(block_fn, *args, **options)
        state = bound.get("state")
        if state is not None and block_fn.api_visibility == "private":
            result["prediction"] = still_wanted(result["prediction"], block_fn.outputs, turn, state.turns)
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
            if error.errno not in NO_ROOM_ERRORS:
                raise
            raise gr.Error(NO_ROOM.format(error.strerror), print_exception=False) from error
        except Exception as error:
            count_error(error)
            raise
        finally:
            if options.get("event_id") == options.get("session_hash"):  # Gradio's own name for it
                forget(self.state_holder, options.get("session_hash"))

    def mend_queue(self) -> None:
        """Let a full queue say when to come back, an empty one rest, forget nobody who waits, survive who leaves.

        Gradio forgets a visitor's messages when he leaves; the next message to him, such as his place in the
        queue, would end the loop that serves everybody.
        """
        queue = self._queue
        queue.__class__ = RestingQueue
        assert isinstance(queue, RestingQueue)
        push, send = queue.push, queue.send_message

        mailboxes = Mailboxes(queue)

        def send_if_there(event: Any, message: Any) -> None:
            if event.session_hash in mailboxes:
                send(event, message)

        async def push_or_say(body: Any, request: Request, username: str | None) -> Any:
            if self.stopping:
                raise HTTPException(503, "The server is being restarted. Please try again in a minute.")
            queue.asked = time.monotonic()
            check_name(body.session_hash)
            mailboxes.make_room()
            if mailboxes.unread(body.session_hash) > MOST_UNREAD:
                raise HTTPException(429, "Answers to earlier requests have not been fetched; fetch them first.")
            function = self.fns.get(body.fn_index)
            # Gradio's page says of its own status for it, 503, something else and no time; its client knows no other.
            status = 503 if function and function.api_visibility != "private" else 429
            # A photo whose pass has been made is shown as well: else its name would stand above a former one's maps.
            most = QUEUE_SIZE if function is None or function.trigger_after is None else 2 * QUEUE_SIZE
            waiting, size = self._waiting(), bytes_of(request)
            held = sum(self._sizes.get(event, 0) for event in waiting)
            if len(waiting) >= most:
                raise self._busy(status, f"{len(waiting)} requests wait")
            if waiting and held + size > WAITING_BYTES:
                raise self._busy(status, f"requests of {(held + size) / 1e6:.0f} MB, this one included, wait")
            taken, event, *outcome = await push(body, request, username)
            if taken:
                self._sizes[str(event)] = size
            return taken, event, *outcome

        queue.pending_messages_per_session = mailboxes  # type: ignore[assignment]
        queue.push = push_or_say  # type: ignore[method-assign]
        queue.send_message = send_if_there  # type: ignore[assignment,method-assign]

    def _waiting(self) -> list[str]:
        """Names of the events that wait for their turn."""
        queues = self._queue.event_queue_per_concurrency_id.values()
        return [event._id for waiting in queues for event in waiting.queue]

    def _busy(self, status: int, what: str) -> HTTPException:
        """The refusal of a request where enough waits."""
        ERRORS.labels("QueueFull").inc()
        seconds = max(1, round(self.expected_wait()))
        return HTTPException(
            status,
            f"The server is busy: {what} already, the most that may. Please try again in about {seconds} s.",
            headers={"Retry-After": str(seconds)},
        )

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

    # In no thread, of which there are forty: these answer when all of them are busy.
    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(request: Request) -> Response:
        status = explorer.provider.status
        answer: dict[str, str] = {"status": status.phase}
        if is_from_here(request.scope):  # strangers are told no more
            if status.manifest:
                answer["weights"] = status.manifest.name
                answer["runtime"] = explorer.provider.engine().runtime
            if status.error:
                answer["error"] = str(status.error)
        return JSONResponse(answer, 200 if status.phase == "ready" else 503)

    async def metrics(_: Request) -> Response:  # in the queue's own thread, which alone may look at it
        return Response(generate_latest(REGISTRY) + generate_latest(own), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)]
