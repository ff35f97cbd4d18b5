"""AVIF and HEIC: what their boxes (ISO/IEC 14496-12) ask for, before a decoder sees them.

The decoders look through all items for each item, so that a file of two megabytes can keep them busy for half a minute,
in which nothing else of the process runs. Photos have one item for each tile of 512 pixels, and some more.
"""

from __future__ import annotations

from collections.abc import Iterator

from resnet.photo.metered import ExcessError

MOST_ITEMS = 1_000
"""Items, properties, references and stretches of a file, of each."""

_MOST_BOXES = 100
_COVERED = 4
"""Limit for the total size of all items, as a multiple of the file's size."""

_FULL = 4  # bytes of version and flags


def check_boxes(content: bytes) -> None:
    """Refuse a file whose items are more than those of a photo, or cover it again and again.

    Args:
        content: The file; one that is not a sequence of boxes is left to the decoder, which refuses it.

    Raises:
        ExcessError: There is more of it than a photo can have.
    """
    for kind, start, end in _boxes(content, 0, len(content), _MOST_BOXES):
        if kind == b"meta":
            for inner, first, last in _boxes(content, start + _FULL, end, _MOST_BOXES):
                _check_inner(content, inner, first, last)


def _check_inner(content: bytes, kind: bytes, start: int, end: int) -> None:
    if kind == b"iinf":
        _count(_boxes(content, start + _FULL + (4 if _version(content, start) else 2), end, MOST_ITEMS))
    elif kind == b"iref":
        _count(_boxes(content, start + _FULL, end, MOST_ITEMS))
    elif kind == b"iloc":
        _check_places(content, start, end)
    elif kind == b"iprp":
        for inner, first, last in _boxes(content, start, end, _MOST_BOXES):
            if inner == b"ipco":
                _count(_boxes(content, first, last, MOST_ITEMS))
            if inner == b"ipma" and _number(content, first + _FULL, 4) > MOST_ITEMS:
                raise ExcessError


def _boxes(content: bytes, start: int, end: int, most: int) -> Iterator[tuple[bytes, int, int]]:
    """Kind, and first and last byte of the inside, of each box of a stretch."""
    for _ in range(most):
        if start + 8 > end:
            return
        size, kind, head = _number(content, start, 4), content[start + 4 : start + 8], 8
        if size == 1:
            size, head = _number(content, start + 8, 8), 16
        last = end if size == 0 else min(start + size, end)
        if last - start < head:
            return
        yield kind, start + head, last
        start = last
    if start + 8 <= end:
        raise ExcessError


def _count(boxes: Iterator[tuple[bytes, int, int]]) -> None:
    for _ in boxes:
        pass


def _number(content: bytes, place: int, size: int) -> int:
    return int.from_bytes(content[place : place + size], "big")


def _version(content: bytes, start: int) -> int:
    return _number(content, start, 1)


def _check_places(content: bytes, start: int, end: int) -> None:
    """Read the items' locations: the number of their stretches, and the total length of these."""
    version, sizes = _version(content, start), _number(content, start + _FULL, 2)
    offset_size, length_size, base_size, index_size = (sizes >> shift & 15 for shift in (12, 8, 4, 0))
    place = start + _FULL + 2
    wide = 4 if version == 2 else 2
    items = _number(content, place, wide)
    place += wide
    if items > MOST_ITEMS:
        raise ExcessError
    stretches = covered = 0
    for _ in range(items):
        place += wide + (2 if version else 0) + 2 + base_size
        if place + 2 > end:
            return
        count = _number(content, place, 2)
        place += 2
        stretches += count
        if stretches > MOST_ITEMS:
            raise ExcessError
        for _ in range(count):
            place += (index_size if version else 0) + offset_size
            # A length of 0, or none, means all of the file.
            covered += _number(content, place, length_size) or len(content)
            place += length_size
    if covered > _COVERED * len(content):
        raise ExcessError
