"""The published weights: the real loading code on a file in Keras' own format, and each way to fail."""

import hashlib
import shutil
import socket
from dataclasses import replace
from pathlib import Path

import h5py
import keras
import numpy as np
import pytest
from keras.src.applications import resnet as keras_resnet
from keras.src.backend.config import keras_home as keras_resnet_home
from keras.src.legacy.saving import legacy_h5_format

from resnet.errors import WeightsError
from resnet.network import imagenet
from resnet.network.engine import Engine
from resnet.network.imagenet import converted_folder, is_cached, load_imagenet, models_folder, move_from_keras
from resnet.photo.preprocess import InputSpec
from resnet.training.start import Start, build_start
from tests.networks import randomise


@pytest.fixture(scope="module")
def published():
    model = keras.applications.ResNet101(weights=None)
    randomise(model, 11)
    return model


@pytest.fixture(scope="module")
def legacy_file(published, tmp_path_factory):
    """A file as Keras publishes it, of random weights."""
    path = tmp_path_factory.mktemp("published") / imagenet.KERAS_FILE
    with h5py.File(path, "w") as file:
        legacy_h5_format.save_weights_to_hdf5_group(file, published)
    return path


@pytest.fixture
def empty_home(monkeypatch, tmp_path):
    """A Keras home without weights, and no way to the outside."""
    home = tmp_path / "keras"
    home.mkdir()
    monkeypatch.setenv("KERAS_HOME", str(home))
    return home


@pytest.fixture
def cached(empty_home, legacy_file, monkeypatch):
    """Keras' file where its cache looks, with the hash that Keras expects."""
    models_folder().mkdir()
    shutil.copy(legacy_file, models_folder())
    digest = hashlib.md5(legacy_file.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr(imagenet, "KERAS_MD5", digest)
    return empty_home


@pytest.mark.slow
def test_cached_file_is_moved_exactly_once_and_again_when_its_copy_is_damaged(cached, published, monkeypatch):
    assert is_cached()
    manifest, arrays = load_imagenet()
    assert (converted_folder() / "manifest.json").is_file()
    with monkeypatch.context() as patch:
        patch.setattr(keras.applications, "ResNet101", None)
        again_manifest, again = load_imagenet()
    assert again_manifest == manifest
    assert all(np.array_equal(arrays[key], again[key]) for key in arrays)

    pixels = np.random.default_rng(0).uniform(-120, 150, (2, 224, 224, 3)).astype(np.float32)
    ours = Engine(again_manifest, again).run(pixels).probabilities
    assert np.abs(ours - published.predict_on_batch(pixels)).max() <= 1e-5
    assert len(again_manifest.labels) == 1000
    assert again_manifest.stem_pool == "centered"

    # A damaged copy is made anew.
    copy = again_manifest.weights_path
    whole = copy.stat().st_size
    copy.write_bytes(copy.read_bytes()[:-100])
    load_imagenet()
    assert copy.stat().st_size == whole


@pytest.mark.slow
def test_a_read_only_home_serves_from_memory(cached, monkeypatch):
    def refuse(*arguments, **options):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(imagenet.tempfile, "mkdtemp", refuse)
    manifest, arrays = load_imagenet()
    assert len(manifest.labels) == 1000
    assert arrays["dense_1024/kernel"].shape == (2048, 1024)
    assert not converted_folder().exists()


def test_a_home_that_cannot_be_written_moves_to_the_temporary_folder(monkeypatch):
    monkeypatch.setattr(imagenet.os, "access", lambda path, mode: False)
    assert str(models_folder()) == "/tmp/.keras/models"


def test_models_are_looked_for_where_keras_looks(monkeypatch):
    assert models_folder() == Path(keras_resnet_home()) / "models"
    monkeypatch.delenv("KERAS_HOME")
    assert imagenet.keras_home() == Path.home() / ".keras"


def test_the_published_file_is_the_one_that_keras_names():
    assert imagenet.KERAS_ADDRESS == keras_resnet.BASE_WEIGHTS_PATH
    assert keras_resnet.WEIGHTS_HASHES["resnet101"][0] == imagenet.KERAS_MD5


def test_no_network_is_one_sentence(empty_home, monkeypatch):
    def refuse(address, timeout):
        assert timeout <= 5
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "create_connection", refuse)
    monkeypatch.setattr(imagenet, "getproxies", dict)
    with pytest.raises(
        WeightsError, match=r"cannot be downloaded: no connection to storage\.googleapis\.com within 3 s"
    ):
        load_imagenet()
    assert not is_cached()


