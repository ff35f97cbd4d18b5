"""The network: ResNet v1 of depth 50, 101 or 152 as a Keras model.

He, Zhang, Ren, Sun: "Deep Residual Learning for Image Recognition" (https://arxiv.org/abs/1512.03385).
This variant puts the stride of a stage on the first 1x1 convolution, gives every convolution a
bias, keeps Keras' batch-normalisation epsilon of 1e-3, and classifies with a hidden layer of 1,024.
"""

from __future__ import annotations

import os
from collections.abc import Sequence

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # TensorFlow reads it once, when it is imported

import keras
from keras import KerasTensor, layers

from resnet.errors import OptionError
from resnet.stages import (
    DROPOUT,
    HIDDEN_UNITS,
    STAGE_FILTERS,
    STEM_FILTERS,
    blocks_of_depth,
    check_stem_pool,
)

BATCH_NORM_EPSILON = 1e-3


def _convolution(
    inputs: KerasTensor, filters: int, kernel_size: int, name: str, *, strides: int = 1, folded: bool = False
) -> KerasTensor:
    """A convolution, followed by batch normalisation unless that is folded into it."""
    padding = "valid" if name == "conv1" else "same"
    initializer = "zeros" if folded else "glorot_uniform"  # random numbers take longer than reading
    outputs = layers.Conv2D(
        filters,
        kernel_size,
        strides=strides,
        padding=padding,
        kernel_initializer=initializer,
        name=f"{name}_conv",
    )(inputs)
    if folded:
        return outputs
    return layers.BatchNormalization(epsilon=BATCH_NORM_EPSILON, name=f"{name}_bn")(outputs)


def _residual_branch(
    inputs: KerasTensor,
    filters: tuple[int, int, int],
    kernel_size: int,
    name: str,
    strides: int,
    folded: bool,
) -> KerasTensor:
    first, middle, last = filters
    outputs = _convolution(inputs, first, 1, f"{name}_1", strides=strides, folded=folded)
    outputs = layers.Activation("relu", name=f"{name}_1_relu")(outputs)
    outputs = _convolution(outputs, middle, kernel_size, f"{name}_2", folded=folded)
    outputs = layers.Activation("relu", name=f"{name}_2_relu")(outputs)
    return _convolution(outputs, last, 1, f"{name}_3", folded=folded)


def _add(branch: KerasTensor, shortcut: KerasTensor, name: str) -> KerasTensor:
    outputs = layers.Add(name=f"{name}_add")([shortcut, branch])
    return layers.Activation("relu", name=f"{name}_out")(outputs)


def identity_block(
    inputs: KerasTensor,
    filters: tuple[int, int, int],
    name: str,
    *,
    kernel_size: int = 3,
    folded: bool = False,
) -> KerasTensor:
    """A residual block whose shortcut is the input itself.

    Args:
        inputs: (batch, height, width, filters[2]).
        filters: Filters of the 1x1, the k x k and the last 1x1 convolution.
        name: Prefix of the layers' names, such as `conv2_block2`.
        kernel_size: k of the middle convolution.
        folded: Without batch normalisation, for weights that contain it.

    Returns:
        (batch, height, width, filters[2]), after ReLU.
    """
    return _add(_residual_branch(inputs, filters, kernel_size, name, 1, folded), inputs, name)


def conv_block(
    inputs: KerasTensor,
    filters: tuple[int, int, int],
    name: str,
    *,
    kernel_size: int = 3,
    strides: int = 2,
    folded: bool = False,
) -> KerasTensor:
    """A residual block whose shortcut is a strided 1x1 convolution with batch normalisation.

    Args:
        inputs: (batch, height, width, channels).
        filters: Filters of the 1x1, the k x k and the last 1x1 convolution.
        name: Prefix of the layers' names, such as `conv3_block1`.
        kernel_size: k of the middle convolution.
        strides: Of the first 1x1 convolution and of the shortcut.
        folded: Without batch normalisation, for weights that contain it.

    Returns:
        (batch, ceil(height / strides), ceil(width / strides), filters[2]), after ReLU.
    """
    branch = _residual_branch(inputs, filters, kernel_size, name, strides, folded)
    shortcut = _convolution(inputs, filters[2], 1, f"{name}_0", strides=strides, folded=folded)
    return _add(branch, shortcut, name)


def _stem(inputs: KerasTensor, filters: int, stem_pool: str, folded: bool) -> KerasTensor:
    outputs = layers.ZeroPadding2D(3, name="conv1_pad")(inputs)
    outputs = _convolution(outputs, filters, 7, "conv1", strides=2, folded=folded)
    outputs = layers.Activation("relu", name="conv1_relu")(outputs)
    if stem_pool == "centered":
        outputs = layers.ZeroPadding2D(1, name="pool1_pad")(outputs)
        return layers.MaxPooling2D(3, strides=2, name="pool1_pool")(outputs)
    return layers.MaxPooling2D(3, strides=2, padding="same", name="pool1_pool")(outputs)


