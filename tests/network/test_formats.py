"""What other programs load: a SavedModel gives what the engine gives, small weights load as weights."""

import errno

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from resnet.cli import main
from resnet.errors import OptionError
from resnet.network import formats
from resnet.network.engine import Engine
from resnet.network.formats import write_compact
from resnet.network.labels import label_classes
from resnet.network.manifest import Manifest, read_manifest
from resnet.network.sources import read_weights
from resnet.photo.preprocess import InputSpec, prepare
from resnet.stages import STAGE_NAMES


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    folder = tmp_path_factory.mktemp("saved") / "model"
    assert main(["export", "--weights", "bundled", "--out", str(folder)]) == 0
    return folder


@pytest.mark.slow
def test_a_saved_model_answers_like_the_engine(saved, engine):
    served = tf.saved_model.load(str(saved / "1"))
    photos = np.random.default_rng(0).integers(0, 256, (2, 128, 128, 3), np.uint8)
    spec = InputSpec(size=128)  # of the bundled weights, without their reduction
    expected = engine.run(np.stack([prepare(Image.fromarray(photo), spec).pixels for photo in photos]))
    assert set(served.signatures) == {"serving_default", "scores", "stages"}
    for name in ("serving_default", "scores"):
        found = served.signatures[name](image=tf.constant(photos))
        assert set(found) == {"probabilities"}
        np.testing.assert_allclose(found["probabilities"], expected.probabilities, atol=1e-5)
    stages = served.signatures["stages"](image=tf.constant(photos))
    assert set(stages) == {"probabilities", *STAGE_NAMES}
    for stage in STAGE_NAMES:
        np.testing.assert_allclose(stages[stage], expected.maps[stage], atol=1e-3, rtol=1e-4)


@pytest.mark.slow
def test_its_signature_takes_pictures_of_any_size(saved):
    served = tf.saved_model.load(str(saved / "1"))
    stages = served.signatures["stages"](image=tf.zeros((1, 96, 160, 3), tf.uint8))
    assert tuple(stages["C5"].shape) == (1, 3, 5, 2048)


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(64, 64, 3), (1, 64, 64, 1), (64, 3), (1, 1, 64, 64, 3)], ids=str)
def test_a_picture_of_another_shape_is_an_error_and_not_the_end_of_the_process(saved, shape):
    served = tf.saved_model.load(str(saved / "1"))
    for signature in ("scores", "stages", "serving_default"):
        with pytest.raises((tf.errors.InvalidArgumentError, ValueError)):
            served.signatures[signature](image=tf.zeros(shape, tf.uint8))


@pytest.mark.slow
def test_classes_and_manifest_lie_where_tensorflow_serving_keeps_extras(saved, engine):
    extra = saved / "1" / "assets.extra"
    lines = (extra / "classes.txt").read_text().splitlines()
    assert lines == [label.wnid for label in engine.manifest.labels]
    assert (extra / "manifest.json").exists()


def test_an_export_does_not_overwrite(tmp_path, capsys):
    (tmp_path / "1").mkdir()
    (tmp_path / "1" / "mine.txt").write_text("mine")
    assert main(["export", "--weights", "bundled", "--out", str(tmp_path)]) == 2
    assert "exists already; please choose another folder" in capsys.readouterr().err
    assert [path.name for path in tmp_path.rglob("*")] == ["1", "mine.txt"]


@pytest.mark.slow
def test_small_weights_load_and_forget_an_accuracy_that_was_not_theirs(tmp_path):
    manifest, arrays = read_weights("bundled")
    path = write_compact(manifest, arrays, tmp_path / "small", bits=4)
    assert path.stat().st_size < manifest.weights_path.stat().st_size
    found = read_manifest(tmp_path / "small")
    assert found.accuracy == {}
    assert [label.wnid for label in found.labels] == [label.wnid for label in manifest.labels]
    small = Engine.load(found)
    pixels = np.random.default_rng(0).normal(scale=60, size=(1, 64, 64, 3)).astype(np.float32)
    assert small.run(pixels).probabilities.sum() == pytest.approx(1, abs=1e-5)
    with pytest.raises(OptionError, match="exists and is not empty"):
        write_compact(manifest, arrays, tmp_path / "small", bits=4)


def test_weights_that_could_not_be_written_can_be_written_again(tmp_path, monkeypatch):
    manifest, arrays = (
        Manifest("own", 50, 2, "same", InputSpec(32), "x.npz", ""),
        {"predictions/bias": np.ones(2, np.float32)},
    )

    def write(_, path):
        path.write_bytes(b"the beginning")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(formats, "write_npz", write)
    with pytest.raises(OptionError, match="No space left on device"):
        write_compact(manifest, arrays, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_classes_of_ones_own_keep_their_names(tmp_path):
    (tmp_path / "classes.txt").write_text("cup\nn02123394\n", encoding="utf-8")
    manifest = Manifest("own", 50, 2, "same", InputSpec(32), "x.npz", "", "classes.txt", folder=tmp_path)
    assert manifest.labels == label_classes(["cup", "n02123394"])
    write_compact(manifest, {"predictions/bias": np.ones(2, np.float32)}, tmp_path / "out")
    assert (tmp_path / "out/classes.txt").read_text() == "cup\nn02123394\n"
