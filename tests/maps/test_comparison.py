"""Changes of a photo, and similarities with known answers."""

import itertools
import re
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from resnet.errors import OptionError
from resnet.maps.comparison import (
    CHANGES,
    Similarity,
    check_change,
    cosine,
    digest_of_changed,
    linear_cka,
    observe_changed,
    on_shared_scales,
    similarities,
    verdict,
)
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import observe
from resnet.network.labels import ASSETS
from resnet.photo.images import read_photo
from resnet.photo.preprocess import denormalise

CAT, OTHER = (ASSETS / "examples" / name for name in ("cat.jpg", "astronaut.jpg"))


@pytest.fixture
def photo(make_photo):
    return read_photo(make_photo(size=(60, 40)))


def values(photo):
    return np.asarray(photo.image, int)


def changed(photo, change, amount):
    return np.asarray(CHANGES[change].apply(photo.image, amount), int)


@pytest.mark.parametrize("change", CHANGES)
def test_a_change_keeps_the_size_and_has_a_digest_of_its_own(photo, change):
    found = changed(photo, change, CHANGES[change].usual)
    assert found.shape == values(photo).shape
    assert not np.array_equal(found, values(photo))
    digests = {digest_of_changed(photo.digest, change, amount) for amount in (1.0, 2.0)}
    assert len({photo.digest, *digests}) == 3
    assert digest_of_changed(photo.digest, change, 1.0) in digests


@pytest.mark.parametrize("change", CHANGES)
def test_no_amount_of_a_change_changes_nothing(photo, change):
    assert np.abs(changed(photo, change, 0) - values(photo)).max() <= 1


def test_changes_do_what_they_say(photo):
    assert np.array_equal(changed(photo, "rotate", 180), values(photo)[::-1, ::-1])
    grey = changed(photo, "grey", 100)
    assert np.array_equal(grey[..., 0], grey[..., 2])
    assert changed(photo, "brightness", -100).max() == 0
    covered = changed(photo, "occlude", 50)
    assert len(np.unique(covered[10:30, 15:45].reshape(-1, 3), axis=0)) == 1
    assert np.array_equal(covered[:10], values(photo)[:10])
    grey_photo = replace(photo, image=Image.new("RGB", (200, 200), (128, 128, 128)))
    noisy = changed(grey_photo, "noise", 20) - 128
    assert abs(noisy.mean()) < 0.5
    assert noisy.std() == pytest.approx(20, rel=0.02)
    assert changed(photo, "blur", 10).std() < 0.3 * values(photo).std()


