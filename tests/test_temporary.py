import os
import tempfile
import threading
import time
from pathlib import Path

import pytest

from resnet import temporary
from resnet.errors import OptionError
from resnet.temporary import BLOCK_BYTES as BLOCK
from resnet.temporary import IN_HAND, folder_bytes, make_room, temporary_folder, touch


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


def test_folders_may_vanish_while_their_files_are_counted(tmp_path):
    gone = threading.Event()

    def come_and_go():
        while not gone.is_set():
            with tempfile.TemporaryDirectory(dir=tmp_path) as folder:
                for number in range(20):
                    (Path(folder) / str(number)).write_bytes(b"x")

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for _ in range(300):
            make_room(tmp_path)
            assert folder_bytes(tmp_path) <= 21 * BLOCK
    finally:
        gone.set()
        thread.join()


def test_many_tiny_files_count_as_what_they_take_on_the_disk(tmp_path):
    for number in range(50):  # as uploads: a folder each
        aged(tmp_path / str(number) / "a.png", 0)
    on_disk = sum(512 * path.stat().st_blocks for path in tmp_path.rglob("*"))
    assert on_disk <= folder_bytes(tmp_path) == 50 * 2 * BLOCK


def test_the_oldest_files_make_room(tmp_path):
    (tmp_path / "sub").mkdir()
    for age, name in enumerate(["new", "sub/middle", "old"]):
        path = tmp_path / name
        path.write_bytes(bytes(100))
        os.utime(path, (1_000_000 - age, 1_000_000 - age))
    # Three files of a block each, and a folder.
    assert make_room(tmp_path, 4 * BLOCK, age=1e10) == (0, 4 * BLOCK)
    assert make_room(tmp_path, 4 * BLOCK - 1, age=1e10) == (BLOCK, 3 * BLOCK)
    assert not (tmp_path / "old").exists()
    assert make_room(tmp_path, 50, age=1e10) == (3 * BLOCK, 0)
    assert list(tmp_path.rglob("*")) == []


def test_old_files_go_with_their_folders_and_others_stay(tmp_path):
    for name, age in (("both/old", 4000), ("both/new", 100), ("alone/old", 3700), ("direct", 5000)):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(bytes(10))
        os.utime(path, (time.time() - age, time.time() - age))
    removed, left = make_room(tmp_path)
    assert removed + left == 6 * BLOCK  # four files and two folders, one of which stays
    assert left in (BLOCK, 2 * BLOCK)  # a folder counts with the first of its files
    assert sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*")) == ["both", "both/new"]


def aged(path, seconds):
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(bytes(100))
    os.utime(path, (time.time() - seconds, time.time() - seconds))
    return path


def test_what_may_be_in_use_stays_even_where_room_is_short(tmp_path):
    used, idle, old = (aged(tmp_path / str(seconds), seconds) for seconds in (500, 700, 4000))
    in_hand = aged(tmp_path / f"{IN_HAND}x" / "maps.npz", 5000)
    named_alike = aged(tmp_path / "digest" / f"{IN_HAND}1.jpg", 5000)
    # With the folder of one of them, and what is in hand, which is left.
    assert make_room(tmp_path, 50) == (4 * BLOCK, 3 * BLOCK)
    assert used.exists()
    assert in_hand.exists()
    assert not named_alike.exists()
    assert not idle.exists()
    assert not old.exists()


def test_a_file_that_is_used_while_the_folder_is_read_stays(tmp_path, monkeypatch):
    photo = aged(tmp_path / "photo.jpg", 4000)
    read = temporary._files

    def then_used(folder):
        found = list(read(folder))
        os.utime(photo)
        return iter(found)

    monkeypatch.setattr(temporary, "_files", then_used)
    assert make_room(tmp_path)[0] == 0
    assert photo.exists()


def test_a_file_that_is_used_is_no_longer_old(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "page"))
    photo, example = aged(tmp_path / "page" / "photo.jpg", 4000), aged(tmp_path / "assets" / "cat.jpg", 4000)
    touch(str(photo), str(example), str(tmp_path / "page" / "gone.jpg"))
    assert make_room(tmp_path / "page") == (0, BLOCK)
    assert time.time() - example.stat().st_mtime > 3000
