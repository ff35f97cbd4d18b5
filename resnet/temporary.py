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

TEMPORARY_BYTES = 2_000_000_000
"""What visitors' files may take together; the oldest go first."""

TEMPORARY_SECONDS = 3600.0
"""How long visitors' files stay after they were last used."""

RECENT_SECONDS = 600.0
"""How long a file stays after its last use even where room is short."""

BLOCK_BYTES = 4096
"""Of a file system: a file takes whole ones."""

IN_HAND = "resnet-export-"
"""How the names of folders begin that are being written; whoever makes them removes them."""

_come = 0
_counting = threading.Lock()

full = threading.Event()
"""Set while visitors' files take more than they may although none can be removed yet: no more are taken."""


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder for all temporary files of this process, gone afterwards.

    It lies in `GRADIO_TEMP_DIR`, if that is set, else where temporary files usually are.

    Raises:
        OptionError: It cannot be made.
    """
    parent, before = os.environ.get("GRADIO_TEMP_DIR"), tempfile.tempdir
    try:
        if parent:
            Path(parent).mkdir(parents=True, exist_ok=True)
        folder = Path(tempfile.mkdtemp(prefix="resnet-page-", dir=parent))
    except OSError as error:
        where = parent or "the folder for temporary files"
        raise OptionError("Photos cannot be stored in {}: {}.", where, error.strerror or error) from error
    os.environ["GRADIO_TEMP_DIR"] = str(folder)
    tempfile.tempdir = str(folder)
    try:
        yield folder
    finally:
        tempfile.tempdir = before
        os.environ.pop("GRADIO_TEMP_DIR")
        if parent:
            os.environ["GRADIO_TEMP_DIR"] = parent
        shutil.rmtree(folder, ignore_errors=True)


def touch(*paths: str) -> None:
    """Say that files are in use; those that are not of the temporary folder are left alone."""
    folder = os.environ.get("GRADIO_TEMP_DIR")
    for path in paths:
        if folder and Path(path).is_relative_to(folder):
            with contextlib.suppress(OSError):
                os.utime(path)


def make_room(
    folder: Path, limit: int = TEMPORARY_BYTES, age: float = TEMPORARY_SECONDS, recent: float = RECENT_SECONDS
) -> tuple[int, int]:
    """Remove the old files of a folder, and the oldest of the others until the rest takes at most `limit` bytes.

    Args:
        folder: In which folders that become empty are removed as well; those in hand are left alone.
        limit: In bytes.
        age: Seconds since its last use from which a file is old.
        recent: Seconds since its last use up to which a file stays, even if the limit is exceeded.

    Returns:
        Bytes that were removed, and bytes that are left, those in hand as well.
    """
    in_hand = os.fspath(folder / IN_HAND)
    found = list(_files(folder))
    files = sorted(one for one in found if not one[2].startswith(in_hand))
    now, removed, whole = time.time(), 0, sum(size for _, size, _ in found)
    for changed, size, path in files:
        if now - changed <= (min(age, recent) if whole - removed > limit else age):
            break
        with contextlib.suppress(OSError):
            if Path(path).stat(follow_symlinks=False).st_mtime > changed:
                continue  # used since the folder was read
            Path(path).unlink()
            removed += size
            if Path(path).parent != folder:
                Path(path).parent.rmdir()
    return removed, whole - removed


def look(folder: Path) -> int:
    """Remove what is old, and set or clear `full` by what is left; returns the bytes that were removed.

    Args:
        folder: Of `temporary_folder`.
    """
    global _come
    removed, left = make_room(folder)
    with _counting:
        _come = left
        (full.set if left > TEMPORARY_BYTES else full.clear)()
    return removed


def count(size: int) -> None:
    """Count bytes that come between two looks, and set `full` as soon as they are too many.

    Args:
        size: In bytes.
    """
    global _come
    with _counting:
        _come += size
        if _come > TEMPORARY_BYTES:
            full.set()


def folder_bytes(folder: Path) -> int:
    """What the files of a folder take, in bytes."""
    return sum(size for _, size, _ in _files(folder))


def _files(folder: Path) -> Iterator[tuple[float, int, str]]:
    """Time of change, bytes on disk and path of each file; others may remove files and folders meanwhile.

    The first file of a folder counts for the folder as well: Gradio makes one for each upload.

    There can be a hundred thousand, and nobody is answered while Python looks at one.
    """
    folders = [(os.fspath(folder), 0)]
    while folders:
        path, own = folders.pop()
        with contextlib.suppress(OSError), os.scandir(path) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if entry.is_dir(follow_symlinks=False):
                        folders.append((entry.path, _on_disk(status)))
                    else:
                        yield status.st_mtime, _on_disk(status) + own, entry.path
                        own = 0


def _on_disk(status: os.stat_result) -> int:
    """What a file or a folder takes in bytes, in whole blocks."""
    blocks = -(-status.st_size // BLOCK_BYTES)
    return max(blocks * BLOCK_BYTES, 512 * getattr(status, "st_blocks", 0))  # which Windows does not tell
