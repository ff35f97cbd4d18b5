"""Files and names made to do harm end in a photo or in a sentence, within bounds of memory and time."""

import csv
import io
import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnet.errors import ImageError
from resnet.maps.heatmaps import ViewOptions
from resnet.network.labels import ASSETS
from resnet.output.export import Export, answer_many, write_all
from resnet.photo.containers import MAXIMUM_SCANS, orientation_of, strip
from resnet.photo.images import read_photo
from resnet.photo.metered import ExcessError, MeteredBytes
from resnet.photo.preprocess import FRAMINGS, InputSpec, prepare
from resnet.text import printable
from tests.photo import hostile

SPEC = InputSpec(size=32, channels="RGB")
GOOD = sorted((ASSETS / "examples").glob("*.jpg"))[:2]
PARTS = (
    hostile.truncated, hostile.too_large, hostile.metadata, hostile.animations, hostile.directories,
    hostile.shapes, hostile.jpegs, hostile.disguises,
)  # fmt: skip
# A process, not this one: its limits of memory and of its own time, which other processes do not lengthen.
GIGABYTES, SECONDS = 2, 20
ALONE = """
import sys
from resnet.errors import ImageError
from resnet.photo.images import read_photo
from tests.photo.hostile import SLOW
for name in sys.argv[1:]:
    content = SLOW[name]()
    try:
        photo = read_photo(content, name)
        print(name, "photo", photo.size)
    except ImageError as error:
        print(name, "error", error)
"""


@pytest.fixture(scope="module")
def everything():
    return dict(hostile.corpus())


def outcome(content, name):
    """Nothing for a photo that the network can take, else the sentence; whatever else happens fails."""
    try:
        photo = read_photo(content, name)
    except ImageError as error:
        sentence = str(error)
        assert sentence.startswith(printable(name or "image") + " ")
        assert sentence.isprintable()
        assert sentence.endswith(".")
        assert "Traceback" not in sentence
        return sentence
    assert photo.image.mode == "RGB"
    assert min(photo.image.size) > 0
    assert photo.name.isprintable()
    for framing in FRAMINGS:
        pixels = prepare(photo.image, SPEC, framing, photo.size).pixels
        assert pixels.dtype == np.float32
        assert np.isfinite(pixels).all()
    return None


@pytest.mark.parametrize("part", PARTS, ids=lambda part: part.__name__)
def test_hostile_files_end_in_a_photo_or_a_sentence(part):
    before = read_photo(GOOD[0]).image.tobytes()
    for name, content in part():
        outcome(content, name)
    assert read_photo(GOOD[0]).image.tobytes() == before


@pytest.mark.parametrize("name", hostile.NAMES, ids=lambda name: ascii(name)[:30])
def test_hostile_names_are_only_names(name):
    good = hostile.encoded(hostile.noise(), "PNG")
    assert outcome(good, name) is None
    assert outcome(good[:60], name) is not None


# What the bounds must not take away.
@pytest.mark.parametrize(
    "name",
    ["frames.gif", "frames.png", "frames.webp", "zip.jpg", "page.png", "cmyk without Adobe.jpg", "huge profile.JPEG",
     "restarts.jpg", "loop.tif", "same stretch exif.png", "allowed scans.jpg", "50000x1.PNG", "comment.gif",
     "infinite.tif", "beyond range.tif", "same stretch exif.avif"],
)  # fmt: skip
def test_what_is_odd_but_whole_is_read(name, everything):
    assert outcome(everything[name], name) is None


@pytest.mark.parametrize("name", sorted(hostile.valid()))
def test_valid_files_are_read_as_before(name):
    content = hostile.valid()[name]
    expected = Image.open(io.BytesIO(content))
    assert read_photo(content).size in (expected.size, expected.size[::-1])
    assert outcome(content, name) is None


def test_values_at_the_ends_of_the_range_keep_their_order():
    limit = float(np.finfo(np.float32).max)
    values = np.array([[-limit, 0, limit]], np.float32)
    shown = np.asarray(read_photo(hostile.encoded(Image.fromarray(values), "TIFF")).image)
    assert shown[0, :, 0].tolist() == [0, 128, 255]


