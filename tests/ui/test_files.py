"""Files that visitors fetch are whole, whoever else asks for the same at that moment."""

import errno
import tempfile
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnet.ui import files
from resnet.ui.files import store, store_picture


@pytest.fixture(autouse=True)
def folder(monkeypatch, tmp_path):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    return tmp_path


def test_the_same_content_is_the_same_file_and_other_content_another():
    assert store(b"one", "a.txt") == store(b"one", "a.txt")
    assert store(b"one", "a.txt") != store(b"two", "a.txt")
    assert Path(store(b"one", "b.txt")).read_bytes() == b"one"
    assert Path(store(b"one", "b.txt")).name == "b.txt"


def test_who_reads_a_file_while_it_is_asked_for_again_reads_all_of_it():
    content = bytes(3_000_000)
    path, ended, seen = store(content, "a.bin"), threading.Event(), set()

    def read():
        while not ended.is_set():
            seen.add(len(Path(path).read_bytes()))

    reader = threading.Thread(target=read)
    reader.start()
    for _ in range(50):
        store(content, "a.bin")
    ended.set()
    reader.join()
    assert seen == {len(content)}


def test_nothing_is_left_of_a_file_that_could_not_be_written(folder, monkeypatch):
    make = tempfile.NamedTemporaryFile

    def full(**options):
        file = make(**options)
        file.write = lambda _: (_ for _ in ()).throw(OSError(errno.ENOSPC, "No space left on device"))
        return file

    monkeypatch.setattr(files.tempfile, "NamedTemporaryFile", full)
    with pytest.raises(OSError, match="No space left"):
        store(b"content", "a.txt")
    assert [path for path in folder.rglob("*") if path.is_file()] == []


def test_a_picture_is_kept_as_jpeg():
    picture = Image.fromarray(np.full((40, 60, 3), (200, 30, 30), np.uint8))
    with Image.open(store_picture(picture)) as kept:
        assert (kept.format, kept.size) == ("JPEG", (60, 40))
        assert np.abs(np.asarray(kept, int) - np.asarray(picture, int)).max() <= 4
