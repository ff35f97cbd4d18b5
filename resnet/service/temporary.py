"""A folder for all temporary files of a server: its own, kept small, and gone at the end."""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from pathlib import Path

from resnet.errors import OptionError

MOST_BYTES = 2_000_000_000  # of visitors' files together; beyond that the oldest go first
OLD_SECONDS = 3600.0  # after its last use a file goes
RECENT_SECONDS = 600.0  # after its last use a file stays, however much all files take
BLOCK = 4096  # bytes that a file takes at least

full = threading.Event()
"""Set while the files take more than `MOST_BYTES` and none of them may be removed yet: no more are accepted."""


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """Make a folder for all temporary files of this process, and remove it afterwards.

    It lies in `GRADIO_TEMP_DIR`, if that is set, else where temporary files usually are. Within the block that
    variable names the folder itself, which is how Gradio learns of it: import Gradio inside.

    Raises OptionError if the folder cannot be made.
    """
    parent, before = os.environ.get("GRADIO_TEMP_DIR"), tempfile.tempdir
    try:
        if parent:
            Path(parent).mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="resnet-page-", dir=parent))
    except OSError as error:
        where = parent or "the folder for temporary files"
        raise OptionError("Photos cannot be stored in {}: {}.", where, error.strerror or error) from error
    os.environ["GRADIO_TEMP_DIR"] = tempfile.tempdir = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        os.environ.pop("GRADIO_TEMP_DIR")
        if parent:
            os.environ["GRADIO_TEMP_DIR"] = parent
        shutil.rmtree(folder, ignore_errors=True)


def touch(*paths: str) -> None:
    """Mark files of the temporary folder as used now; other files are left alone."""
    folder = os.environ.get("GRADIO_TEMP_DIR")
    for path in paths:
        if folder and Path(path).is_relative_to(folder):
            with contextlib.suppress(OSError):
                os.utime(path)


def remove(path: str) -> None:
    """Delete a file of the temporary folder; other files are left alone."""
    folder = os.environ.get("GRADIO_TEMP_DIR")
    if folder and Path(path).resolve().is_relative_to(Path(folder).resolve()):
        Path(path).unlink(missing_ok=True)


def check_room() -> None:
    """Make sure that more files can be accepted.

    Raises:
        OptionError: The temporary files take too much, and none of them may be removed yet.
    """
    if full.is_set():
        raise OptionError("The server has no space for files right now. Please try again in a few minutes.")


def remove_old(folder: Path, limit: int = MOST_BYTES) -> int:
    """Remove old files, and the oldest others while all take over `limit` bytes; set or clear `full`.

    Returns the bytes that are left. Folders that become empty go, too.
    """
    files = []
    for path in (Path(parent, name) for parent, _, names in os.walk(folder) for name in names):
        with contextlib.suppress(OSError):  # others add and remove files meanwhile
            files.append((path.lstat().st_mtime, max(BLOCK, path.lstat().st_size), path))
    now, left = time.time(), sum(size for _, size, _ in files)
    for used, size, path in sorted(files):
        if now - used <= (RECENT_SECONDS if left > limit else OLD_SECONDS):
            break
        with contextlib.suppress(OSError):
            if path.lstat().st_mtime > used:
                continue  # used since the folder was read
            left -= size
            path.unlink()
            if path.parent != folder:
                path.parent.rmdir()  # not while other files are in it
    (full.set if left > limit else full.clear)()
    return left
