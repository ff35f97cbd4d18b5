"""Any block, any channel, any cell."""

import keras
import numpy as np
import pytest

from resnet.errors import OptionError
from resnet.maps.channels import ask_cell, channel_facts, rank_channels, trace_blocks
from resnet.maps.observation import observe
from resnet.network.labels import ASSETS
from resnet.photo.images import read_photo

CAT = ASSETS / "examples" / "cat.jpg"


@pytest.fixture(scope="module")
def observation(engine):
    return observe(read_photo(CAT), engine, "whole")


@pytest.fixture(scope="module")
def trace(engine, observation):
    return trace_blocks(observation, engine)


def test_every_block_has_its_output(trace):
    assert len(trace.blocks) == 34
    assert [values.shape for values in trace.outputs] == [block.shape for block in trace.blocks]
    assert trace.byte_count == sum(values.nbytes for values in trace.outputs)


def test_the_last_block_of_a_stage_is_what_the_maps_show(trace, observation):
    for stage, values in zip(("C1", "C2", "C3", "C4", "C5"), observation.maps, strict=True):
        found = trace.outputs[trace.of_stage(stage)[-1]]
        assert np.abs(found - values).max() <= 1e-4 * values.max()


def test_stages_have_their_blocks(trace):
    assert [len(trace.of_stage(stage)) for stage in ("C1", "C2", "C3", "C4", "C5")] == [1, 3, 4, 23, 3]
    assert trace.blocks[trace.place("C4", 7)].name == "conv4_block7"


@pytest.mark.parametrize(("stage", "number"), [("C4", 0), ("C4", 24), ("C1", 2), ("C4", 1.5), ("C4", "x")])
def test_wrong_blocks_are_named(trace, stage, number):
    with pytest.raises(OptionError, match="The block must be"):
        trace.place(stage, number)
    with pytest.raises(OptionError, match="The stage must be one of C1"):
        trace.place("C6", 1)


def test_change_of_a_block_is_the_ratio_of_the_norms_of_both_sides(engine, observation, trace):
    """Each side of an addition, taken from the network by name and measured here."""
    model = engine._model
    for name in ("conv2_block1", "conv3_block2", "conv5_block3"):
        sides = keras.Model(model.input, list(model.get_layer(f"{name}_add").input))
        shortcut, branch = (side.numpy() for side in sides(observation.pixels[None]))
        place = [block.name for block in trace.blocks[1:]].index(name)
        np.testing.assert_allclose(trace.changes[place], np.linalg.norm(branch) / np.linalg.norm(shortcut), rtol=1e-3)


def test_a_block_that_adds_nothing_changes_nothing(trace):
    silent = type(trace)(trace.blocks, trace.outputs, np.zeros(33, np.float32), np.zeros(33, np.float32))
    assert np.array_equal(silent.changes, np.zeros(33))


def test_channels_are_ranked_by_what_is_asked(trace):
    values = trace.outputs[10]
    means = [float(values[..., channel].mean()) for channel in range(values.shape[-1])]
    highest = [float(values[..., channel].max()) for channel in range(values.shape[-1])]
    assert list(rank_channels(values, "mean", 8)) == sorted(range(len(means)), key=lambda k: -means[k])[:8]
    by_maximum = list(rank_channels(values, "max", 8))
    assert [highest[k] for k in by_maximum] == sorted(highest, reverse=True)[:8]
    contributions = np.arange(values.shape[-1], dtype=np.float32)
    assert list(rank_channels(values, "contribution", 4, contributions)) == [1023, 1022, 1021, 1020]


def test_fewer_channels_than_asked_are_all_of_them():
    assert len(rank_channels(np.ones((2, 2, 5), np.float32), "mean", 64)) == 5


@pytest.mark.parametrize(
    ("order", "count", "sentence"),
    [
        ("median", 8, "order must be one of mean, max, contribution"),
        ("mean", 3, "number of channels must be 4 to 64; received 3"),
        ("mean", 65, "number of channels must be 4 to 64; received 65"),
        ("contribution", 8, "needs a class; received none"),
    ],
)
def test_wrong_orders_are_named(order, count, sentence):
    with pytest.raises(OptionError, match=sentence):
        rank_channels(np.ones((2, 2, 5), np.float32), order, count)


def test_facts_of_a_channel():
    values = np.zeros((2, 2, 3), np.float32)
    values[..., 1] = [[0, 1], [3, 4]]
    facts = channel_facts(values, 1)
    assert (facts.mean, facts.maximum, facts.zeros) == (2.0, 4.0, 0.25)
    assert facts.deviation == pytest.approx(np.std([0, 1, 3, 4]))
    assert facts.counts.sum() == 4
    assert (facts.edges[0], facts.edges[-1]) == (0, 4)
    assert channel_facts(values, 0).zeros == 1
    with pytest.raises(OptionError, match="channel must be 0 to 2; received 3"):
        channel_facts(values, 3)


def test_a_channels_map_is_that_channel(trace):
    heatmap = trace.heatmap(5, 17)
    assert np.array_equal(heatmap.values, trace.outputs[5][..., 17])
    assert heatmap.block == trace.blocks[5]
    with pytest.raises(OptionError, match="channel must be 0 to 511; received 512"):
        trace.heatmap(5, 512)


def test_a_cell_names_its_strongest_channels_and_what_it_sees(observation):
    facts = ask_cell(observation, 3, 2, 5)
    values = observation.maps[3]
    strongest = sorted(range(1024), key=lambda channel: -values[2, 5, channel])[:5]
    assert [channel for channel, _, _ in facts.channels] == strongest
    for channel, here, mean in facts.channels:
        assert here == pytest.approx(float(values[2, 5, channel]))
        assert mean == pytest.approx(float(values[..., channel].mean()), rel=1e-4)
    assert facts.box == observation.geometry.cell_box(observation.blocks[3], 2, 5)
    assert facts.receptive_box == observation.geometry.receptive_box(observation.blocks[3], 2, 5)


def test_a_cell_that_is_not_there_is_named(observation):
    with pytest.raises(OptionError, match="C5 has"):
        ask_cell(observation, 4, 99, 0)
