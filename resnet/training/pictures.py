"""Every picture of a data set, decoded once into one file of equal squares that training reads at random."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet.errors import DataError, ImageError
from resnet.network.labels import ClassLabel
from resnet.network.manifest import write_text
from resnet.photo.preprocess import InputSpec, input_geometry
from resnet.progress import progress
from resnet.training.files import LabelledFile

MARGIN = 1.15
"""Squares are this much larger than the network's input, so that a random crop need not be enlarged much."""

PIXELS_NAME, INDEX_NAME = "pixels.bin", "pictures.json"


@dataclass(frozen=True)
class Picture:
    """Origin of a picture.

    Attributes:
        file: Its place in the list of files.
        position: Its place in the file, if that is a sheet.
        class_index: Its class.
        digest: Hexadecimal hash of its pixels, equal for equal pictures.
    """

    file: int
    position: int
    class_index: int
    digest: str


@dataclass(frozen=True)
class Pictures:
    """The decoded pictures of a data set.

    Attributes:
        pixels: (pictures, side, side, 3) uint8 RGB, read from disk as needed.
        items: One per picture.
        skipped: Sentences about files that could not be read.
    """

    pixels: NDArray[np.uint8]
    items: tuple[Picture, ...]
    skipped: tuple[str, ...]

    @property
    def classes(self) -> NDArray[np.int64]:
        """(pictures,) class indices."""
        return np.array([item.class_index for item in self.items], np.int64)

    @property
    def digest(self) -> str:
        """Hexadecimal sha256 of all pictures and their classes, whatever their order and names."""
        lines = sorted(f"{item.class_index} {item.digest}" for item in self.items)
        return hashlib.sha256("\n".join(lines).encode()).hexdigest()

    def files_of(self, rows: Iterable[int], files: Sequence[LabelledFile]) -> list[LabelledFile]:
        """The files that hold some of the pictures, each with the positions of those."""
        positions: dict[int, list[int]] = {}
        for row in rows:
            positions.setdefault(self.items[row].file, []).append(self.items[row].position)
        return [
            LabelledFile(
                files[index].path,
                files[index].class_index,
                files[index].tile,
                None if files[index].tile is None else tuple(sorted(found)),
            )
            for index, found in sorted(positions.items())
        ]


def side_of(spec: InputSpec) -> int:
    """Side of the stored squares in pixels for a network's input."""
    return spec.detail or int(np.ceil(spec.size * MARGIN))


def digest_of(image: Image.Image) -> str:
    """Hexadecimal hash of a picture's size and pixels, 128 bits."""
    return hashlib.blake2b(image.tobytes() + repr(image.size).encode(), digest_size=16).hexdigest()


def _square(image: Image.Image, spec: InputSpec, side: int) -> NDArray[np.uint8]:
    """Return the square of a picture that the network sees, `side` pixels wide."""
    box = input_geometry(image.size, spec).seen
    return np.asarray(image.resize((side, side), Image.Resampling.BILINEAR, box=box))


Decoded = tuple[list[tuple[int, str, NDArray[np.uint8]]], str, str]
"""(position, digest, pixels) of each picture of a file; a sentence if it cannot be read; the digest of the file."""


def _decode(file: LabelledFile, spec: InputSpec, side: int) -> Decoded:
    content = _content_of(file)
    try:
        found = [(position, digest_of(image), _square(image, spec, side)) for position, image in file.images()]
    except ImageError as error:
        return [], str(error), content
    return found, "", content


def _content_of(file: LabelledFile) -> str:
    """Hexadecimal hash of a file's bytes, empty if it cannot be read."""
    try:
        with file.path.open("rb") as source:
            return hashlib.file_digest(source, lambda: hashlib.blake2b(digest_size=16)).hexdigest()
    except OSError:
        return ""


