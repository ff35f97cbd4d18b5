"""What in a folder counts as a picture, and what is said about the rest."""

import os
import shutil

import pytest

from resnet.cli import main
from resnet.photo.folders import find_pictures, is_hidden, is_picture
from tests.photo import hostile

HEIC = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"


def names(paths, folder):
    return [path.relative_to(folder).as_posix() for path in paths]


@pytest.mark.parametrize(
    "suffix", ["jpg", "JPEG", "jpe", "jfif", "mpo", "png", "apng", "webp", "gif", "bmp", "dib", "tif", "TIFF", "avif"]
)
def test_pictures_are_known_by_their_suffix(tmp_path, suffix):
    (tmp_path / f"a.{suffix}").write_bytes(b"whatever is wrong with it is said when it is read")
    assert names(find_pictures(tmp_path).pictures, tmp_path) == [f"a.{suffix}"]


@pytest.mark.parametrize("name", sorted(hostile.valid()))
def test_pictures_without_a_suffix_are_known_by_their_first_bytes(tmp_path, name):
    (tmp_path / "0001").write_bytes(hostile.valid()[name])
    assert is_picture(tmp_path / "0001")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"text",
        b"%PDF-1.7",
        b"PK\3\4",
        b"RIFF\0\0\0\0AVI LIST",
        b"\0\0\0\x18ftypmp42" + bytes(20),
        HEIC + bytes(900),
    ],
    ids=["empty", "text", "pdf", "zip", "avi", "film", "heic without items"],
)
def test_other_files_are_no_pictures(tmp_path, content):
    for name in ("0001", "a.dat", "a.heic"):
        (tmp_path / name).write_bytes(content)
        assert not is_picture(tmp_path / name)


def test_a_heic_file_is_a_picture_wherever_its_items_are_listed(tmp_path):
    filling = b"\0\0\0\1free" + (1016).to_bytes(8, "big") + bytes(1000)
    (tmp_path / "a.HEIC").write_bytes(HEIC + filling + b"\0\0\0\x10meta" + bytes(8))
    assert is_picture(tmp_path / "a.HEIC")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no pipes here")
def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    assert names(find_pictures(tmp_path).others, tmp_path) == ["pipe"]


@pytest.mark.parametrize(
    "name",
    [".DS_Store", "._a.jpg", ".thumbnails", "__MACOSX", "Thumbs.db", "THUMBS.DB", "desktop.ini", "@eaDir", "#recycle",
     "$RECYCLE.BIN", "System Volume Information", "lost+found", "Icon\r"],
)  # fmt: skip
def test_hidden_and_system_files_are_left_out_at_any_depth(tmp_path, make_photo, name):
    assert is_hidden(name)
    make_photo("a.jpg")
    (tmp_path / "deep").mkdir()
    for folder in (tmp_path, tmp_path / "deep"):
        (folder / name).mkdir()
        shutil.copy(tmp_path / "a.jpg", folder / name / "hidden.jpg")
        (folder / f".{name}.jpg").write_bytes(b"x")
    found = find_pictures(tmp_path)
    assert (names(found.pictures, tmp_path), found.others) == (["a.jpg"], [])
    assert found.hidden == 4
    assert found.left_out(tmp_path) == ""


def test_what_is_left_out_is_counted_and_named(tmp_path, make_photo):
    make_photo("b.PNG"), make_photo("a.jpg")
    for name in ("c.txt", "d.mov", "e.pdf", "f\x1b.doc", ".hidden"):
        (tmp_path / name).write_bytes(b"no photo")
    found = find_pictures(tmp_path)
    assert names(found.pictures, tmp_path) == ["a.jpg", "b.PNG"]
    assert found.left_out(tmp_path) == (
        f"4 files that are not pictures are left out of {tmp_path}: c.txt, d.mov, e.pdf and 1 more; "
        "so are 1 hidden or system files."
    )


def test_a_folder_that_cannot_be_read_is_said(tmp_path):
    found = find_pictures(tmp_path / "none")
    assert found.pictures == []
    assert found.unreadable == [f"The folder {tmp_path / 'none'} cannot be read: No such file or directory."]


def test_the_command_line_says_what_it_leaves_out(loaded, tmp_path, make_photo, capsys):
    (tmp_path / "photos").mkdir()
    make_photo("photos/a.jfif", format="JPEG")
    (tmp_path / "photos" / "notes.txt").write_text("no photo")
    assert main(["classify", str(tmp_path / "photos"), "--json"]) == 0
    captured = capsys.readouterr()
    assert captured.out.count("\n") == 1
    assert "1 file that is not a picture is left out of" in captured.err
    assert "notes.txt" in captured.err
