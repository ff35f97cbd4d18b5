"""The usual layouts of data sets: which parts are learned from, and which measured with."""

import json
import shutil
import unicodedata

import pytest

from resnet.cli import main
from resnet.errors import DataError
from resnet.network.labels import label_classes
from resnet.training.dataset import find_labelled, find_training_data
from resnet.training.layout import find_parts, part_named


@pytest.fixture
def part(tmp_path, make_photo):
    """Write pictures of two classes into a part of a data set."""

    def make(name, count=2, classes=("cats", "dogs")):
        for place, kind in enumerate(classes):
            (tmp_path / "data" / name / kind).mkdir(parents=True)
            for number in range(count):
                seed = hash((name, place, number)) % 10**6
                make_photo(f"data/{name}/{kind}/{number}.png", seed=seed)
        return tmp_path / "data"

    return make


NAMES = {
    "training": ["train", "Train", "TRAINING", "training_set", "seg_train", "train_images", "train2017", "Train-Set"],
    "validation": ["val", "Valid", "VALIDATION", "validation_set", "dev", "val2017", "eval"],
    "test": ["test", "Testing", "TEST_SET", "seg_test", "test_images"],
    "": ["trainers", "cats", "contest", "value", "training shoes", "test tube", "tests2", ""],
}


def test_parts_are_known_by_their_usual_names_in_any_case():
    for kind, known in NAMES.items():
        for name in known:
            assert part_named(name) == kind, name


@pytest.mark.parametrize(
    "names",
    [("train", "test"), ("Train", "Val"), ("training_set", "test_set"), ("seg_train", "seg_test"), ("train", "dev"),
     ("train", "val", "test")],
    ids=str,
)  # fmt: skip
def test_a_part_is_learned_from_and_others_choose_the_epoch_and_measure_the_result(part, names):
    for count, name in enumerate(names, start=2):
        root = part(name, count)
    data = find_training_data(root)
    assert [label.name for label in data.labels] == ["cats", "dogs"]
    assert len(data.training) == 4
    assert {file.path.relative_to(root).parts[0] for file in data.training} == {names[0]}
    chosen, tested = (
        {file.path.relative_to(root).parts[0] for file in files} for files in (data.validation, data.test)
    )
    assert chosen == {name for name in names if part_named(name) == "validation"}
    assert tested == {name for name in names if part_named(name) == "test"}
    assert data.notes == ()


def test_a_part_inside_a_folder_of_the_same_name_is_found(part):
    part("seg_train/seg_train")
    root = part("seg_test/seg_test")
    parts = find_parts(root)
    assert (parts.training, parts.test) == (root / "seg_train/seg_train", root / "seg_test/seg_test")


def test_a_test_without_classes_is_left_out_and_said(tmp_path, part, make_photo):
    root = part("train")
    (root / "test").mkdir()
    make_photo("data/test/1.png")
    data = find_training_data(root)
    assert data.validation == ()
    assert data.notes == (f"The pictures in {root / 'test'} have no folders of classes; they are left out.",)


def test_a_class_may_be_called_like_a_part(part, tmp_path, make_photo):
    for name in ("train", "plane"):
        (tmp_path / "data" / name).mkdir(parents=True)
        make_photo(f"data/{name}/1.png", seed=len(name))
    assert [label.name for label in find_training_data(tmp_path / "data").labels] == ["plane", "train"]


@pytest.mark.parametrize("names", [("2019", "2020"), ("fold1", "fold2"), ("good", "bad"), ("val", "test")])
def test_folders_of_the_same_sub_folders_are_never_taken_for_classes(part, names):
    for name in names:
        root = part(name)
    with pytest.raises(DataError, match=r"hold folders of the same names \(cats, dogs\)"):
        find_training_data(root)


def test_two_parts_for_the_same_are_refused(part):
    part("train")
    with pytest.raises(DataError, match="two parts for the training: train and training"):
        find_training_data(part("training"))


def test_what_is_no_picture_is_named_where_a_run_begins(part):
    root = part("train")
    (root / "train/cats/notes.txt").write_text("no photo")
    (root / "train/.DS_Store").write_bytes(b"x")
    (root / "train/__MACOSX").mkdir()
    data = find_training_data(root)
    assert [label.name for label in data.labels] == ["cats", "dogs"]
    assert len(data.notes) == 1
    assert "notes.txt" in data.notes[0]


def test_evaluate_measures_with_the_test_or_validation_part(tmp_path, make_photo, capsys):
    for name, count in (("train", 3), ("val", 2), ("test", 1)):
        (tmp_path / "data" / name / "espresso").mkdir(parents=True)
        for number in range(count):
            make_photo(f"data/{name}/espresso/{number}.png", seed=number)
    for images, left in ((1, "test"), (2, "val")):
        assert main(["evaluate", str(tmp_path / "data"), "--weights", "bundled", "--json"]) == 0
        captured = capsys.readouterr()
        assert json.loads(captured.out)["images"] == images
        assert f"measuring with {tmp_path / 'data' / left}" in captured.err
        shutil.rmtree(tmp_path / "data" / left)


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_names_composed_differently_are_one_class(tmp_path, make_photo, form):
    name = unicodedata.normalize(form, "café")
    for folder in (name, "bar"):
        (tmp_path / "data" / folder).mkdir(parents=True)
        make_photo(f"data/{folder}/1.png", seed=len(folder))
    data = find_training_data(tmp_path / "data")
    assert [label.name for label in data.labels] == ["bar", "café"]
    other = label_classes(["bar", unicodedata.normalize("NFC" if form == "NFD" else "NFD", "café")])
    assert {file.class_index for file in find_labelled(tmp_path / "data", other)} == {0, 1}


@pytest.mark.parametrize(
    "content",
    [
        "path,label\ncats/0.png,Kätzchen\ndogs/0.png,Hund\n".encode(),
        "\ufeffpath,label\r\ncats/0.png,Kätzchen\r\ndogs/0.png,Hund\r\n".encode(),
        "path,label\ncats/0.png,Kätzchen\ndogs/0.png,Hund\n".encode("utf-16"),
        "Path;Label\ncats\\0.png;Kätzchen\ndogs\\0.png;Hund\n".encode(),
        "path\tlabel\ncats/0.png\tKätzchen\ndogs/0.png\tHund\n".encode("utf-16-be").join([b"\xfe\xff", b""]),
        ',"path","label"\n0,cats/0.png,"Kätzchen"\n1,dogs/0.png,"Hund"\n'.encode(),
        "path,label\rcats/0.png,Ka\u0308tzchen\rdogs/0.png,Hund\r".encode(),
    ],
    ids=[
        "plain",
        "Windows",
        "UTF-16",
        "semicolons, capitals, backslashes",
        "tabs, UTF-16 BE",
        "pandas",
        "old Mac, NFD",
    ],
)
def test_lists_are_read_as_peoples_programs_write_them(part, content):
    root = part(".", 1)
    (root / "list.csv").write_bytes(content)
    data = find_training_data(root / "list.csv")
    assert [label.name for label in data.labels] == ["Hund", "Kätzchen"]
    assert [(file.path.parent.name, file.class_index) for file in data.training] == [("cats", 1), ("dogs", 0)]


def test_a_list_in_an_older_encoding_is_refused_with_what_to_do(part):
    root = part(".", 1)
    (root / "list.csv").write_bytes("path,label\ncats/0.png,Kätzchen\n".encode("cp1252"))
    with pytest.raises(DataError, match="not UTF-8 text; please save it as “CSV UTF-8”"):
        find_training_data(root / "list.csv")
