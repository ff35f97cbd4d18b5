"""File types of files that are not photos, detected by their first bytes."""

from __future__ import annotations

_HEAD = 4096
_PRINTED = bytes({7, 8, 9, 10, 12, 13, 27} | set(range(0x20, 0x100)) - {0x7F})

KINDS = (
    (0, b"%PDF-", "a PDF document"),
    (0, b"%!PS", "a PostScript drawing"),
    (0, b"8BPS", "a Photoshop file"),
    (0, b"gimp xcf", "a GIMP file"),
    (0, b"\xff\x0a", "a JPEG XL picture"),
    (4, b"JXL ", "a JPEG XL picture"),
    (4, b"jP  ", "a JPEG 2000 picture"),
    (0, b"\xff\x4f\xff\x51", "a JPEG 2000 picture"),
    (0, b"\0\0\1\0", "an icon"),
    (0, b"\x76\x2f\x31\x01", "an OpenEXR picture"),
    (0, b"#?RADIANCE", "a Radiance picture"),
    (128, b"DICM", "a DICOM picture"),
    (4, b"ftypcrx", "a raw photo"),
    (0, b"FUJIFILMCCD-RAW", "a raw photo"),
    (0, b"PK\3\4", "a ZIP archive or an office document"),
    (0, b"\x1f\x8b", "a compressed archive"),
    (0, b"Rar!", "a compressed archive"),
    (0, b"7z\xbc\xaf", "a compressed archive"),
    (4, b"ftyp", "a video"),
    (8, b"AVI ", "a video"),
    (0, b"\x1a\x45\xdf\xa3", "a video"),
    *((0, b"P%d%c" % (number, end), "a Netpbm picture") for number in range(1, 8) for end in b" \t\r\n#"),
)
_XML = (b"<?xml", b"<!doctype svg", b"<!--")


def kind_of(content: bytes) -> str:
    """Return what a file is, in words that go behind "is", or an empty text.

    Args:
        content: The file, which no decoder knows.
    """
    for place, start, kind in KINDS:
        if content.startswith(start, place):
            return kind
    head = content[:_HEAD].lstrip(b"\xef\xbb\xbf \t\r\n").lower()
    if head.startswith(b"<svg") or (head.startswith(_XML) and b"<svg" in head):
        return "an SVG drawing"
    if head.startswith((b"<!doctype html", b"<html")):
        return "a web page"
    return "text" if _is_text(content[:_HEAD]) else ""


def _is_text(head: bytes) -> bool:
    try:
        head.decode("utf-8", errors="strict" if len(head) < _HEAD else "ignore")
    except UnicodeDecodeError:
        return False
    return not head.translate(None, _PRINTED)
