"""One decoder for the page, the command line and the API: whatever comes in leaves as upright sRGB.

Limits are checked on the header, before a pixel is decoded, so that a small file that unpacks to
gigabytes costs nothing; and `resnet.photo.containers` sees to it that reading the header costs little.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pi_heif
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from resnet.errors import ImageError, Note
from resnet.photo.colours import OTHER_COLOURS, to_srgb, without_gamma
from resnet.photo.containers import MAXIMUM_SCANS, Contents, orientation_of, strip, tiff_layout
from resnet.photo.folders import BRANDS
from resnet.photo.grey import to_eight_bits
from resnet.photo.metered import ExcessError, MeteredBytes
from resnet.photo.signatures import kind_of
from resnet.text import printable

MAXIMUM_BYTES = 20_000_000
MAXIMUM_PIXELS = 50_000_000
MAXIMUM_RUN_LENGTH_PIXELS = 10_000_000
"""Of a BMP with run lengths, which Pillow decodes in Python."""
WORKING_LONGER, WORKING_SHORTER = 1000, 512
"""Photos are reduced until one side reaches its number: more than any input or picture here needs."""

FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF", "HEIF")
FORMAT_NAMES = "JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC"
LARGE_PIXELS = 16_000_000
MOST_LARGE = 2
"""Number of photos with more pixels that are decoded at a time: each may need a gigabyte."""
MOST_LOST = 0.1
"""Share of a JPEG's rows that may be missing at its end."""

_JPEG, _JPEG_END, _ENDS_EARLY = b"\xff\xd8", b"\xff\xd9", "truncated"
_FILLED, _FILLING = 8, 128
_large = threading.BoundedSemaphore(MOST_LARGE)
_ROTATED_BY_90 = {5, 6, 7, 8}

# Only the picture itself: neither its thumbnails nor its maps of depth.
pi_heif.register_heif_opener(thumbnails=False, depth_images=False, aux_images=False)

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
        ImageError: The file cannot be read, is not a picture in a known format, is damaged, or breaks
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
    try:
        return _photo(_open(contents.content, name), name, digest, reduce, contents)
    except ImageError as error:
        if not (content.startswith(_JPEG) and _ENDS_EARLY in str(error.__cause__)):
            raise
        return _without_end(contents, name, digest, reduce, error)


def _without_end(contents: Contents, name: str, digest: str, reduce: bool, refusal: ImageError) -> Photo:
    """A JPEG that ends too early, if no more than its last rows are missing; browsers show such as well.

    Raises:
        ImageError: `refusal`, if more is missing.
    """
    image = _open(contents.content + _JPEG_END, name)
    lost = [0.0]

    def look(loaded: Image.Image) -> None:
        lost[0] = _lost_rows(loaded) / loaded.height

    photo = _photo(image, name, digest, reduce, contents, look)
    if lost[0] > MOST_LOST:
        raise refusal
    note = Note("The file ends too early: the last {:.1%} of its rows are missing, and count as grey.", (lost[0],))
    return replace(photo, notes=(*photo.notes, note)) if lost[0] else photo


def _lost_rows(image: Image.Image) -> int:
    """Return the number of rows that the decoder has filled."""
    if image.mode not in ("L", "RGB"):
        return image.height
    right = np.asarray(image.crop((max(0, image.width - _FILLED), 0, image.width, image.height)))
    filled = (right.reshape(image.height, -1) == _FILLING).all(axis=1)
    return image.height if filled.all() else int(np.argmin(filled[::-1]))


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
            raise ImageError("{} is not a regular file.", name)
        _check_bytes(path.stat().st_size, name)
        return path.read_bytes()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise ImageError("{} cannot be read: {}.", name, reason) from error


def _unknown_format(content: bytes, name: str) -> ImageError:
    if layout := tiff_layout(content):
        return ImageError(
            "{} is a TIFF of {} bands of {} bits ({}); a photo has one band, or 3 or 4 of 8 or 16-bit integers.",
            name,
            *layout,
        )
    if content[4:8] == b"ftyp" and content[8:12] in BRANDS:
        return ImageError("{} is damaged: its header cannot be read.", name)
    kind = kind_of(content)
    if kind == "an SVG drawing":
        return ImageError("{} is an SVG drawing; please export it as PNG or JPEG first.", name)
    if kind:
        return ImageError("{} is {}, not a photo; please use {}.", name, kind, FORMAT_NAMES)
    return ImageError("{} is not a picture in a known format; please use {}.", name, FORMAT_NAMES)


def _excess(name: str) -> ImageError:
    return ImageError("{} cannot be read safely: decoding it would take too much time or memory.", name)


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


def _photo(
    image: Image.Image,
    name: str,
    digest: str,
    reduce: bool,
    contents: Contents | None = None,
    look: Callable[[Image.Image], None] | None = None,
) -> Photo:
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
        # A JPEG that is decoded at a part of its size is no longer large, unless all of its scans are held meanwhile.
        pixels = width * height if image.info.get("progressive") else image.width * image.height
        with _large if pixels > LARGE_PIXELS else contextlib.nullcontext():
            image.load()
            if look is not None:
                look(image)
            orientation = _orientation(image, contents)
            upright, notes = _decode(image, reduce, orientation)
            if contents is not None and contents.other_colours:
                notes += (OTHER_COLOURS,)
    except ExcessError as error:
        raise _excess(name) from error
    except Exception as error:  # whatever Pillow's decoders raise, the file is broken
        reason = "it ends too early" if _ENDS_EARLY in str(error) else "its pixels cannot be decoded"
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
        except Exception:  # noqa: BLE001 - a photo is readable without its EXIF block
            return 1
    if image.format == "TIFF":
        return contents.orientation
    exif = image.info.get("exif") or b""
    if not exif and "Raw profile type exif" in image.info:
        with contextlib.suppress(ValueError):
            exif = bytes.fromhex("".join(str(image.info["Raw profile type exif"]).split("\n")[3:]))
    return orientation_of(exif, image.info.get("XML:com.adobe.xmp", "").encode() or image.info.get("xmp") or b"")


def _decode(image: Image.Image, reduce: bool, orientation: int) -> tuple[Image.Image, tuple[Note, ...]]:
    image_info, profile = image.info, image.info.get("icc_profile") or None
    image, notes = to_eight_bits(image)
    if reduce:
        image = _reduce(image)
    colours, alpha = _split_alpha(image)
    if profile is None and "srgb" not in image_info:
        colours = without_gamma(colours, image_info.get("gamma"))
    colours, more = to_srgb(colours, profile)
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
    return upright, notes + more


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
