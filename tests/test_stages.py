"""The stage table against independent oracles: Keras' own shapes and counts, and gradients."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from resnet.errors import OptionError
from resnet.network.model import block_output, build_resnet
from resnet.stages import (
    block_table,
    head_multiply_accumulates,
    head_parameters,
    stage_table,
)
from tests.networks import TINY_BLOCKS, TINY_FILTERS, tiny_network


@pytest.fixture(scope="module")
def resnet101():
    return build_resnet(101, (None, None, 3))


def counted_by_keras(model, shape):
    """Multiply-accumulates of a model, from its layers' real output shapes."""
    convolutions = [layer for layer in model.layers if isinstance(layer, keras.layers.Conv2D)]
    outputs = keras.Model(model.input, [layer.output for layer in convolutions]).compute_output_shape((1, *shape, 3))
    return sum(
        int(np.prod(output[1:3])) * int(np.prod(layer.kernel.shape))
        for output, layer in zip(outputs, convolutions, strict=True)
    )


@pytest.mark.parametrize("stem_pool", ["same", "centered"])
@pytest.mark.parametrize("shape", [(224, 224), (97, 131), (33, 64), (226, 50)], ids=str)
def test_shapes_equal_those_of_the_network(shape, stem_pool):
    model = tiny_network(input_shape=(None, None, 3), stem_pool=stem_pool)
    table = block_table(
        input_shape=shape, stem_pool=stem_pool, blocks=TINY_BLOCKS, filters=TINY_FILTERS, stem_filters=3
    )
    outputs = keras.Model(model.input, [block_output(model, block.name) for block in table])
    real = outputs.compute_output_shape((1, *shape, 3))
    assert [block.shape for block in table] == [tuple(one[1:]) for one in real]


def test_stages_of_resnet101_at_224_are_those_of_the_paper():
    stages = stage_table(block_table(101, (224, 224)))
    assert [stage.shape for stage in stages] == [
        (56, 56, 64),
        (56, 56, 256),
        (28, 28, 512),
        (14, 14, 1024),
        (7, 7, 2048),
    ]
    assert [stage.stride for stage in stages] == [4, 4, 8, 16, 32]


@pytest.mark.parametrize("shape", [(224, 224), (95, 128)], ids=str)
def test_multiply_accumulates_equal_a_count_over_the_layers(resnet101, shape):
    ours = sum(block.multiply_accumulates for block in block_table(101, shape))
    assert ours == counted_by_keras(resnet101, shape)
    assert head_multiply_accumulates(1000) == 2048 * 1024 + 1024 * 1000


@pytest.mark.parametrize(
    ("depth", "parameters"),
    [(50, 26_710_888), (101, 45_781_352), (152, 61_494_120)],
    ids=["50", "101", "152"],
)
def test_parameters_equal_the_published_networks_with_the_second_dense_layer(depth, parameters):
    # keras.applications' counts (25,636,712; 44,707,176; 60,419,944) less one dense layer of
    # 2,049,000, plus two of 2,098,176 and 1,025,000.
    assert sum(block.parameters for block in block_table(depth)) + head_parameters(1000) == parameters


def gradient_support(model, name, row, column, side, samples=40):
    """Rows and columns of input pixels that change a cell, over many random inputs."""
    network = keras.Model(model.input, block_output(model, name))
    generator = np.random.default_rng(0)
    pixels = tf.constant(generator.uniform(0.1, 1, (samples, side, side, 3)).astype(np.float32))
    with tf.GradientTape() as tape:
        tape.watch(pixels)
        value = tf.reduce_sum(network(pixels, training=False)[:, row, column])
    touched = np.abs(tape.gradient(value, pixels).numpy()).sum(axis=(0, -1)) > 0
    rows, columns = np.flatnonzero(touched.any(axis=1)), np.flatnonzero(touched.any(axis=0))
    return rows[0], rows[-1] + 1, columns[0], columns[-1] + 1


@pytest.mark.parametrize(
    ("stem_pool", "side"),
    [
        ("same", 128),
        ("centered", 129),
        *(pytest.param("same", side, marks=pytest.mark.slow) for side in (129, 130)),
        *(pytest.param("centered", side, marks=pytest.mark.slow) for side in (128, 130)),
    ],
)
def test_receptive_field_equals_the_gradients_support(stem_pool, side):
    model = tiny_network(input_shape=(None, None, 3), stem_pool=stem_pool)
    for variable in model.weights:  # all positive: no ReLU hides a path
        if variable.path.endswith("kernel"):
            variable.assign(tf.fill(variable.shape, 0.05))
    table = block_table(
        input_shape=(side, side), stem_pool=stem_pool, blocks=TINY_BLOCKS, filters=TINY_FILTERS, stem_filters=3
    )
    for block in table[:4]:  # the fields of the others are larger than the picture
        row, column = block.shape[0] // 2, block.shape[1] // 2 - 1
        centre_y, centre_x = (
            first + cell * block.stride for first, cell in zip(block.centre, (row, column), strict=True)
        )
        half = block.receptive_field / 2
        expected = (centre_y - half, centre_y + half, centre_x - half, centre_x + half)
        assert gradient_support(model, block.name, row, column, side) == expected, block.name


def test_unknown_depth_names_the_known_ones():
    with pytest.raises(OptionError, match=r"one of 50, 101, 152; received 34"):
        block_table(34)


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"stem_pool": "centred"}, "stem_pool must be one of same, centered; received 'centred'"),
        ({"input_shape": (31, 64)}, r"at least 32 x 32 pixels; received \(31, 64\)"),
    ],
)
def test_wrong_options_are_named(options, sentence):
    with pytest.raises(OptionError, match=sentence):
        block_table(101, **options)
