"""One photo explained: what the page, the command line and the API all call."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from cachetools import LRUCache
from numpy.typing import NDArray
from PIL import Image

from resnet.heatmaps import Heatmap, ViewOptions, make_heatmaps
from resnet.images import Photo
from resnet.manifest import Manifest
from resnet.options import one_of, whole_number
from resnet.overlays import Canvas, fitted_size, make_canvas, overlay
from resnet.preprocess import FRAMINGS, Geometry, prepare
from resnet.stages import Block

if TYPE_CHECKING:
    from resnet.engine import Engine

DISPLAY_SIDE = 1000
"""Longer side of the photo that is kept for pictures, in pixels."""

CANVASES = 4
"""Copies of the picture that all sizes of overlays together amount to, at most."""

MAXIMUM_TOP_K = 20
CACHE_BYTES = 256_000_000

Key = tuple[str, str, str]


@dataclass(frozen=True)
class Prediction:
    """One of the classes that the network finds likeliest.

    Attributes:
        rank: From 1.
        index: Position among the network's outputs.
        wnid: WordNet id, empty for classes outside ImageNet.
        label: The class's unique name.
        probability: 0 to 1.
    """

    rank: int
    index: int
    wnid: str
    label: str
    probability: float


@dataclass(frozen=True)
class Observation:
    """What one forward pass found in one photo. Everything that is shown is made from it.

    Attributes:
        photo_name: For people.
        picture: Upright RGB photo of at most 1,000 pixels.
        framing: "crop" or "whole".
        geometry: Where the network's input lies on the photo.
        manifest: Of the weights that answered.
        probabilities: (classes,) float32.
        blocks: The stages C1 to C5.
        maps: Per stage (height, width, channels) float32.
        forward_milliseconds: The pass alone.
        latest: The heatmaps drawn last, by aggregation, channel and scale.
        canvases: The picture made ready for overlays, by longer side; filled as they are needed.
    """

    photo_name: str
    picture: Image.Image
    framing: str
    geometry: Geometry
    manifest: Manifest
    probabilities: NDArray[np.float32]
    blocks: tuple[Block, ...]
    maps: tuple[NDArray[np.float32], ...]
    forward_milliseconds: float
    latest: dict[tuple[str, int, str], tuple[Heatmap, ...]] = field(default_factory=dict, repr=False, compare=False)
    canvases: dict[int, Canvas] = field(default_factory=dict, repr=False, compare=False)

    @property
    def byte_count(self) -> int:
        """Memory that the observation holds, with the canvases that it will come to hold."""
        width, height = self.picture.size
        pictures = (1 + CANVASES) * width * height * 4
        return sum(values.nbytes for values in self.maps) + self.probabilities.nbytes + pictures

    def predictions(self, top_k: int) -> tuple[Prediction, ...]:
        """The likeliest classes, the likeliest first; all of them if the network knows fewer.

        Raises:
            OptionError: `top_k` is not 1 to 20.
        """
        top_k = whole_number("number of classes", top_k, 1, MAXIMUM_TOP_K)
        order = np.argsort(-self.probabilities, kind="stable")[:top_k]
        labels = self.manifest.labels
        return tuple(
            Prediction(rank, int(index), labels[index].wnid, labels[index].name, float(self.probabilities[index]))
            for rank, index in enumerate(order, start=1)
        )

    def heatmaps(self, view: ViewOptions) -> tuple[Heatmap, ...]:
        """The five maps, C1 to C5; the last ones are kept, for a change of colours alone."""
        wanted = (view.aggregation, view.channel, view.scale)
        found = self.latest.get(wanted)
        if found is None:
            found = make_heatmaps(self.maps, self.blocks, view)
            self.latest.clear()
            self.latest[wanted] = found
        return found

    def overlay(self, heatmap: Heatmap, view: ViewOptions, side: int) -> Image.Image:
        """One map over the photo, at most `side` pixels on its longer side."""
        canvas = self.canvases.get(side)
        if canvas is None:
            canvas = self.canvases[side] = make_canvas(self.picture, self.geometry, side)
        return overlay(canvas, heatmap, view)


def observe(photo: Photo, engine: Engine, framing: str = "crop") -> Observation:
    """Run the network on one photo.

    Args:
        photo: Decoded photo.
        engine: The network that answers.
        framing: "crop" for the centre square that the weights were measured with, "whole" for all
            of the photo.

    Raises:
        OptionError: An unknown framing.
    """
    ready = prepare(photo.image, engine.manifest.input, framing, photo.size)
    result = engine.run(ready.pixels[None])
    return Observation(
        photo_name=photo.name,
        picture=photo.image.resize(
            fitted_size(photo.image.size, DISPLAY_SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0
        ),
        framing=framing,
        geometry=ready.geometry,
        manifest=engine.manifest,
        probabilities=result.probabilities[0],
        blocks=engine.stages(ready.geometry.input_size),
        maps=tuple(values[0] for values in result.maps.values()),
        forward_milliseconds=result.milliseconds,
    )


class ObservationCache:
    """Observations by key, bounded in bytes; the longest unused goes first. Thread-safe."""

    def __init__(self, maximum_bytes: int = CACHE_BYTES) -> None:
        """Start empty.

        Args:
            maximum_bytes: An observation larger than all of it is not kept.
        """
        self._held: LRUCache[Key, Observation] = LRUCache(
            maximum_bytes, getsizeof=lambda observation: observation.byte_count
        )
        self._lock = threading.Lock()

    def get(self, key: Key, name: str) -> Observation | None:
        """What is held for a key, if it still is, under the name that the asker knows the photo by."""
        with self._lock:
            held = self._held.get(key)
        return held and replace(held, photo_name=name)

    def observe(self, photo: Photo, engine: Engine, framing: str) -> tuple[Key, Observation]:
        """What is held for this photo, framing and weights; else a forward pass.

        Raises:
            OptionError: An unknown framing.
        """
        one_of("framing", framing, FRAMINGS)
        key = (photo.digest, framing, engine.manifest.sha256 or engine.manifest.name)
        held = self.get(key, photo.name)
        if held is None:
            held = observe(photo, engine, framing)
            with self._lock:
                if held.byte_count <= self._held.maxsize:
                    self._held[key] = held
        return key, held
