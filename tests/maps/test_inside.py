"""Inside a block: its steps against the unfolded network's own layers, and values worked out by hand."""

import keras
import numpy as np
import pytest

from resnet.errors import OptionError
from resnet.maps.channels import trace_blocks
from resnet.maps.inside import kernel_pictures, look_inside, work_out
from resnet.maps.observation import observe
from resnet.network.labels import ASSETS
from resnet.network.weights import assign, network_of, read_arrays
from resnet.photo.images import read_photo

BLOCKS = ("pool1", "conv2_block1", "conv3_block1", "conv4_block7", "conv5_block3")


@pytest.fixture(scope="module")
def observation(engine):
    return observe(read_photo(ASSETS / "examples" / "cat.jpg"), engine, "whole")


@pytest.fixture(scope="module")
def trace(engine, observation):
    return trace_blocks(observation, engine)


@pytest.fixture(scope="module")
def insides(engine, observation, trace):
    places = {block.name: place for place, block in enumerate(trace.blocks)}
    return {name: look_inside(observation, trace, places[name], engine) for name in BLOCKS}


def test_steps_are_the_layers_of_the_network_with_batch_normalisation(engine, observation, insides):
    unfolded = network_of(engine.manifest)
    assign(unfolded, read_arrays(engine.manifest))
    layers = {}
    for name, inside in insides.items():
        for step in inside.steps:
            if step == "input":
                continue
            if name == "pool1":
                layers[name, step] = {"conv": "conv1_bn", "relu": "conv1_relu", "out": "pool1_pool"}[step]
            else:
                layers[name, step] = f"{name}_{step.replace('_conv', '_bn')}"
    model = keras.Model(unfolded.input, [unfolded.get_layer(layer).output for layer in layers.values()])
    found = model(observation.pixels[None], training=False)
    for (name, step), expected in zip(layers, found, strict=True):
        values = insides[name].steps[step].values
        np.testing.assert_allclose(
            values, expected[0], atol=2e-4 * float(np.abs(expected).max()), err_msg=f"{name} {step}"
        )
    assert [len(inside.steps) for inside in insides.values()] == [4, 9, 9, 8, 8]
    assert insides["conv4_block7"].steps["add"].before == ("3_conv", "input")


def test_the_parts_of_a_value_add_up_to_what_the_network_computed(engine, insides):
    """At the corners, where a window reaches into the padding, and inside."""
    generator = np.random.default_rng(0)
    for name, inside in insides.items():
        for step in inside.steps.values():
            rows, columns, channels = step.values.shape
            size = float(np.abs(step.values).max())
            for row, column in ((0, 0), (rows - 1, columns - 1), (rows // 2, columns // 2)):
                channel = int(generator.integers(channels))
                worked = work_out(inside, step.name, row, column, channel, engine)
                assert worked.value == step.values[row, column, channel]
                if step.kind != "input":
                    assert sum(worked.parts) == pytest.approx(worked.value, abs=1e-4 * size), (name, step.name, row)
                if step.kind == "convolution":
                    assert np.sum(worked.window) == pytest.approx(worked.parts[0] + worked.parts[1], abs=1e-6 * size)
                    sizes = [abs(term.product) for term in worked.terms]
                    assert sizes == sorted(sizes, reverse=True)
                    source = inside.steps[step.before[0]].values
                    for term in worked.terms:
                        y, x = (step.first[axis] + (row, column)[axis] * step.stride + (term.row, term.column)[axis]
                                for axis in (0, 1))  # fmt: skip
                        assert 0 <= y < source.shape[0]
                        assert 0 <= x < source.shape[1]
                        assert term.value == source[y, x, term.channel]
                        kernel, _ = engine.convolution(step.layer)
                        assert term.weight == kernel[term.row, term.column, term.channel, channel]


def test_relu_is_worked_out_with_what_stands_before_it(engine, insides):
    worked = work_out(insides["conv4_block7"], "out", 1, 1, 5, engine)
    assert worked.inner.step.kind == "addition"
    assert worked.parts == (max(worked.inner.value, 0),)
    assert work_out(insides["pool1"], "out", 0, 0, 0, engine).window.shape == (3, 3)


def test_a_cell_lies_where_its_window_does(insides):
    """Centres follow from those of the step before: the middle of the cells that a window covers."""
    for name, inside in insides.items():
        for step in inside.steps.values():
            if not step.size:
                continue
            source = inside.steps[step.before[0]].block
            for axis in (0, 1):
                middle = step.first[axis] + (step.size - 1) / 2
                centre = source.centre[axis] + middle * source.stride
                assert step.block.centre[axis] == pytest.approx(centre), (name, step.name)
            assert step.block.stride == source.stride * step.stride
            assert step.block.receptive_field == source.receptive_field + (step.size - 1) * source.stride


def test_values_with_a_sign_are_drawn_on_a_scale_that_is_centred_on_zero(insides):
    steps = insides["conv4_block7"].steps
    assert [name for name, step in steps.items() if step.is_signed] == ["1_conv", "2_conv", "3_conv", "add"]
    for channel in (-1, 3):
        heatmap = steps["2_conv"].heatmap(channel)
        assert heatmap.low == -heatmap.high
        assert heatmap.high == np.abs(heatmap.values).max()
    assert steps["2_relu"].heatmap().values == pytest.approx(steps["2_relu"].values.mean(axis=-1))
    assert steps["2_relu"].zeros == (steps["2_relu"].values == 0).mean()


def test_a_kernel_is_drawn_in_the_colours_that_it_answers_to(engine):
    kernel, _ = engine.convolution("conv1_conv")
    pictures = kernel_pictures(engine, 70)
    assert len(pictures) == 64
    order = "RGB" if engine.manifest.input.channels == "RGB" else "BGR"
    for channel in (0, 63):
        picture = np.asarray(pictures[channel], float)
        assert picture.shape == (70, 70, 3)
        weights = kernel[..., channel]
        for colour, name in enumerate("RGB"):
            expected = 127.5 + 127.5 * weights[:, :, order.index(name)] / np.abs(weights).max()
            assert np.abs(picture[5::10, 5::10, colour] - expected).max() <= 0.51


def test_what_there_is_not_is_named(engine, insides):
    inside = insides["conv4_block7"]
    with pytest.raises(OptionError, match="The step must be one of input, 1_conv"):
        inside.step("0_conv")
    with pytest.raises(OptionError, match="channel must be 0 to 255; received 256"):
        work_out(inside, "1_conv", 0, 0, 256, engine)
    with pytest.raises(OptionError, match="row must be 0 to"):
        work_out(inside, "1_conv", 99, 0, 0, engine)
    with pytest.raises(OptionError, match="channel must be -1 to 255; received 256"):
        inside.step("1_conv").heatmap(256)
