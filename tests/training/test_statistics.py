"""Statistics of batch normalisation, estimated anew from pictures."""

from dataclasses import replace

import keras
import numpy as np
import pytest
from PIL import Image

from resnet.cli import main
from resnet.network.manifest import Manifest, file_sha256, read_manifest, write_manifest
from resnet.network.model import block_output
from resnet.network.weights import arrays_of, assign, network_of, read_arrays, rounded, write_npz
from resnet.photo.preprocess import InputSpec
from resnet.training.statistics import estimate_statistics
from tests.networks import randomise, tiny_network


@pytest.fixture
def images():
    return np.random.default_rng(0).normal(0, 60, (24, 48, 40, 3)).astype(np.float32)


def test_those_of_one_batch_make_inference_what_training_is(images):
    model = tiny_network(input_shape=(None, None, 3))
    randomise(model, 1)
    features = keras.Model(model.input, block_output(model, "conv5_block1"))
    expected = np.asarray(features(images, training=True))
    before = np.asarray(features(images, training=False))
    randomise(model, 1)
    assign(model, arrays_of(model) | estimate_statistics(model, [images]))
    np.testing.assert_allclose(features(images, training=False), expected, rtol=1e-3, atol=1e-3)
    assert np.abs(before - expected).max() > 0.1


@pytest.mark.slow
def test_several_batches_count_by_their_pictures(images):
    """The first normalisation's input does not depend on how pictures are put together."""
    model = tiny_network(input_shape=(None, None, 3))
    randomise(model, 2)
    convolved = np.asarray(keras.Model(model.input, model.get_layer("conv1_conv").output)(images), np.float64)
    found = estimate_statistics(model, [images[:16], images[16:22], images[22:]])
    np.testing.assert_allclose(found["conv1_bn/moving_mean"], convolved.mean(axis=(0, 1, 2)), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(found["conv1_bn/moving_variance"], convolved.var(axis=(0, 1, 2)), rtol=1e-3)
    assert all(key.endswith(("/moving_mean", "/moving_variance")) for key in found)


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Random weights of depth 50 that look at 32 pixels, in a folder."""
    folder = tmp_path_factory.mktemp("weights")
    manifest = Manifest("random", 50, 2, "same", InputSpec(32), "w.npz", "", "classes.txt", folder=folder)
    model = network_of(manifest)
    randomise(model, 3)
    write_npz(arrays_of(model), folder / "w.npz", compress=False)
    (folder / "classes.txt").write_text("one\ntwo\n", encoding="utf-8")
    write_manifest(replace(manifest, sha256=file_sha256(folder / "w.npz")), folder)
    return folder


def sheets(folder, rows):
    folder.mkdir()
    for number, name in enumerate(("one", "two")):
        noise = np.random.default_rng(number).integers(0, 256, (16 * rows, 160, 3), np.uint8)
        Image.fromarray(noise).save(folder / f"{name}.png")
    return folder


@pytest.mark.slow
def test_an_export_takes_them_after_rounding_and_changes_nothing_else(weights, tmp_path):
    data, out = sheets(tmp_path / "data", 6), tmp_path / "out"
    arguments = ["export", "--weights", str(weights), "--format", "npz", "--bits", "6", "--out", str(out)]
    assert main([*arguments, "--statistics", str(data), "--tile", "16", "--statistics-images", "110"]) == 0
    found = read_manifest(out)
    assert found.training["statistics"] == {"data": "data", "images": 110}
    before, after = rounded(read_arrays(read_manifest(weights)), 6), read_arrays(found)
    for key, values in after.items():
        if key.endswith(("/moving_mean", "/moving_variance")):
            assert not np.array_equal(values, before[key]), key
        else:
            np.testing.assert_allclose(values, before[key], rtol=1e-6, err_msg=key)


def test_too_few_pictures_are_refused(weights, tmp_path, capsys):
    data = sheets(tmp_path / "data", 4)
    arguments = ["export", "--weights", str(weights), "--out", str(tmp_path / "out"), "--statistics", str(data)]
    assert main([*arguments, "--tile", "16"]) == 2
    assert "Statistics need at least 100 pictures; received 80." in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_folder_that_is_not_new_is_refused_before_pictures_are_read(weights, tmp_path, capsys):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "mine").write_text("kept")
    arguments = ["export", "--weights", str(weights), "--format", "npz", "--out", str(tmp_path / "out")]
    assert main([*arguments, "--statistics", str(tmp_path / "nowhere")]) == 2
    assert "exists and is not empty" in capsys.readouterr().err
