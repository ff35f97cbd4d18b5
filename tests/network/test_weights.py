"""Reading, checking, folding and shrinking weights."""

import dataclasses
import json
import shutil

import keras
import numpy as np
import pytest

from resnet.errors import OptionError, WeightsError
from resnet.network import weights
from resnet.network.labels import ClassNames, imagenet_names, label_classes, read_class_file
from resnet.network.manifest import Manifest, file_sha256, read_manifest, verify, write_manifest
from resnet.network.model import build_network
from resnet.network.sources import BUNDLED
from resnet.network.weights import arrays_of, assign, fold, quantise, read_arrays, rounded, write_npz
from resnet.photo.preprocess import InputSpec
from tests.networks import TINY_FILTERS, randomise, tiny_network


@pytest.fixture(scope="module")
def built():
    """A tiny network, and its numbers."""
    model = tiny_network()
    randomise(model, 0)
    return model, model.get_weights()


@pytest.fixture
def tiny(built, monkeypatch):
    """A tiny network where the manifest's would be built."""
    monkeypatch.setattr(weights, "network_of", lambda manifest, folded=False: tiny_network(folded=folded))
    model, numbers = built
    model.set_weights(numbers)  # whatever a test before has made of them
    return model


def store(folder, file, classes=("a", "b", "c", "d"), **changes):
    """A manifest for a file in a folder."""
    (folder / "classes.txt").write_text("\n".join(classes) + "\n")
    values = {
        "name": "tiny",
        "depth": 101,
        "classes": len(classes),
        "stem_pool": "same",
        "input": InputSpec(64),
        "file": file,
        "sha256": file_sha256(folder / file),
        "class_file": "classes.txt",
    }
    write_manifest(Manifest(**{**values, **changes}), folder)
    return read_manifest(folder)


def pixels(seed=0):
    return np.random.default_rng(seed).uniform(-100, 100, (2, 224, 224, 3)).astype(np.float32)


@pytest.mark.parametrize("file", ["mine.npz", "mine.weights.h5", "mine.keras"])
def test_weights_come_back_from_each_kind_of_file(tmp_path, tiny, file):
    if file.endswith(".npz"):
        write_npz(arrays_of(tiny), tmp_path / file)
    elif file.endswith(".h5"):
        tiny.save_weights(tmp_path / file)
    else:
        tiny.save(tmp_path / file)
    again = tiny_network()
    assign(again, read_arrays(store(tmp_path, file)))
    assert np.array_equal(again.predict_on_batch(pixels()), tiny.predict_on_batch(pixels()))


@pytest.mark.parametrize("given", ["", "manifest.json", "mine.npz"], ids=["folder", "manifest", "file"])
def test_weights_are_found_by_folder_manifest_or_file(tmp_path, tiny, given):
    write_npz(arrays_of(tiny), tmp_path / "mine.npz")
    manifest = store(tmp_path, "mine.npz")
    assert read_manifest(tmp_path / given) == manifest
    assert [label.name for label in manifest.labels] == ["a", "b", "c", "d"]


def test_folding_keeps_the_answer(tiny):
    folded = tiny_network(folded=True)
    assign(folded, fold(arrays_of(tiny)))
    assert folded.predict_on_batch(pixels()) == pytest.approx(tiny.predict_on_batch(pixels()), abs=1e-6)


@pytest.mark.parametrize("bits", [8, 6, 4])
def test_quantised_weights_have_the_least_squares_of_errors(tmp_path, tiny, bits):
    arrays = arrays_of(tiny)
    write_npz(quantise(arrays, bits), tmp_path / "small.npz")
    again = read_arrays(store(tmp_path, "small.npz"))
    better = 0
    for key, values in arrays.items():
        if key.endswith("_conv/kernel"):
            # No worse than without clipping, where each error is at most half a step.
            step = np.abs(values).max(axis=(0, 1, 2)) / (2 ** (bits - 1) - 1)
            plain = ((np.round(values / step) * step - values) ** 2).sum(axis=(0, 1, 2))
            errors = ((again[key] - values) ** 2).sum(axis=(0, 1, 2))
            assert (errors <= plain * 1.0001 + 1e-12).all()
            better += (errors < plain * 0.99).sum()
        elif key.endswith("/kernel"):
            assert again[key] == pytest.approx(values, rel=1e-3, abs=1e-6)
        else:
            assert np.array_equal(again[key], values)
    assert better > 20
    twice = rounded(again, bits)  # what has been rounded stays as it is
    for key, values in again.items():
        np.testing.assert_allclose(twice[key], values, rtol=1e-5, atol=1e-7)


def test_a_damaged_file_is_refused(tmp_path, tiny):
    path = tmp_path / "mine.npz"
    write_npz(arrays_of(tiny), path)
    manifest = store(tmp_path, "mine.npz")
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    with pytest.raises(WeightsError, match=r"mine\.npz are damaged or belong to another manifest: their sha256 is"):
        read_arrays(manifest)


