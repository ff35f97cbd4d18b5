"""Labelled pictures on disk: layouts, lists, splits, duplicates, and sentences for what is wrong."""

import os
import shutil

import numpy as np
import pytest
from PIL import Image

from resnet.errors import DataError
from resnet.network.labels import label_classes
from resnet.photo.preprocess import InputSpec, prepare
from resnet.training.dataset import find_labelled, find_training_data
from resnet.training.lists import write_rows
from resnet.training.pictures import decode_all, side_of
from resnet.training.split import split

SPEC = InputSpec(size=40)


@pytest.fixture
def photos(tmp_path, make_photo):
    """Three classes of six photos each, one of them in a folder of its own."""

    def make(names=("ant", "bee", "cat"), count=6, root="photos"):
        for place, name in enumerate(names):
            for number in range(count):
                folder = f"{root}/{name}" + ("/deep" if number == 0 else "")
                (tmp_path / folder).mkdir(parents=True, exist_ok=True)
                make_photo(f"{folder}/{number}.png", size=(50 + number, 45), seed=100 * place + number)
        return tmp_path / root

    return make


def decode(data, folder, spec=SPEC):
    folder.mkdir(exist_ok=True)
    files = data.training + data.validation
    return files, decode_all(files, data.labels, spec, folder, quiet=True)


def split_of(data, folder, **options):
    files, pictures = decode(data, folder)
    given = len(data.training) if data.validation else None
    chosen = {"given": given, "share": 0.34, "seed": 0, **options}
    return pictures, split(pictures, files, data.labels, **chosen)


def test_classes_are_the_folders_in_order_and_folders_nest(photos):
    data = find_training_data(photos())
    assert [label.name for label in data.labels] == ["ant", "bee", "cat"]
    assert len(data.training) == 18
    assert data.validation == ()


def test_given_parts_are_kept(tmp_path, photos):
    photos(root="data/train")
    photos(count=2, root="data/val")
    data = find_training_data(tmp_path / "data")
    assert (len(data.training), len(data.validation)) == (18, 6)
    pictures, parts = split_of(data, tmp_path / "state")
    # The two of each class that are on both sides stay for validation alone.
    assert (len(parts.training), len(parts.validation)) == (12, 6)
    assert len(parts.dropped) == 6
    assert "1.png (ant, training) shows the same as 1.png (ant, validation) and is left out." in parts.dropped
    assert not {pictures.items[row].digest for row in parts.training} & {
        pictures.items[row].digest for row in parts.validation
    }


def test_a_split_takes_the_same_share_of_each_class_and_follows_the_seed(tmp_path, photos):
    data = find_training_data(photos())
    pictures, parts = split_of(data, tmp_path / "state")
    assert np.bincount(pictures.classes[parts.validation]).tolist() == [2, 2, 2]
    assert sorted([*parts.training, *parts.validation]) == list(range(18))
    again, other = split_of(data, tmp_path / "state")[1], split_of(data, tmp_path / "state", seed=1)[1]
    assert again.validation.tolist() == parts.validation.tolist()
    assert other.validation.tolist() != parts.validation.tolist()


def test_equal_pictures_under_other_names_are_found_by_content(tmp_path, photos):
    root = photos()
    shutil.copy(root / "ant/1.png", root / "ant/copy.png")
    shutil.copy(root / "ant/2.png", root / "bee/wrong.png")
    _pictures, parts = split_of(find_training_data(root), tmp_path / "state")
    # One of the two of a class stays; of what is in two classes, nobody knows which is right.
    assert len(parts.training) + len(parts.validation) == 17
    assert sorted(parts.dropped) == [
        "2.png (ant, training), wrong.png (bee, training) show the same and are left out.",
        "copy.png (ant, training) shows the same as 1.png (ant, training) and is left out.",
    ]


def test_unreadable_pictures_are_listed(tmp_path, photos):
    root = photos()
    (root / "ant/broken.jpg").write_bytes(b"\xff\xd8\xff\xe0 no more")
    _, pictures = decode(find_training_data(root), tmp_path / "state")
    assert len(pictures.items) == 18
    assert len(pictures.skipped) == 1
    assert pictures.skipped[0].startswith("broken.jpg is")


