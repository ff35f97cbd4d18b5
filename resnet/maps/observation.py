"""One photo explained: what the page, the command line and the API all call."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet.errors import Note
from resnet.maps.cuts import Cut, cut_map, draw_cut
from resnet.maps.heatmaps import Heatmap, ViewOptions, make_heatmaps
from resnet.maps.overlays import Canvas, fitted_size, make_canvas, overlay
from resnet.metrics import PHASES
from resnet.network.manifest import Manifest
from resnet.options import whole_number
from resnet.photo.images import Photo
from resnet.photo.preprocess import Geometry, NetworkInput, prepare
from resnet.stages import Block

if TYPE_CHECKING:
    from resnet.network.engine import Engine

DISPLAY_SIDE = 1000
"""Longer side of the photo that is kept for pictures, in pixels."""

CANVASES = 4
"""Copies of the picture that all sizes of overlays together amount to, at most."""

MAXIMUM_TOP_K = 20


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


def likeliest(probabilities: NDArray[np.float32], manifest: Manifest, count: int) -> tuple[Prediction, ...]:
    """The likeliest classes, the likeliest first.

    Args:
        probabilities: (classes,) float32.
        manifest: Of the weights, for the classes' names.
        count: How many; all if there are fewer.
    """
    labels = manifest.labels
    return tuple(
        Prediction(rank, int(index), labels[index].wnid, labels[index].name, float(probabilities[index]))
        for rank, index in enumerate(np.argsort(-probabilities, kind="stable")[:count], start=1)
    )


@dataclass(frozen=True)
class Observation:
    """Result of one forward pass for one photo. Everything displayed is made from it.

    Attributes:
        photo_name: For people.
        picture: Upright RGB photo of at most 1,000 pixels.
        framing: "crop" or "whole".
        pixels: The network's input, (height, width, 3) float32.
        geometry: Where the network's input lies on the photo.
        manifest: Of the weights that answered.
        probabilities: (classes,) float32.
        blocks: The stages C1 to C5.
        maps: Per stage (height, width, channels) float32.
        forward_milliseconds: The pass alone, shared out among the photos of a batch.
        precision: "float32" or "bfloat16", of the pass.
        notes: What a user should know of how the photo was read; mostly nothing.
        latest: The heatmaps drawn last, by aggregation, channel and scale.
        canvases: The picture made ready for overlays, by longer side; filled as they are needed.
    """

    photo_name: str
    picture: Image.Image
    framing: str
    pixels: NDArray[np.float32]
    geometry: Geometry
    manifest: Manifest
    probabilities: NDArray[np.float32]
    blocks: tuple[Block, ...]
    maps: tuple[NDArray[np.float32], ...]
    forward_milliseconds: float
    precision: str = "float32"
    notes: tuple[Note, ...] = ()
    latest: dict[tuple[str, int, str], tuple[Heatmap, ...]] = field(default_factory=dict, repr=False, compare=False)
    canvases: dict[int, Canvas] = field(default_factory=dict, repr=False, compare=False)

    @property
    def byte_count(self) -> int:
        """Memory that the observation holds, with the canvases that it will come to hold."""
        width, height = self.picture.size
        pictures = (1 + CANVASES) * width * height * 4
        arrays = (self.pixels, self.probabilities, *self.maps)
        return sum(values.nbytes for values in arrays) + pictures

    def named(self, name: str) -> Observation:
        """The same under the name that the asker knows the photo by."""
        return self if name == self.photo_name else replace(self, photo_name=name)

    def predictions(self, top_k: int) -> tuple[Prediction, ...]:
        """The likeliest classes, the likeliest first; all of them if the network knows fewer.

        Raises:
            OptionError: `top_k` is not 1 to 20.
        """
        top_k = whole_number("number of classes", top_k, 1, MAXIMUM_TOP_K)
        return likeliest(self.probabilities, self.manifest, top_k)

    def likeliest_indices(self, count: int) -> list[int]:
        """Return the indices of the likeliest classes, the likeliest first."""
        return [prediction.index for prediction in self.predictions(count)]

    def heatmaps(self, view: ViewOptions) -> tuple[Heatmap, ...]:
        """The five maps, C1 to C5; the last ones are kept, for a change of colours alone."""
        wanted = (view.aggregation, view.channel, view.scale)
        found = self.latest.get(wanted)
        if found is None:
            with PHASES.labels("maps").time():
                found = make_heatmaps(self.maps, self.blocks, view)
            self.latest.clear()
            self.latest[wanted] = found
        return found

    def overlay(self, heatmap: Heatmap, view: ViewOptions, side: int) -> Image.Image:
        """One map over the photo, at most `side` pixels on its longer side."""
        with PHASES.labels("overlay").time():
            picture = overlay(self.canvas(side), heatmap, view)
            if cut := self.cut(heatmap, view):
                draw_cut(picture, cut, self.geometry.photo_size)
            return picture

    def canvas(self, side: int) -> Canvas:
        """Return the picture made ready for overlays of at most `side` pixels on the longer side."""
        canvas = self.canvases.get(side)
        if canvas is None:
            canvas = self.canvases[side] = make_canvas(self.picture, self.geometry, side)
        return canvas

    def cut(self, heatmap: Heatmap, view: ViewOptions) -> Cut | None:
        """Return the part of a map that a view shows; None if it shows all of it."""
        return cut_map(heatmap, self.geometry, view.cut, smooth=view.smooth)


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
    with PHASES.labels("prepare").time():
        ready = prepare(photo.image, engine.manifest.input, framing, photo.size)
    (found,) = observe_prepared([(photo, ready)], engine, framing)
    return found


def observe_prepared(
    photos: Sequence[tuple[Photo, NetworkInput]], engine: Engine, framing: str
) -> tuple[Observation, ...]:
    """One forward pass for photos whose inputs all have one size.

    Args:
        photos: Each with what `preprocess.prepare` made of it.
        engine: The network that answers.
        framing: The framing that they were prepared with.
    """
    result = engine.run(np.stack([ready.pixels for _, ready in photos]))
    return tuple(
        Observation(
            photo_name=photo.name,
            picture=photo.image.resize(
                fitted_size(photo.image.size, DISPLAY_SIDE), Image.Resampling.BILINEAR, reducing_gap=2.0
            ),
            framing=framing,
            pixels=ready.pixels,
            geometry=ready.geometry,
            manifest=engine.manifest,
            probabilities=result.probabilities[place],
            blocks=engine.stages(ready.geometry.input_size),
            maps=tuple(values[place] for values in result.maps.values()),
            forward_milliseconds=result.milliseconds / len(photos),
            precision=result.precision,
            notes=photo.notes,
        )
        for place, (photo, ready) in enumerate(photos)
    )
