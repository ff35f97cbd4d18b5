"""Removes from a file what decoders do not need for its pixels.

Pillow reads headers in Python and keeps all that they hold. A file of a megabyte can name one stretch of
itself in thousands of tags, or consist of millions of empty chunks, and so cost gigabytes or minutes
before a pixel is decoded. Here such files are cut down to their pixels, or end with an error.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

from resnet.photo.boxes import check_boxes
from resnet.photo.metered import ExcessError

MAXIMUM_SCANS = 100
"""Of a JPEG. Programs write some ten; each costs a walk through all of the picture."""

_MOST_SEGMENTS = 10_000
_MOST_TAGS = 1_000
_MOST_VALUES = 200_000
"""Of one TIFF tag: more than the offsets of 16 x 16 tiles in the largest picture."""

_ORIENTATION = 0x0112
_BITS, _BANDS, _NUMBERS = 258, 277, 339
_NUMBER_NAMES = {1: "integers", 2: "signed integers", 3: "floating point", 5: "complex integers", 6: "complex numbers"}
_VALUE_BYTES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 13: 4, 16: 8, 17: 8, 18: 8}
# Size, samples, compression, where the pixels are, colours, and the profile; neither resolution nor metadata.
_PIXEL_TAGS = {
    *(256, 257, 258, 259, 262, 266, 273, 277, 278, 279, 284, 292, 293, 317, 320, 322, 323, 324, 325, 332, 338, 339),
    *(347, 512, 513, 514, 515, 517, 518, 519, 520, 521, 529, 530, 531, 532, 34675, 37439, 50674),
}
_BYTE_TAGS = {347, 34675}  # tables of a JPEG, and the profile
_SCAN, _END = 0xDA, 0xD9
_FRAMES = {*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC}
_MOST_COMPONENTS = b"\x04"
_PROFILE = b"ICC_PROFILE\0"
# What Pillow needs of the segments that programs define: colours, the turn, and the profile, which comes in parts.
_APPLICATION = {
    0xE0: (b"JFIF\0",),
    0xE1: (b"Exif\0\0", b"http://ns.adobe.com/xap/1.0/\0"),
    0xE2: (_PROFILE,),
    0xEE: (b"Adobe",),
}
_PNG = b"\x89PNG\r\n\x1a\n"
_MOST_CHUNKS = 400_000
_SRGB = b"\x01\x0d\x00\x01"  # primaries, transfer function, matrix and range of ITU-T H.273
# One 0xFF, though fill bytes may make it many: the last of a run matches, and each byte is looked at once. With
# `\xff+` a run would be walked through again from each of its bytes.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff])")
_JPEG_AFTER_SCAN = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_AVIF_EXIF = re.compile(rb"(infe(?:\x02.{7}|\x03.{9}))Exif", re.DOTALL)


@dataclass(frozen=True)
class Contents:
    """A file without what the decoders need not see.

    Attributes:
        content: The file.
        orientation: The turn that a TIFF asks for, 1 to 8; other formats tell it with their pixels.
        scans: How often a JPEG walks through its pixels; counted exactly only above `MAXIMUM_SCANS`, else at most that.
        other_colours: Whether a PNG names a colour space by its cICP chunk that is not sRGB; Pillow does not know it.
    """

    content: bytes
    orientation: int = 1
    scans: int = 1
    other_colours: bool = False


def strip(content: bytes) -> Contents:
    """Take out of a file what could make the reading of its header dear.

    Raises:
        ExcessError: There is more of it than a photo can have.
    """
    if content.startswith(b"\xff\xd8"):
        return _strip_jpeg(content)
    if content[:2] in (b"II", b"MM") and content[2:4] in (b"*\0", b"\0*", b"+\0", b"\0+"):  # in either order, as Pillow
        return _strip_tiff(content)
    if content.startswith(_PNG):
        return Contents(content, other_colours=_check_png(content))
    if content[4:8] == b"ftyp":
        check_boxes(content)
        # Pillow reads the whole EXIF block, only to set its orientation to that of the AVIF itself.
        return Contents(_AVIF_EXIF.sub(rb"\1none", content))
    return Contents(content)


def orientation_of(exif: bytes, xmp: bytes = b"") -> int:
    """The turn that an EXIF block, else an XMP packet, asks for: 1 to 8; 1 where neither says.

    Only the one tag is looked at, so that the size of the block does not matter.
    """
    block = exif.removeprefix(b"Exif\0\0")
    try:
        directory = _Directory(block)
        for tag, kind, count, value in directory.entries:
            if tag == _ORIENTATION and count == 1 and kind in (3, 4):
                return _checked(directory.number(kind, value))
    except (struct.error, ExcessError, ValueError):
        pass
    found = _XMP_ORIENTATION.search(xmp)
    return int(found[1]) if found else 1


def _checked(orientation: int) -> int:
    return orientation if 1 <= orientation <= 8 else 1


def _check_png(content: bytes) -> bool:
    """Tell whether a PNG has another colour space than sRGB by its cICP chunk (PNG 3, 11.3.2.6).

    Raises:
        ExcessError: It has more than one colour profile; the standard allows one, and Pillow unpacks each.
    """
    place, profiles, other = len(_PNG), 0, False
    for _ in range(_MOST_CHUNKS):
        size, kind = int.from_bytes(content[place : place + 4], "big"), content[place + 4 : place + 8]
        profiles += kind == b"iCCP"
        other = other or (kind == b"cICP" and content[place + 8 : place + 12] != _SRGB)
        if profiles > 1:
            raise ExcessError
        place += 12 + size
        if kind == b"IEND" or place >= len(content):
            return other
    raise ExcessError


def _strip_jpeg(content: bytes) -> Contents:
    """Count the scans, and hide all segments that Pillow would read and the pixels do not need."""
    changed, known, first_scan = bytearray(), set(), len(content)
    for marker, place in _segments(content, 2):
        if marker == _SCAN:
            first_scan = place
            break
        if marker in _FRAMES and content[place + 7 : place + 8] > _MOST_COMPONENTS:
            raise ExcessError
        if 0xE0 <= marker <= 0xEF:
            start = next((start for start in _APPLICATION.get(marker, ()) if content.startswith(start, place + 2)), b"")
            if not start or (start in known and start != _PROFILE):
                changed = changed or bytearray(content)
                # No further than the segment, whose length may be a lie.
                end = min(place + 6, place + max(2, int.from_bytes(content[place : place + 2], "big")))
                changed[place + 2 : end] = b"none"[: end - place - 2]
            known.add(start)
    # These two bytes cannot stand inside a scan. Where they are rare enough, the scans need not be walked
    # through, which would take as long as to decode them.
    scans = content.count(b"\xff\xda", first_scan - 2)
    if scans > MAXIMUM_SCANS:
        scans = sum(marker == _SCAN for marker, _ in _segments(content, 2))
    return Contents(bytes(changed) or content, scans=scans)


def _segments(content: bytes, place: int) -> Iterator[tuple[int, int]]:
    """Marker and start, behind the marker, of each of a JPEG's segments, up to the end that follows a scan.

    An end before the first scan ends nothing: the decoder goes on behind it.
    """
    pattern, count = _JPEG_MARKER, 0
    while found := pattern.search(content, place):
        marker, place = found[1][0], found.end()
        if marker == _END and pattern is _JPEG_AFTER_SCAN:
            return
        if marker == _END or marker == 0x01 or 0xD0 <= marker <= 0xD8:
            continue
        count += 1
        if count > _MOST_SEGMENTS:
            raise ExcessError
        yield marker, place
        if marker == _SCAN:
            pattern = _JPEG_AFTER_SCAN
        place += max(2, int.from_bytes(content[place : place + 2], "big"))


class _Directory:
    """The first directory of a TIFF or an EXIF block: (tag, kind, count, value field) of each entry."""

    def __init__(self, content: bytes) -> None:
        self.order = {b"II": "<", b"MM": ">"}.get(content[:2], "")
        if not self.order:
            raise ValueError("no directory")
        self.big = content[2:3] == b"+"  # as Pillow sees it, whatever the order of bytes
        self.entry = struct.Struct(f"{self.order}HHQ8s" if self.big else f"{self.order}HHL4s")
        self.offset = struct.Struct(f"{self.order}{'Q' if self.big else 'L'}")
        self.count = struct.Struct(f"{self.order}{'Q' if self.big else 'H'}")
        (start,) = self.offset.unpack_from(content, 8 if self.big else 4)
        if start + self.count.size > len(content):
            raise ValueError("the directory lies behind the end")
        (count,) = self.count.unpack_from(content, start)
        if count > _MOST_TAGS:
            raise ExcessError
        start += self.count.size
        fitting = min(count, (len(content) - start) // self.entry.size)  # Pillow, too, takes those that are there
        self.entries = [self.entry.unpack_from(content, start + n * self.entry.size) for n in range(fitting)]

    def number(self, kind: int, value: bytes) -> int:
        """A single short or long number of an entry."""
        return int(struct.unpack_from(f"{self.order}{'H' if kind == 3 else 'L'}", value)[0])


def tiff_layout(content: bytes) -> tuple[int, int, str] | None:
    """Tell how a TIFF stores its pixels: how many bands, bits of each, and what its numbers are; None for other files.

    Args:
        content: The file, which no decoder knows.
    """
    if content[:2] not in (b"II", b"MM") or content[2:4] not in (b"*\0", b"\0*", b"+\0", b"\0+"):
        return None
    try:
        directory = _Directory(content)
    except (struct.error, ValueError, ExcessError):
        return None
    found = {_BANDS: 1, _BITS: 1, _NUMBERS: 1}
    for tag, kind, count, value in directory.entries:
        if tag in found and kind == 3:
            # More than fit into the entry lie elsewhere; of those the first says enough.
            fits = 2 * count <= len(value)
            place = 0 if fits else directory.number(4, value)
            field = value if fits else content[place : place + 2]
            found[tag] = directory.number(3, field) if len(field) >= 2 else 0
    return found[_BANDS], found[_BITS], _NUMBER_NAMES.get(found[_NUMBERS], "unknown numbers")


def _strip_tiff(content: bytes) -> Contents:
    """Give the file a new directory, behind its end, that holds no more than the decoder needs."""
    try:
        directory = _Directory(content)
    except (struct.error, ValueError):
        return Contents(content)  # the decoder says what is wrong with it
    kept: dict[int, bytes] = {}
    orientation = 1
    for tag, kind, count, value in directory.entries:
        if tag == _ORIENTATION and count == 1 and kind in (3, 4):
            orientation = _checked(directory.number(kind, value))
        if tag not in _PIXEL_TAGS or kind not in _VALUE_BYTES:
            continue
        if count > _MOST_VALUES and not (tag in _BYTE_TAGS and kind in (1, 7)):  # of others Pillow makes numbers
            raise ExcessError
        kept[tag] = directory.entry.pack(tag, kind, count, value)
    head = 16 if directory.big else 8
    padding = b"\0" * (-len(content) % 8)
    start = directory.offset.pack(len(content) + len(padding))
    return Contents(
        b"".join(
            (
                content[: head - directory.offset.size],
                start,
                content[head:],
                padding,
                directory.count.pack(len(kept)),
                *(kept[tag] for tag in sorted(kept)),
                directory.offset.pack(0),
            )
        ),
        orientation,
    )
