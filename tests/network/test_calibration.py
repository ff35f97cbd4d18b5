"""Probabilities by a temperature: as from logits, order kept, and right as often as they say."""

import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from resnet.cli import main
from resnet.network.calibration import fit_temperature, tempered
from resnet.network.engine import Engine
from resnet.network.formats import write_saved_model
from resnet.network.manifest import read_manifest
from resnet.network.sources import BUNDLED
from resnet.network.weights import read_arrays
from resnet.training.measures import calibrate
from tests.network.test_archives import manifest  # noqa: F401


def softmax(logits):
    shares = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return shares / shares.sum(axis=-1, keepdims=True)


@pytest.fixture
def logits():
    return np.random.default_rng(0).normal(0, 3, (50, 20))


@pytest.mark.parametrize("temperature", [0.1, 0.85, 1, 2.5])
def test_probabilities_are_those_of_divided_logits(logits, temperature):
    found = tempered(softmax(logits).astype(np.float32), temperature)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, softmax(logits / temperature), rtol=2e-5, atol=1e-7)
    assert (np.diff(np.take_along_axis(found, logits.argsort(axis=1), axis=1)) >= 0).all()  # the smallest may tie
    assert (found.argmax(axis=1) == logits.argmax(axis=1)).all()


def test_no_probability_stays_none():
    found = tempered(np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]], np.float32), 0.5)
    assert found.tolist() == [[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]]


@pytest.mark.parametrize("temperature", [0.4, 1.0, 3.0])
def test_the_temperature_that_answers_were_made_with_is_found_again(temperature):
    generator = np.random.default_rng(1)
    logits = generator.normal(0, 2, (20_000, 10))
    truth = np.array([generator.choice(10, p=row) for row in softmax(logits)])  # so those are calibrated
    given = softmax(logits * temperature).astype(np.float32)
    assert fit_temperature(given, truth) == pytest.approx(temperature, rel=0.05)
    found = calibrate(given, truth)
    assert found.temperature == pytest.approx(temperature, rel=0.05)
    assert found.after < 0.02
    if temperature != 1:
        assert found.before > 3 * found.after


@pytest.fixture(scope="module")
def pair():
    """The bundled network without and with a temperature."""
    plain = dataclasses.replace(read_manifest(BUNDLED), temperature=1.0)
    arrays = read_arrays(plain)
    return Engine(plain, arrays), Engine(dataclasses.replace(plain, temperature=0.5), arrays), arrays


@pytest.mark.slow
def test_it_changes_probabilities_alone(pair, tmp_path):
    plain, warm, arrays = pair
    pixels = np.random.default_rng(2).uniform(-100, 100, (2, 64, 64, 3)).astype(np.float32)
    one, other = plain.run(pixels), warm.run(pixels)
    squares = one.probabilities.astype(np.float64) ** 2  # half a temperature squares the odds
    expected = squares / squares.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(other.probabilities, expected, rtol=1e-4, atol=1e-9)
    np.testing.assert_allclose(warm.scores(pixels), expected, rtol=1e-4, atol=1e-9)
    for stage, values in one.maps.items():
        np.testing.assert_array_equal(values, other.maps[stage])
    assert plain.manifest.identity != warm.manifest.identity
    first = one.maps["C1"][0]
    np.testing.assert_allclose(plain.gradients(first, [3]).logits, warm.gradients(first, [3]).logits, rtol=1e-6)

    write_saved_model(warm.manifest, arrays, tmp_path / "served")
    served = tf.saved_model.load(str(tmp_path / "served" / "1"))
    image = np.random.default_rng(3).integers(0, 256, (1, 64, 64, 3), np.uint8)
    spec = warm.manifest.input
    prepared = image[..., ::-1].astype(np.float32) - np.asarray(spec.mean, np.float32)
    for name in ("scores", "stages"):
        answer = served.signatures[name](image=tf.constant(image))["probabilities"].numpy()
        np.testing.assert_allclose(answer, warm.run(prepared).probabilities, atol=1e-5)


def test_a_manifest_without_it_means_one_and_keeps_none(tmp_path, manifest):  # noqa: F811
    (tmp_path / "mine.npz").write_bytes(b"x")
    found = dataclasses.replace(manifest("mine.npz"), temperature=1.0)
    assert "temperature" not in found.to_json()
    assert dataclasses.replace(found, temperature=0.8).to_json()["temperature"] == 0.8


@pytest.mark.slow
def test_evaluate_fits_measures_and_records_it(tmp_path, make_photo, capsys):
    for name in read_manifest(BUNDLED).to_json()["file"], "classes.txt", "manifest.json":
        (tmp_path / "weights").mkdir(exist_ok=True)
        (tmp_path / "weights" / name).write_bytes((BUNDLED / name).read_bytes())
    for number in range(6):
        (tmp_path / "data" / "espresso").mkdir(parents=True, exist_ok=True)
        make_photo(f"data/espresso/{number}.png", seed=number)
    command = ["evaluate", str(tmp_path / "data"), "--weights", str(tmp_path / "weights"), "--calibrate"]
    assert main(command) == 0
    assert "fitted on half of them; expected error of the others" in capsys.readouterr().out
    assert read_manifest(tmp_path / "weights").temperature == read_manifest(BUNDLED).temperature
    assert main([*command, "--record"]) == 0
    assert read_manifest(tmp_path / "weights").temperature != read_manifest(BUNDLED).temperature
