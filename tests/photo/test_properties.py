"""Properties that hold for any file, any size of photo and any name."""

import random
import unicodedata

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from resnet.errors import ImageError
from resnet.output.report import safe_stem
from resnet.photo.images import read_photo
from resnet.photo.preprocess import FRAMINGS, LONGEST_SIDE_FACTOR, InputSpec, input_geometry, prepare
from resnet.stages import MINIMUM_SIDE, block_table, stage_table
from resnet.text import JOINERS, printable
from tests.photo import hostile

VALID = hostile.valid()
SPEC = InputSpec(size=64, detail=32)
quick = settings(derandomize=True, deadline=None, max_examples=60, database=None)
sides = st.one_of(st.integers(1, 3000), st.integers(1, 50_000))
specs = st.builds(
    InputSpec,
    size=st.sampled_from((32, 64, 128, 224)),
    crop_fraction=st.sampled_from((1.0, 0.875, 224 / 256)),
    detail=st.sampled_from((None, 32)),
)


def outcome(content, name="x.jpg"):
    try:
        photo = read_photo(content, name)
    except ImageError as error:
        sentence = str(error)
    else:
        assert photo.image.mode == "RGB"
        assert min(photo.image.size) > 0
        for framing in FRAMINGS:
            assert np.isfinite(prepare(photo.image, SPEC, framing, photo.size).pixels).all()
        return
    assert sentence.startswith(f"{printable(name)} ")
    assert sentence.isprintable()


@quick
@given(st.binary(max_size=2000))
def test_any_bytes(content):
    outcome(content)


@quick
@given(start=st.sampled_from([content[:n] for content in VALID.values() for n in (4, 12, 40)]), rest=st.binary())
def test_any_bytes_behind_a_known_start(start, rest):
    outcome(start + rest)


@pytest.mark.parametrize("name", sorted(VALID))
@settings(quick, max_examples=30)
@given(seed=st.integers(0, 2**32), edits=st.integers(1, 12))
def test_files_with_changed_bytes(name, seed, edits):
    content = bytearray(VALID[name])
    chance = random.Random(seed)
    for _ in range(edits):
        # Half of the changes are in the header, which is what parsers trust.
        place = chance.randrange(chance.choice((min(200, len(content)), len(content))) or 1)
        kind = chance.choice(("flip", "byte", "insert", "delete", "number"))
        if kind == "flip":
            content[place] ^= 1 << chance.randrange(8)
        elif kind == "byte":
            content[place] = chance.choice((0, 1, 0x7F, 0x80, 0xFF))
        elif kind == "insert":
            content[place:place] = chance.randbytes(chance.randrange(1, 9))
        elif kind == "delete":
            del content[place : place + chance.randrange(1, 9)]
        else:
            content[place : place + 4] = chance.choice(
                (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\x7f\xff\xff\xff", b"\0\0\1\0")
            )
        content = content or bytearray(1)
    outcome(bytes(content))


@quick
@given(width=sides, height=sides, framing=st.sampled_from(FRAMINGS), spec=specs)
def test_geometry_of_any_photo(width, height, framing, spec):
    geometry = input_geometry((width, height), spec, framing)
    assert all(MINIMUM_SIDE <= side <= spec.size * LONGEST_SIDE_FACTOR * 1.3 + 32 for side in geometry.input_size)
    assert all(side % MINIMUM_SIDE == 0 for side in geometry.input_size)
    assert all(scale > 0 for scale in geometry.scale)

    left, top, right, bottom = geometry.seen
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    box = (1.5, -2.25, width / 3, height * 2.0)
    assert geometry.to_photo(geometry.to_input(box)) == pytest.approx(box, abs=1e-6 * max(width, height))
    assert geometry.to_input(geometry.to_photo(box)) == pytest.approx(box, abs=1e-6 * max(width, height))

    rows, columns = geometry.input_size[::-1]
    for stage in stage_table(block_table(50, (rows, columns))):
        cells = (0, 0), (stage.shape[0] - 1, stage.shape[1] - 1)
        for row, column in cells:
            x0, y0, x1, y1 = geometry.to_input(geometry.cell_box(stage, row, column))
            # The cell's centre lies on the input, but for rounding.
            assert -1e-6 <= (x0 + x1) / 2 <= columns + 1e-6
            assert -1e-6 <= (y0 + y1) / 2 <= rows + 1e-6
            assert geometry.receptive_box(stage, row, column)[0] <= geometry.cell_box(stage, row, column)[0]


@settings(quick, max_examples=40)
@given(
    width=st.integers(1, 1200), height=st.integers(1, 1200), framing=st.sampled_from(FRAMINGS), spec=specs,
    factor=st.integers(1, 8),
)  # fmt: skip
def test_input_of_any_photo(width, height, framing, spec, factor):
    """Also of one that was reduced: its sides are then rounded."""
    size = (width * factor, height * factor)
    ready = prepare(Image.new("RGB", (width, height), (200, 10, 90)), spec, framing, size)
    assert ready.pixels.shape == (ready.geometry.input_size[1], ready.geometry.input_size[0], 3)
    assert ready.pixels.dtype == np.float32
    assert np.isfinite(ready.pixels).all()
    assert ready.geometry.photo_size == size
    # One colour gives one value, wherever there is no padding.
    inside = ready.pixels[ready.pixels.any(axis=-1)]
    assert len(inside)
    assert (inside == inside[0]).all()


names = st.one_of(
    st.text(max_size=300), st.text(st.characters(codec=None), max_size=100), st.sampled_from(hostile.NAMES)
)


@settings(quick, max_examples=100)
@given(names)
def test_any_name_is_fit_for_a_sentence_and_for_a_file(name):
    kinds = {unicodedata.category(letter) for letter in printable(name) if letter not in JOINERS}
    assert not kinds & {"Cc", "Cf", "Cn", "Co", "Cs", "Zl", "Zp"}
    assert len(printable(name)) == len(name)
    stem = safe_stem(printable(name))
    assert stem
    assert stem == stem.strip(" .")
    assert len(stem.encode()) <= 201
    assert not set(stem) & set('/\\:*?"<>|\0\n\r')
    assert stem.isprintable()
    assert stem.split(".")[0].strip().upper() not in {"CON", "PRN", "AUX", "NUL", "COM1", "LPT9"}
