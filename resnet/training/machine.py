"""What training runs on: devices, workers, and the precision that is faster there."""

from __future__ import annotations

import contextlib
import json
import os
import time
from collections.abc import Iterator

import keras
import tensorflow as tf

from resnet.errors import OptionError


def make_strategy(name: str) -> tuple[tf.distribute.Strategy, int]:
    """A strategy of distribution and the number of this worker, from 0. To be called before anything is computed.

    Raises:
        OptionError: Several workers are wanted and TF_CONFIG does not say which.
    """
    if name == "mirrored":
        return tf.distribute.MirroredStrategy(), 0
    if name == "multiworker":
        try:
            config = json.loads(os.environ["TF_CONFIG"])
            number = int(config["task"]["index"])
            _ = config["cluster"]["worker"][number]
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise OptionError(
                "Several workers need TF_CONFIG, such as "
                '{{"cluster": {{"worker": ["host1:2222", "host2:2222"]}}, "task": {{"type": "worker", "index": 0}}}}; '
                "received {}.",
                os.environ.get("TF_CONFIG") or "none",
            ) from error
        return tf.distribute.MultiWorkerMirroredStrategy(), number
    return tf.distribute.get_strategy(), 0


def faster_precision() -> str:
    """What this machine multiplies a typical convolution faster in: "bfloat16", if clearly so, or "float32"."""
    seconds = {}
    for dtype in ("float32", "bfloat16"):
        images = tf.cast(tf.random.normal((32, 16, 16, 128)), dtype)
        kernel = tf.cast(tf.random.normal((3, 3, 128, 128)), dtype)
        convolve = tf.function(lambda images, kernel: tf.nn.conv2d(images, kernel, 1, "SAME"))
        convolve(images, kernel)
        times = []
        for _ in range(5):
            start = time.perf_counter()
            convolve(images, kernel).numpy()
            times.append(time.perf_counter() - start)
        seconds[dtype] = min(times)
    return "bfloat16" if seconds["bfloat16"] < 0.8 * seconds["float32"] else "float32"


@contextlib.contextmanager
def policy(precision: str) -> Iterator[None]:
    """Layers made inside compute in a precision; their weights stay float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
