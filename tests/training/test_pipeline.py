"""Batches of any step: the right pictures in the right order, cut as Pillow would."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from resnet.photo.preprocess import InputSpec, normalise
from resnet.training.pictures import Picture, Pictures
from resnet.training.pipeline import (
    PIXEL_UNIT,
    Targets,
    in_training_units,
    training_batches,
    validation_batches,
)
from resnet.training.recipe import Augmentation

SPEC = InputSpec(size=48, detail=24)
PLAIN = Augmentation(smallest_crop=1.0, aspect=1.0, flip=False, colour=0.0)


@pytest.fixture(scope="module")
def pictures():
    generator = np.random.default_rng(0)
    small = generator.integers(0, 256, (10, 6, 6, 3), np.uint8)
    pixels = np.stack([np.asarray(Image.fromarray(one).resize((24, 24), Image.Resampling.BICUBIC)) for one in small])
    return Pictures(pixels, tuple(Picture(row, 0, row % 3, str(row)) for row in range(10)), ())


def batches(pictures, first=0, last=5, rows=None, augmentation=PLAIN, batch_size=4, size=24, seed=0, targets=None):
    rows = np.arange(10) if rows is None else rows
    data = training_batches(
        pictures, rows, SPEC, size=size, batch_size=batch_size, augmentation=augmentation, seed=seed,
        first_step=first, last_step=last, targets=targets or Targets(3),
    )  # fmt: skip
    return [tuple(part.numpy() for part in batch) for batch in data]


def places(pictures, images):
    """Which picture each image is, where nothing was varied."""
    known = normalise(pictures.pixels, SPEC) / PIXEL_UNIT
    return [int(np.abs(known - image).mean(axis=(1, 2, 3)).argmin()) for image in images]


def test_each_pass_has_every_picture_once_in_another_order(pictures):
    seen = [place for images, *_ in batches(pictures) for place in places(pictures, images)]
    first, second = seen[:10], seen[10:]
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert first != list(range(10))


def test_only_the_wanted_rows_come_with_their_classes(pictures):
    for images, targets, weights in batches(pictures, rows=np.array([1, 4, 8])):
        found = places(pictures, images)
        assert set(found) <= {1, 4, 8}
        np.testing.assert_array_equal(targets, np.eye(3)[np.array(found) % 3])
        assert weights.tolist() == [1.0] * 4


def test_a_picture_counts_as_its_class_does_and_smoothing_gives_every_class_a_share(pictures):
    counts = np.array([0.5, 1.0, 2.0], np.float32)
    for images, targets, weights in batches(pictures, targets=Targets(3, smoothing=0.3, weights=counts)):
        found = np.array(places(pictures, images)) % 3
        np.testing.assert_array_equal(weights, counts[found])
        np.testing.assert_allclose(targets, 0.7 * np.eye(3)[found] + 0.1, atol=1e-6)


def test_a_step_is_the_same_wherever_the_run_began(pictures):
    vivid = Augmentation(smallest_crop=0.3, colour=0.3)
    whole, late = batches(pictures, augmentation=vivid), batches(pictures, first=3, augmentation=vivid)
    assert len(late) == 2
    for batch, other in zip(whole[3:], late, strict=True):
        for part, other_part in zip(batch, other, strict=True):
            np.testing.assert_array_equal(part, other_part)
    assert not np.array_equal(whole[0][0], batches(pictures, augmentation=vivid, seed=1)[0][0])


def test_soft_labels_have_their_share_of_the_target(pictures):
    soft = np.random.default_rng(1).dirichlet(np.ones(3), 10).astype(np.float16)
    rows = np.array([1, 4, 8])
    for images, targets, _ in batches(pictures, rows=rows, targets=Targets(3, soft, 0.25)):
        found = np.array(places(pictures, images))
        expected = 0.75 * np.eye(3)[found % 3] + 0.25 * soft[found]
        np.testing.assert_allclose(targets, expected, atol=1e-6)


def test_enlarging_equals_pillow(pictures):
    (images, _), *_ = validation_batches(pictures, np.arange(4), SPEC, 4, 3).as_numpy_iterator()
    for row in range(4):
        enlarged = Image.fromarray(pictures.pixels[row]).resize((48, 48), Image.Resampling.BILINEAR)
        expected = normalise(np.asarray(enlarged), SPEC)
        # Pillow rounds to whole numbers after each direction.
        np.testing.assert_allclose(images[row] * PIXEL_UNIT, expected, atol=1.01)


def test_crops_stay_inside_and_flips_mirror(pictures):
    ramp = np.broadcast_to(np.arange(24, dtype=np.uint8)[None, None, :, None] * 10, (10, 24, 24, 3)).copy()
    ramps = Pictures(ramp, pictures.items, ())
    varied = Augmentation(smallest_crop=0.25, flip=True, colour=0.0)
    spec_mean = np.array(SPEC.mean)
    slopes = []
    for images, *_ in batches(ramps, augmentation=varied, last=25):
        values = images * PIXEL_UNIT + spec_mean
        assert values.min() > -0.01
        assert values.max() < 230.01
        np.testing.assert_allclose(values.std(axis=1), 0, atol=1e-3)  # no row differs: nothing is turned
        slopes += (values[:, 0, -1, 0] - values[:, 0, 0, 0]).tolist()
    backwards = np.mean(np.array(slopes) < 0)
    assert 0.25 < backwards < 0.75
    assert 0.25 * 230 < np.abs(slopes).min() < 0.75 * 230
    assert np.abs(slopes).max() <= 230


def test_a_mirrored_crop_is_the_same_crop_mirrored(pictures):
    noise = np.random.default_rng(5).integers(0, 256, (10, 24, 24, 3), dtype=np.uint8)
    plain = Augmentation(smallest_crop=0.25, flip=False, colour=0.0)
    mirrored = 0
    noises = Pictures(noise, pictures.items, ())
    pair = [batches(noises, augmentation=one) for one in (plain, replace(plain, flip=True))]
    for (images, *_), (others, *_) in zip(*pair, strict=True):
        for image, other in zip(images, others, strict=True):
            turned = not np.allclose(image, other, atol=1e-3)
            mirrored += turned
            np.testing.assert_allclose(image[:, ::-1] if turned else image, other, atol=1e-3)
    assert 0 < mirrored < 5 * len(images)


def test_contrast_and_brightness_of_a_picture_vary_each_by_itself(pictures):
    noise = np.random.default_rng(6).integers(100, 150, (10, 24, 24, 3), dtype=np.uint8)
    varied = batches(Pictures(noise, pictures.items, ()), augmentation=replace(PLAIN, colour=0.4), last=25)
    plain = batches(Pictures(noise, pictures.items, ()), last=25)
    contrasts, brightnesses = [], []
    for (images, *_), (others, *_) in zip(varied, plain, strict=True):
        for image, other in zip(images, others, strict=True):
            image, other = (one * PIXEL_UNIT + np.array(SPEC.mean) for one in (image, other))
            brightness = image.mean() / other.mean()
            contrast = image.std() / other.std() / brightness
            expected = (other.mean() + (other - other.mean()) * contrast) * brightness
            np.testing.assert_allclose(image, expected, atol=0.02)
            contrasts.append(contrast)
            brightnesses.append(brightness)
    for found in (contrasts, brightnesses):
        assert 0.6 <= min(found) < 0.75
        assert 1.25 < max(found) <= 1.4
    assert abs(np.corrcoef(contrasts, brightnesses)[0, 1]) < 0.4


def test_validation_has_each_picture_once(pictures):
    found = list(validation_batches(pictures, np.arange(7), SPEC, 4, 3).as_numpy_iterator())
    assert [len(images) for images, _ in found] == [4, 3]
    np.testing.assert_array_equal(np.concatenate([wanted for _, wanted in found]), np.eye(3)[np.arange(7) % 3])


def test_training_units_and_back_are_the_same_weights():
    arrays = {"conv1_conv/kernel": np.random.default_rng(0).normal(size=(7, 7, 3, 4)).astype(np.float32)}
    there = in_training_units(arrays, SPEC)
    np.testing.assert_allclose(there["conv1_conv/kernel"], arrays["conv1_conv/kernel"] * 64, rtol=1e-6)
    back = in_training_units(there, SPEC, back=True)
    np.testing.assert_allclose(back["conv1_conv/kernel"], arrays["conv1_conv/kernel"], rtol=1e-6)