def test_the_bundled_file_is_verified(tmp_path):
    manifest = read_manifest(BUNDLED)
    verify(manifest)
    shutil.copy(manifest.weights_path, tmp_path)
    copy = dataclasses.replace(manifest, folder=tmp_path)
    with (tmp_path / manifest.file).open("ab") as file:
        file.write(b"\0")
    with pytest.raises(WeightsError, match="are damaged"):
        read_arrays(copy)


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        (lambda arrays: arrays.pop("conv2_block1_1_bn/gamma"), "lack conv2_block1_1_bn/gamma"),
        (lambda arrays: arrays.update({"extra/kernel": np.zeros(3)}), "hold extra/kernel, which this network does not"),
        (
            lambda arrays: arrays.update({"predictions/kernel": np.zeros((8, 5), np.float32)}),
            r"predictions/kernel has shape \(8, 5\); this network needs \(8, 4\)",
        ),
    ],
    ids=["missing", "left over", "shape"],
)
def test_weights_that_do_not_fit_are_refused(tiny, change, sentence):
    arrays = arrays_of(tiny)
    change(arrays)
    with pytest.raises(WeightsError, match=sentence):
        assign(tiny_network(), arrays)


def test_folding_names_what_is_missing(tiny):
    arrays = arrays_of(tiny)
    del arrays["conv3_block1_2_bn/moving_mean"]
    with pytest.raises(WeightsError, match="lack conv3_block1_2_bn/moving_mean"):
        fold(arrays)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights_that_are_no_numbers_are_refused(tmp_path, tiny, value):
    arrays = arrays_of(tiny)
    arrays["conv1_bn/gamma"][1] = value
    write_npz(arrays, tmp_path / "mine.npz")
    with pytest.raises(WeightsError, match="conv1_bn/gamma is missing, or holds NaN or infinite values"):
        read_arrays(store(tmp_path, "mine.npz"))


def test_pickled_objects_are_never_loaded(tmp_path, tiny):
    np.savez(tmp_path / "evil.npz", **{"conv1_conv/kernel": np.array([{"a": 1}], dtype=object)})
    with pytest.raises(WeightsError, match="'conv1_conv/kernel' holds no numbers but object"):
        read_arrays(store(tmp_path, "evil.npz"))


def test_code_in_a_keras_file_never_runs(tmp_path, tiny):
    trace = tmp_path / "ran"

    def run(values):
        trace.write_text("ran")
        return values

    keras.Model(tiny.input, keras.layers.Lambda(run)(tiny.output)).save(tmp_path / "mine.keras")
    assert trace.exists()
    trace.unlink()
    arrays = read_arrays(store(tmp_path, "mine.keras"))  # the numbers alone, into a network of our own
    assert arrays.keys() == arrays_of(tiny).keys()
    assert not trace.exists()


@pytest.mark.parametrize("file", ["mine.npz", "mine.weights.h5", "mine.keras"])
def test_a_file_of_something_else_is_refused(tmp_path, tiny, file):
    (tmp_path / file).write_bytes(b"no weights at all")
    with pytest.raises(WeightsError, match=r"mine.* do not fit tiny"):
        read_arrays(store(tmp_path, file))


@pytest.mark.filterwarnings("ignore:Skipping nested container")
@pytest.mark.parametrize("blocks", [(1, 1, 1, 1), (1, 3, 1, 1)], ids=["fewer blocks", "more blocks"])
@pytest.mark.parametrize("filters", [TINY_FILTERS, ((2, 2, 2),) * 4], ids=["same width", "other width"])
def test_keras_weights_of_another_network_are_refused(tmp_path, tiny, blocks, filters):
    other = build_network(blocks, filters, stem_filters=3, hidden_units=8, classes=4)
    other.save_weights(tmp_path / "other.weights.h5")
    with pytest.raises(WeightsError, match="do not fit tiny"):
        read_arrays(store(tmp_path, "other.weights.h5"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"depth": 34}, "depth must be one of 50, 101, 152; it is 34"),
        ({"classes": 1}, "classes must be 2 to 22,000; it is 1"),
        ({"stem_pool": "valid"}, "stem_pool must be same or centered; it is 'valid'"),
        ({"file": "../secret.npz"}, "'file' must be a file name without a folder"),
        ({"file": "/etc/passwd"}, "'file' must be a file name without a folder"),
        ({"class_file": "../classes.txt"}, "'class_file' must be a file name without a folder"),
        ({"file": "weights.pkl"}, "file must end in one of"),
        ({"surplus": 1}, "cannot be read"),
        ({"input": {"size": 16, "mean": [0, 0, 0]}}, "input size must be 32 to 1024; it is 16"),
        ({"input": {"size": 64, "mean": [0, 0]}}, "mean must have three numbers"),
        ({"input": {"size": 64, "mean": [0, 0, 0], "channels": "GRB"}}, "channels must be RGB or BGR"),
        ({"input": None}, "cannot be read"),
        ({"input": {"size": 64, "mean": [0, 0, float("nan")]}}, "mean must have three numbers"),
        ({"input": {"size": 64, "mean": [0, 0, 0], "scale": "1"}}, "scale must be a number"),
        ({"name": 5}, "name must be a text"),
        ({"temperature": 0}, "temperature must be 0.05 to 20; it is 0"),
        ({"temperature": "1"}, "temperature must be 0.05 to 20; it is '1'"),
        ({"sha256": 5}, "sha256 must be a text"),
        ({"classes": 10**6}, "classes must be 2 to 22,000"),
        ({"accuracy": {"val": {"images": 5}}}, "cannot be read"),
        ({"accuracy": {"val": 0.4}}, "cannot be read"),
        ({"accuracy": [1]}, "cannot be read"),
        ({"accuracy": {"val": {"images": 5, "top1": "x", "top5": 1}}}, "accuracy on val must be numbers"),
    ],
    ids=str,
)
def test_a_faulty_manifest_is_named(tmp_path, change, sentence):
    content = read_manifest(BUNDLED).to_json()
    (tmp_path / "manifest.json").write_text(json.dumps({**content, **change}))
    with pytest.raises(WeightsError, match=sentence):
        read_manifest(tmp_path)


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder / "nowhere", "There are no weights at .*nowhere: no such file or directory"),
        (lambda folder: folder / ("a" * 300), "There are no weights at .*: file name too long"),
        (lambda folder: folder, r"need a manifest\.json beside them"),
        (lambda folder: _write(folder / "manifest.json", "{not json"), "cannot be read"),
        (lambda folder: _write(folder / "manifest.json", "[1, 2]"), "cannot be read"),
        (lambda folder: _write(folder / "model.pkl", ""), r"must be a \.npz, \.weights\.h5 or \.keras file"),
    ],
    ids=["nowhere", "too long", "no manifest", "no JSON", "a list", "pickle"],
)
def test_missing_or_unreadable_weights_are_named(tmp_path, make, sentence):
    with pytest.raises(WeightsError, match=sentence):
        read_manifest(make(tmp_path))