@pytest.mark.parametrize("size", [(600, 400), (75, 50), (1200, 300)], ids=str)
@pytest.mark.parametrize("framing", ["crop", "whole"])
def test_noise_and_cover_are_of_what_the_network_gets_whatever_the_photos_size(engine, make_photo, size, framing):
    plain = Image.new("RGB", size, (128, 128, 128))
    photo = replace(read_photo(make_photo(size=(8, 8))), image=plain, size=size)
    spec = engine.manifest.input

    def input_of(change, amount):
        found = observe_changed(photo, engine, framing, change, amount)
        left, top, right, bottom = (round(edge) for edge in found.geometry.to_input(found.geometry.seen))
        return np.asarray(denormalise(found.pixels[top:bottom, left:right], spec), int), found

    noisy, found = input_of("noise", 25)
    assert noisy.std() == pytest.approx(25, rel=0.05)
    # What is shown is what the network got; what it did not see is the photo.
    left, top, right, bottom = found.geometry.seen
    factor = found.picture.width / size[0]
    rows, columns = (
        slice(round(top * factor), round(bottom * factor)),
        slice(round(left * factor), round(right * factor)),
    )
    shown = np.asarray(found.picture, int)[rows, columns]
    assert 5 < shown.std() <= 26
    covered = photo.image.copy()
    covered.paste((0, 0, 0), (0, 0, size[0] // 2, size[1]))
    photo = replace(photo, image=covered)
    before = np.asarray(denormalise(observe(photo, engine, framing).pixels, spec), int)
    after = np.asarray(denormalise(observe_changed(photo, engine, framing, "occlude", 40).pixels, spec), int)
    height, width = before.shape[:2]
    rows, columns = np.nonzero((before != after).any(axis=-1))
    assert (rows.max() + 1 - rows.min()) / height <= 0.42
    assert (columns.max() + 1 - columns.min()) / width == pytest.approx(0.4, abs=0.25 if framing == "whole" else 0.03)


def test_maps_of_unequal_grids_are_compared_at_the_same_places_of_the_photo():
    """A ramp across the photo is the same ramp on any grid, though the first cell lies near the left edge."""
    from resnet.maps.comparison import _at_places, _places
    from resnet.stages import block_table, stage_table

    small, large = (stage_table(block_table(101, (side, side)))[4] for side in (128, 224))
    ramps, places = [], []
    for block, side in ((small, 128), (large, 224)):
        own = [_places(block, axis, side) for axis in (0, 1)]
        places.append(own)
        ramps.append(np.broadcast_to(own[1].astype(np.float32)[None, :, None], (*block.shape[:2], 1)))
    found = _at_places(ramps[1], places[1], places[0])
    inside = (places[0][1] >= places[1][1][0]) & (places[0][1] <= places[1][1][-1])
    np.testing.assert_allclose(found[:, inside], ramps[0][:, inside], atol=1e-6)
    assert inside.sum() >= 3
    assert places[0][1][0] == pytest.approx(2.5 / 128)
    np.testing.assert_array_equal(_at_places(ramps[0], places[0], places[0]), ramps[0])


def test_rotation_is_clockwise():
    picture = np.zeros((41, 41, 3), np.uint8)
    picture[5, 20] = 255  # above the middle
    photo = replace(read_photo(CAT), image=Image.fromarray(picture))
    turned = changed(photo, "rotate", 90)[..., 0]
    assert np.unravel_index(turned.argmax(), turned.shape) == (20, 35)  # to its right


@pytest.mark.parametrize(
    ("change", "amount", "sentence"),
    [
        ("melt", 1, "change must be one of rotate, blur"),
        ("rotate", 181, "amount of the change must be -180 to 180; received 181"),
        ("blur", None, "amount of the change must be 0 to 10; received None"),
    ],
)
def test_wrong_changes_are_named(photo, change, amount, sentence):
    with pytest.raises(OptionError, match=sentence):
        check_change(change, amount)


def test_cosine_of_known_angles():
    one = np.array([1, 0], np.float32)
    assert cosine(one, 3 * one) == pytest.approx(1)
    assert cosine(one, np.array([0, 1], np.float32)) == 0
    assert cosine(one, np.array([1, 1], np.float32)) == pytest.approx(np.sqrt(0.5))
    assert cosine(one, np.zeros(2, np.float32)) == 0


def hsic_by_fours(one, other):
    """Song et al. 2012, theorem 3: the mean over all four different cells, without centring anything."""
    first, second = (part.astype(float) @ part.astype(float).T for part in (one, other))
    terms = [
        first[i, j] * (second[i, j] + second[q, r] - 2 * second[i, q])
        for i, j, q, r in itertools.permutations(range(len(one)), 4)
    ]
    return np.mean(terms)


@pytest.fixture
def cells():
    generator = np.random.default_rng(0)
    one = generator.standard_normal((9, 5))
    other = np.concatenate([one[:, :2], generator.standard_normal((9, 6))], axis=1)
    return one.astype(np.float32) + 3, other.astype(np.float32)


def test_cka_is_that_of_the_unbiased_estimator(cells):
    one, other = cells
    wanted = hsic_by_fours(one, other) / np.sqrt(hsic_by_fours(one, one) * hsic_by_fours(other, other))
    assert linear_cka(one, other) == pytest.approx(wanted, rel=1e-6)
    assert 0.1 < wanted < 0.9


def test_unrelated_maps_of_few_cells_and_many_channels_give_nothing_on_average():
    generator = np.random.default_rng(0)
    found = [linear_cka(*generator.standard_normal((2, 16, 512)).astype(np.float32)) for _ in range(100)]
    assert abs(np.mean(found)) < 4 * np.std(found) / 10
    assert max(found) < 0.5


def test_cka_does_not_change_with_rotation_scale_or_shift_of_the_channels(cells):
    one, _ = cells
    rotation = np.linalg.qr(np.random.default_rng(1).standard_normal((5, 5)))[0].astype(np.float32)
    assert linear_cka(one, 7 * one @ rotation + 3) == pytest.approx(1, abs=1e-6)
    assert linear_cka(one, np.ones_like(one)) == 0


@pytest.fixture(scope="module")
def observations(engine):
    return [observe(read_photo(path), engine, "whole") for path in (CAT, OTHER)]


def test_a_photo_is_equal_to_itself_at_every_stage(observations):
    for found in similarities(observations[0], observations[0]):
        assert found.cosine == pytest.approx(1)
        assert found.cka == pytest.approx(1)
        assert found.chance < 0.5


def test_photos_of_different_shapes_can_be_compared(observations):
    assert observations[0].maps[0].shape != observations[1].maps[0].shape
    found = similarities(*observations)
    assert [one.stage for one in found] == ["C1", "C2", "C3", "C4", "C5"]
    for one in found:
        assert -0.2 < one.cka < 1
        assert 0 < one.cosine < 1


def test_similarity_of_equal_grids_is_that_of_the_raw_maps(engine):
    one, other = (observe(read_photo(path), engine) for path in (CAT, OTHER))
    found = similarities(one, other)[4]
    first, second = one.maps[4], other.maps[4]
    assert found.cosine == pytest.approx(cosine(first, second))
    channels = first.shape[-1]
    assert found.cka == pytest.approx(linear_cka(first.reshape(-1, channels), second.reshape(-1, channels)), rel=1e-6)


@pytest.mark.parametrize(
    ("cka", "sentence"),
    [
        ((0.9, 0.8, 0.7, 0.6, 0.5), "are alike at every stage"),
        ((0.1, 0.2, 0.3, 0.4, 0.4), "differ at every stage"),
        ((0.9, 0.8, 0.7, 0.4, 0.1), "part at C4: from there on"),
        ((0.2, 0.4, 0.6, 0.7, 0.8), "differ at C1, C2 .* alike elsewhere"),
        ((0.9, 0.9, 0.9, 0.4, None), "part at C4"),
        ((None,) * 5, "too few cells"),
    ],
)
def test_it_is_said_where_two_answers_part(cka, sentence):
    found = [Similarity(f"C{place}", 0.5, value, 0.1) for place, value in enumerate(cka, start=1)]
    assert re.search(sentence, str(verdict(found)))


def test_networks_with_other_channels_cannot_be_compared(observations):
    other = replace(observations[1], maps=tuple(values[..., :7] for values in observations[1].maps))
    with pytest.raises(OptionError, match="Only answers of the same network can be compared"):
        similarities(observations[0], other)


def test_both_photos_maps_have_one_scale_per_stage(observations):
    pair = on_shared_scales(*observations, ViewOptions("max"))
    own = [found.heatmaps(ViewOptions("max")) for found in observations]
    for stage in range(5):
        low = min(heatmaps[stage].minimum for heatmaps in own)
        high = max(heatmaps[stage].maximum for heatmaps in own)
        assert {(heatmaps[stage].low, heatmaps[stage].high) for heatmaps in pair} == {(low, high)}


def test_a_single_cell_has_no_pattern_to_compare(engine, make_photo):
    long = observe(read_photo(make_photo("long.png", (300, 10))), engine, "whole")
    high = observe(read_photo(make_photo("high.png", (10, 300))), engine, "whole")
    found = similarities(long, high)[4]
    assert (found.cka, found.chance) == (None, None)
    assert 0 <= found.cosine <= 1
