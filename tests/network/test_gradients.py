"""The hand-written backward pass, against TensorFlow's differentiation and finite differences."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from resnet.network.gradients import BackwardPass
from resnet.network.model import block_output
from resnet.network.weights import arrays_of, assign, fold
from resnet.stages import block_table, stage_table
from tests.networks import TINY_BLOCKS, TINY_FILTERS, randomise, tiny_network

CLASSES = (3, 0)


class Tiny:
    """A tiny folded network, its blocks, and its values for one image of odd sides."""

    def __init__(self, stem_pool="same", size=(61, 75)):
        source = tiny_network(input_shape=(None, None, 3), stem_pool=stem_pool)
        randomise(source, 3)
        self.model = tiny_network(input_shape=(None, None, 3), stem_pool=stem_pool, folded=True)
        assign(self.model, fold(arrays_of(source)))
        self.blocks = block_table(
            input_shape=size, stem_pool=stem_pool, blocks=TINY_BLOCKS, filters=TINY_FILTERS, stem_filters=3
        )
        pixels = np.random.default_rng(0).uniform(-100, 100, (1, *size, 3)).astype(np.float32)
        outputs = keras.Model(self.model.input, [block_output(self.model, block.name) for block in self.blocks])
        self.outputs = [output.numpy() for output in outputs(pixels)]

    def logits_from(self, block):
        """The part of the network from a block's output to the logits."""
        hidden = keras.Model(block_output(self.model, block.name), self.model.get_layer("dense_1024").output)
        last = self.model.get_layer("predictions")
        return lambda values: tf.matmul(hidden(values), last.kernel) + last.bias


@pytest.fixture(scope="module", params=["same", "centered"])
def tiny(request):
    return Tiny(request.param)


@pytest.fixture(scope="module")
def found(tiny):
    return BackwardPass(tiny.model, tiny.blocks).run(tiny.outputs[0][0], CLASSES)


def test_shapes_and_values_are_those_of_tensorflows_differentiation(tiny, found):
    ends = [block.name for block in stage_table(tiny.blocks)]
    for place, (block, output) in enumerate(zip(tiny.blocks, tiny.outputs, strict=True)):
        for row, index in enumerate(CLASSES):
            with tf.GradientTape() as tape:
                values = tf.constant(output)
                tape.watch(values)
                logit = tiny.logits_from(block)(values)[0, index]
            expected = tape.gradient(logit, values).numpy()
            np.testing.assert_allclose(found.logits[index], logit, rtol=1e-5, atol=1e-6)
            contribution = (expected * output).sum(axis=(0, 1, 2))
            np.testing.assert_allclose(found.contributions[place][row], contribution, rtol=1e-4, atol=1e-6)
            if block.name in ends:
                received = found.stages[ends.index(block.name)][row]
                assert received.shape == block.shape
                np.testing.assert_allclose(received, expected[0], rtol=1e-4, atol=1e-7)


def test_gradients_are_the_slopes_of_the_logit(tiny, found):
    """Central differences, an oracle that knows nothing of differentiation: over all 5 stages."""
    generator = np.random.default_rng(1)
    step = 1e-2
    for block, gradients in zip(stage_table(tiny.blocks), found.stages, strict=True):
        output = tiny.outputs[tiny.blocks.index(block)]
        logits = tiny.logits_from(block)
        places = generator.permutation(output.size)[:60]
        shifted = np.repeat(output, 2 * len(places), axis=0).reshape(2, len(places), -1)
        for number, place in enumerate(places):
            shifted[0, number, place] += step
            shifted[1, number, place] -= step
        high, low = (logits(tf.constant(part.reshape(-1, *output.shape[1:]))).numpy() for part in shifted)
        for row, index in enumerate(CLASSES):
            slopes = (high[:, index] - low[:, index]) / (2 * step)
            expected = gradients[row].ravel()[places]
            # float32 logits leave about 1e-5 of noise; a ReLU that changes sides within the step a little more.
            close = np.isclose(slopes, expected, rtol=0.02, atol=2e-4)
            assert close.mean() > 0.9, block.stage
            assert np.corrcoef(slopes, expected)[0, 1] > 0.99


def test_several_classes_at_once_are_the_same_as_one_by_one(tiny, found):
    backward = BackwardPass(tiny.model, tiny.blocks)
    for row, index in enumerate(CLASSES):
        alone = backward.run(tiny.outputs[0][0], [index])
        for together, single in zip(found.stages, alone.stages, strict=True):
            np.testing.assert_allclose(together[row], single[0], rtol=1e-5, atol=1e-8)


def test_the_big_network_agrees_with_tensorflow_on_c1(engine):
    """All 101 layers at once: what reaches C1 has passed through every one of them."""
    pixels = np.random.default_rng(0).uniform(-100, 100, (1, 64, 96, 3)).astype(np.float32)
    first = engine.run(pixels).maps["C1"]
    found = engine.gradients(first[0], [7])
    model = engine._model
    hidden = keras.Model(block_output(model, "pool1"), model.get_layer("dense_1024").output)
    last = model.get_layer("predictions")
    with tf.GradientTape() as tape:
        values = tf.constant(first)
        tape.watch(values)
        logit = (tf.matmul(hidden(values), last.kernel) + last.bias)[0, 7]
    expected = tape.gradient(logit, values).numpy()[0]
    assert np.abs(found.stages[0][0] - expected).max() < 1e-4 * np.abs(expected).max()
    np.testing.assert_allclose(found.logits[7], logit, rtol=1e-4)
