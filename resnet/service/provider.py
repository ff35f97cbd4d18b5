"""The weights in use: loaded in the background, replaced when better ones are ready.

This module loads no TensorFlow until it is asked to start, so that the page can answer first.
"""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from cachetools import LRUCache

from resnet.errors import ResNetError, WeightsError
from resnet.logs import without_greetings
from resnet.metrics import count_pass, count_wait
from resnet.network import sources
from resnet.network.manifest import Manifest
from resnet.network.sources import SERVER
from resnet.options import one_of

if TYPE_CHECKING:
    from resnet.network.engine import Engine

HELD_ENGINES = 3
"""Engines kept for visitors' choices; each takes about 0.3 GB, in bfloat16 0.6."""

_log = logging.getLogger(__name__)

Reason = Literal["bundled", "imagenet", "file", "auto-bundled", "auto-imagenet", "auto-trying", "auto-offline"]


@dataclass(frozen=True)
class Status:
    """The weights in use, for the page and the log.

    Attributes:
        phase: "loading" before any weights are ready, then "ready"; "failed" if none could be had.
        reason: Why these weights: a choice ("bundled", "imagenet", "file"), or what "auto" found:
            "auto-trying" (bundled while the ImageNet weights are looked for), "auto-offline" (they
            could not be had, so bundled) or "auto-imagenet".
        manifest: Of the weights that answer, once ready.
        error: What failed, if something did.
    """

    phase: Literal["loading", "ready", "failed"]
    reason: Reason
    manifest: Manifest | None = None
    error: ResNetError | None = None

    @property
    def settled(self) -> bool:
        """Return True if the status is final."""
        return self.phase == "failed" or (self.phase == "ready" and self.reason != "auto-trying")


