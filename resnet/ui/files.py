"""Files that visitors fetch: the same content is the same file, and it is there whole or not at all."""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import secrets
import tempfile
from pathlib import Path

from PIL import Image

from resnet.metrics import PHASES

JPEG_QUALITY = 85

_SECRET = secrets.token_bytes(32)
"""Makes the names of folders impossible to guess: nobody can ask whether another visitor has a certain file."""


def jpeg(picture: Image.Image) -> bytes:
    """Return a picture as a JPEG file."""
    buffer = io.BytesIO()
    with PHASES.labels("encode").time():
        picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def served_folder() -> Path:
    """Return the folder whose files Gradio hands out and accepts, and into which it stores uploads."""
    return Path(os.environ.get("GRADIO_TEMP_DIR") or Path(tempfile.gettempdir()) / "gradio").resolve()


def is_served(path: str) -> bool:
    """Tell whether a path lies in the folder of uploads, and of files that `keep` wrote; the file may be gone by now.

    Args:
        path: As it came in a request; it may be anything.
    """
    try:
        return Path(path).resolve().is_relative_to(served_folder())
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, a circle of links
        return False


def store(content: bytes, name: str) -> str:
    """Store a file that visitors can fetch, unless it is there already, and return its path.

    Args:
        content: Of the file.
        name: Of the file, which visitors see; safe.

    Raises:
        OSError: It cannot be written.
    """
    folder = served_folder() / hashlib.blake2b(content, key=_SECRET, digest_size=32).hexdigest()
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / name
    with contextlib.suppress(FileNotFoundError):
        os.utime(place)  # it is there; the oldest are removed first
        return str(place)
    try:
        file = tempfile.NamedTemporaryFile(dir=folder, delete=False)  # noqa: SIM115 - it is to outlive the block
    except FileNotFoundError:  # the folder was empty, and removed just now
        folder.mkdir(parents=True, exist_ok=True)
        file = tempfile.NamedTemporaryFile(dir=folder, delete=False)  # noqa: SIM115
    try:
        with file:
            file.write(content)
        Path(file.name).replace(place)
    except OSError:
        Path(file.name).unlink(missing_ok=True)
        raise
    return str(place)


def store_file(path: Path) -> str:
    """Move a finished file to where visitors can fetch it, and return its new path."""
    folder = Path(tempfile.mkdtemp(dir=served_folder()))
    return str(path.replace(folder / path.name))


def store_picture(picture: Image.Image) -> str:
    """Store a picture as a JPEG file that visitors can fetch, and return its path."""
    return store(jpeg(picture), "image.jpg")
