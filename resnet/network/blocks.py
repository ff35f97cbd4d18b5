"""Residual blocks from within: every block's output, and every step of one block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from resnet.network.model import block_output
from resnet.stages import Block


@dataclass(frozen=True)
class Trace:
    """Output of every block for one photo.

    Attributes:
        outputs: Per block, the stem first: (height, width, channels) float32, after ReLU.
        branches: Per residual block the root of the mean square of what its branch adds.
        shortcuts: Per residual block the same of what it is added to.
    """

    outputs: tuple[NDArray[np.float32], ...]
    branches: NDArray[np.float32]
    shortcuts: NDArray[np.float32]


class Insides:
    """Passes through the blocks of a folded network. Not for several threads at once."""

    def __init__(self, model: keras.Model, blocks: Sequence[Block]) -> None:
        """Nothing is compiled before it is asked for.

        Args:
            model: Folded.
            blocks: Its blocks, the stem first.
        """
        self._model = model
        self._blocks = blocks
        self._steps: dict[int, keras.Model] = {}

    def trace(self, first_map: NDArray[np.float32]) -> Trace:
        """Every block's output, by a pass from C1 on.

        Args:
            first_map: C1 of a photo, (height, width, channels) float32.
        """
        outputs, branches, shortcuts = self._all_blocks(tf.constant(first_map[None]))
        return Trace((first_map, *(output.numpy()[0] for output in outputs)), branches.numpy(), shortcuts.numpy())

    def inside(self, place: int, values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Every step of one block, each (height, width, channels) float32, by the last part of its layer's name.

        Args:
            place: Of the block among all blocks, the stem first.
            values: What the block gets, (height, width, channels) float32: for the stem the network's input.
        """
        if place not in self._steps:
            name = self._blocks[place].name
            parts = ("1_conv", "1_relu", "2_conv", "2_relu", "3_conv", "0_conv", "add", "out")
            layers = {part: f"{name}_{part}" for part in parts if part != "0_conv" or name.endswith("_block1")}
            start = block_output(self._model, self._blocks[place - 1].name) if place else self._model.input
            if not place:
                layers = {"conv": "conv1_conv", "relu": "conv1_relu", "out": "pool1_pool"}
            outputs = {part: self._model.get_layer(layer).output for part, layer in layers.items()}
            self._steps[place] = keras.Model(start, outputs)
        found = self._steps[place](tf.constant(values[None]), training=False)
        return {part: output.numpy()[0] for part, output in found.items()}

    @cached_property
    def _all_blocks(self) -> tf.types.experimental.Callable:
        """From C1 to every block's output and the sizes of both sides of its addition."""
        stem = block_output(self._model, self._blocks[0].name)
        names = [block.name for block in self._blocks[1:]]
        projected = [name for name in names if name.endswith("_block1")]
        outputs = [block_output(self._model, name) for name in names]
        outputs += [self._model.get_layer(f"{name}_3_conv").output for name in names]
        outputs += [self._model.get_layer(f"{name}_0_conv").output for name in projected]
        network = keras.Model(stem, outputs)

        def size(values: tf.Tensor) -> tf.Tensor:
            return tf.sqrt(tf.reduce_mean(tf.square(values)))

        def run(first_map: tf.Tensor) -> tuple[list[tf.Tensor], tf.Tensor, tf.Tensor]:
            found = network(first_map, training=False)
            count = len(names)
            blocks, branches, convolved = found[:count], found[count : 2 * count], found[2 * count :]
            # An identity block's shortcut is what the block before it gives.
            shortcuts = dict(zip(names[1:], blocks[:-1], strict=True)) | dict(zip(projected, convolved, strict=True))
            return (
                blocks,
                tf.stack([size(branch) for branch in branches]),
                tf.stack([size(shortcuts[name]) for name in names]),
            )

        return tf.function(run, input_signature=[tf.TensorSpec((1, None, None, stem.shape[3]), tf.float32)])
