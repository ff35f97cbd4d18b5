"""Folders of photos: what in them counts as a picture, and what is left out, by one rule for every command."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from resnet.text import escaped

SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".pjpeg", ".mpo", ".png", ".apng", ".webp", ".gif", ".bmp", ".dib"),
    *(".tif", ".tiff", ".avif", ".heic", ".heif", ".hif"),
)
"""Of files that are pictures by their name; of others the first bytes decide."""

_SYSTEM = {
    *("__macosx", "thumbs.db", "ehthumbs.db", "desktop.ini", "icon\r", "@eadir", "#recycle", "#snapshot", "@tmp"),
    *("$recycle.bin", "system volume information", "lost+found", "recycler"),
}
"""Names that macOS, Windows and storage boxes give to what they keep for themselves, in small letters."""

_STARTS = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF87a", b"GIF89a", b"BM", b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
BRANDS = (b"avif", b"avis", b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
"""Of AVIF and HEIF files; other files of boxes are films."""

_HEIF_SUFFIXES = (".heic", ".heif", ".hif")
_MOST_BOXES, _LARGEST_BOX = 16, 1 << 40
_NAMED = 3


@dataclass
class Found:
    """Content of a folder.

    Attributes:
        pictures: In the order of their paths.
        others: Files that are no pictures.
        hidden: How many files and folders are hidden, or belong to the system.
        unreadable: A sentence for each folder that cannot be read.
    """

    pictures: list[Path] = field(default_factory=list)
    others: list[Path] = field(default_factory=list)
    hidden: int = 0
    unreadable: list[str] = field(default_factory=list)

    def left_out(self, folder: Path) -> str:
        """Return a sentence about what is left out, empty if that is nothing but hidden files.

        Args:
            folder: That was looked through.
        """
        if not self.others:
            return ""
        names = ", ".join(escaped(str(path.relative_to(folder))) for path in self.others[:_NAMED])
        more = f" and {len(self.others) - _NAMED} more" if len(self.others) > _NAMED else ""
        hidden = f"; so are {self.hidden} hidden or system files" if self.hidden else ""
        are = "file that is not a picture is" if len(self.others) == 1 else "files that are not pictures are"
        return f"{len(self.others)} {are} left out of {escaped(str(folder))}: {names}{more}{hidden}."


def is_hidden(name: str) -> bool:
    """Tell whether a file or folder of that name is hidden, or one of the system's."""
    return name.startswith(".") or name.casefold() in _SYSTEM


def is_picture(path: Path) -> bool:
    """Tell whether a file is a picture: by its suffix, else by its first bytes; HEIF files by their boxes."""
    suffix = path.suffix.lower()
    if suffix in SUFFIXES and suffix not in _HEIF_SUFFIXES:
        return True
    try:
        if not path.is_file():
            return False  # a pipe, on which reading would wait
        with path.open("rb") as file:
            start = file.read(16)
            if start[4:8] == b"ftyp":
                return start[8:12] in BRANDS and _has_items(file)
    except OSError:
        return suffix in SUFFIXES  # what is wrong with it is said when it is read
    return start.startswith(_STARTS) or (start.startswith(b"RIFF") and start[8:12] == b"WEBP")


def _has_items(file: BinaryIO) -> bool:
    """Tell whether a file of boxes (ISO/IEC 14496-12) lists pictures: films have the same beginning."""
    place = 0
    for _ in range(_MOST_BOXES):
        file.seek(place)
        head = file.read(16)
        size = int.from_bytes(head[:4], "big")
        if size == 1:  # a longer one
            size = int.from_bytes(head[8:16], "big")
        if head[4:8] == b"meta":
            return True
        if size < 8 or size > _LARGEST_BOX:
            return False
        place += size
    return False


def find_pictures(folder: Path) -> Found:
    """Look for pictures in a folder and its sub-folders.

    Hidden files and folders, and those of the system, are left out.

    Args:
        folder: Where to look.
    """
    found = Found()

    def note(error: OSError) -> None:
        found.unreadable.append(f"The folder {escaped(str(error.filename))} cannot be read: {error.strerror}.")

    for root, folders, names in os.walk(folder, onerror=note):
        found.hidden += sum(map(is_hidden, (*folders, *names)))
        folders[:] = [name for name in folders if not is_hidden(name)]
        for path in (Path(root) / name for name in names if not is_hidden(name)):
            (found.pictures if is_picture(path) else found.others).append(path)
    found.pictures.sort()
    found.others.sort()
    return found


def left_out_of(found: Sequence[tuple[Path, Found]]) -> list[str]:
    """Return the sentences about what is left out of several folders."""
    return [sentence for folder, one in found if (sentence := one.left_out(folder))]
