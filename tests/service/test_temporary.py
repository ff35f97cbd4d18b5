"""The server's temporary folder: small, and gone at the end."""

import os
import tempfile
import threading
import time
from pathlib import Path

import pytest

from resnet.errors import OptionError
from resnet.service import temporary
from resnet.service.temporary import remove_old, temporary_folder, touch


def test_all_temporary_files_lie_in_one_folder_that_is_gone_afterwards(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "given"))
    with temporary_folder() as folder:
        assert folder.parent == tmp_path / "given"
        assert os.environ["GRADIO_TEMP_DIR"] == str(folder)
        kept = Path(tempfile.mkdtemp())
        (kept / "photo.jpg").write_bytes(b"x")
        assert kept.is_relative_to(folder)
    assert list((tmp_path / "given").iterdir()) == []
    assert os.environ["GRADIO_TEMP_DIR"] == str(tmp_path / "given")


def test_it_is_gone_after_a_failure_as_well(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    with pytest.raises(RuntimeError), temporary_folder():
        raise RuntimeError
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_bytes(b"")
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "file"))
    with pytest.raises(OptionError, match=r"Photos cannot be stored in .*file: "), temporary_folder():
        pass


def test_folders_may_vanish_while_they_are_read(tmp_path):
    gone = threading.Event()

    def come_and_go():
        while not gone.is_set():
            with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
                for number in range(20):
                    (Path(folder) / str(number)).write_bytes(b"x")

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(200):
            assert remove_old(tmp_path) <= 21 * temporary.BLOCK
    finally:
        gone.set()
        thread.join()


def aged(path, seconds, size=10_000):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bytes(size))
    os.utime(path, (time.time() - seconds, time.time() - seconds))
    return path


def test_old_files_go_with_their_folders_and_others_stay(tmp_path):
    for name, age in (("both/old", 4000), ("both/new", 100), ("alone/old", 3700), ("direct", 5000)):
        aged(tmp_path / name, age)
    assert remove_old(tmp_path) == 10_000
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["both", "both/new"]
    os.utime(tmp_path / "both" / "new", (0, 0))
    aged(tmp_path / "last", 4000)
    assert remove_old(tmp_path) == 0
    assert tmp_path.exists()


def test_the_oldest_files_make_room_but_none_that_is_in_use(tmp_path):
    used, idle, idler = (aged(tmp_path / str(seconds) / "a.png", seconds) for seconds in (500, 700, 900))
    assert remove_old(tmp_path, limit=30_000) == 30_000
    assert remove_old(tmp_path, limit=25_000) == 20_000
    assert (used.exists(), idle.exists(), idler.exists()) == (True, True, False)
    assert remove_old(tmp_path, limit=5_000) == 10_000
    assert (used.exists(), idle.exists()) == (True, False)
    assert temporary.full.is_set()  # and nothing more may go
    assert remove_old(tmp_path) == 10_000
    assert not temporary.full.is_set()


def test_many_tiny_files_count_as_the_blocks_that_they_take(tmp_path):
    for number in range(50):
        aged(tmp_path / str(number), 700, size=1)
    assert remove_old(tmp_path, limit=20 * temporary.BLOCK) == 20 * temporary.BLOCK


def test_a_file_that_is_used_is_no_longer_old(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "page"))
    photo, example = aged(tmp_path / "page" / "photo.jpg", 4000), aged(tmp_path / "assets" / "cat.jpg", 4000)
    touch(str(photo), str(example), str(tmp_path / "page" / "gone.jpg"))
    assert remove_old(tmp_path / "page") == 10_000
    assert time.time() - example.stat().st_mtime > 3000


def test_a_file_that_is_used_while_old_ones_are_looked_for_stays(tmp_path, monkeypatch):
    photo, other = aged(tmp_path / "photo.jpg", 4000), aged(tmp_path / "other.jpg", 4000)
    now = time.time()

    def used_meanwhile():  # the folder has been read by then
        os.utime(photo)
        return now

    monkeypatch.setattr(temporary.time, "time", used_meanwhile)
    remove_old(tmp_path)
    assert (photo.exists(), other.exists()) == (True, False)
