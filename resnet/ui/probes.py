"""Status of the server for operators: `/healthz`, `/readyz` and `/metrics`."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import BaseRoute, Route

from resnet.service.explorer import Explorer
from resnet.ui.hosts import is_from_here


class _State:
    """The server's state at the moment, as gauges."""

    def __init__(self, explorer: Explorer) -> None:
        self._explorer = explorer

    def collect(self) -> Iterator[Metric]:
        cache, status = self._explorer.cache, self._explorer.provider.status
        for name, words, value in (
            ("resnet_cache_bytes", "Memory of the results that are held.", cache.held_bytes),
            ("resnet_cache_limit_bytes", "The most that they may take.", cache.maximum_bytes),
            ("resnet_ready", "Whether weights are loaded.", float(status.phase == "ready")),
        ):
            yield GaugeMetricFamily(name, words, value)


def routes(explorer: Explorer) -> list[BaseRoute]:
    """Return `/healthz` (alive), `/readyz` (weights loaded) and `/metrics` (for Prometheus)."""
    own = CollectorRegistry()
    own.register(_State(explorer))

    # Without a thread, of which there are forty: these answer when all of them are busy.
    async def alive(_: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def ready(request: Request) -> Response:
        status = explorer.provider.status
        answer: dict[str, str] = {"status": status.phase}
        if is_from_here(request.scope):  # strangers are told no more
            if status.manifest:
                answer["weights"] = status.manifest.name
                answer["precision"] = explorer.provider.engine().precision
            if status.error:
                answer["error"] = str(status.error)
        return JSONResponse(answer, 200 if status.phase == "ready" else 503)

    async def metrics(_: Request) -> Response:
        return Response(generate_latest(REGISTRY) + generate_latest(own), media_type=CONTENT_TYPE_LATEST)

    return [Route("/healthz", alive), Route("/readyz", ready), Route("/metrics", metrics)]
