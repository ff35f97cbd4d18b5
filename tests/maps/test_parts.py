"""Parts: the factorisation against known factors and another algorithm, the head's names against a pass."""

import numpy as np
import pytest

from resnet.errors import OptionError
from resnet.maps.observation import observe
from resnet.maps.parts import areas, draw_parts, factorise, find_parts
from resnet.network.labels import ASSETS
from resnet.photo.images import read_photo


@pytest.fixture(scope="module")
def observation(engine):
    return observe(read_photo(ASSETS / "examples" / "espresso.jpg"), engine, "whole")


def multiplied(matrix, count, seed, rounds=3000):
    """Lee and Seung's multiplicative rules (2001), from a random start: the error that is left."""
    generator = np.random.default_rng(seed)
    left, right = generator.random((len(matrix), count)), generator.random((count, matrix.shape[1]))
    for _ in range(rounds):
        right *= (left.T @ matrix) / (left.T @ left @ right + 1e-12)
        left *= (matrix @ right.T) / (left @ right @ right.T + 1e-12)
    return np.sum((matrix - left @ right) ** 2)


def test_known_factors_are_found_again():
    generator = np.random.default_rng(0)
    left, right = np.zeros((60, 3)), np.zeros((3, 40))
    for part in range(3):  # each has rows and columns of its own, so that there is but one answer
        left[part * 20 : part * 20 + 16, part] = generator.uniform(0.5, 2, 16) * (3 - part)
        right[part, part * 13 : part * 13 + 10] = generator.uniform(0.5, 2, 10)
    found_left, found_right, explained = factorise((left @ right).astype(np.float32), 3)
    assert explained == pytest.approx(1, abs=1e-5)
    norms = np.linalg.norm(right, axis=1)
    np.testing.assert_allclose(found_right, right / norms[:, None], atol=1e-3)
    np.testing.assert_allclose(found_left, left * norms, atol=1e-2)


@pytest.mark.parametrize("stage", [0, 3, 4])
def test_the_error_is_as_small_as_that_of_another_algorithm(observation, engine, stage):
    parts = find_parts(observation, stage, 4, engine)
    matrix = observation.maps[stage].reshape(-1, observation.maps[stage].shape[-1]).astype(np.float64)
    product = np.einsum("khw,kc->hwc", parts.strengths, parts.channels).reshape(matrix.shape)
    total = np.sum(matrix**2)
    error = np.sum((matrix - product) ** 2)
    assert parts.explained == pytest.approx(1 - error / total, abs=1e-4)
    least = np.sum(np.linalg.svd(matrix, compute_uv=False)[4:] ** 2)  # Eckart and Young: no product of four is nearer
    assert least <= error
    best = min(multiplied(matrix, 4, seed, rounds=300) for seed in range(3))
    assert error <= best * 1.02
    assert parts.strengths.min() >= 0
    assert parts.channels.min() >= 0
    np.testing.assert_allclose(np.linalg.norm(parts.channels, axis=1), 1, rtol=1e-5)
    sums = parts.strengths.sum(axis=(1, 2))
    assert list(sums) == sorted(sums, reverse=True)


def test_parts_of_the_last_stage_are_named_as_the_network_would(observation, engine):
    """By a pass from C5 on, of a map that holds the part's mean vector in each cell."""
    passes = engine.passes
    parts = find_parts(observation, 4, 3, engine)
    assert engine.passes == passes
    for strengths, channels, probabilities in zip(parts.strengths, parts.channels, parts.probabilities, strict=True):
        cell = strengths.mean() * channels
        expected, _ = engine.from_stage(4, np.broadcast_to(cell, (2, 2, len(cell))).astype(np.float32))
        np.testing.assert_allclose(probabilities, expected, atol=1e-5)
    assert find_parts(observation, 3, 3, engine).probabilities is None


def test_the_picture_has_each_place_in_its_strongest_parts_colour(observation, engine):
    parts = find_parts(observation, 4, 3, engine)
    drawn = np.asarray(draw_parts(observation, parts, 1.0, 300, smooth=False), int)
    row, column = np.unravel_index(parts.strengths[1].argmax(), parts.strengths[1].shape)
    assert parts.strengths[:, row, column].argmax() == 1
    box = observation.geometry.cell_box(parts.block, row, column)
    x, y = ((low + high) / 2 / 2 for low, high in zip(box[:2], box[2:], strict=True))  # the photo has 600×400
    assert drawn[round(y), round(x)] == pytest.approx([0xE6, 0x9F, 0x00], abs=2)
    shares = areas(observation, parts)
    assert len(shares) == 3
    assert sum(shares) == pytest.approx(1, abs=0.02)


def test_there_are_fewer_parts_where_there_is_less():
    left, right, explained = factorise(np.zeros((6, 5), np.float32), 3)
    assert (left.shape, right.shape, explained) == ((6, 0), (0, 5), 0)
    one = np.outer(np.arange(6), np.arange(5)).astype(np.float32)
    left, right, explained = factorise(one, 4)
    assert explained == pytest.approx(1, abs=1e-4)
    np.testing.assert_allclose(left @ right, one, atol=0.05)


def test_wrong_counts_are_named(observation, engine):
    with pytest.raises(OptionError, match="number of parts must be 2 to 8; received 9"):
        find_parts(observation, 4, 9, engine)
