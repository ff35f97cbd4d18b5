"""Answers for the page and its endpoints: combines photos, weights and cached results.

Whatever has been computed for a photo is held under a key that says all that it depends on, so that
the same question never runs the network twice while its answer is held.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cachetools import LRUCache
from PIL import Image

from resnet.maps.channels import BlockTrace, trace_blocks
from resnet.maps.comparison import check_change, digest_of_changed, observe_changed
from resnet.maps.curves import Curves, measure_curves
from resnet.maps.drawn import Drawing, hide_drawn
from resnet.maps.elsewhere import Resemblance, find_elsewhere
from resnet.maps.evidence import Evidence, check_classes, find_evidence
from resnet.maps.heatmaps import Heatmap
from resnet.maps.inside import BlockInside, Worked, kernel_pictures, look_inside, work_out
from resnet.maps.observation import Observation, observe
from resnet.maps.occlusion import FILLS, Hidden, hide, hiding_map
from resnet.maps.parts import LEAST, MOST, Parts, find_parts
from resnet.maps.without import Without, answer_with_all, answer_without
from resnet.metrics import PHASES, PHOTOS
from resnet.network.sources import SERVER
from resnet.options import number, one_of, whole_number
from resnet.photo.images import Photo, read_photo
from resnet.photo.preprocess import FRAMINGS
from resnet.service.cache import ResultCache
from resnet.service.provider import EngineProvider
from resnet.service.temporary import remove, touch
from resnet.service.viewers import Viewers

if TYPE_CHECKING:
    from resnet.network.engine import Engine

MOST_PATHS = 256
"""Photos of which the explorer remembers by which key their answers are held."""

Key = tuple[str, str, str]
"""Digest of the photo, framing, `Engine.identity`: weights and precision."""


@dataclass(frozen=True)
class Source:
    """Origin of an answer: enough to compute it again. This, not arrays, is a visitor's state.

    Attributes:
        path: Of the photo.
        framing: "crop" or "whole".
        weights: A choice of `EngineProvider.choices`.
        change: A name of `comparison.CHANGES` with its amount, or None.
    """

    path: str
    framing: str = "crop"
    weights: str = SERVER
    change: tuple[str, float] | None = None


@dataclass(frozen=True)
class Shown:
    """An answer that a visitor sees: its key and where it comes from."""

    key: Key
    source: Source


class Explorer:
    """Asks the network, and remembers. Thread-safe.

    Attributes:
        provider: Of the weights.
        cache: Of the results, for all visitors together.
        viewers: The photo of each viewer who looks at one.
    """

    def __init__(self, provider: EngineProvider, cache: ResultCache | None = None) -> None:
        """Remember what to ask.

        Args:
            provider: Started by the caller.
            cache: A new one by default.
        """
        self.provider = provider
        self.cache = cache or ResultCache()
        self.viewers = Viewers()
        self._digests: LRUCache[str, str] = LRUCache(MOST_PATHS)  # of photos by path, whose content never changes
        self._lock = threading.Lock()

    def observe(self, source: Source, like: Shown | None = None) -> tuple[Shown, Observation]:
        """Decode a photo and run the network, unless the result is still held.

        Args:
            source: The photo, and by which weights it is answered.
            like: An answer whose weights are to answer this as well, even if others answer that choice by now.

        Raises:
            ResNetError: The photo, the framing, the change or the weights are refused.
        """
        touch(source.path)  # the weights may be a while in coming
        return self._observe(source, self._engine(like) if like else self.provider.engine(source.weights))

    def _observe(self, source: Source, engine: Engine) -> tuple[Shown, Observation]:
        one_of("framing", source.framing, FRAMINGS)
        photo = self._read(source)
        digest = photo.digest
        if source.change:
            check_change(*source.change)
            digest = digest_of_changed(digest, *source.change)
        key = (digest, source.framing, engine.identity)

        def make() -> Observation:
            if source.change:
                return observe_changed(photo, engine, source.framing, *source.change)
            return observe(photo, engine, source.framing)

        found = self.cache.get_or_make(("photo", key), make)
        PHOTOS.inc()
        return Shown(key, source), found.named(photo.name)

    def observation(self, shown: Shown) -> Observation:
        """An answer given before; computed again, by the same weights, if it has left the cache.

        Raises:
            ResNetError: The photo is gone, or its weights are.
        """
        found = self.cache.get(("photo", shown.key))
        if isinstance(found, Observation):
            touch(shown.source.path)
            return found.named(Path(shown.source.path).name)
        return self._observe(shown.source, self.provider.engine_of(shown.key[2], shown.source.weights))[1]

    @staticmethod
    def _read(source: Source) -> Photo:
        touch(source.path)
        with PHASES.labels("decode").time():
            return read_photo(source.path)

    def clear(self, viewer: str) -> None:
        """Delete the photo that a viewer has cleared, and what was found out about it, unless others look at it."""
        if photo := self.viewers.leave(viewer):
            path, digest = photo
            remove(path)
            if digest:
                self.cache.forget(lambda key: key[1][0].startswith(digest))

    def blocks(self, shown: Shown) -> BlockTrace:
        """Every block's output for an answer."""
        observation = self.observation(shown)
        return self.cache.get_or_make(("blocks", shown.key), lambda: trace_blocks(observation, self._engine(shown)))

    def inside(self, shown: Shown, place: int) -> BlockInside:
        """Every step of a block for an answer."""
        observation, trace = self.observation(shown), self.blocks(shown)
        key = ("inside", shown.key, place)
        return self.cache.get_or_make(key, lambda: look_inside(observation, trace, place, self._engine(shown)))

    def parts(self, shown: Shown, stage: int, count: int) -> Parts:
        """Return the parts of a stage for an answer."""
        observation = self.observation(shown)
        count = whole_number("number of parts", count, LEAST, MOST)
        key = ("parts", shown.key, stage, count)
        return self.cache.get_or_make(key, lambda: find_parts(observation, stage, count, self._engine(shown)))

    def elsewhere(
        self, shown: Shown, stage: int, row: int, column: int, paths: Sequence[str]
    ) -> tuple[Resemblance, ...]:
        """Return the cells that resemble one, in its own photo and in others; a pass for each that is not held."""
        observation = self.observation(shown)
        answers = [self._known(path, shown) for path in paths]
        others = [other for key, other in answers if key != shown.key]
        return find_elsewhere(observation, stage, row, column, others)

    def _known(self, path: str, like: Shown) -> tuple[Key, Observation]:
        """Key and answer of a photo by the weights and framing of another; read anew only if it is not held."""
        with self._lock:
            digest = self._digests.get(path)
        key = (str(digest), *like.key[1:])
        if digest and isinstance(found := self.cache.get(("photo", key)), Observation):
            touch(path)
            return key, found.named(Path(path).name)
        shown, observation = self.observe(Source(path, like.source.framing, like.source.weights), like=like)
        with self._lock:
            self._digests[path] = shown.key[0]
        return shown.key, observation

    def kernels(self, shown: Shown, side: int) -> tuple[Image.Image, ...]:
        """Return pictures of the first convolution's kernels."""
        return kernel_pictures(self._engine(shown), side)

    def worked_out(self, shown: Shown, place: int, step: str, row: int, column: int, channel: int) -> Worked:
        """Return how one value inside a block was computed."""
        return work_out(self.inside(shown, place), step, row, column, channel, self._engine(shown))

    def evidence(self, shown: Shown, classes: Sequence[int]) -> Evidence:
        """Return the evidence of each stage for some classes; earlier ones are cached."""
        observation = self.observation(shown)
        chosen = check_classes(classes, observation.manifest.classes)
        with self.cache.alone(("evidence", shown.key)):  # of all its classes: they come of one pass
            parts = {index: self.cache.get(("evidence", shown.key, index)) for index in chosen}
            missing = [index for index, part in parts.items() if part is None]
            if missing:
                found = find_evidence(observation, self._engine(shown), missing)
                for place, index in enumerate(missing):
                    parts[index] = found.only(place)
                    self.cache.store(("evidence", shown.key, index), found.only(place))
        return Evidence.join([part for part in parts.values() if isinstance(part, Evidence)])

    def without(self, shown: Shown, stage: int, row: int, column: int) -> Without:
        """The answer with one cell of a stage set to 0."""
        observation = self.observation(shown)
        key = ("without", shown.key, stage, row, column)
        return self.cache.get_or_make(key, lambda: answer_without(observation, self._engine(shown), stage, row, column))

    def with_all(self, shown: Shown, stage: int) -> Without:
        """Return the answer from a stage on with no cell set to 0, for comparison."""
        observation = self.observation(shown)
        key = ("with all", shown.key, stage)
        return self.cache.get_or_make(key, lambda: answer_with_all(observation, self._engine(shown), stage))

    def observe_other(self, shown: Shown, path: str | None, change: str, amount: float) -> tuple[Shown, Observation]:
        """Answer what an answer is compared with: another photo if there is one, else the same one changed.

        Raises:
            ResNetError: The other photo or the change is refused, or the weights are gone.
        """
        framing, weights = shown.source.framing, shown.source.weights
        source = Source(path or shown.source.path, framing, weights, None if path else (change, amount))
        return self.observe(source, like=shown)

    def hiding_map(self, shown: Shown, source: str, stage: int, target: int) -> Heatmap:
        """Return the map that decides what is hidden.

        Args:
            shown: The answer.
            source: One of `occlusion.HIDING_MAPS`: a method of class evidence, or how channels become one map.
            stage: 0 for C1 to 4 for C5.
            target: Index of the class.

        Raises:
            OptionError: The map is flat, so that no part of it is hotter than another.
        """
        return hiding_map(self.observation(shown), source, stage, target, lambda: self.evidence(shown, (target,)))

    def hidden(self, shown: Shown, heatmap: Heatmap, percent: float, fill: str) -> Hidden:
        """The answer with the hottest part of a map hidden."""
        observation = self.observation(shown)
        percent = number("hidden part in percent", percent, 0, 100)
        one_of("fill", fill, FILLS)
        key = ("hidden", shown.key, heatmap.values.tobytes(), heatmap.block, percent, fill)
        return self.cache.get_or_make(key, lambda: hide(observation, self._engine(shown), heatmap, percent, fill))

    def hidden_drawn(self, shown: Shown, drawing: Drawing, fill: str) -> Hidden:
        """The answer with hidden what somebody drew."""
        observation = self.observation(shown)
        # Not the drawing itself, of which the cache would not know how much it holds.
        name = hashlib.blake2b(json.dumps(drawing.shapes()).encode(), digest_size=16).hexdigest()
        key = ("drawn", shown.key, name, one_of("fill", fill, FILLS))
        return self.cache.get_or_make(key, lambda: hide_drawn(observation, self._engine(shown), drawing, fill))

    def curves(
        self,
        shown: Shown,
        heatmap: Heatmap,
        target: int,
        fill: str,
    ) -> Iterator[Curves]:
        """Deletion and insertion curves of a map as far as they are measured, and at last as a whole."""
        observation = self.observation(shown)
        one_of("fill", fill, FILLS)
        known = self.measured_curves(shown, heatmap, target, fill)
        if known:
            yield known
            return
        for curves in measure_curves(observation, self._engine(shown), heatmap, target, fill):
            if curves.measured == curves.images:
                self.cache.store(_curves_key(shown, heatmap, target, fill), curves)
            yield curves

    def measured_curves(self, shown: Shown, heatmap: Heatmap, target: int, fill: str) -> Curves | None:
        """Return the curves of a map if they were measured as a whole and are still held."""
        found = self.cache.get(_curves_key(shown, heatmap, target, fill))
        return found if isinstance(found, Curves) else None

    def _engine(self, shown: Shown) -> Engine:
        return self.provider.engine_of(shown.key[2], shown.source.weights)


def _curves_key(shown: Shown, heatmap: Heatmap, target: int, fill: str) -> tuple[object, ...]:
    return ("curves", shown.key, heatmap.values.tobytes(), heatmap.block, target, fill)
