"""Starting point of training: trained or random weights."""

from __future__ import annotations

from dataclasses import dataclass

import keras

from resnet.network.imagenet import has_moved_head
from resnet.network.labels import ClassLabel
from resnet.network.manifest import Manifest
from resnet.network.model import build_network
from resnet.network.weights import Arrays, arrays_of, assign
from resnet.photo.preprocess import InputSpec
from resnet.stages import blocks_of_depth
from resnet.training.pipeline import in_training_units

WEIGHTS_NAME = "model.weights.h5"
HEAD_LAYERS = ("dense_1024", "predictions")


@dataclass(frozen=True)
class Start:
    """Starting point of training.

    Attributes:
        manifest: Of trained weights, or what describes random ones: its depth, pooling and input count.
        arrays: By layer and part; None for random weights.
    """

    manifest: Manifest
    arrays: Arrays | None


def start_from_scratch(depth: int, spec: InputSpec) -> Start:
    """Random weights of a depth."""
    return Start(Manifest("random weights", depth, 2, "same", spec, WEIGHTS_NAME, ""), None)


def build_start(start: Start, labels: tuple[ClassLabel, ...], *, keep_head: bool, dropout: float) -> keras.Model:
    """The network to train: the start's layers, in training's units, with a new head unless `keep_head`.

    A head that was moved from Keras keeps all of its units in every step: each carries a large number that another one
    takes off again, so that one left out would make nonsense of the answer.
    """
    manifest = start.manifest
    if keep_head and start.arrays is not None and has_moved_head(start.arrays):
        dropout = 0.0
    model = build_network(
        blocks_of_depth(manifest.depth),
        input_shape=(None, None, 3),
        classes=len(labels),
        stem_pool=manifest.stem_pool,
        dropout=dropout,
        name=f"resnet{manifest.depth}",
    )
    if start.arrays is None:
        return model  # the random values are meant for input of about 1, as training's units are
    arrays = start.arrays
    if not keep_head:
        own = {key: value for key, value in arrays_of(model).items() if key.split("/")[0] in HEAD_LAYERS}
        arrays = {key: value for key, value in arrays.items() if key.split("/")[0] not in HEAD_LAYERS} | own
    assign(model, in_training_units(arrays, manifest.input))
    return model


def same_classes(start: Start, labels: tuple[ClassLabel, ...]) -> bool:
    """Return True if the start has exactly these classes in this order, so that its head can be kept."""
    if start.arrays is None:
        return False
    return [(one.wnid, one.name) for one in start.manifest.labels] == [(one.wnid, one.name) for one in labels]
