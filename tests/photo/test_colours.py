"""Colour spaces of PNG: gamma is honoured, and what Pillow does not know is named."""

import struct

import numpy as np
import pytest
from PIL import Image

from resnet.photo.colours import OTHER_COLOURS
from resnet.photo.images import read_photo
from tests.photo.hostile import chunk, encoded


def ramp_with(*chunks):
    content = encoded(Image.fromarray(np.arange(256, dtype=np.uint8)[None].repeat(2, 0)).convert("RGB"), "PNG")
    return read_photo(content[:33] + b"".join(chunks) + content[33:])


def values(photo):
    return np.asarray(photo.image)[0, :, 0].astype(float)


@pytest.mark.parametrize("gamma", [0.45455, 1.0, 0.3])
def test_gamma_is_honoured(gamma):
    photo = ramp_with(chunk(b"gAMA", struct.pack(">I", round(gamma * 100_000))))
    expected = 255 * (np.arange(256) / 255) ** (1 / (2.2 * gamma))
    assert np.abs(values(photo) - expected).max() <= 1
    assert photo.notes == ()


def test_srgb_comes_before_gamma():
    photo = ramp_with(chunk(b"sRGB", b"\0"), chunk(b"gAMA", struct.pack(">I", 100_000)))
    assert values(photo).tolist() == list(range(256))


@pytest.mark.parametrize(("points", "notes"), [((1, 13, 0, 1), ()), ((9, 16, 0, 1), (OTHER_COLOURS,))])
def test_a_colour_space_that_is_not_known_is_named(points, notes):
    photo = ramp_with(chunk(b"cICP", bytes(points)))
    assert photo.notes == notes
    assert values(photo).tolist() == list(range(256))
