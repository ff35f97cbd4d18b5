"""Which weights answer: loaded in the background, switched when better ones are ready.

This module loads no TensorFlow until it is asked to start, so that the page can answer first.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from resnet.errors import ResNetError, WeightsError
from resnet.labels import ASSETS
from resnet.manifest import Manifest, read_manifest

if TYPE_CHECKING:
    from resnet.engine import Engine

BUNDLED = ASSETS / "weights"
SOURCES = ("auto", "bundled", "imagenet")

_log = logging.getLogger(__name__)

Reason = Literal["bundled", "imagenet", "file", "auto-bundled", "auto-imagenet", "auto-trying", "auto-offline"]


@dataclass(frozen=True)
class Status:
    """What answers now, for the page and the log.

    Attributes:
        phase: "loading" before any weights are ready, then "ready"; "failed" if none could be had.
        reason: Why these weights: a choice ("bundled", "imagenet", "file"), or what "auto" found:
            "auto-trying" (bundled while the ImageNet weights are looked for), "auto-offline" (they
            could not be had, so bundled) or "auto-imagenet".
        manifest: Of the weights that answer, once ready.
        detail: A sentence about what failed, or empty.
    """

    phase: Literal["loading", "ready", "failed"]
    reason: Reason
    manifest: Manifest | None = None
    detail: str = ""

    @property
    def settled(self) -> bool:
        """Whether nothing will change any more by itself."""
        return self.phase == "failed" or (self.phase == "ready" and self.reason != "auto-trying")


def check_choice(choice: str) -> None:
    """Check a choice of weights without loading them.

    Args:
        choice: "auto", "bundled", "imagenet", or the path of weights, their folder or manifest.

    Raises:
        WeightsError: It is a path without weights and a valid manifest.
    """
    if choice not in SOURCES:
        _ = read_manifest(Path(choice)).labels


def load_bundled() -> Engine:
    """An engine with the weights that come with the program."""
    return load_file(BUNDLED)


def load_file(path: str | Path) -> Engine:
    """An engine with weights from a file, its folder or its manifest."""
    from resnet.engine import Engine

    return Engine.load(read_manifest(Path(path)))


def load_imagenet(*, download: bool = True) -> Engine:
    """An engine with the published ImageNet weights."""
    from resnet.engine import Engine
    from resnet.imagenet import load_imagenet as load

    return Engine(*load(download=download))


def imagenet_is_cached() -> bool:
    """Whether the ImageNet weights are on this machine."""
    from resnet.imagenet import is_cached

    return is_cached()


def load_now(choice: str) -> Engine:
    """An engine for a command that answers once: "auto" never downloads.

    Raises:
        WeightsError: The chosen weights cannot be had.
    """
    if choice == "auto":
        if imagenet_is_cached():
            try:
                return load_imagenet(download=False)
            except Exception as error:  # noqa: BLE001 - whatever stops the better weights, the bundled ones serve
                _log.warning("Using the bundled weights. %s", error)
        choice = "bundled"
    return _loader(choice)()


def _loader(choice: str) -> Callable[[], Engine]:
    return {"bundled": load_bundled, "imagenet": load_imagenet}.get(choice, lambda: load_file(choice))


class EngineProvider:
    """Loads weights in a thread of its own and hands out the engine that answers."""

    def __init__(self, choice: str = "auto") -> None:
        """Remember the choice; nothing is loaded before `start`.

        Args:
            choice: "auto", "bundled", "imagenet", or a path.
        """
        self._choice = choice
        self._changed = threading.Condition()
        self._engine: Engine | None = None
        self._status = Status("loading", self._first_reason())

    def _first_reason(self) -> Reason:
        reasons: dict[str, Reason] = {"auto": "auto-trying", "bundled": "bundled", "imagenet": "imagenet"}
        return reasons.get(self._choice, "file")

    def start(self) -> None:
        """Begin to load, without waiting."""
        threading.Thread(target=self._load, name="weights", daemon=True).start()

    @property
    def status(self) -> Status:
        """What answers now."""
        with self._changed:
            return self._status

    def engine(self, timeout: float = 300.0) -> Engine:
        """The engine that answers, waiting for the first one.

        Raises:
            WeightsError: Loading failed, or did not end within `timeout` seconds.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._status.phase != "loading", timeout)
            if self._engine is None:
                raise WeightsError(self._status.detail or f"The weights did not load within {timeout:g} s.")
            return self._engine

    def _set(self, status: Status, engine: Engine | None = None) -> None:
        with self._changed:
            self._status = status
            self._engine = engine or self._engine
            self._changed.notify_all()
        if engine is not None:
            _log.info("Answering with the weights %s.", engine.manifest.name)

    def _load(self) -> None:
        if self._choice != "auto":
            self._attempt(self._choice, self._first_reason(), Status("failed", self._first_reason()))
            return
        # Without bundled weights the ImageNet weights may still be had, so nothing has failed yet.
        engine = self._attempt("bundled", "auto-trying", Status("loading", "auto-trying"))
        earlier = self.status.detail
        otherwise = Status("failed", "auto-offline", detail=earlier)
        if engine is not None:
            otherwise = Status("ready", "auto-offline", engine.manifest)
        self._attempt("imagenet", "auto-imagenet", otherwise)

    def _attempt(self, source: str, reason: Reason, otherwise: Status) -> Engine | None:
        """Load a source and answer with it; else take the status `otherwise`, with what stopped it."""
        try:
            engine = _loader(source)()
        except Exception as error:  # noqa: BLE001 - the page must say so and go on, whatever it is
            known = isinstance(error, ResNetError)
            sentence = str(error) if known else f"The weights could not be loaded ({type(error).__name__})."
            serving = otherwise.phase == "ready"
            _log.log(logging.INFO if serving else logging.ERROR, "%s", sentence, exc_info=not known)
            self._set(replace(otherwise, detail=f"{otherwise.detail} {sentence}".strip()))
            return None
        self._set(Status("ready", reason, engine.manifest), engine)
        return engine
