"""One decoder for the page, the command line and the API: whatever comes in leaves as upright sRGB.

Limits are checked on the header, before a pixel is decoded, so that a small file that unpacks to
gigabytes costs nothing; and `resnet.containers` sees to it that reading the header costs little.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from resnet.colours import to_srgb
from resnet.containers import MAXIMUM_SCANS, Contents, ExcessError, MeteredBytes, orientation_of, strip
from resnet.errors import ImageError, Note
from resnet.text import printable

MAXIMUM_BYTES = 20_000_000
MAXIMUM_PIXELS = 50_000_000
MAXIMUM_RUN_LENGTH_PIXELS = 10_000_000
"""Of a BMP with run lengths, which Pillow decodes in Python."""
WORKING_LONGER, WORKING_SHORTER = 1000, 512
"""Photos are reduced until one side reaches its number: more than any input or picture here needs."""

FORMATS = ("JPEG", "MPO", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF")
FORMAT_NAMES = "JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF"
LARGE_PIXELS = 16_000_000
MOST_LARGE = 2
"""How many photos of more pixels are decoded at a time: each may take a gigabyte meanwhile."""
_BAND_PIXELS = 2_000_000
_large = threading.BoundedSemaphore(MOST_LARGE)
_ROTATED_BY_90 = {5, 6, 7, 8}

# Pillow warns of what is either refused here or does no harm. A filter for all threads, once: to change
# filters around each call is not safe among threads.
warnings.filterwarnings("ignore", module=r"PIL\.")
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


@dataclass(frozen=True)
class Photo:
    """A decoded photo.

    Attributes:
        name: File name without folder, for people.
        digest: Hexadecimal hash of the content; equal photos have equal digests.
        size: (width, height) of the upright original in pixels.
        image: Upright sRGB picture, reduced until its longer side has 1,000 pixels or its shorter
            one 512, whichever leaves more.
        format: Such as "JPEG".
        notes: What a user should know of how it was read; mostly nothing.
    """

    name: str
    digest: str
    size: tuple[int, int]
    image: Image.Image
    format: str
    notes: tuple[Note, ...] = ()


def read_photo(source: str | Path | bytes | Image.Image, name: str | None = None, *, reduce: bool = True) -> Photo:
    """Decode a photo: EXIF orientation, palettes, 1 and 16 bit, CMYK, alpha over white, ICC to sRGB.

    Of an animation the first frame counts.

    Args:
        source: A path, the bytes of a file, or a PIL image (which keeps what it knows of itself).
        name: What to call the photo in messages, instead of the file's name.
        reduce: Whether a large photo may be reduced, see `Photo`.

    Raises:
        ImageError: The file cannot be read, is no picture in a known format, is damaged, or breaks
            a limit. The message names the photo.
    """
    if isinstance(source, Image.Image):
        photo = _photo(source, printable(name or "image"), "", reduce)
        pixels = hashlib.blake2b(photo.image.tobytes(), digest_size=16)
        pixels.update(repr(photo.size).encode())
        return replace(photo, digest=pixels.hexdigest())
    if isinstance(source, bytes):
        content, name = source, printable(name or "image")
        _check_bytes(len(content), name)
    else:
        name = printable(name or Path(source).name)
        content = _read_file(Path(source), name)
    digest = hashlib.blake2b(content, digest_size=16).hexdigest()
    try:
        contents = strip(content)
    except ExcessError as error:
        raise _excess(name) from error
    if contents.scans > MAXIMUM_SCANS:
        raise ImageError("{} is a JPEG of {} scans; a photo may have at most {}.", name, contents.scans, MAXIMUM_SCANS)
    return _photo(_open(contents.content, name), name, digest, reduce, contents)


def _check_bytes(count: int, name: str) -> None:
    if count == 0:
        raise ImageError("{} is empty (0 bytes).", name)
    if count > MAXIMUM_BYTES:
        raise ImageError(
            "{} has {:.1f} MB; a photo may have at most {:.0f} MB.", name, count / 1e6, MAXIMUM_BYTES / 1e6
        )


def _read_file(path: Path, name: str) -> bytes:
    try:
        if path.is_dir():
            raise ImageError("{} is a folder, not a photo.", name)
        if path.exists() and not path.is_file():
            raise ImageError("{} is no regular file.", name)
        _check_bytes(path.stat().st_size, name)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError("{} cannot be read: {}.", name, reason) from error


def _unknown_format(content: bytes, name: str) -> ImageError:
    start = content[:4096].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if b"<svg" in start:
        return ImageError("{} is an SVG drawing; please export it as PNG or JPEG first.", name)
    if b"\0" not in start:
        try:
            content[:4096].decode("utf-8", errors="strict" if len(content) <= 4096 else "ignore")
            return ImageError("{} is text, not a photo; please use {}.", name, FORMAT_NAMES)
        except UnicodeDecodeError:
            pass
    return ImageError("{} is no picture in a known format; please use {}.", name, FORMAT_NAMES)


def _excess(name: str) -> ImageError:
    return ImageError("{} is no ordinary photo: to read it would take far too much time or memory.", name)


def _open(content: bytes, name: str) -> Image.Image:
    Image.init()
    formats = [known for known in FORMATS if known in Image.OPEN]
    try:
        return Image.open(MeteredBytes(content), formats=formats)
    except ExcessError as error:
        raise _excess(name) from error
    except Image.DecompressionBombError as error:
        raise ImageError(
            "{} has far too many pixels; a photo may have at most {:.0f} million.", name, MAXIMUM_PIXELS / 1e6
        ) from error
    except UnidentifiedImageError as error:
        raise _unknown_format(content, name) from error
    except Exception as error:
        raise ImageError("{} is damaged: its header cannot be read.", name) from error


def _photo(image: Image.Image, name: str, digest: str, reduce: bool, contents: Contents | None = None) -> Photo:
    width, height = image.size
    run_lengths = any(part[0] == "bmp_rle" for part in getattr(image, "tile", ()))
    limit = MAXIMUM_RUN_LENGTH_PIXELS if run_lengths else MAXIMUM_PIXELS
    if width * height > limit:
        raise ImageError(
            "{} has {} x {} = {:.0f} million pixels; a photo may have at most {:.0f} million.",
            name,
            width,
            height,
            width * height / 1e6,
            limit / 1e6,
        )
    if min(width, height) < 1:
        raise ImageError("{} has no pixels ({} x {}).", name, width, height)
    format_name = image.format or "image"
    try:
        if contents is not None and reduce:
            image.draft(None, _working_size(image.size))  # JPEG decodes at 1/2, 1/4 or 1/8 of its size
        # A JPEG that is decoded at a part of its size is no longer large.
        with _large if image.width * image.height > LARGE_PIXELS else contextlib.nullcontext():
            image.load()
            orientation = _orientation(image, contents)
            upright, notes = _decode(image, reduce, orientation)
    except ExcessError as error:
        raise _excess(name) from error
    except Exception as error:  # whatever Pillow's decoders raise, the file is broken
        reason = "it ends too early" if "truncated" in str(error) else "its pixels cannot be decoded"
        raise ImageError("{} is damaged: {}.", name, reason) from error
    if orientation in _ROTATED_BY_90:
        width, height = height, width
    return Photo(name, digest, (width, height), upright, format_name, notes)


def _orientation(image: Image.Image, contents: Contents | None) -> int:
    """The turn that is still to be done to a loaded picture."""
    if contents is None:
        if image.format == "TIFF":
            return 1  # Pillow has done it when it loaded the picture
        try:
            return int(image.getexif().get(ExifTags.Base.Orientation, 1))
        except Exception:  # noqa: BLE001 - a broken EXIF block is no reason to refuse the photo
            return 1
    if image.format == "TIFF":
        return contents.orientation
    exif = image.info.get("exif", b"")
    if not exif and "Raw profile type exif" in image.info:
        with contextlib.suppress(ValueError):
            exif = bytes.fromhex("".join(str(image.info["Raw profile type exif"]).split("\n")[3:]))
    return orientation_of(exif, image.info.get("XML:com.adobe.xmp", "").encode() or image.info.get("xmp", b""))


def _decode(image: Image.Image, reduce: bool, orientation: int) -> tuple[Image.Image, tuple[Note, ...]]:
    profile = image.info.get("icc_profile") or None
    image = _eight_bit(image)
    if reduce:
        image = _reduce(image)
    colours, alpha = _split_alpha(image)
    colours, notes = to_srgb(colours, profile)
    if alpha is not None:
        white = Image.new("RGB", colours.size, "white")
        white.paste(colours, mask=alpha)
        colours = white
    exif = Image.Exif()
    exif[ExifTags.Base.Orientation] = orientation
    colours.info.clear()
    colours.info["exif"] = exif.tobytes()
    upright = ImageOps.exif_transpose(colours)
    upright.info.clear()
    return upright, notes


def _eight_bit(image: Image.Image) -> Image.Image:
    """Grey of 16 or 32 bits or floating point as 8 bits.

    Integers up to 65,535 are taken as 16 bit, larger ones by their own range. Floating point within
    0 to 1 is taken as such, other values by their own range; NaN counts as the lowest value.
    """
    if image.mode == "1":
        return image.convert("L")
    if not image.mode.startswith(("I", "F")):
        return image
    # Band by band: a copy of all pixels as numbers would take hundreds of megabytes.
    low, high = np.inf, -np.inf
    for _, values in _bands(image):
        finite = values[np.isfinite(values)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if low > high:
        low = high = 0.0
    elif image.mode == "F" and low >= 0 and high <= 1:
        low, high = 0.0, 1.0
    sixteen = image.mode.startswith("I") and low >= 0 and high <= 65535
    shown = np.empty((image.height, image.width), np.uint8)
    for top, values in _bands(image):
        if sixteen:
            band = values >> 8
        else:
            scaled = np.nan_to_num(values.astype(np.float64), nan=low, posinf=high, neginf=low)
            band = np.rint((scaled - low) * (255 / ((high - low) or 1.0)))
        shown[top : top + len(values)] = band
    return Image.fromarray(shown)


def _bands(image: Image.Image) -> Iterator[tuple[int, NDArray[Any]]]:
    """Rows of a grey image, some at a time: the first's number, and their values."""
    rows = max(1, _BAND_PIXELS // image.width)
    for top in range(0, image.height, rows):
        bottom = min(top + rows, image.height)
        yield top, np.asarray(image.crop((0, top, image.width, bottom)))


def _working_size(size: tuple[int, int]) -> tuple[int, int]:
    factor = min(1.0, max(WORKING_LONGER / max(size), WORKING_SHORTER / min(size)))
    return round(size[0] * factor), round(size[1] * factor)


def _reduce(image: Image.Image) -> Image.Image:
    size = _working_size(image.size)
    if size == image.size:
        return image
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")  # indices and transparent colours cannot be averaged
    return image.resize(size, Image.Resampling.BICUBIC, reducing_gap=2.0)


def _split_alpha(image: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    if image.mode in ("RGBa", "La"):
        image = image.convert(image.mode[:-1] + "A")
    if image.mode in ("P", "PA") or "transparency" in image.info:
        image = image.convert("RGBA")
    if image.mode in ("RGBA", "LA"):
        return image.convert(image.mode[:-1]), image.getchannel("A")
    return image, None
