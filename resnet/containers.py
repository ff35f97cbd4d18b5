"""What of a file reaches the decoders: what makes pixels, and no more of it than a photo needs.

Pillow reads headers in Python and keeps all that they hold. A file of a megabyte can name one stretch of
itself in thousands of tags, or consist of millions of empty chunks, and so cost gigabytes or minutes
before a pixel is decoded. Here such files are cut down to their pixels, or end with an error.
"""

from __future__ import annotations

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass

MAXIMUM_SCANS = 100
"""Of a JPEG. Programs write some ten; each costs a walk through all of the picture."""

READS = {b"GIF8": 5_000, b"BM": 2_000_000, b"": 400_000}
"""By how a file begins. Pillow joins a GIF's comment piece by piece, which takes the square of their number,
and reads each run of a BMP on its own, which takes little.
"""

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
_SCAN, _END = 0xDA, 0xD9
# One 0xFF, though fill bytes may make it many: the last of a run matches, and each byte is looked at once. With
# `\xff+` a run would be walked through again from each of its bytes.
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff])")
_JPEG_AFTER_SCAN = re.compile(rb"\xff([^\x00\xd0-\xd7\xff])")
_XMP_ORIENTATION = re.compile(rb'tiff:Orientation(?:="|>)([1-8])')
_AVIF_EXIF = re.compile(rb"(infe(?:\x02.{7}|\x03.{9}))Exif", re.DOTALL)


class ExcessError(Exception):
    """A file that asks for more work than any photo needs."""


class MeteredBytes(io.BytesIO):
    """A file in memory that can be read only so often and so much.

    This bounds every loop over a file in Pillow's Python code, whatever the format.
    """

    def __init__(self, content: bytes) -> None:
        super().__init__(content)
        self._reads = next(count for start, count in READS.items() if content.startswith(start))
        self._bytes = 8 * len(content) + 1_000_000

    def read(self, size: int | None = -1, /) -> bytes:  # noqa: D102 - as of any file
        data = super().read(size)
        self._reads -= 1
        self._bytes -= len(data)
        if self._reads < 0 or self._bytes < 0:
            raise ExcessError
        return data


@dataclass(frozen=True)
class Contents:
    """A file without what the decoders need not see.

    Attributes:
        content: The file.
        orientation: The turn that a TIFF asks for, 1 to 8; other formats tell it with their pixels.
        scans: How often a JPEG walks through its pixels; counted exactly only above `MAXIMUM_SCANS`, else at most that.
    """

    content: bytes
    orientation: int = 1
    scans: int = 1


def strip(content: bytes) -> Contents:
    """Take out of a file what could make the reading of its header dear.

    Raises:
        ExcessError: There is more of it than a photo can have.
    """
    if content.startswith(b"\xff\xd8"):
        return _strip_jpeg(content)
    if content[:2] in (b"II", b"MM") and content[2:4] in (b"*\0", b"\0*", b"+\0", b"\0+"):  # in either order, as Pillow
        return _strip_tiff(content)
    if content[4:8] == b"ftyp":
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


def _strip_jpeg(content: bytes) -> Contents:
    """Count the scans, and hide all EXIF segments but the first: Pillow joins and reads them."""
    changed, has_exif, first_scan = bytearray(), False, len(content)
    for marker, place in _segments(content, 2):
        if marker == _SCAN:
            first_scan = place
            break
        if marker == 0xE1 and content[place + 2 : place + 8] == b"Exif\0\0":
            if has_exif:
                changed = changed or bytearray(content)
                changed[place + 2 : place + 6] = b"none"
            has_exif = True
    # These two bytes cannot stand inside a scan. Where they are rare enough, the scans need not be walked
    # through, which would take as long as to decode them.
    scans = content.count(b"\xff\xda", first_scan - 2)
    if scans > MAXIMUM_SCANS:
        scans = sum(marker == _SCAN for marker, _ in _segments(content, 2))
    return Contents(bytes(changed) or content, scans=scans)


def _segments(content: bytes, place: int) -> Iterator[tuple[int, int]]:
    """Marker and start, behind the marker, of each of a JPEG's segments."""
    pattern, count = _JPEG_MARKER, 0
    while found := pattern.search(content, place):
        pattern, place = _JPEG_MARKER, found.end()
        marker = found[1][0]
        if marker == _END:
            return
        if marker == 0x01 or 0xD0 <= marker <= 0xD8:
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
        if count > _MOST_VALUES and _VALUE_BYTES[kind] > 1:
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
