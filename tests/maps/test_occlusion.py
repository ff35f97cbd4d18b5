"""What is hidden, by what, and the curves."""

import numpy as np
import pytest

from resnet.errors import OptionError
from resnet.maps.curves import COPIES, SHARES, Chance, Curve, compare_with_copies, measure_curves, moved_copies
from resnet.maps.heatmaps import ViewOptions, heatmap_of
from resnet.maps.observation import observe
from resnet.maps.occlusion import hide, order_pixels, replacement
from resnet.network.labels import ASSETS
from resnet.photo.images import read_photo
from resnet.photo.preprocess import denormalise

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


def test_the_hottest_pixels_come_first(observation):
    heatmap = bright_corner(observation)
    order = order_pixels(heatmap.values, observation, heatmap.block)
    side = observation.pixels.shape[0]
    rows, columns = np.divmod(order[:20], side)
    # The first C4 cell looks at pixel 2.5 and its neighbour at 18.5, so nothing hot lies beyond.
    assert rows.max() < 18.5
    assert columns.max() < 18.5
    assert sorted(order) == list(range(side * side))


def test_padding_is_never_hidden(padded):
    order = order_pixels(padded.maps[4].mean(axis=-1), padded, padded.blocks[4])
    left, top, right, bottom = (round(edge) for edge in padded.geometry.to_input(padded.geometry.seen))
    assert len(order) == (right - left) * (bottom - top)
    rows, columns = np.divmod(order, padded.pixels.shape[1])
    assert (rows.min(), rows.max() + 1, columns.min(), columns.max() + 1) == (top, bottom, left, right)
    other = replacement(padded, "mean")
    inside = np.zeros(other.shape[:2], bool)
    inside[top:bottom, left:right] = True
    assert np.array_equal(other[~inside], padded.pixels[~inside])


def test_the_share_is_of_the_photo_and_not_of_its_padding(padded, engine):
    heatmap = bright_corner(padded)
    assert hide(padded, engine, heatmap, 25, "mean").share == pytest.approx(0.25, abs=1e-3)
    assert hide(padded, engine, heatmap, 100, "mean").share == 1


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
    nothing = hide(observation, engine, heatmap, 0, "mean")
    np.testing.assert_allclose(nothing.probabilities, observation.probabilities, atol=1e-5)
    everything = hide(observation, engine, heatmap, 100, "mean")
    expected = engine.scores(replacement(observation, "mean")[None])[0]
    np.testing.assert_allclose(everything.probabilities, expected, atol=1e-6)
    assert np.asarray(everything.picture).std(axis=(0, 1)).max() == 0


def test_the_hidden_part_lies_where_the_map_is_hot(observation, engine):
    hidden = hide(observation, engine, bright_corner(observation), 1, "mean")
    before = np.asarray(denormalise(observation.pixels, observation.manifest.input), int)
    different = np.abs(np.asarray(hidden.picture, int) - before).sum(axis=-1) > 0
    rows, columns = np.nonzero(different)
    assert rows.max() < 19
    assert columns.max() < 19
    assert 0.005 <= different.mean() <= 0.011


@pytest.fixture(scope="module")
def measured(observation, engine):
    """Curves of the likeliest class, and those that came before they were whole."""
    heatmap, target = observation.heatmaps(ViewOptions())[4], int(observation.probabilities.argmax())
    before = engine.passes
    *parts, curves = measure_curves(observation, engine, heatmap, target, "blur")
    assert engine.passes - before == 1 + 2 * len(SHARES) + 1 + COPIES == 32
    return curves, parts


def test_curves_begin_and_end_at_the_photo_and_at_nothing(observation, engine, measured):
    target = int(observation.probabilities.argmax())
    curves, _ = measured
    photo = float(observation.probabilities[target])
    nothing = float(engine.scores(replacement(observation, "blur")[None])[0, target])
    assert curves.deletion.probabilities[[0, -1]] == pytest.approx([photo, nothing], abs=1e-4)
    assert curves.insertion.probabilities[[0, -1]] == pytest.approx([nothing, photo], abs=1e-4)
    assert curves.deletion.shares[[0, -1]].tolist() == curves.insertion.shares[[0, -1]].tolist() == [0, 1]


def test_curves_come_point_by_point(measured):
    curves, parts = measured
    assert [part.measured for part in parts] == [8, 16, 24]
    assert curves.measured == curves.images == 32
    for part in (*parts, curves):
        found, points = 0, (*part.deletion.probabilities[1:-1], *part.insertion.probabilities[1:-1])
        whole = (*curves.deletion.probabilities[1:-1], *curves.insertion.probabilities[1:-1])
        for point, expected in zip(points, whole, strict=True):
            assert np.isnan(point) or point == expected
            found += not np.isnan(point)
        assert found == min(part.measured - 1, 2 * len(SHARES))
        assert part.chance.copies.tolist() == curves.chance.copies[: max(0, part.measured - 12)].tolist()


