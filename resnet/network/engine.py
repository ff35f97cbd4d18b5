"""The forward pass: one compiled function gives the scores and all five stages at once."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from resnet.network.batching import Batcher
from resnet.network.blocks import Insides, Trace
from resnet.network.calibration import tempered
from resnet.network.gradients import BackwardPass, Gradients
from resnet.network.manifest import Manifest
from resnet.network.model import block_output, in_bfloat16
from resnet.network.weights import assign, fold, network_of, read_arrays
from resnet.stages import STAGE_NAMES, Block, block_table, stage_table


def find_devices() -> list[str]:
    """Names of the devices that TensorFlow computes on, such as `/physical_device:CPU:0`."""
    return [device.name for device in tf.config.list_physical_devices()]


@dataclass(frozen=True)
class PassResult:
    """Result of a forward pass.

    Attributes:
        probabilities: (batch, classes) float32, each row sums to 1.
        maps: "C1" to "C5" → (batch, height, width, channels) float32, after ReLU, so at least 0.
        milliseconds: Time of the pass alone, for these images; where others shared it, these images' part.
        precision: "float32" or "bfloat16": of the products in C2 to C5.
    """

    probabilities: NDArray[np.float32]
    maps: dict[str, NDArray[np.float32]]
    milliseconds: float
    precision: str = "float32"


class Engine:
    """A network ready to answer: batch normalisation folded, compiled, warmed up, thread-safe.

    Attributes:
        manifest: Of the weights.
        precision: Of `run` and `scores`: "float32", or "bfloat16" of an engine by `in_bfloat16`. All else is float32.
        passes: Number of forward passes so far, without the one that warms up.
        on_pass: Called with (images, passes, seconds) of what was run, seconds None for other passes than
            `run`; does nothing by default.
    """

    def __init__(self, manifest: Manifest, arrays: Mapping[str, NDArray[np.float32]]) -> None:
        """Build the folded network and compile it.

        Args:
            manifest: Describes the network; its labels are read here, so that a fault shows early.
            arrays: The weights by layer and part, with batch normalisation.

        Raises:
            WeightsError: The arrays do not fit the network, or the labels do not fit the classes.
        """
        self.manifest = manifest
        self.precision = "float32"
        self.passes = 0
        self.on_pass: Callable[[int, int, float | None], None] = lambda *_: None
        self._rests: dict[int, tf.types.experimental.Callable] = {}
        self._together = Batcher(self._run_together)
        # One pass already keeps all cores busy; two at once would only make both slower.
        self._lock = self._together.lock
        _ = manifest.labels
        self._blocks = block_table(manifest.depth)
        self._model = network_of(manifest, folded=True)
        assign(self._model, fold(arrays))
        self._forward = self._compile(self._model)
        self._run(self._nothing())

    @classmethod
    def load(cls, manifest: Manifest) -> Engine:
        """Verify and read the weights of a manifest and build the engine.

        Raises:
            WeightsError: The weights are missing, damaged or do not fit.
        """
        return cls(manifest, read_arrays(manifest))

    def _compile(self, model: keras.Model) -> tf.types.experimental.Callable:
        outputs = [model.output, *(block_output(model, block.name) for block in stage_table(self._blocks))]
        network = keras.Model(model.input, outputs)
        signature = tf.TensorSpec((None, None, None, 3), tf.float32)
        return tf.function(lambda pixels: network(pixels, training=False), input_signature=[signature])

    @cached_property
    def _insides(self) -> Insides:
        return Insides(self._model, self._blocks)

    @cached_property
    def _backward(self) -> BackwardPass:
        return BackwardPass(self._model, self._blocks)

    def _nothing(self) -> NDArray[np.float32]:
        return np.zeros((1, self.manifest.input.size, self.manifest.input.size, 3), np.float32)

    def _run(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        probabilities, *maps = (output.numpy() for output in self._forward(tf.constant(pixels)))
        return [tempered(probabilities, self.manifest.temperature), *maps]

    def in_bfloat16(self) -> Engine:
        """Return an engine of the same weights that answers in bfloat16, and shares all that stays float32.

        Neither of the two changes, so that what is compared with an answer can be computed as the answer was.
        """
        _ = self._insides, self._backward  # made now, they are made once
        other = copy.copy(self)
        other.precision = "bfloat16"
        other._forward = other._compile(in_bfloat16(self._model))
        other._run(other._nothing())
        other._together = Batcher(other._run_together, lock=self._lock)
        other.on_wait = self.on_wait
        return other

    @property
    def identity(self) -> str:
        """Different for engines whose answers can differ."""
        return f"{self.manifest.identity} {self.precision}"

    def prepare(self) -> None:
        """Compile what `trace` and `gradients` need, which takes seconds, before somebody waits for it."""
        with self._lock:
            first_map = self._run(self._nothing())[1]
            self._insides.trace(first_map[0])
            self._backward.run(first_map[0], [0])

    def run(self, pixels: NDArray[np.float32]) -> PassResult:
        """A forward pass; a single image shares it with those of others that wait at the same time.

        Args:
            pixels: (batch, height, width, 3) float32, prepared as the manifest says; height and
                width at least 32.
        """
        if len(pixels) == 1:
            return self._together(pixels)
        with self._lock:
            return self._timed(pixels)

    def _timed(self, pixels: NDArray[np.float32]) -> PassResult:
        start = time.perf_counter()
        probabilities, *maps = self._run(pixels)
        elapsed = time.perf_counter() - start
        self._count(len(pixels), seconds=elapsed)
        return PassResult(probabilities, dict(zip(STAGE_NAMES, maps, strict=True)), elapsed * 1000, self.precision)

    @property
    def on_wait(self) -> Callable[[float], None]:
        """Called with the seconds that an image has waited for its pass; does nothing by default."""
        return self._together.on_wait

    @on_wait.setter
    def on_wait(self, observe: Callable[[float], None]) -> None:
        self._together.on_wait = observe

    def _count(self, images: int, passes: int = 1, seconds: float | None = None) -> None:
        self.passes += passes
        self.on_pass(images, passes, seconds)

    def _run_together(self, images: Sequence[NDArray[np.float32]]) -> list[PassResult]:
        """One pass for images of one size, each (1, height, width, 3)."""
        if len(images) == 1:
            return [self._timed(images[0])]
        found = self._timed(np.concatenate(images))
        # Copies: a view would keep the whole batch in memory for as long as one visitor's answer is held.
        return [
            replace(
                found,
                probabilities=found.probabilities[place : place + 1].copy(),
                maps={name: values[place : place + 1].copy() for name, values in found.maps.items()},
                milliseconds=found.milliseconds / len(images),
            )
            for place in range(len(images))
        ]

    def scores(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """Probabilities alone, (batch, classes) float32, of pixels as for `run`."""
        with self._lock:
            self._count(len(pixels), passes=len(pixels))
            return self._run(pixels)[0]

    def trace(self, first_map: NDArray[np.float32]) -> Trace:
        """Every block's output, by a pass from C1 on.

        Args:
            first_map: C1 of a photo, (height, width, channels) float32.
        """
        with self._lock:
            self._count(1)
            return self._insides.trace(first_map)

    def inside(self, place: int, values: NDArray[np.float32]) -> dict[str, NDArray[np.float32]]:
        """Every step of one block, as `blocks.Insides.inside` gives them."""
        with self._lock:
            return self._insides.inside(place, values)

    def head(self, pooled: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the probabilities of pooled values of C5: (batch, channels) float32 → (batch, classes) float32."""
        hidden, last = (self._model.get_layer(name) for name in ("dense_1024", "predictions"))
        return tempered(np.asarray(last(hidden(pooled))), self.manifest.temperature)

    def convolution(self, layer: str) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return kernel (height, width, channels, filters) and bias (filters,), both with batch normalisation in them.

        Args:
            layer: Its name, such as `conv2_block1_2_conv`.
        """
        found = self._model.get_layer(layer)
        return found.kernel.numpy(), found.bias.numpy()

    def gradients(self, first_map: NDArray[np.float32], classes: Sequence[int]) -> Gradients:
        """Compute the gradients of some classes' logits at every stage, with one forward and one backward pass.

        Args:
            first_map: C1 of a photo, (height, width, channels) float32.
            classes: Indices of the network's outputs.
        """
        with self._lock:
            self._count(1)
            return self._backward.run(first_map, classes)

    def from_stage(self, stage: int, values: NDArray[np.float32]) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Run the rest of the network behind a stage: (classes,) float32 probabilities and logits.

        Args:
            stage: 0 for C1 to 4 for C5.
            values: Its output, (height, width, channels) float32.
        """
        with self._lock:
            self._count(1)
            logits = self._rest(stage)(tf.constant(values[None])).numpy()[0]
        shares = np.exp(logits.astype(np.float64) - logits.max())
        return tempered(shares / shares.sum(), self.manifest.temperature), logits

    def _rest(self, stage: int) -> tf.types.experimental.Callable:
        """Return the part of the network behind a stage, up to the logits; compiled on first use."""
        if stage not in self._rests:
            start = block_output(self._model, stage_table(self._blocks)[stage].name)
            hidden = keras.Model(start, self._model.get_layer("dense_1024").output)
            last = self._model.get_layer("predictions")

            def run(values: tf.Tensor) -> tf.Tensor:
                return tf.matmul(hidden(values, training=False), last.kernel) + last.bias

            signature = tf.TensorSpec((1, None, None, start.shape[3]), tf.float32)
            self._rests[stage] = tf.function(run, input_signature=[signature])
        return self._rests[stage]

    def blocks(self, input_size: tuple[int, int]) -> tuple[Block, ...]:
        """The stem and every residual block for an input of (width, height) pixels."""
        width, height = input_size
        return block_table(self.manifest.depth, (height, width), self.manifest.stem_pool)

    def stages(self, input_size: tuple[int, int]) -> tuple[Block, ...]:
        """C1 to C5 for an input of (width, height) pixels."""
        return stage_table(self.blocks(input_size))