def build_network(
    blocks: Sequence[int],
    filters: Sequence[tuple[int, int, int]] = STAGE_FILTERS,
    *,
    input_shape: tuple[int | None, int | None, int] = (224, 224, 3),
    classes: int = 1000,
    stem_pool: str = "same",
    stem_filters: int = STEM_FILTERS,
    hidden_units: int = HIDDEN_UNITS,
    dropout: float = DROPOUT,
    folded: bool = False,
    name: str = "resnet",
) -> keras.Model:
    """A ResNet of any number and width of blocks: `build_resnet`, its folded form, small test networks.

    Args:
        blocks: Blocks per stage C2 to C5.
        filters: Filters of a block's three convolutions, per stage.
        input_shape: (height, width, 3); None for any height or width.
        classes: Number of classes.
        stem_pool: "same" or "centered".
        stem_filters: Filters of the first convolution.
        hidden_units: Units of the hidden layer.
        dropout: Share of the head's inputs and hidden units that are left out of a step of learning.
        folded: Without batch normalisation and with weights of 0, for arrays of `weights.fold`.
        name: The model's name.
    """
    check_stem_pool(stem_pool)
    inputs = layers.Input(input_shape, name="image")
    outputs = _stem(inputs, stem_filters, stem_pool, folded)
    for stage, (count, stage_filters) in enumerate(zip(blocks, filters, strict=True), start=2):
        strides = 1 if stage == 2 else 2
        outputs = conv_block(outputs, stage_filters, f"conv{stage}_block1", strides=strides, folded=folded)
        for block in range(2, count + 1):
            outputs = identity_block(outputs, stage_filters, f"conv{stage}_block{block}", folded=folded)
    outputs = layers.GlobalAveragePooling2D(name="avg_pool")(outputs)
    outputs = layers.Dropout(dropout, name="dropout_1")(outputs)
    outputs = layers.Dense(hidden_units, activation="relu", name="dense_1024")(outputs)
    outputs = layers.Dropout(dropout, name="dropout_2")(outputs)
    # In float32 even where the rest computes in 16 bits: probabilities need more than three digits.
    outputs = layers.Dense(classes, activation="softmax", dtype="float32", name="predictions")(outputs)
    return keras.Model(inputs, outputs, name=name)


def build_resnet(
    depth: int = 101,
    input_shape: tuple[int | None, int | None, int] = (224, 224, 3),
    classes: int = 1000,
    stem_pool: str = "same",
) -> keras.Model:
    """The network of the given depth, with freshly initialised weights.

    Args:
        depth: 50, 101 or 152.
        input_shape: (height, width, 3); None for any height or width, since pooling is global.
            Pixels are float32, in the channel order and range that the weights were trained with.
        classes: Number of classes, at least 2.
        stem_pool: "same" pads the first pooling only below and to the right where the size is
            even; "centered" pads one on each side, as `keras.applications` does.

    Returns:
        A model from (batch, height, width, 3) float32 to (batch, classes) float32 probabilities.
        The stages are the outputs of `stage_outputs`.

    Raises:
        OptionError: An unknown depth or pooling, or fewer than 2 classes.
    """
    if classes < 2:
        raise OptionError("A network needs at least 2 classes; received {}.", classes)
    return build_network(
        blocks_of_depth(depth),
        input_shape=input_shape,
        classes=classes,
        stem_pool=stem_pool,
        name=f"resnet{depth}",
    )


def block_output(model: keras.Model, block: str) -> KerasTensor:
    """The symbolic output of a block of `resnet.stages.block_table`, by the block's name."""
    return model.get_layer("pool1_pool" if block == "pool1" else f"{block}_out").output


def in_bfloat16(model: keras.Model) -> keras.Model:
    """Copy a folded network, with the convolutions of C2 to C5 in bfloat16.

    The stem, the additions and the head stay float32: C1 is the same to the last bit, and the error of one block is
    not rounded again by each that follows, which alone would change C4 of the bundled weights by 3 % of its maximum.
    """

    def copy(layer: keras.Layer) -> keras.Layer:
        config = layer.get_config()
        # In a block the convolutions and what lies between them, not the addition or the block's output.
        if layer.name.startswith("conv") and "_block" in layer.name and not layer.name.endswith(("_add", "_out")):
            config["dtype"] = "bfloat16"
        return type(layer).from_config(config)

    copied = keras.models.clone_model(model, clone_function=copy)
    for own, original in zip(copied.variables, model.variables, strict=True):
        own.assign(keras.ops.cast(original.value, own.dtype))
    return copied