def test_a_host_that_does_not_answer_is_given_up(empty_home, monkeypatch):
    monkeypatch.setattr(imagenet, "getproxies", dict)
    monkeypatch.setattr(socket, "create_connection", lambda *_: (_ for _ in ()).throw(TimeoutError("timed out")))
    with pytest.raises(WeightsError, match="no connection to"):
        load_imagenet()


def test_a_proxy_is_left_to_connect(monkeypatch):
    monkeypatch.setattr(imagenet, "getproxies", lambda: {"https": "http://proxy:3128"})
    monkeypatch.setattr(socket, "create_connection", None)
    imagenet.check_reachable()


def test_nothing_is_downloaded_unless_it_may_be(cached, monkeypatch):
    monkeypatch.setattr(keras.applications, "ResNet101", None)
    path = models_folder() / imagenet.KERAS_FILE
    path.write_bytes(path.read_bytes()[:1000])
    assert is_cached()
    with pytest.raises(WeightsError, match="not on this machine, or only in part"):
        load_imagenet(download=False)


@pytest.fixture
def mirror(empty_home, monkeypatch):
    """Keras downloads from a file beside the tests instead of the network."""
    folder = empty_home / "mirror"
    folder.mkdir()
    monkeypatch.setattr(imagenet, "check_reachable", lambda: None)
    monkeypatch.setattr(imagenet, "KERAS_ADDRESS", folder.as_uri() + "/")
    return folder


def test_a_download_with_the_wrong_hash_is_refused(mirror):
    (mirror / imagenet.KERAS_FILE).write_bytes(b"something else")
    with pytest.raises(WeightsError, match="not available: Incomplete or corrupted file detected"):
        load_imagenet()


def test_a_download_that_breaks_off_is_refused(mirror):
    with pytest.raises(WeightsError, match="not available: URL fetch failure on"):
        load_imagenet()


@pytest.mark.slow
def test_a_download_is_verified_and_used(mirror, legacy_file, monkeypatch, capsys):
    shutil.copy(legacy_file, mirror)
    digest = hashlib.md5(legacy_file.read_bytes(), usedforsecurity=False).hexdigest()
    monkeypatch.setattr(imagenet, "KERAS_MD5", digest)
    before = socket.getdefaulttimeout()
    manifest, _ = load_imagenet()
    assert manifest.name == "imagenet-resnet101"
    assert socket.getdefaulttimeout() == before
    assert capsys.readouterr().out == ""


@pytest.mark.slow
def test_a_moved_head_is_trained_further_with_all_its_units(published):
    arrays = move_from_keras(published)
    manifest = replace(imagenet.IMAGENET_MANIFEST, input=InputSpec(size=32))
    labels = manifest.labels
    features = np.random.default_rng(0).uniform(0, 1, (4, 2048)).astype(np.float32)

    def answers(shift, *, keep_head):
        moved = arrays | {"predictions/bias": arrays["predictions/bias"] + np.float32(shift)}
        start = Start(manifest, moved)
        model = build_start(start, labels, keep_head=keep_head, dropout=0.5)
        head = keras.Model(model.get_layer("dense_1024").input, model.output)
        return (np.asarray(head(features, training=mode)) for mode in (False, True))

    # As it was moved, and as a first training leaves it.
    for shift in (0, 0.4):
        assert np.array_equal(*answers(shift, keep_head=True))
    assert not np.allclose(*answers(0, keep_head=False))