def _write(path, content):
    path.write_text(content)
    return path


def test_class_count_must_match(tmp_path, tiny):
    write_npz(arrays_of(tiny), tmp_path / "mine.npz")
    manifest = store(tmp_path, "mine.npz", classes=("a", "b", "c"))
    with pytest.raises(WeightsError, match=r"classes\.txt names 3 classes, but the manifest of tiny says 4"):
        _ = dataclasses.replace(manifest, classes=4).labels


def test_imagenet_names_are_unique_and_complete():
    names = imagenet_names()
    assert len(names) == 1000
    assert list(names) == sorted(names)
    assert len({name.casefold() for name, _ in names.values()}) == 1000
    assert names["n02012849"][0] == "crane (bird)"


def test_classes_of_ones_own_keep_their_names():
    labels = label_classes(["n02124075", "my cat"])
    assert (labels[0].name, labels[0].wnid) == ("Egyptian cat", "n02124075")
    assert (labels[1].name, labels[1].wnid) == ("my cat", "")


@pytest.mark.parametrize(("lines", "fault"), [(["a", "a"], "'a' twice"), (["a", " ", "b"], "an empty line")])
def test_class_files_with_faults_are_refused(lines, fault):
    with pytest.raises(WeightsError, match=fault):
        label_classes(lines)


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("golden_retriever", "golden retriever"),
        ("Golden-Retriever", "golden retriever"),
        ("  GOLDEN   RETRIEVER ", "golden retriever"),
        ("n02099601", "golden retriever"),
        ("N02099601", "golden retriever"),
        ("tabby cat", "tabby"),
        ("Indian elephant", "Indian elephant"),
        ("cardigan", "cardigan"),
        ("Cardigan (dog)", "Cardigan (dog)"),
        ("Cardigan Welsh corgi", "Cardigan (dog)"),
    ],
)
def test_classes_are_found_by_the_names_that_people_know_them_by(name, found):
    labels = label_classes(imagenet_names())
    (index,) = ClassNames(labels).find(name)
    assert labels[index].name == found


def test_a_name_of_several_classes_is_refused_and_they_are_named(tmp_path, tiny):
    labels = label_classes(imagenet_names())
    assert len(ClassNames(labels).find("crane")) == 2
    assert ClassNames(labels).find("no such thing") == ClassNames(labels).find("") == []
    manifest = dataclasses.replace(read_manifest(BUNDLED), class_file="", classes=1000)
    with pytest.raises(OptionError, match=r"Several classes of .* are called 'crane': crane \(bird\), crane"):
        manifest.class_named("crane")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_class_files_are_read_as_editors_write_them(tmp_path, encoding):
    text = "cafe\u0301\r\nbar\r\n"
    mark = b"\xfe\xff" if encoding == "utf-16-be" else b""
    (tmp_path / "classes.txt").write_bytes(mark + text.encode(encoding))
    assert [label.name for label in read_class_file(tmp_path / "classes.txt")] == ["café", "bar"]


def test_equal_names_are_with_distinct_names_by_their_ids_or_refused():
    labels = label_classes(["n02124075", "egyptian cat", "dog"])
    assert [label.name for label in labels] == ["Egyptian cat (n02124075)", "egyptian cat", "dog"]
    with pytest.raises(WeightsError, match="found 'Cat' and 'cat'"):
        label_classes(["Cat", "cat"])
