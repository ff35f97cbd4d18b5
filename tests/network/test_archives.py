"""Files of weights made to do harm: what they unpack to is compared with the network before anything is unpacked."""

import dataclasses
import json
import tracemalloc
import zipfile

import h5py
import keras
import numpy as np
import pytest

from resnet.cli import main
from resnet.errors import WeightsError
from resnet.network.archives import check_keras, check_npz, parameters_of
from resnet.network.manifest import file_sha256, read_manifest
from resnet.network.sources import BUNDLED
from resnet.network.weights import network_of, read_arrays
from resnet.text import is_printable

MEGABYTES = 1_000_000
ESCAPE = "evil\x1b[2J\nresnet: forged"


@pytest.fixture
def manifest(tmp_path):
    """A manifest of the bundled network for a file that a test writes."""

    def make(file):
        content = {**read_manifest(BUNDLED).to_json(), "file": file, "sha256": file_sha256(tmp_path / file)}
        content["class_file"] = "classes.txt"
        (tmp_path / "classes.txt").write_bytes((BUNDLED / "classes.txt").read_bytes())
        (tmp_path / "manifest.json").write_text(json.dumps(content))
        return read_manifest(tmp_path)

    return make


def refused(manifest, sentence):
    """Reading is refused, and little memory is used for it."""
    tracemalloc.start()
    try:
        with pytest.raises(WeightsError, match=sentence):
            read_arrays(manifest)
        assert tracemalloc.get_traced_memory()[1] < 50 * MEGABYTES
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("depth", [50, *(pytest.param(depth, marks=pytest.mark.slow) for depth in (101, 152))])
def test_the_count_of_numbers_is_that_of_the_network(depth):
    manifest = dataclasses.replace(read_manifest(BUNDLED), depth=depth)
    assert parameters_of(manifest) == network_of(manifest).count_params()


def test_the_bundled_weights_pass():
    bundled = read_manifest(BUNDLED)
    check_npz(bundled.weights_path, bundled)


def test_an_archive_that_unpacks_to_more_than_the_network_is_refused(tmp_path, manifest):
    path = tmp_path / "bomb.npz"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("conv1_conv/kernel.npy", "w", force_zip64=True) as file,
    ):
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (120_000_000,)})
        for _ in range(120):
            file.write(bytes(4_000_000))
    assert path.stat().st_size < 3 * MEGABYTES
    refused(manifest("bomb.npz"), r"unpacks to 480 MB; this network has at most 1\d\d MB")


def test_an_array_that_lies_about_its_size_is_refused(tmp_path, manifest):
    with zipfile.ZipFile(tmp_path / "liar.npz", "w") as archive, archive.open("conv1_conv/kernel.npy", "w") as file:
        np.lib.format.write_array_header_1_0(file, {"descr": "<f4", "fortran_order": False, "shape": (10**12,)})
        file.write(bytes(100))
    refused(manifest("liar.npz"), r"says that it has shape \(1000000000000,\) of float32, which its size contradicts")


def test_other_members_are_refused(tmp_path, manifest):
    with zipfile.ZipFile(tmp_path / "other.npz", "w") as archive:
        archive.writestr("../../evil.py", "print()")
    refused(manifest("other.npz"), "holds '../../evil.py', which this network does not have")


def write_keras(tmp_path, file, fill):
    """A file of Keras' kind whose inside a function fills."""
    with h5py.File(tmp_path / "inner.h5", "w") as stored:
        fill(stored)
    if file.endswith(".keras"):
        with zipfile.ZipFile(tmp_path / file, "w") as archive:
            archive.write(tmp_path / "inner.h5", "model.weights.h5")
    else:
        (tmp_path / "inner.h5").rename(tmp_path / file)


def twice_in_each(stored):
    group = stored
    for level in range(40):
        inner = group.create_group(f"a{level}")
        group[f"b{level}"] = inner
        group = inner