def test_squares_hold_what_the_network_will_see(tmp_path, photos):
    data = find_training_data(photos())
    spec = InputSpec(size=40, detail=40, channels="RGB", mean=(0.0, 0.0, 0.0))
    files, pictures = decode(data, tmp_path / "state", spec)
    assert pictures.pixels.shape == (18, side_of(spec), side_of(spec), 3)
    (_, image), *_ = files[3].images()
    np.testing.assert_array_equal(pictures.pixels[3], prepare(image, spec).pixels)


def test_a_csv_file_lists_pictures_beside_it(tmp_path, photos):
    root = photos()
    lines = [f"photos/{name}/{number}.png,{name}" for name in ("ant", "bee") for number in (1, 2, 3)]
    (tmp_path / "list.csv").write_text("path,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    data = find_training_data(tmp_path / "list.csv")
    assert [label.name for label in data.labels] == ["ant", "bee"]
    assert next(file.path for file in data.training) == root / "ant/1.png"
    assert [file.class_index for file in data.training] == [0, 0, 0, 1, 1, 1]


def test_a_written_list_is_read_back(tmp_path, photos):
    sheet = Image.fromarray(np.random.default_rng(0).integers(0, 255, (64, 96, 3), np.uint8))
    for name in ("n02123394", "n07920052"):
        (tmp_path / "sheets").mkdir(exist_ok=True)
        sheet.save(tmp_path / "sheets" / f"{name}.png")
        sheet = sheet.transpose(Image.Transpose.FLIP_LEFT_RIGHT)
    data = find_training_data(tmp_path / "sheets", 32)
    files, pictures = decode(data, tmp_path / "state")
    chosen = pictures.files_of([1, 4, 7], files)
    write_rows(tmp_path / "list.csv", chosen, data.labels)
    found = find_labelled(tmp_path / "list.csv", data.labels, outside=True)
    assert [(file.class_index, file.tile, file.positions) for file in found] == [(0, 32, (1, 4)), (1, 32, (1,))]
    tiles = [np.asarray(image) for file in found for _, image in file.images()]
    assert len(tiles) == 3
    np.testing.assert_array_equal(tiles[0], np.asarray(Image.open(files[0].path))[:32, 32:64])


def only_one(root):
    for name in ("bee", "cat"):
        shutil.rmtree(root / name)


def emptied(root):
    shutil.rmtree(root / "bee")
    (root / "bee").mkdir()


def flat(root):
    for path in list(root.rglob("*.png")):
        path.rename(root / f"{path.parent.name}{path.name}")
    for path in list(root.iterdir()):
        if path.is_dir():
            shutil.rmtree(path)


def ambiguous(root):
    (root / "ant").rename(root / "train")
    (root / "bee").rename(root / "val")


@pytest.mark.parametrize(
    ("spoil", "sentence"),
    [
        (lambda root: shutil.rmtree(root), "must be a folder"),
        (only_one, r"At least two classes are needed, a folder for each; .* has one \(ant\)"),
        (lambda root: [shutil.rmtree(path) for path in root.iterdir()], "At least two classes .* has none"),
        (emptied, "The class bee of .* has no pictures; 3 classes in all"),
        (flat, "holds .* pictures without a folder"),
        (ambiguous, "holds train, val, and cat beside them: are these classes, or the parts of a data set"),
    ],
    ids=["missing", "one class", "no class", "empty class", "no folders", "ambiguous"],
)
def test_a_data_set_that_cannot_be_trained_on_is_refused_in_a_sentence(photos, spoil, sentence):
    root = photos()
    spoil(root)
    with pytest.raises(DataError, match=sentence):
        find_training_data(root)


def test_a_folder_without_permission_is_named(photos, monkeypatch):
    root = photos()

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(type(root), "iterdir", refuse)
    with pytest.raises(DataError, match="photos is none: Permission denied"):
        find_training_data(root)


def test_a_class_folder_without_permission_is_named(photos, monkeypatch):
    root = photos()
    walk = os.walk

    def refusing(top, onerror=None):
        if str(top).endswith("bee"):
            onerror(PermissionError(13, "Permission denied", str(top)))
            return iter(())
        return walk(top, onerror=onerror)

    monkeypatch.setattr("os.walk", refusing)
    with pytest.raises(DataError, match=r"The folder .*bee cannot be read: Permission denied"):
        find_training_data(root)


def test_a_class_of_equal_pictures_is_too_small(tmp_path, photos):
    root = photos()
    for path in (root / "cat").glob("*.png"):
        path.write_bytes((root / "cat/1.png").read_bytes())
    (root / "cat/deep/0.png").unlink()
    with pytest.raises(DataError, match="The class cat has 1 readable pictures; at least 2 are needed"):
        split_of(find_training_data(root), tmp_path / "state")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("file,label\na,b\n", "lacks the column path; its first line must be path,label"),
        ("path,label\n", "lists no pictures"),
        ("path,label\nphotos/ant/1.png,\n", "row 2: path and label must both be given"),
        (
            "path,label\nnone.png,ant\nphotos/bee/1.png,bee\n",
            r"lists 1 pictures that do not exist; the first is .*none",
        ),
        ("path,label,tile\nphotos/ant/1.png,ant,x\nphotos/bee/1.png,bee,\n", "must be whole numbers"),
    ],
)
def test_a_list_that_does_not_match_is_refused_in_a_sentence(tmp_path, photos, text, sentence):
    photos()
    (tmp_path / "list.csv").write_text(text, encoding="utf-8")
    with pytest.raises(DataError, match=sentence):
        find_training_data(tmp_path / "list.csv")


