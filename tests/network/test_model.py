"""The network against keras.applications, after the move of random weights and statistics."""

import keras
import numpy as np
import pytest

from resnet.errors import OptionError
from resnet.network.imagenet import move_from_keras
from resnet.network.model import block_output, build_network, build_resnet
from resnet.network.weights import arrays_of, assign, fold
from resnet.stages import DEPTHS, STAGE_NAMES, block_table, stage_table
from tests.networks import randomise, tiny_network

PUBLISHED = {
    50: keras.applications.ResNet50,
    101: keras.applications.ResNet101,
    152: keras.applications.ResNet152,
}
PROBABILITY_TOLERANCE = 1e-5
MAP_TOLERANCE = 1e-4
"""Largest difference of a map relative to the map's largest value."""


def with_stages(model, depth):
    names = [block.name for block in stage_table(block_table(depth))]
    return keras.Model(model.input, [model.output, *(block_output(model, name) for name in names)])


def published_with_stages(depth, shape=(224, 224)):
    # Keras' blocks carry the same names as ours.
    model = PUBLISHED[depth](weights=None, input_shape=(*shape, 3))
    return model, with_stages(model, depth)


def assert_same(ours, theirs, pixels):
    probabilities, *maps = ours.predict_on_batch(pixels)
    expected, *expected_maps = theirs.predict_on_batch(pixels)
    assert np.abs(probabilities - expected).max() <= PROBABILITY_TOLERANCE
    assert 0.005 < expected.max() < 0.9, "an answer that is alike for all, or all on one, proves nothing"
    assert (expected > 1e-4).sum() >= 10
    for name, values, wanted in zip(STAGE_NAMES, maps, expected_maps, strict=True):
        assert values.shape == wanted.shape
        assert np.abs(values - wanted).max() <= MAP_TOLERANCE * np.abs(wanted).max(), name


def photo(seed, shape):
    return np.random.default_rng(seed).uniform(-120, 150, (1, *shape, 3)).astype(np.float32)


@pytest.fixture(scope="module")
def ours101():
    return build_resnet(101, (None, None, 3), stem_pool="centered")


@pytest.fixture(scope="module")
def pair101(ours101):
    published, theirs = published_with_stages(101)
    return published, theirs, ours101, with_stages(ours101, 101)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(5))
def test_moved_resnet101_equals_keras_on_random_weights(pair101, seed):
    published, theirs, ours, stages = pair101
    randomise(published, seed)
    assign(ours, move_from_keras(published))
    assert_same(stages, theirs, photo(seed, (224, 224)))


@pytest.mark.slow
def test_moved_resnet101_equals_keras_at_an_odd_size(pair101):
    published, _, ours, stages = pair101
    odd, theirs = published_with_stages(101, (97, 131))
    odd.set_weights(published.get_weights())
    assign(ours, move_from_keras(published))
    assert_same(stages, theirs, photo(1, (97, 131)))


def test_moved_resnet50_equals_keras_on_random_weights():  # 152 is the same code again
    published, theirs = published_with_stages(50, (128, 160))
    randomise(published, 50)
    ours = build_resnet(50, (None, None, 3), stem_pool="centered")
    assign(ours, move_from_keras(published))
    assert_same(with_stages(ours, 50), theirs, photo(50, (128, 160)))


@pytest.mark.slow
def test_folded_network_equals_the_one_with_batch_normalisation(ours101):
    ours, stages = ours101, with_stages(ours101, 101)
    randomise(ours, 1)
    folded = build_network(DEPTHS[101], input_shape=(None, None, 3), stem_pool="centered", folded=True)
    assign(folded, fold(arrays_of(ours)))
    assert_same(with_stages(folded, 101), stages, photo(2, (160, 96)))


def test_resnet101_has_the_documents_parameters(ours101):
    ours = ours101
    trainable = sum(int(np.prod(variable.shape)) for variable in ours.trainable_variables)
    assert ours.count_params() == 45_781_352
    assert trainable == 45_676_008


def test_the_stride_sits_on_the_first_convolution(ours101):
    ours = ours101
    assert [ours.get_layer(f"conv3_block1_{part}_conv").strides for part in (0, 1, 2, 3)] == [
        (2, 2),
        (2, 2),
        (1, 1),
        (1, 1),
    ]
    assert ours.get_layer("conv2_block1_1_conv").strides == (1, 1)
    assert all(layer.use_bias for layer in ours.layers if isinstance(layer, keras.layers.Conv2D))
    assert {layer.epsilon for layer in ours.layers if isinstance(layer, keras.layers.BatchNormalization)} == {1e-3}


def test_pooling_same_differs_from_centered():
    same, centered = (tiny_network(input_shape=(64, 64, 3), stem_pool=name) for name in ("same", "centered"))
    randomise(same, 0)
    assign(centered, arrays_of(same))
    pixels = photo(3, (64, 64))
    assert np.abs(same.predict_on_batch(pixels) - centered.predict_on_batch(pixels)).max() > 1e-4


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"depth": 18}, "depth must be one of 50, 101, 152; received 18"),
        ({"classes": 1}, "at least 2 classes; received 1"),
        ({"stem_pool": "valid"}, "stem_pool must be one of same, centered; received 'valid'"),
    ],
)
def test_wrong_options_are_named(options, sentence):
    with pytest.raises(OptionError, match=sentence):
        build_resnet(**options)


@pytest.mark.parametrize("dropout", [0.0, 0.5])
def test_dropout_leaves_out_parts_of_the_head_while_learning_alone(dropout):
    network = build_network((1, 1, 1, 1), ((4, 4, 16),) * 4, input_shape=(32, 32, 3), classes=3, dropout=dropout)
    image = np.random.default_rng(0).normal(size=(1, 32, 32, 3)).astype(np.float32)
    for layer in network.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.trainable = False  # so that dropout is the only difference
    answers = {training: network(image, training=training).numpy() for training in (False, True)}
    assert np.array_equal(answers[False], answers[True]) == (dropout == 0)
