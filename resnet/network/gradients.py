"""From the class scores back to every stage: one forward pass, then one backward pass for several classes.

TensorFlow's own differentiation would do the same with less code, but not within the time that the
page has: it repeats the forward pass for each class, and its gradient of a convolution is a slower
kernel than a convolution. Here the backward pass is written as the convolutions that it consists
of, for all classes in one batch. The tests compare it with TensorFlow's and with finite differences.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from resnet.network.model import block_output
from resnet.stages import Block, stage_table


@dataclass(frozen=True)
class Gradients:
    """Gradients of some classes' logits with respect to the network's inner values, for one photo.

    Attributes:
        logits: (classes,) float32, of all classes of the network, before softmax.
        stages: Per stage C1 to C5 the gradient of each asked class's logit with respect to the
            stage's output: (asked, height, width, channels) float32.
        contributions: Per block, the stem first, the sum over all cells of gradient times
            activation: (asked, channels) float32.
    """

    logits: NDArray[np.float32]
    stages: tuple[NDArray[np.float32], ...]
    contributions: tuple[NDArray[np.float32], ...]


def _positive(values: tf.Tensor) -> tf.Tensor:
    """The derivative of ReLU, from its output."""
    return tf.cast(values > 0, tf.float32)


def _through_1x1(upper: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    """Back through a 1x1 convolution of stride 1, which is one matrix product."""
    shape = tf.shape(upper)
    flat = tf.matmul(tf.reshape(upper, (-1, kernel.shape[3])), kernel[0, 0], transpose_b=True)
    return tf.reshape(flat, tf.concat([shape[:3], [kernel.shape[2]]], 0))


def _spread(upper: tf.Tensor, stride: int, below: tf.Tensor) -> tf.Tensor:
    """Back through the stride of a 1x1 convolution: the cells that it skipped get 0."""
    if stride == 1:
        return upper
    batch, height, width = tf.unstack(tf.shape(upper)[:3])
    gaps = [[0, 0], [0, 0], [0, stride - 1], [0, 0], [0, stride - 1], [0, 0]]
    wide = tf.pad(tf.reshape(upper, (batch, height, 1, width, 1, upper.shape[3])), gaps)
    wide = tf.reshape(wide, (batch, height * stride, width * stride, upper.shape[3]))
    return wide[:, : tf.shape(below)[1], : tf.shape(below)[2]]


class BackwardPass:
    """The backward pass of one network, compiled at its first use."""

    def __init__(self, model: keras.Model, blocks: Sequence[Block]) -> None:
        """Prepare the pass.

        Args:
            model: A folded network of `resnet.network.model.build_network`.
            blocks: All its blocks, the stem first.
        """
        self._blocks = tuple(blocks)
        self._stage_ends = {block.name for block in stage_table(blocks)}
        names = [block.name for block in blocks[1:]]
        self._kernels = {
            name: [
                model.get_layer(f"{name}_{part}_conv").kernel.value
                for part in ("0", "1", "3")
                if part != "0" or name.endswith("_block1")
            ][::-1]
            for name in names
        }
        # Back through a k x k convolution is a convolution with the kernel turned by half a circle.
        self._turned = {
            name: tf.transpose(tf.reverse(model.get_layer(f"{name}_2_conv").kernel.value, (0, 1)), (0, 1, 3, 2))
            for name in names
        }
        self._strides = {name: model.get_layer(f"{name}_1_conv").strides[0] for name in names}
        self._hidden, self._last = (model.get_layer(name) for name in ("dense_1024", "predictions"))
        outputs = [self._hidden.output]
        for name in names:
            outputs += [model.get_layer(f"{name}_{part}").output for part in ("1_relu", "2_relu", "out")]
        stem = block_output(model, blocks[0].name)
        self._forward = keras.Model(stem, outputs)
        self._compiled = tf.function(
            self._run,
            input_signature=[
                tf.TensorSpec((1, None, None, stem.shape[3]), tf.float32),
                tf.TensorSpec((None,), tf.int32),
            ],
        )

    def run(self, first_map: NDArray[np.float32], classes: Sequence[int]) -> Gradients:
        """One forward pass from C1 and one backward pass to C1.

        Args:
            first_map: C1 of a photo, (height, width, channels) float32.
            classes: Indices of the network's outputs.
        """
        logits, stages, contributions = self._compiled(
            tf.constant(first_map[None]), tf.constant(list(classes), tf.int32)
        )
        return Gradients(
            logits.numpy(), tuple(part.numpy() for part in stages), tuple(part.numpy() for part in contributions)
        )

    def _run(self, first_map: tf.Tensor, classes: tf.Tensor) -> tuple[tf.Tensor, list[tf.Tensor], list[tf.Tensor]]:
        hidden, *inner = self._forward(first_map, training=False)
        logits = (tf.matmul(hidden, self._last.kernel) + self._last.bias)[0]
        upper = tf.gather(tf.transpose(self._last.kernel), classes) * _positive(hidden)
        pooled = tf.matmul(upper, self._hidden.kernel, transpose_b=True)[:, None, None, :]
        cells = tf.shape(inner[-1])[1:3]
        upper = tf.tile(pooled, (1, *tf.unstack(cells), 1)) / tf.cast(cells[0] * cells[1], tf.float32)
        stages, contributions = [], []
        for place in reversed(range(len(self._blocks))):
            block = self._blocks[place]
            output = inner[3 * place - 1] if place else first_map
            contributions.append(tf.einsum("nhwc,hwc->nc", upper, output[0]))
            if block.name in self._stage_ends:
                stages.append(upper)
            if place:
                below = inner[3 * place - 4] if place > 1 else first_map
                upper = self._through_block(block.name, upper * _positive(output), inner[3 * place - 3 :], below)
        return logits, stages[::-1], contributions[::-1]

    def _through_block(self, name: str, upper: tf.Tensor, inner: Sequence[tf.Tensor], below: tf.Tensor) -> tf.Tensor:
        """Back through a block's addition, along its branch and its shortcut."""
        last, first, *shortcut = self._kernels[name]
        branch = _through_1x1(upper, last) * _positive(inner[1])
        branch = tf.nn.conv2d(branch, self._turned[name], 1, "SAME") * _positive(inner[0])
        branch = _through_1x1(branch, first)
        straight = _through_1x1(upper, shortcut[0]) if shortcut else upper
        return _spread(branch + straight, self._strides[name], below)