def test_a_label_that_the_weights_do_not_know_is_named(tmp_path, photos):
    photos()
    (tmp_path / "list.csv").write_text("path,label\nphotos/ant/1.png,wolf\n", encoding="utf-8")
    with pytest.raises(DataError, match="wolf is none of the 2 classes that are known here"):
        find_labelled(tmp_path / "list.csv", label_classes(["ant", "bee"]))


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("Cat", "cat"), "The classes Cat and cat of .* have the same name"),
        (("n02123045", "tabby"), "The classes n02123045 and tabby of .* have the same name"),
        (("straße", "STRASSE"), "The classes STRASSE and straße of .* have the same name"),
        (("ant", " bee"), "is called ' bee'; a name must not begin or end with whitespace"),
        (("ant", "b\u2028ee"), r"is called 'b\\u2028ee'; a name must not"),
        (("ant", "b\nee"), r"is called 'b\\nee'; a name must not"),
        (("ant", "b\udce9e"), r"is called 'b\\udce9e'; a name must not"),
    ],
)
def test_a_class_name_that_could_be_mistaken_is_refused_before_anything_is_learnt(tmp_path, photos, names, sentence):
    with pytest.raises(DataError, match=sentence):
        find_training_data(photos(names, count=1))


def test_unusual_names_are_fine(photos):
    names = ["$x^2$ cup", 'a, "b"', "train", "=1+1", "猫"]
    assert [label.name for label in find_training_data(photos(names, count=1)).labels] == sorted(names)


def test_hidden_files_and_pictures_beside_the_folders_are_no_data(photos):
    root = photos()
    for name in ("ant/._1.png", "ant/.checkpoints/1.png", "cover.png"):
        (root / name).parent.mkdir(exist_ok=True)
        shutil.copy(root / "ant/1.png", root / name)
    data = find_training_data(root)
    assert len(data.training) == 18
    assert len(find_labelled(root, data.labels)) == 18


def test_decoded_pictures_that_lost_their_end_are_not_read(tmp_path, photos):
    data = find_training_data(photos())
    decode(data, tmp_path / "state")
    (tmp_path / "state/pixels.bin").write_bytes(b"short")
    with pytest.raises(DataError, match=r"The decoded pictures in .* are damaged"):
        decode(data, tmp_path / "state")


def test_a_large_share_leaves_every_class_something_to_learn_from(tmp_path, photos):
    pictures, parts = split_of(find_training_data(photos(count=4)), tmp_path / "state", share=0.9)
    assert np.bincount(pictures.classes[parts.training]).tolist() == [1, 1, 1]


