"""In how many bits to train: float32, or bfloat16 where that is faster."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

import keras
import tensorflow as tf


def faster_precision() -> str:
    """Return "bfloat16" if this machine computes a typical convolution clearly faster in it, else "float32"."""
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
    """Set the precision of layers that are created inside; their weights stay float32."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    try:
        yield
    finally:
        keras.config.set_dtype_policy(before)