@pytest.mark.parametrize("file", ["bomb.weights.h5", "bomb.keras"])
@pytest.mark.parametrize(
    ("fill", "sentence"),
    [
        # No number of it is written: its size is what it says.
        (
            lambda stored: stored.create_dataset("a/0", (10**10,), "f4"),
            "unpacks to 40,000 MB; this network",
        ),
        (lambda stored: stored.create_dataset("a/0", (64,), "f4", compression="gzip"), "'0' is packed"),
        (lambda stored: stored.create_dataset("a/0", (64,), "f4", chunks=(64,)), "'0' is packed"),
        (lambda stored: stored.create_dataset("a/0", (2,), h5py.string_dtype()), "'0' holds no numbers"),
        (lambda stored: stored.__setitem__("a", np.dtype("f4")), "'a' holds no numbers"),
        (twice_in_each, "holds 'b\\d+' in two places"),
    ],
    ids=["large", "gzip", "chunks", "text", "type", "links"],
)
def test_keras_files_made_to_do_harm_are_refused(tmp_path, manifest, file, fill, sentence):
    write_keras(tmp_path, file, fill)
    refused(manifest(file), sentence)


@pytest.mark.parametrize("method", [zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
@pytest.mark.parametrize("file", ["bomb.npz", "bomb.keras"])
def test_archives_packed_by_other_methods_are_refused_unopened(tmp_path, manifest, file, method):
    # What is unpacked of these is not bounded by what a member says of its size.
    with zipfile.ZipFile(tmp_path / file, "w", method) as archive:
        archive.writestr("conv1_conv/kernel.npy" if file.endswith("npz") else "model.weights.h5", bytes(30_000_000))
    refused(manifest(file), "is packed by a method that weights do not use")


@pytest.mark.parametrize("kind", ["external link", "soft link", "external numbers", "virtual"])
def test_keras_files_that_name_other_files_are_refused(tmp_path, manifest, kind):
    (tmp_path / "secret").write_bytes(bytes(400))
    with h5py.File(tmp_path / "far.weights.h5", "w") as stored:
        if kind == "external link":
            stored["layers"] = h5py.ExternalLink(str(tmp_path / "secret"), "/")
        elif kind == "soft link":
            stored["layers"] = h5py.SoftLink("/layers")
        elif kind == "external numbers":
            stored.create_dataset("layers", (100,), "f4", external=[(str(tmp_path / "secret"), 0, 400)])
        else:
            layout = h5py.VirtualLayout((100,), "f4")
            layout[:] = h5py.VirtualSource(str(tmp_path / "secret"), "x", (100,))
            stored.create_virtual_dataset("layers", layout)
    refused(manifest("far.weights.h5"), "another file")


@pytest.mark.slow
def test_a_keras_file_of_the_network_passes(tmp_path, manifest):
    source = read_manifest(BUNDLED)
    model = network_of(source)
    model.compile(keras.optimizers.Adam())
    model.optimizer.build(model.trainable_variables)  # which saves two further copies of all numbers
    model.save(tmp_path / "mine.keras")
    check_keras(tmp_path / "mine.keras", manifest("mine.keras"))


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"name": ESCAPE}, "name must be a text in one line"),
        ({"licence": ESCAPE}, "licence must be a text in one line"),
        ({"data": ["x"]}, "data must be a text in one line"),
        ({"class_file": "a\0b"}, "must be a file name without a folder"),
        ({"class_file": "a\x1bb"}, "must be a file name without a folder"),
        ({"file": "a\0b.npz"}, "must be a file name without a folder"),
        ({"training": {"x": ESCAPE}, "depth": ESCAPE}, "depth must be one of"),
        ({ESCAPE: 1}, "cannot be read"),
    ],
    ids=str,
)
def test_what_a_manifest_says_never_steers_a_terminal(tmp_path, manifest, capsys, change, sentence):
    (tmp_path / "mine.npz").write_bytes(b"x")
    content = {**manifest("mine.npz").to_json(), **change}
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    assert main(["info", "--weights", str(tmp_path)]) == 2
    said = capsys.readouterr().err
    assert sentence in said
    assert is_printable(said.rstrip("\n"))


def test_a_deep_manifest_is_refused(tmp_path):
    (tmp_path / "manifest.json").write_text("[" * 100_000)
    with pytest.raises(WeightsError, match="cannot be read"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("line", [ESCAPE.replace("\n", ""), "a\x9bm", "\N{RIGHT-TO-LEFT OVERRIDE}tac", "a\0"])
def test_the_name_of_a_class_never_steers_a_terminal(tmp_path, manifest, line):
    (tmp_path / "mine.npz").write_bytes(b"x")
    found = manifest("mine.npz")
    names = (tmp_path / "classes.txt").read_text().splitlines()
    (tmp_path / "classes.txt").write_text("\n".join([line, *names[1:]]), encoding="utf-8")
    with pytest.raises(WeightsError, match="names of classes must be printable") as caught:
        _ = found.labels
    assert is_printable(str(caught.value))
