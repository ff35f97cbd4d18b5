"""The forward pass: one compiled function gives the scores and all five stages at once."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass

import keras
import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from resnet.manifest import Manifest
from resnet.model import block_output
from resnet.stages import STAGE_NAMES, Block, block_table, stage_table
from resnet.weights import assign, fold, network_of, read_arrays


def find_devices() -> list[str]:
    """Names of the devices that TensorFlow computes on, such as `/physical_device:CPU:0`."""
    return [device.name for device in tf.config.list_physical_devices()]


@dataclass(frozen=True)
class PassResult:
    """What one forward pass gives for a batch.

    Attributes:
        probabilities: (batch, classes) float32, each row sums to 1.
        maps: "C1" to "C5" → (batch, height, width, channels) float32, after ReLU, so at least 0.
        milliseconds: Time of the pass alone, for the whole batch.
    """

    probabilities: NDArray[np.float32]
    maps: dict[str, NDArray[np.float32]]
    milliseconds: float


class Engine:
    """A network ready to answer: batch normalisation folded, compiled, warmed up, thread-safe.

    Attributes:
        manifest: Of the weights.
        passes: Number of forward passes so far, without the one that warms up.
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
        self.passes = 0
        self._lock = threading.Lock()
        _ = manifest.labels
        model = network_of(manifest, folded=True)
        assign(model, fold(arrays))
        self._forward = self._compile(model)
        side = manifest.input.size
        self._run(np.zeros((1, side, side, 3), np.float32))

    @classmethod
    def load(cls, manifest: Manifest) -> Engine:
        """Verify and read the weights of a manifest and build the engine.

        Raises:
            WeightsError: The weights are missing, damaged or do not fit.
        """
        return cls(manifest, read_arrays(manifest))

    def _compile(self, model: keras.Model) -> tf.types.experimental.Callable:
        stages = [block.name for block in stage_table(block_table(self.manifest.depth))]
        outputs = [model.output, *(block_output(model, name) for name in stages)]
        network = keras.Model(model.input, outputs)
        signature = tf.TensorSpec((None, None, None, 3), tf.float32)
        return tf.function(lambda pixels: network(pixels, training=False), input_signature=[signature])

    def _run(self, pixels: NDArray[np.float32]) -> list[NDArray[np.float32]]:
        return [output.numpy() for output in self._forward(tf.constant(pixels))]

    def run(self, pixels: NDArray[np.float32]) -> PassResult:
        """One forward pass.

        Args:
            pixels: (batch, height, width, 3) float32, prepared as the manifest says; height and
                width at least 32.
        """
        # One pass already keeps all cores busy; two at once would only make both slower.
        with self._lock:
            start = time.perf_counter()
            probabilities, *maps = self._run(pixels)
            elapsed = time.perf_counter() - start
            self.passes += 1
        return PassResult(probabilities, dict(zip(STAGE_NAMES, maps, strict=True)), elapsed * 1000)

    def stages(self, input_size: tuple[int, int]) -> tuple[Block, ...]:
        """C1 to C5 for an input of (width, height) pixels."""
        width, height = input_size
        return stage_table(block_table(self.manifest.depth, (height, width), self.manifest.stem_pool))
