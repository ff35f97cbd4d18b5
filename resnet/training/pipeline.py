"""From decoded pictures to the batches of any step, so that a run can go on from any step.

Which pictures a step has and how each is cropped follows from the seed and the step's number alone:
nothing has to be remembered. Keras' own augmentation layers keep the state of their random numbers
inside the pipeline, where a run that was killed loses it.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
import tensorflow as tf
from numpy.typing import NDArray

from resnet.network.weights import Arrays
from resnet.photo.preprocess import InputSpec
from resnet.training.pictures import Pictures
from resnet.training.recipe import Augmentation

PIXEL_UNIT = 64.0
"""Training divides pixels by about their standard deviation: with an input of hundreds the first
convolution's gradient is thousands of times the others', and no rate suits both."""

FIRST_KERNEL = "conv1_conv/kernel"


@dataclass(frozen=True)
class Targets:
    """Training targets of the pictures.

    Attributes:
        classes: How many there are.
        soft: (pictures, classes) probabilities from another classifier; None for the classes alone.
        share: Of the probability that `soft` says; its class has the rest.
        smoothing: Share of the probability that is spread over all classes.
        weights: (classes,) how much a picture of each counts; None if all count 1.
    """

    classes: int
    soft: NDArray[np.float16] | None = None
    share: float = 0.0
    smoothing: float = 0.0
    weights: NDArray[np.float32] | None = None

    def of(self, rows: NDArray[np.int64], indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return (rows, classes) probabilities for pictures of the classes `indices`."""
        wanted = np.eye(self.classes, dtype=np.float32)[indices]
        if self.soft is not None:
            wanted = (1 - self.share) * wanted + np.float32(self.share) * self.soft[rows]
        return wanted * np.float32(1 - self.smoothing) + np.float32(self.smoothing / self.classes)

    def weights_of(self, indices: NDArray[np.int64]) -> NDArray[np.float32]:
        """Return (rows,) how much each picture counts."""
        return np.ones(len(indices), np.float32) if self.weights is None else self.weights[indices]


def _views(images: tf.Tensor, augmentation: Augmentation | None, size: int, seed: tf.Tensor) -> tf.Tensor:
    """A crop of each picture, `size` pixels high and wide.

    Without augmentation it is the whole square, enlarged or reduced as Pillow's bilinear filter does, as a photo is for
    the network. Random crops take the nearest pixels alone: where they reduce, they are a little sharper.
    """
    if augmentation is None:
        return tf.image.resize(images, (size, size), "bilinear", antialias=True)
    count, side = tf.shape(images)[0], tf.cast(tf.shape(images)[1], tf.float32)
    ones = tf.ones((count,))
    draw = tf.random.stateless_uniform((5, count), seed)
    area = augmentation.smallest_crop + draw[0] * (1 - augmentation.smallest_crop)
    ratio = tf.exp((draw[1] * 2 - 1) * np.log(augmentation.aspect))
    width, height = tf.minimum(1.0, tf.sqrt(area * ratio)), tf.minimum(1.0, tf.sqrt(area / ratio))
    left, top = draw[2] * (1 - width), draw[3] * (1 - height)
    mirror = tf.where((draw[4] < 0.5) & augmentation.flip, -ones, ones)
    # Output pixel p has its centre at p + 0.5; so has the input's.
    scale_x, scale_y = width * side / size, height * side / size
    first_x = left * side + 0.5 * scale_x - 0.5
    last_x = (left + width) * side - 0.5 * scale_x - 0.5
    start_x = tf.where(mirror > 0, first_x, last_x)
    start_y = top * side + 0.5 * scale_y - 0.5
    zeros = tf.zeros((count,))
    transforms = tf.stack([scale_x * mirror, zeros, start_x, zeros, scale_y, start_y, zeros, zeros], axis=1)
    return tf.raw_ops.ImageProjectiveTransformV3(
        images=images,
        transforms=transforms,
        output_shape=tf.constant([size, size]),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="NEAREST",
    )


def _vary_colours(images: tf.Tensor, strength: float, seed: tf.Tensor) -> tf.Tensor:
    factors = 1 + strength * (2 * tf.random.stateless_uniform((2, tf.shape(images)[0], 1, 1, 1), seed) - 1)
    grey = tf.reduce_mean(images, axis=(1, 2, 3), keepdims=True)
    return tf.clip_by_value((grey + (images - grey) * factors[0]) * factors[1], 0.0, 255.0)


