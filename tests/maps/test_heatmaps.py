"""Maps from channels, and their scales, against plain numpy."""

import numpy as np
import pytest

from resnet.errors import OptionError
from resnet.maps.heatmaps import AGGREGATIONS, ViewOptions, aggregate, make_heatmaps, principal_components
from resnet.stages import block_table, stage_table

STAGES = stage_table(block_table(101, (64, 96)))


def activations(shape=(5, 7, 11), seed=0):
    return np.maximum(np.random.default_rng(seed).standard_normal(shape).astype(np.float32), 0)


@pytest.mark.parametrize(
    ("name", "oracle"),
    [
        ("mean", lambda cell: sum(cell) / len(cell)),
        ("max", max),
        ("l2", lambda cell: sum(value * value for value in cell) ** 0.5),
        ("channel", lambda cell: cell[3]),
    ],
)
def test_aggregation_equals_a_loop_over_cells(name, oracle):
    values = activations()
    expected = [[oracle([float(value) for value in cell]) for cell in row] for row in values]
    assert aggregate(values, ViewOptions(name, channel=3)) == pytest.approx(np.array(expected), rel=1e-5, abs=1e-6)


@pytest.mark.parametrize(
    "shape",
    [(4, 5, 60), (9, 8, 6), (1, 2, 3), (28, 28, 512), (14, 14, 1024), (56, 56, 256)],
    ids=["few cells", "few channels", "two cells", "C3", "C4", "C2"],
)
def test_principal_components_equal_those_of_a_singular_value_decomposition(shape):
    values = activations(shape).astype(np.float64)
    cells = values.reshape(-1, shape[-1])
    left, sizes, _ = np.linalg.svd(cells - cells.mean(axis=0), full_matrices=False)
    expected = np.zeros((len(cells), 3))
    count = min(3, len(sizes))
    expected[:, :count] = (left * sizes)[:, :count]
    scores, explained = principal_components(values.astype(np.float32))
    scores = scores.reshape(-1, 3)
    assert np.abs(scores) == pytest.approx(np.abs(expected), abs=1e-4 * np.abs(expected).max())
    assert explained == pytest.approx((sizes[:3] ** 2).sum() / (sizes**2).sum(), abs=1e-5)
    largest = scores[np.abs(scores).argmax(axis=0), range(3)]
    assert (largest >= 0).all()


@pytest.mark.parametrize("shape", [(14, 14, 1024), (28, 28, 512), (6, 6, 8)], ids=str)
@pytest.mark.parametrize("size", [1e-20, 1.0, 1e15])
def test_components_that_are_not_there_are_zero_and_not_noise(shape, size):
    generator = np.random.default_rng(0)
    one = generator.random(shape[:2])[..., None] * generator.random(shape[2]) * size
    scores, explained = principal_components(one.astype(np.float32))
    assert np.ptp(scores[..., 0]) > 0.1 * size
    assert not scores[..., 1:].any()
    assert explained == pytest.approx(1, abs=1e-5)


def test_a_whole_number_may_come_as_a_float():
    assert aggregate(activations(), ViewOptions("channel", channel=5.0)).shape == (5, 7)
    assert ViewOptions(opacity=np.float32(0.5), channel=np.int64(3)).channel == 3


def test_principal_components_of_a_flat_map_are_zero():
    scores, explained = principal_components(np.full((4, 4, 8), 2.5, np.float32))
    assert not scores.any()
    assert explained == 0


def maps_of_all_stages(seed=0):
    return [activations(stage.shape, seed + index) * (index + 1) for index, stage in enumerate(STAGES)]


def test_each_map_has_its_own_scale_or_all_share_one():
    maps = maps_of_all_stages()
    for heatmap in make_heatmaps(maps, STAGES, ViewOptions()):
        assert (heatmap.low, heatmap.high) == (heatmap.minimum, heatmap.maximum)
    shared = make_heatmaps(maps, STAGES, ViewOptions(scale="shared"))
    assert {heatmap.low for heatmap in shared} == {min(heatmap.minimum for heatmap in shared)}
    assert {heatmap.high for heatmap in shared} == {max(heatmap.maximum for heatmap in shared)}


@pytest.mark.parametrize("aggregation", [name for name in AGGREGATIONS if name != "channel"])
def test_flat_and_zero_maps_are_said_to_be(aggregation):
    maps = maps_of_all_stages()
    maps[1] = np.full_like(maps[1], 0.7)
    maps[2] = np.zeros_like(maps[2])
    notes = [heatmap.note for heatmap in make_heatmaps(maps, STAGES, ViewOptions(aggregation))]
    assert notes == ["", "flat", "zero", "", ""]


def test_rounding_noise_is_not_stretched_into_a_map():
    noise = 1 + 1e-7 * np.random.default_rng(0).standard_normal((8, 8, 64)).astype(np.float32)
    (heatmap,) = make_heatmaps([noise], STAGES[:1], ViewOptions())
    assert heatmap.note == "flat"


def test_a_channel_that_a_stage_lacks_is_said_and_leaves_the_shared_scale_alone():
    heatmaps = make_heatmaps(maps_of_all_stages(), STAGES, ViewOptions("channel", channel=600, scale="shared"))
    assert [heatmap.note for heatmap in heatmaps] == ["no_channel", "no_channel", "no_channel", "", ""]
    assert heatmaps[3].low == heatmaps[4].low == min(heatmap.minimum for heatmap in heatmaps[3:])
    assert heatmaps[3].high == heatmaps[4].high == max(heatmap.maximum for heatmap in heatmaps[3:])
    with pytest.raises(OptionError, match="channel must be 0 to 10; received 11"):
        aggregate(activations(), ViewOptions("channel", channel=11))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"aggregation": "median"}, "map must be one of mean, max, l2, channel, pca; received 'median'"),
        ({"colormap": "jet"}, "colormap must be one of turbo, .*; received 'jet'"),
        ({"scale": "log"}, "scale must be one of each, shared; received 'log'"),
        ({"opacity": 1.5}, "opacity must be 0 to 1; received 1.5"),
        ({"opacity": float("nan")}, "opacity must be 0 to 1; received nan"),
        ({"opacity": "half"}, "opacity must be 0 to 1; received 'half'"),
        ({"opacity": True}, "opacity must be 0 to 1; received True"),
        ({"colormap": ["turbo"]}, r"colormap must be one of .*; received \['turbo'\]"),
        ({"smooth": "no"}, "smoothness must be true or false; received 'no'"),
        ({"channel": 2.5}, "channel must be a whole number; received 2.5"),
        ({"channel": -1}, "channel must be 0 to 2047; received -1"),
    ],
)
def test_wrong_options_are_named(options, sentence):
    with pytest.raises(OptionError, match=sentence):
        ViewOptions(**options)