class EngineProvider:
    """Loads weights in a thread of its own and hands out the engine that answers.

    A visitor may choose other weights than the server's; that changes nothing for anyone else. The
    engines used last are kept, `HELD_ENGINES` besides the server's own.

    Attributes:
        choices: What visitors may choose from.
    """

    def __init__(self, choice: str = "auto", offered: Sequence[str | Path] = ()) -> None:
        """Remember the choice; nothing is loaded before `start`.

        Args:
            choice: "auto", "bundled", "imagenet", or a path.
            offered: Paths of further weights that visitors may choose.

        Raises:
            WeightsError: A path in `offered` has no weights with a valid manifest.
        """
        self.choices = sources.offered_choices(offered)
        self._choice = choice
        self._changed = threading.Condition()
        self._engine: Engine | None = None
        self._former: Engine | None = None
        self._status = Status("loading", self._first_reason())
        self._loader_thread = threading.Thread(target=self._load_and_prepare, name="weights", daemon=True)
        self._loading: dict[str, threading.Lock] = {}
        self._chosen: LRUCache[str, Engine] = LRUCache(HELD_ENGINES)

    @classmethod
    def serving(cls, engine: Engine) -> EngineProvider:
        """A provider whose engine is there already, for tests and measurements."""
        provider = cls("bundled")
        provider._chosen["bundled"] = _counted(engine)
        provider._set(Status("ready", "bundled", engine.manifest), engine)
        return provider

    def _first_reason(self) -> Reason:
        reasons: dict[str, Reason] = {"auto": "auto-trying", "bundled": "bundled", "imagenet": "imagenet"}
        return reasons.get(self._choice, "file")

    def start(self) -> None:
        """Begin to load, without waiting."""
        self._loader_thread.start()

    def finish(self, timeout: float) -> None:
        """Wait until all loading has ended, at most `timeout` seconds, before the process ends."""
        if self._loader_thread.is_alive():
            self._loader_thread.join(timeout)

    def _load_and_prepare(self) -> None:
        with without_greetings(), contextlib.suppress(Exception):  # what stops this stops the load, which says so
            from resnet.network.engine import find_devices

            find_devices()
        self._load()
        engine = self._engine
        if engine is not None:
            faster = _faster(engine)
            self._replace(engine, faster)
            faster.prepare()

    @property
    def status(self) -> Status:
        """Return the weights in use for visitors who have not chosen others."""
        with self._changed:
            return self._status

    def engine(self, choice: str = SERVER, timeout: float = 300.0) -> Engine:
        """The engine that answers a choice, loaded if need be; for the server's own, waits for it.

        Raises:
            WeightsError: Loading failed, or did not end within `timeout` seconds.
            OptionError: The choice is not among `choices`.
        """
        one_of("weights", choice, [known.identifier for known in self.choices])
        if choice != SERVER:
            return self._visitors(choice)
        with self._changed:
            self._changed.wait_for(lambda: self._status.phase != "loading", timeout)
            if self._engine is None:
                raise self._status.error or WeightsError("The weights did not load within {:g} s.", timeout)
            return self._engine

    def engine_of(self, identity: str, choice: str) -> Engine:
        """The engine with which an earlier answer was given.

        Args:
            identity: `Engine.identity`.
            choice: Under which the answer was given.

        Raises:
            WeightsError: These weights answer no more.
        """
        with self._changed:
            held = [*filter(None, [self._engine, self._former]), *self._chosen.values()]
        for engine in held:
            if engine.identity == identity:
                return engine
        engine = self.engine(choice)
        if engine.identity != identity:
            raise WeightsError("The weights that gave this answer are no longer loaded; choose the photo again.")
        return engine

    def _visitors(self, choice: str) -> Engine:
        with self._changed:
            engine = self._chosen.get(choice)
        if engine is not None:
            return engine
        path = next(known.path for known in self.choices if known.identifier == choice)
        try:
            return self._loaded(choice, str(path) if path else choice, _faster)
        except Exception as error:
            raise _as_weights_error(error) from error

    def _loaded(self, choice: str, source: str, finish: Callable[[Engine], Engine] = lambda engine: engine) -> Engine:
        """The engine of a choice, loaded and finished once however many ask for it at the same time."""
        with self._changed:
            lock = self._loading.setdefault(choice, threading.Lock())
        with lock:
            with self._changed:
                engine = self._chosen.get(choice)
            if engine is None:
                engine = finish(_counted(sources.loader(source)()))
                with self._changed:
                    self._chosen[choice] = engine
            return engine

    def _replace(self, engine: Engine, other: Engine) -> None:
        """Answer by another engine with the same weights; the first one goes on with the answers that it gave."""
        with self._changed:
            self._engine, self._former = other, engine
            for choice, held in list(self._chosen.items()):
                if held is engine:
                    self._chosen[choice] = other

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
        otherwise = Status("failed", "auto-offline", error=self.status.error)
        if engine is not None:
            otherwise = Status("ready", "auto-offline", engine.manifest)
        self._attempt("imagenet", "auto-imagenet", otherwise)

    def _attempt(self, source: str, reason: Reason, otherwise: Status) -> Engine | None:
        """Load a source and answer with it; else take the status `otherwise`, with what stopped it."""
        try:
            engine = self._loaded(source, source)
        except Exception as error:  # noqa: BLE001 - the page must say so and go on, whatever it is
            sentence = _as_weights_error(error)
            serving = otherwise.phase == "ready"
            unknown = not isinstance(error, ResNetError)
            _log.log(logging.INFO if serving else logging.ERROR, "%s", sentence, exc_info=unknown)
            earlier = otherwise.error
            self._set(replace(otherwise, error=WeightsError("{} {}", earlier, sentence) if earlier else sentence))
            return None
        self._set(Status("ready", reason, engine.manifest), engine)
        return engine


def _faster(engine: Engine) -> Engine:
    """Return the engine in bfloat16 where `precision.faster` takes it; whatever goes wrong with that, the engine."""
    from resnet.network.precision import faster

    try:
        return faster(engine)
    except Exception:  # noqa: BLE001 - the page answers all the same, whatever it is
        _log.exception("Answering in float32, since bfloat16 failed.")
        return engine


def _counted(engine: Engine) -> Engine:
    """Count the engine's passes in the server's metrics from now on."""
    engine.on_pass, engine.on_wait = count_pass, count_wait
    return engine


def _as_weights_error(error: Exception) -> ResNetError:
    """The error itself if it speaks to people, else one that does."""
    if isinstance(error, ResNetError):
        return error
    return WeightsError("The weights could not be loaded ({}).", type(error).__name__)