def _contents(files: Sequence[LabelledFile], digests: Iterable[str]) -> str:
    """Changes with the bytes, the class and the place in the order of every file, but not with its name or time."""
    lines = (
        f"{file.class_index} {file.tile} {file.positions} {digest}" for file, digest in zip(files, digests, strict=True)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def _classes(labels: Sequence[ClassLabel], side: int) -> str:
    """Changes with every class and its place."""
    return f"{side} {[(label.wnid, label.name) for label in labels]}"


def _listing(files: Sequence[LabelledFile], classes: str) -> str:
    """Changes with every file that comes, goes, moves or is written: while it is the same, no file need be read."""
    lines = [classes]
    for file in files:
        about = file.path.stat()
        place = f"{file.path.resolve()!r} {file.class_index} {file.tile} {file.positions}"
        lines.append(f"{place} {about.st_size} {about.st_mtime_ns}")
    return hashlib.sha256("\n".join(lines).encode(errors="surrogateescape")).hexdigest()


def decode_all(
    files: Sequence[LabelledFile],
    labels: Sequence[ClassLabel],
    spec: InputSpec,
    folder: Path,
    *,
    quiet: bool = False,
) -> Pictures:
    """Decode every picture, several at a time, into a file in `folder`.

    Args:
        files: Of the data set.
        labels: Its classes.
        spec: How the network wants its input; the squares are `side_of(spec)` pixels.
        folder: Gets the pixels and an index; what an earlier call completed there is not done again.
        quiet: Without a progress bar.

    Raises:
        DataError: No picture could be read, a sheet does not fit its tiles, the disk is full, or the
            data set is another one than that of the earlier call.
    """
    side = side_of(spec)
    classes = _classes(labels, side)
    listing = _listing(files, classes)
    if not (folder / INDEX_NAME).exists():
        _write(files, spec, side, folder, {"listing": listing, "classes": classes}, quiet)
    content = json.loads((folder / INDEX_NAME).read_text(encoding="utf-8"))
    if content["listing"] != listing:
        # Copied back, or to another machine, files have other places and times: their bytes decide.
        with ThreadPoolExecutor(os.cpu_count()) as pool:
            contents = _contents(files, pool.map(_content_of, files))
        if (content.get("classes"), content.get("contents")) != (classes, contents):
            raise DataError("The data set has changed since the run began: a file or a class is another one now.")
    items = tuple(Picture(*item) for item in content["items"])
    try:
        pixels = np.memmap(folder / PIXELS_NAME, np.uint8, "r", shape=(len(items), side, side, 3))
    except (OSError, ValueError) as error:
        raise DataError("The decoded pictures in {} are damaged; the run cannot be resumed.", folder) from error
    return Pictures(pixels, items, tuple(content["skipped"]))


def _write(
    files: Sequence[LabelledFile], spec: InputSpec, side: int, folder: Path, about: dict[str, str], quiet: bool
) -> None:
    items: list[Picture] = []
    skipped: list[str] = []
    digests: list[str] = []
    try:
        with (
            (folder / PIXELS_NAME).open("wb") as target,
            ThreadPoolExecutor(os.cpu_count()) as pool,
            progress(total=len(files), unit="file", desc="decoding", quiet=quiet) as bar,
        ):
            # In pieces, so that decoded pictures do not pile up before they are written.
            for start in range(0, len(files), 64):
                piece = files[start : start + 64]
                for number, (found, sentence, content) in enumerate(
                    pool.map(lambda file: _decode(file, spec, side), piece), start=start
                ):
                    digests.append(content)
                    skipped += [sentence] if sentence else []
                    for position, digest, pixels in found:
                        target.write(pixels.tobytes())
                        items.append(Picture(number, position, files[number].class_index, digest))
                bar.update(len(piece))
            target.flush()
            os.fsync(target.fileno())
        if not items:
            raise DataError("No picture of the data set could be read; the first fault: {}", (skipped or ["none"])[0])
        write_text(
            folder / INDEX_NAME,
            json.dumps({
                "items": [[item.file, item.position, item.class_index, item.digest] for item in items],
                "skipped": skipped,
                "contents": _contents(files, digests),
                **about,
            }),
        )  # fmt: skip
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            needed = len(files) * side * side * 3 / 1e6
            raise DataError("The disk of {} is full: the decoded pictures need {:.0f} MB.", folder, needed) from error
        raise
