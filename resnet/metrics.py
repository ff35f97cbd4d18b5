"""Metrics of the server, for `/metrics` in Prometheus' format.

See https://prometheus.io/docs/practices/naming/. Nothing here names a photo or a visitor.
"""

from __future__ import annotations

from prometheus_client import Counter, Histogram, disable_created_metrics

from resnet.errors import ResNetError

disable_created_metrics()  # type: ignore[no-untyped-call]

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)

REQUESTS = Counter("resnet_http_requests", "HTTP requests by method and status.", ["method", "status"])
PHOTOS = Counter("resnet_photos", "Photos answered, whether computed or remembered.")
ERRORS = Counter(
    "resnet_errors",
    "Requests that ended in a sentence, by kind; 'Defect' is a fault of the program.",
    ["kind"],
)
PASSES = Counter("resnet_passes", "Passes of the network; each picture of an occlusion curve counts as one.")
BATCH = Histogram("resnet_pass_images", "Images in a forward pass.", buckets=(1, 2, 4, 8, 16, 32))
PHASES = Histogram(
    "resnet_phase_seconds",
    "Time of the phases of an answer: decode, prepare, wait (for the network), forward, maps, overlay, encode.",
    ["phase"],
    buckets=_BUCKETS,
)
CACHE = Counter("resnet_cache_requests", "Questions to the cache of results, by result: hit or miss.", ["result"])

# Known beforehand, so that they are there, as zeros, before the first one happens.
for _phase in ("decode", "prepare", "wait", "forward", "maps", "overlay", "encode"):
    PHASES.labels(_phase)
for _kind in ("ImageError", "WeightsError", "DataError", "OptionError", "Defect"):
    ERRORS.labels(_kind)
for _result in ("hit", "miss"):
    CACHE.labels(_result)


def count_pass(images: int, passes: int, seconds: float | None) -> None:
    """Count a pass of the network, as `Engine.on_pass` reports it."""
    PASSES.inc(passes)
    BATCH.observe(images)
    if seconds is not None:
        PHASES.labels("forward").observe(seconds)


def count_wait(seconds: float) -> None:
    """Count the time that an image has waited for the network, as `Engine.on_wait` reports it."""
    PHASES.labels("wait").observe(seconds)


def count_error(error: BaseException) -> None:
    """Count what ended a request."""
    ERRORS.labels(type(error).__name__ if isinstance(error, ResNetError) else "Defect").inc()
