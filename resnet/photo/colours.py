"""Colour profiles: pixels in, sRGB out, with a note where a profile is not used."""

from __future__ import annotations

import io
import struct

from PIL import Image, ImageCms

from resnet.errors import Note

MAXIMUM_PROFILE_BYTES = 4_000_000
"""Of a colour profile; those of printing presses, the largest in use, have about 2 MB."""

MAXIMUM_TAGS = 100
"""Of a colour profile, as in Little CMS."""

NO_PROFILE = Note("The photo's colour profile cannot be used; its colours are taken as sRGB.")

OTHER_COLOURS = Note("The photo's colour space (cICP) cannot be used; its colours are taken as sRGB.")

SCREEN_GAMMA = 2.2
_VISIBLE = 0.02
_HEADER_BYTES = 128
_TAG = struct.Struct(">4sII")  # signature, offset, bytes
# A chain of elements of any length, each of which may name the same place of the file. Photos have none: the chain is
# for profiles that compute in floating point.
_CHAIN = b"mpet"


def to_srgb(image: Image.Image, profile: bytes | None) -> tuple[Image.Image, tuple[Note, ...]]:
    """Convert a picture to sRGB by its colour profile.

    Args:
        image: In any mode but with alpha or palette.
        profile: As the file has it (ICC.1:2022); None if it has none.

    Returns:
        The picture in mode RGB, and a note if it has a profile that cannot be used: then its colours are taken as sRGB.
    """
    if profile is None and image.mode != "LAB":
        return image.convert("RGB"), ()
    if profile is not None and not is_bounded(profile):
        return image.convert("RGB"), (NO_PROFILE,)
    try:
        source = ImageCms.createProfile("LAB") if profile is None else ImageCms.ImageCmsProfile(io.BytesIO(profile))
        target = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB"))
        converted = ImageCms.profileToProfile(image, source, target, outputMode="RGB")
        if converted is not None:
            return converted, ()
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        pass  # a broken profile, or one for another colour space
    return image.convert("RGB"), (NO_PROFILE,)


def without_gamma(image: Image.Image, gamma: float | None) -> Image.Image:
    """Return a picture as a screen shows it whose numbers have another gamma (PNG 3, 11.3.2.2 and 13.13).

    Args:
        image: In mode L or RGB; others are returned as they are.
        gamma: Of the file, such as 0.45455 for what is shown as it is and 1 for linear light; None if it says none.
    """
    exponent = 1 / (SCREEN_GAMMA * gamma) if gamma and gamma > 0 else 1.0
    if image.mode not in ("L", "RGB") or abs(exponent - 1) < _VISIBLE:
        return image
    table = [round(255 * (value / 255) ** exponent) for value in range(256)]
    return image.point(table * len(image.getbands()))


def is_bounded(profile: bytes) -> bool:
    """Tell whether the work that a profile asks for is bounded by its size.

    Args:
        profile: As the file has it.
    """
    if not _HEADER_BYTES + 4 <= len(profile) <= MAXIMUM_PROFILE_BYTES:
        return False
    count = int.from_bytes(profile[_HEADER_BYTES : _HEADER_BYTES + 4], "big")
    start, end = _HEADER_BYTES + 4, _HEADER_BYTES + 4 + count * _TAG.size
    if count > MAXIMUM_TAGS or end > len(profile):
        return False
    return all(profile[offset : offset + 4] != _CHAIN for _, offset, _ in _TAG.iter_unpack(profile[start:end]))