@pytest.mark.slow
def test_slow_files_are_bounded():
    """Each of them would take minutes or many gigabytes where it was read as it stands."""

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (GIGABYTES << 30, GIGABYTES << 30))
        resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS + 1))

    run = subprocess.run(
        [sys.executable, "-c", ALONE, *hostile.SLOW],
        cwd=Path(__file__).resolve().parents[2],
        env={**os.environ, "OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
        preexec_fn=limit,
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, (run.stdout, run.stderr)
    found = run.stdout.splitlines()
    assert [line.split(" photo ")[0].split(" error ")[0] for line in found] == list(hostile.SLOW)
    assert sum(" error " in line for line in found) == 18, found


@pytest.mark.slow
def test_many_photos_are_answered_with_hostile_ones_between(engine, tmp_path, monkeypatch):
    monkeypatch.setattr(np, "savez_compressed", np.savez)  # to pack the maps takes most of the time
    sources = [(GOOD[0], "first.jpg")]
    bad = [item for part in (hostile.disguises, hostile.directories) for item in part() if outcome(item[1], item[0])]
    for number, (name, content) in enumerate(bad[:60]):
        (tmp_path / str(number)).write_bytes(content)
        sources.append((tmp_path / str(number), name))
    sources += [(GOOD[1], name) for name in hostile.NAMES]
    export = Export(tmp_path / "out", engine.manifest, ViewOptions(), maps=True, figures=False)
    answers = list(write_all(answer_many(sources, engine), export))
    assert len(answers) == len(sources)
    for answer, (path, _) in zip(answers, sources, strict=True):
        assert (answer.error is None) == (path in GOOD)
    alone = answers[0].observation.probabilities
    (again,) = answer_many(sources[:1], engine)
    np.testing.assert_allclose(alone, again.observation.probabilities, atol=1e-5)
    with (tmp_path / "out" / "predictions.csv").open(encoding="utf-8-sig", newline="") as file:
        assert not any(row["photo"].startswith(("=", "+", "-", "@")) for row in csv.DictReader(file))
    photos = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["photos"]
    files = [photo["files"]["maps"] for photo in photos if "files" in photo]
    assert len({name.casefold() for name in files}) == len(files) == 1 + len(hostile.NAMES)
    inside = (tmp_path / "out" / "maps").resolve()
    assert sorted(path.name for path in inside.iterdir()) == sorted(Path(name).name for name in files)


def test_scans_are_counted_as_the_decoder_does():
    plain = hostile.encoded(hostile.noise(), "JPEG")
    assert strip(plain).scans == 1
    assert strip(hostile.encoded(hostile.noise(), "JPEG", progressive=True)).scans == 10
    assert strip(plain + b"\xff\xda" * 200).scans == 1  # behind the end
    assert strip(plain[:2] + hostile.segment(0xE1, b"\xff\xda" * 200) + plain[2:]).scans == 1  # a thumbnail
    for scans in (MAXIMUM_SCANS, MAXIMUM_SCANS + 1):
        assert strip(hostile.progressive_jpeg(64, 64, scans)).scans == scans
    with pytest.raises(ImageError, match="x is a JPEG of 101 scans; a photo may have at most 100"):
        read_photo(hostile.progressive_jpeg(64, 64, 101), "x")


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("order", ["<", ">"])
def test_orientation_is_found_in_a_block_of_any_size(order, orientation):
    import struct

    mark = b"II*\0" if order == "<" else b"MM\0*"
    entry = struct.pack(f"{order}HHLHH", 0x0112, 3, 1, orientation, 0)
    block = mark + struct.pack(f"{order}LH", 8, 1) + entry + bytes(200_000)
    assert orientation_of(block) == orientation_of(b"Exif\0\0" + block) == orientation
    assert orientation_of(b"", f'<x tiff:Orientation="{orientation}"/>'.encode()) == orientation
    assert orientation_of(block, b'<x tiff:Orientation="3"/>') == orientation


@pytest.mark.parametrize(
    ("length", "size", "times"), [(100, 1, 1_000_000), (1_000_000, -1, 100)], ids=["often", "much"]
)
def test_a_stream_can_be_read_only_so_often_and_so_much(length, size, times):
    stream = MeteredBytes(bytes(length))

    def read():
        for _ in range(times):
            stream.seek(0)
            stream.read(size)

    with pytest.raises(ExcessError):
        read()