@pytest.mark.parametrize(
    "change",
    [
        lambda root: (root / "cat").rename(root / "aardvark"),
        lambda root: (root / "ant/1.png").rename(root / "bee/9.png"),
        lambda root: (root / "ant/1.png").unlink(),
        lambda root: shutil.copy(root / "ant/1.png", root / "ant/9.png"),
        lambda root: (root / "ant/1.png").write_bytes((root / "ant/2.png").read_bytes()),
    ],
    ids=["class renamed", "moved", "removed", "added", "changed"],
)
def test_decoded_pictures_are_not_taken_for_those_of_other_data(tmp_path, photos, change):
    root = photos()
    decode(find_training_data(root), tmp_path / "state")
    decode(find_training_data(root), tmp_path / "state")
    change(root)
    with pytest.raises(DataError, match="The data set has changed since the run began"):
        decode(find_training_data(root), tmp_path / "state")


def test_a_full_disk_is_said_in_a_sentence(tmp_path, photos):
    class FullFolder(type(tmp_path)):
        def open(self, mode="r", **options):
            if "w" in mode:
                raise OSError(28, "No space left on device")
            return super().open(mode, **options)

    data = find_training_data(photos())
    with pytest.raises(DataError, match=r"The disk of .* is full: the decoded pictures need 0 MB"):
        decode_all(data.training, data.labels, SPEC, FullFolder(tmp_path), quiet=True)


@pytest.mark.parametrize("kind", ["absolute", "above", "link"])
def test_a_list_names_no_pictures_outside_of_its_folder_unless_that_is_allowed(tmp_path, photos, kind):
    root = photos()
    (tmp_path / "handed").mkdir()
    names = {"absolute": str(root), "above": "../photos", "link": "link"}
    if kind == "link":
        (tmp_path / "handed/link").symlink_to(root)
    lines = [f"{names[kind]}/{name}/{number}.png,{name}" for name in ("ant", "bee") for number in (1, 2)]
    path = tmp_path / "handed" / "list.csv"
    path.write_text("path,label\n" + "\n".join(lines) + "\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"which lies outside of the list's folder.*--outside"):
        find_training_data(path)
    with pytest.raises(DataError, match=r"which lies outside of the list's folder.*--outside"):
        find_labelled(path, label_classes(["ant", "bee"]))
    assert len(find_training_data(path, outside=True).training) == 4


def test_the_name_of_a_file_in_a_message_never_steers_a_terminal(tmp_path):
    (tmp_path / "list.csv").write_text("path,label\nx\x1b[2Jy.png,ant\nz.png,bee\n", encoding="utf-8")
    with pytest.raises(DataError, match=r"x\\x1b\[2Jy\.png") as caught:
        find_training_data(tmp_path / "list.csv")
    assert str(caught.value).isprintable()


def test_a_run_goes_on_with_the_same_bytes_wherever_they_lie_and_whenever_they_were_written(tmp_path, photos):
    root = photos()
    data = find_training_data(root)
    _, before = decode(data, tmp_path / "state")
    for number, place in enumerate(("photos", "elsewhere")):
        shutil.copytree(root, tmp_path / f"kept{number}", copy_function=shutil.copyfile)  # without its times
        if place == "photos":
            shutil.rmtree(root)
        shutil.copytree(tmp_path / f"kept{number}", tmp_path / place, copy_function=shutil.copyfile)
        _, after = decode(find_training_data(tmp_path / place), tmp_path / "state")
        np.testing.assert_array_equal(after.pixels, before.pixels)
        assert after.items == before.items


@pytest.mark.parametrize("kind", ["another picture", "another class", "one less"])
def test_a_run_does_not_go_on_with_other_bytes(tmp_path, photos, kind):
    root = photos()
    decode(find_training_data(root), tmp_path / "state")
    if kind == "another picture":
        shutil.copyfile(root / "ant/1.png", root / "bee/1.png")
    elif kind == "another class":
        (root / "ant/1.png").rename(root / "bee/0.png")
    else:
        (root / "ant/1.png").unlink()
    with pytest.raises(DataError, match="The data set has changed since the run began"):
        decode(find_training_data(root), tmp_path / "state")
