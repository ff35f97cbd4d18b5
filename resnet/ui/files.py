"""Files that visitors fetch: the same content is the same file, and it is there whole or not at all.

Gradio's own functions write such a file anew each time, in place, so that who fetches it just then gets a part.
"""

from __future__ import annotations

import contextlib
import io
import os
import tempfile
from pathlib import Path

from gradio.processing_utils import hash_bytes
from gradio.utils import get_upload_folder
from PIL import Image

from resnet.metrics import PHASES

JPEG_QUALITY = 85


def jpeg(picture: Image.Image) -> bytes:
    """A picture as a JPEG file."""
    buffer = io.BytesIO()
    with PHASES.labels("encode").time():
        picture.save(buffer, "JPEG", quality=JPEG_QUALITY)
    return buffer.getvalue()


def is_stored(path: str) -> bool:
    """Tell whether a path is that of a file in the folder that Gradio serves: an upload, or one that `keep` wrote.

    Args:
        path: As it came in a request; it may be anything.
    """
    try:
        real = Path(path).resolve()
        return real.is_relative_to(Path(get_upload_folder()).resolve()) and real.is_file()
    except (OSError, ValueError, RuntimeError):  # too long, a NUL in it, a circle of links
        return False


def keep(content: bytes, name: str) -> str:
    """Write a file of the folder that Gradio serves, unless it is there.

    Args:
        content: Of the file.
        name: Of the file, which visitors see; safe.

    Returns:
        Its path.

    Raises:
        OSError: It cannot be written.
    """
    # Gradio's hash has a secret in it, so that nobody can ask whether another visitor has a certain file.
    folder = Path(get_upload_folder()) / hash_bytes(content)
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / name
    with contextlib.suppress(FileNotFoundError):
        os.utime(place)  # it is there; the oldest are removed first
        return str(place)
    file = tempfile.NamedTemporaryFile(dir=folder, delete=False)  # noqa: SIM115 - it is to outlive the block
    try:
        with file:
            file.write(content)
        Path(file.name).replace(place)
    except OSError:
        Path(file.name).unlink(missing_ok=True)
        raise
    return str(place)


def keep_picture(picture: Image.Image) -> str:
    """Write a picture as a JPEG file of the folder that Gradio serves; its path."""
    return keep(jpeg(picture), "image.jpg")
