"""Grey pictures of wide, signed and floating numbers: a table of right values."""

import io

import numpy as np
import pytest
from PIL import Image, TiffImagePlugin

from resnet.photo.images import read_photo

RAMP = np.linspace(0, 1, 256)


def shown(values, format_name="TIFF", **tags):
    """Grey values and notes of a picture of one row."""
    image, buffer = Image.fromarray(values[None]), io.BytesIO()
    options = {}
    if tags:
        options["tiffinfo"] = TiffImagePlugin.ImageFileDirectory_v2()
        options["tiffinfo"][262] = tags["photometric"]
    image.save(buffer, format_name, **options)
    photo = read_photo(buffer.getvalue(), "x")
    pixels = np.asarray(photo.image)
    assert (pixels == pixels[..., :1]).all()
    return pixels[0, :, 0].astype(int), [str(note) for note in photo.notes]


# type, largest value, what is said; the ramp is to go from black to white in each
@pytest.mark.parametrize(
    ("dtype", "top", "said"),
    [
        (np.uint16, 65535, ""),
        (np.uint16, 4095, "Its grey values reach 4095 of 16 bits; they are taken as 12 bits."),
        (np.uint16, 255, "Its grey values reach 255 of 16 bits; they are taken as 8 bits."),
        (np.uint16, 1023, "Its grey values reach 1023 of 16 bits; they are taken as 10 bits."),
        (np.int32, 255, "Its grey values reach 255 of 32 bits; they are taken as 8 bits."),
        (np.int32, 65535, "Its grey values reach 65535 of 32 bits; they are taken as 16 bits."),
        (np.int32, 2_000_000, "Its grey values, 0 to 2e+06, are shown by their own range, from black to white."),
        (np.float32, 1, ""),
        (np.float32, 255, "Its grey values, 0 to 255, are shown by their own range, from black to white."),
        (np.float32, 0.001, ""),
    ],
)
def test_a_ramp_from_nothing_to_the_top(dtype, top, said):
    values, notes = shown((RAMP * top).astype(dtype))
    expected = RAMP * 255 * (0.001 if top == 0.001 else 1)
    assert np.abs(values - expected).max() <= 1
    assert notes == ([said] if said else [])


@pytest.mark.parametrize("format_name", ["PNG", "TIFF"])
def test_sixteen_bits_in_either_format(format_name):
    values, notes = shown((RAMP * 65535).astype(np.uint16), format_name)
    assert (values.tolist(), notes) == (list(range(256)), [])
    values, notes = shown((RAMP * 4095).astype(np.uint16), format_name)
    assert np.abs(values - np.arange(256)).max() <= 1
    assert "taken as 12 bits" in notes[0]


@pytest.mark.parametrize("bits", [8, 16, 32])
def test_signed_numbers_go_from_their_lowest_to_their_highest(bits):
    limit = 2 ** (bits - 1)
    values = np.linspace(-limit, limit - 1, 256).astype(f"<i{bits // 8}")
    found, notes = read_raw_tiff(values, bits, 2)
    assert np.abs(found - np.arange(256)).max() <= 1
    assert "shown by their own range" in notes[0]


def test_large_unsigned_numbers_are_not_negative():
    values = np.linspace(0, 2**32 - 1, 256).astype("<u4")
    found, _ = read_raw_tiff(values, 32, 1)
    assert np.abs(found - np.arange(256)).max() <= 1


@pytest.mark.parametrize(("bits", "kind"), [(1, 1), (8, 1), (16, 1)])
def test_white_is_zero_is_honoured_at_every_width(bits, kind):
    if bits == 1:
        values = np.packbits(np.arange(256) % 2 == 0)
        found, _ = read_raw_tiff(values, 1, 1, photometric=0)
        assert found[:4].tolist() == [0, 255, 0, 255]
        return
    values = (RAMP * (2**bits - 1)).astype(f"<u{bits // 8}")
    found, _ = read_raw_tiff(values, bits, kind, photometric=0)
    assert np.abs(found - np.arange(256)[::-1]).max() <= 1


def test_a_black_picture_is_black_and_needs_no_word():
    values, notes = shown(np.zeros(9, np.uint16))
    assert (values.tolist(), notes) == ([0] * 9, [])


def read_raw_tiff(values, bits, kind, photometric=1):
    """A TIFF of one row, written byte by byte: Pillow writes some of these types otherwise."""
    import struct

    body = values.tobytes()
    entries = [(256, 4, 256), (257, 4, 1), (258, 3, bits), (259, 3, 1), (262, 3, photometric), (273, 4, 0),
               (277, 3, 1), (278, 4, 1), (279, 4, len(body)), (339, 3, kind)]  # fmt: skip
    start = 8 + 2 + 12 * len(entries) + 4
    packed = b"".join(
        struct.pack("<HHII" if size == 4 else "<HHIHxx", tag, size, 1, start if tag == 273 else value)
        for tag, size, value in entries
    )
    content = b"II*\0\x08\0\0\0" + struct.pack("<H", len(entries)) + packed + bytes(4) + body
    photo = read_photo(content, "x")
    return np.asarray(photo.image)[0, :, 0].astype(int), [str(note) for note in photo.notes]