def _prepared(images: tf.Tensor, spec: InputSpec) -> tf.Tensor:
    """As `preprocess.normalise`, but in units of `PIXEL_UNIT`."""
    ordered = images[..., ::-1] if spec.channels == "BGR" else images
    return (ordered - tf.constant(spec.mean, tf.float32)) / PIXEL_UNIT


def in_training_units(arrays: Arrays, spec: InputSpec, *, back: bool = False) -> Arrays:
    """Weights for input in units of `PIXEL_UNIT` instead of the manifest's scale; the answers are the same.

    Args:
        arrays: By layer and part.
        spec: How the network wants its input outside training.
        back: From training's units to the manifest's.
    """
    factor = np.float32(PIXEL_UNIT * spec.scale)
    return {**arrays, FIRST_KERNEL: arrays[FIRST_KERNEL] * (1 / factor if back else factor)}


def training_batches(
    pictures: Pictures,
    rows: NDArray[np.int64],
    spec: InputSpec,
    *,
    size: int,
    batch_size: int,
    augmentation: Augmentation,
    seed: int,
    first_step: int,
    last_step: int,
    targets: Targets,
) -> tf.data.Dataset:
    """Make batches of (images, targets, weights) of the steps from `first_step` up to `last_step`, exclusive.

    Every picture comes once in a pass over the data, in another order in each pass.

    Args:
        pictures: Decoded.
        rows: Which of them.
        spec: How the network wants its input.
        size: Side of the batches' images in pixels.
        batch_size: Images per step.
        augmentation: How they vary.
        seed: Of order and variation.
        first_step: From 0.
        last_step: After the last one.
        targets: What to answer.

    Returns:
        (batch, size, size, 3) float32 in training's units, (batch, classes) float32 and (batch,) float32.
    """
    count = len(rows)
    classes = pictures.classes

    @functools.lru_cache(maxsize=4)
    def order(number: int) -> NDArray[np.int64]:
        return rows[np.random.default_rng([seed, number]).permutation(count)]

    def select(step: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.float32], NDArray[np.float32]]:
        numbers = int(step) * batch_size + np.arange(batch_size)
        places = np.array([order(int(number) // count)[number % count] for number in numbers])
        return pictures.pixels[places], targets.of(places, classes[places]), targets.weights_of(classes[places])

    def read(step: tf.Tensor) -> tuple[tf.Tensor, ...]:
        images, wanted, weights = tf.numpy_function(select, [step], (tf.uint8, tf.float32, tf.float32))
        shape = (batch_size, *pictures.pixels.shape[1:])
        return (
            tf.ensure_shape(images, shape),
            tf.ensure_shape(wanted, (batch_size, targets.classes)),
            tf.ensure_shape(weights, (batch_size,)),
            step,
        )

    def vary(images: tf.Tensor, wanted: tf.Tensor, weights: tf.Tensor, step: tf.Tensor) -> tuple[tf.Tensor, ...]:
        views = _views(tf.cast(images, tf.float32), augmentation, size, tf.stack([seed, step * 2]))
        if augmentation.colour:
            views = _vary_colours(views, augmentation.colour, tf.stack([seed, step * 2 + 1]))
        return _prepared(views, spec), wanted, weights

    data = tf.data.Dataset.range(first_step, last_step)
    data = data.map(read, num_parallel_calls=tf.data.AUTOTUNE).map(vary, num_parallel_calls=tf.data.AUTOTUNE)
    return data.prefetch(tf.data.AUTOTUNE)


def validation_batches(
    pictures: Pictures, rows: NDArray[np.int64], spec: InputSpec, batch_size: int, classes: int
) -> tf.data.Dataset:
    """Make batches of (images, targets) of the pictures as they are; the last batch may be smaller.

    Returns:
        (batch, size, size, 3) float32 in training's units, and (batch, classes) float32 that are 1 at the class.
    """

    def select(places: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        images = tf.numpy_function(lambda chosen: pictures.pixels[chosen], [places], tf.uint8)
        images = tf.cast(tf.ensure_shape(images, (None, *pictures.pixels.shape[1:])), tf.float32)
        views = _views(images, None, spec.size, tf.constant([0, 0]))
        return _prepared(views, spec), tf.one_hot(tf.gather(pictures.classes, places), classes)

    data = tf.data.Dataset.from_tensor_slices(rows).batch(batch_size)
    return data.map(select, num_parallel_calls=tf.data.AUTOTUNE).prefetch(tf.data.AUTOTUNE)
