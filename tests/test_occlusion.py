"""What is hidden, by what, and the curves."""

from dataclasses import replace

import numpy as np
import pytest

from resnet.errors import OptionError
from resnet.explain import observe
from resnet.heatmaps import ViewOptions, heatmap_of
from resnet.images import read_photo
from resnet.labels import ASSETS
from resnet.occlusion import Curve, hide, measure_curves, order_pixels, replacement, visible
from resnet.preprocess import normalise

ESPRESSO = ASSETS / "examples" / "espresso.jpg"


@pytest.fixture(scope="module")
def observation(engine):
    return observe(read_photo(ESPRESSO), engine)


@pytest.fixture(scope="module")
def padded(engine, tmp_path_factory):
    """A photo whose whole does not fill the network's input."""
    from PIL import Image

    path = tmp_path_factory.mktemp("photos") / "long.png"
    noise = np.random.default_rng(0).integers(0, 256, (211, 300, 3), np.uint8)
    Image.fromarray(noise).save(path)
    found = observe(read_photo(path), engine, "whole")
    left, top, right, bottom = found.geometry.to_input(found.geometry.seen)
    assert (right - left) * (bottom - top) < found.pixels.shape[0] * found.pixels.shape[1]
    return found


def bright_corner(observation, stage=3):
    values = np.zeros(observation.blocks[stage].shape[:2], np.float32)
    values[0, 0] = 1
    return heatmap_of(observation.blocks[stage], values)


def test_visible_is_the_reverse_of_normalise(observation):
    picture = np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)
    for channels in ("RGB", "BGR"):
        spec = replace(observation.manifest.input, channels=channels, scale=0.0175)
        found = replace(observation, manifest=replace(observation.manifest, input=spec))
        assert np.array_equal(np.asarray(visible(normalise(picture, spec), found)), picture)


def test_the_hottest_pixels_come_first(observation):
    heatmap = bright_corner(observation)
    order = order_pixels(heatmap.values, observation, 3)
    side = observation.pixels.shape[0]
    rows, columns = np.divmod(order[:20], side)
    # The first C4 cell looks at pixel 2.5 and its neighbour at 18.5, so nothing hot lies beyond.
    assert rows.max() < 18.5
    assert columns.max() < 18.5
    assert sorted(order) == list(range(side * side))


def test_padding_is_never_hidden(padded):
    order = order_pixels(padded.maps[4].mean(axis=-1), padded, 4)
    left, top, right, bottom = (round(edge) for edge in padded.geometry.to_input(padded.geometry.seen))
    assert len(order) == (right - left) * (bottom - top)
    rows, columns = np.divmod(order, padded.pixels.shape[1])
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (top, bottom, left, right)
    other = replacement(padded, "mean")
    inside = np.zeros(other.shape[:2], bool)
    inside[top:bottom, left:right] = True
    assert np.array_equal(other[~inside], padded.pixels[~inside])


def test_mean_fill_is_the_photos_mean_colour(padded):
    left, top, right, bottom = (round(edge) for edge in padded.geometry.to_input(padded.geometry.seen))
    filled = replacement(padded, "mean")[top:bottom, left:right]
    expected = padded.pixels[top:bottom, left:right].mean(axis=(0, 1))
    np.testing.assert_allclose(filled.reshape(-1, 3), np.broadcast_to(expected, (filled[..., 0].size, 3)), rtol=1e-4)


def test_blur_keeps_the_colour_and_loses_the_detail(observation):
    blurred = replacement(observation, "blur")
    assert np.abs(blurred.mean(axis=(0, 1)) - observation.pixels.mean(axis=(0, 1))).max() < 12
    assert np.abs(np.diff(blurred, axis=0)).mean() < 0.2 * np.abs(np.diff(observation.pixels, axis=0)).mean()