def test_a_point_of_each_curve_is_what_hiding_by_hand_gives(observation, engine, measured):
    target = int(observation.probabilities.argmax())
    heatmap = observation.heatmaps(ViewOptions())[4]
    curves, _ = measured
    order = order_pixels(heatmap.values, observation, heatmap.block)
    other = replacement(observation, "blur").reshape(-1, 3)
    original = observation.pixels.reshape(-1, 3)
    part = round(0.2 * len(order))
    deleted, inserted = original.copy(), other.copy()
    deleted[order[:part]] = other[order[:part]]
    inserted[order[:part]] = original[order[:part]]
    expected = engine.scores(np.stack([deleted, inserted]).reshape(2, *observation.pixels.shape))[:, target]
    place = list(curves.deletion.shares).index(0.2)
    found = [curves.deletion.probabilities[place], curves.insertion.probabilities[place]]
    np.testing.assert_allclose(found, expected, rtol=1e-3)
    assert curves.chance.probability == pytest.approx(found[0], rel=1e-3)
    copies = [hide(observation, engine, heatmap_of(heatmap.block, moved), 20, "blur").probabilities[target]
              for moved in moved_copies(heatmap.values)[:3]]  # fmt: skip
    np.testing.assert_allclose(curves.chance.copies[:3], copies, rtol=1e-3)


@pytest.mark.parametrize("shape", [(4, 4), (4, 6), (16, 16)], ids=str)
def test_copies_have_the_same_values_elsewhere(shape):
    values = np.random.default_rng(0).random(shape, np.float32)
    copies = moved_copies(values)
    assert len(copies) == COPIES
    assert len({copy.tobytes() for copy in (values, *copies)}) == COPIES + 1
    for copy in copies:
        assert sorted(copy.ravel()) == sorted(values.ravel())
        assert copy.shape == shape
    again = moved_copies(values)
    assert all(np.array_equal(one, other) for one, other in zip(copies, again, strict=True))
    hot = values >= np.sort(values, axis=None)[-round(0.2 * values.size)]
    for copy in copies:
        same = (copy >= np.sort(copy, axis=None)[-round(0.2 * copy.size)]) & hot
        assert same.sum() <= hot.sum() / 2
    assert moved_copies(np.zeros(shape, np.float32)) == []  # which is the same wherever it is moved


def test_there_is_no_verdict_for_a_class_with_little():
    copies = np.full(COPIES, 0.04)
    assert Chance(0.049, 0.0, copies).verdict == "none"
    assert Chance(0.05, 0.0, copies).verdict == "holds"
    assert Chance(0.05, 0.04, copies).verdict == "chance"
    assert Chance(0.9, 0.1, np.array([])).verdict == "chance"
    assert Chance(0.9, 0.1, np.array([0.2, 0.05])).beaten == 1


def smooth(generator, shape):
    """A map without meaning, as smooth as those of class activations."""
    waves = np.fft.fft2(generator.standard_normal(shape))
    rows, columns = np.meshgrid(*(np.fft.fftfreq(side) for side in shape), indexing="ij")
    return np.fft.ifft2(waves * np.exp(-40 * (rows**2 + columns**2))).real.astype(np.float32)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["rough", "smooth"])
def test_maps_without_meaning_seldom_hold(observation, engine, kind):
    generator = np.random.default_rng(7)
    target = int(observation.probabilities.argmax())
    held = 0
    for number in range(50):
        stage = number % 5
        block = observation.blocks[stage]
        make = smooth if kind == "smooth" else lambda source, shape: source.random(shape, np.float32)
        values = make(generator, block.shape[:2])
        held += compare_with_copies(observation, engine, heatmap_of(block, values), target).verdict == "holds"
    assert held <= 5


# Boxes around what the class is of (the coffee in its cup), as shares of its sides: left, top, right, bottom.
OBJECTS = {"espresso": (0.3, 0.05, 0.68, 0.5)}


@pytest.mark.parametrize("name", sorted(OBJECTS))
def test_the_place_of_the_object_itself_holds(engine, name):
    found = observe(read_photo(ASSETS / "examples" / f"{name}.jpg"), engine)
    target = int(found.probabilities.argmax())
    assert found.manifest.labels[target].name == name
    left, top, right, bottom = OBJECTS[name]
    width, height = found.geometry.photo_size
    block = found.blocks[2]
    values = np.zeros(block.shape[:2], np.float32)
    for row, column in np.ndindex(values.shape):
        box = found.geometry.cell_box(block, row, column)
        x, y = (box[0] + box[2]) / 2 / width, (box[1] + box[3]) / 2 / height
        # Hotter towards the middle, so that the hottest fifth lies inside.
        inside = min(x - left, right - x, y - top, bottom - y)
        values[row, column] = max(inside, 0)
    assert compare_with_copies(found, engine, heatmap_of(block, values), target).verdict == "holds"


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
        hide(observation, engine, bright_corner(observation), percent, fill)


def test_pixels_of_equal_heat_make_no_region_of_their_own(observation):
    order = order_pixels(np.zeros(observation.blocks[3].shape[:2], np.float32), observation, observation.blocks[3])
    rows = order[: len(order) // 10] // observation.pixels.shape[1]
    assert np.abs(rows.mean() / observation.pixels.shape[0] - 0.5) < 0.05  # from everywhere, not from the top