def test_hiding_nothing_changes_nothing_and_hiding_all_leaves_no_photo(observation, engine):
    heatmap = observation.heatmaps(ViewOptions())[4]
    nothing = hide(observation, engine, heatmap, 4, 0, "mean")
    np.testing.assert_allclose(nothing.probabilities, observation.probabilities, atol=1e-5)
    everything = hide(observation, engine, heatmap, 4, 100, "mean")
    expected = engine.scores(replacement(observation, "mean")[None])[0]
    np.testing.assert_allclose(everything.probabilities, expected, atol=1e-6)
    assert np.asarray(everything.picture).std(axis=(0, 1)).max() == 0


def test_the_hidden_part_lies_where_the_map_is_hot(observation, engine):
    hidden = hide(observation, engine, bright_corner(observation), 3, 1, "mean")
    before = np.asarray(visible(observation.pixels, observation), int)
    different = np.abs(np.asarray(hidden.picture, int) - before).sum(axis=-1) > 0
    rows, columns = np.nonzero(different)
    assert rows.max() < 19
    assert columns.max() < 19
    assert 0.005 <= different.mean() <= 0.011


@pytest.fixture(scope="module")
def measured(observation, engine):
    """Curves of the likeliest class, and what was told of the progress."""
    told = []
    heatmap, target = observation.heatmaps(ViewOptions())[4], int(observation.probabilities.argmax())
    return measure_curves(observation, engine, heatmap, 4, target, "blur", told.append), told


def test_curves_begin_and_end_at_the_photo_and_at_nothing(observation, engine, measured):
    target = int(observation.probabilities.argmax())
    curves, told = measured
    photo = float(observation.probabilities[target])
    nothing = float(engine.scores(replacement(observation, "blur")[None])[0, target])
    for curve in (curves.deletion, *curves.random_deletion):
        assert curve.probabilities[[0, -1]] == pytest.approx([photo, nothing], abs=1e-4)
    for curve in (curves.insertion, *curves.random_insertion):
        assert curve.probabilities[[0, -1]] == pytest.approx([nothing, photo], abs=1e-4)
    assert told == sorted(told)
    assert told[-1] == 1
    assert len(curves.random_deletion) == 3


def test_a_point_of_each_curve_is_what_hiding_by_hand_gives(observation, engine, measured):
    target = int(observation.probabilities.argmax())
    heatmap = observation.heatmaps(ViewOptions())[4]
    curves, _ = measured
    order = order_pixels(heatmap.values, observation, 4)
    other = replacement(observation, "blur").reshape(-1, 3)
    original = observation.pixels.reshape(-1, 3)
    quarter = len(order) // 4
    deleted, inserted = original.copy(), other.copy()
    deleted[order[:quarter]] = other[order[:quarter]]
    inserted[order[:quarter]] = original[order[:quarter]]
    expected = engine.scores(np.stack([deleted, inserted]).reshape(2, *observation.pixels.shape))[:, target]
    places = [list(curve.shares).index(0.25) for curve in (curves.deletion, curves.insertion)]
    found = [curves.deletion.probabilities[places[0]], curves.insertion.probabilities[places[1]]]
    np.testing.assert_allclose(found, expected, rtol=1e-3)


def test_area_is_the_mean_height():
    assert Curve(np.array([0, 0.5, 1]), np.array([1.0, 0.5, 0])).area == 0.5
    assert Curve(np.array([0, 1]), np.array([0.3, 0.3])).area == pytest.approx(0.3)


@pytest.mark.parametrize(
    ("percent", "fill", "sentence"),
    [
        (101, "blur", "hidden part in percent must be 0 to 100; received 101"),
        (None, "blur", "hidden part in percent must be 0 to 100; received None"),
        (20, "black", "fill must be one of blur, mean; received 'black'"),
    ],
)
def test_wrong_options_are_named(observation, engine, percent, fill, sentence):
    with pytest.raises(OptionError, match=sentence):
        hide(observation, engine, bright_corner(observation), 3, percent, fill)


def test_pixels_of_equal_heat_make_no_region_of_their_own(observation):
    order = order_pixels(np.zeros(observation.blocks[3].shape[:2], np.float32), observation, 3)
    rows = order[: len(order) // 10] // observation.pixels.shape[1]
    assert np.abs(rows.mean() / observation.pixels.shape[0] - 0.5) < 0.05  # from everywhere, not from the top
