"""Data sets on disk and what is counted on them."""

import numpy as np
import pytest
from PIL import Image

from resnet.errors import DataError
from resnet.network.labels import label_classes
from resnet.training.dataset import find_labelled
from resnet.training.evaluate import evaluate, ranks
from resnet.training.files import LabelledFile

LABELS = label_classes(["n07920052", "n02123394", "my cat"])


def test_ranks_equal_a_sort():
    probabilities = np.random.default_rng(0).random((50, 30)).astype(np.float32)
    truth = np.random.default_rng(1).integers(0, 30, 50)
    order = np.argsort(-probabilities, axis=1)
    assert ranks(probabilities, truth).tolist() == [
        list(row).index(index) for row, index in zip(order, truth, strict=True)
    ]


def test_a_folder_per_class_is_found_by_name_or_id(tmp_path, make_photo):
    for name in ("My Cat", "n07920052"):
        (tmp_path / name / "deep").mkdir(parents=True)
        make_photo(f"{name}/deep/one.png")
    (tmp_path / "README.txt").write_text("not a class")
    files = find_labelled(tmp_path, LABELS)
    assert [(file.path.parts[-3], file.class_index, file.tile) for file in files] == [
        ("My Cat", 2, None),
        ("n07920052", 0, None),
    ]


def test_a_sheet_is_cut_into_its_tiles_row_by_row(tmp_path):
    sheet = Image.new("RGB", (96, 64))
    for number in range(6):
        sheet.paste(
            (number * 40,) * 3, (number % 3 * 32, number // 3 * 32, number % 3 * 32 + 32, number // 3 * 32 + 32)
        )
    sheet.save(tmp_path / "n02123394.png")
    (file,) = find_labelled(tmp_path, LABELS, tile=32)
    assert file.class_index == 1
    assert [tile.getpixel((5, 5))[0] for _, tile in file.images()] == [0, 40, 80, 120, 160, 200]


def test_a_sheet_of_another_tile_is_refused(tmp_path):
    Image.new("RGB", (100, 64)).save(tmp_path / "sheet.png")
    with pytest.raises(
        DataError, match=r"sheet\.png has 100 x 64 pixels, which is not a multiple of the 64-pixel tile"
    ):
        list(LabelledFile(tmp_path / "sheet.png", 0, 64).images())


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda folder: folder / "none", "must be a folder"),
        (lambda folder: folder, "holds no pictures"),
        (lambda folder: (folder / "dog").mkdir() or folder, "dog is none of the 3 classes"),
    ],
    ids=["missing", "empty", "unknown class"],
)
def test_faulty_data_sets_are_named(tmp_path, make, sentence):
    with pytest.raises(DataError, match=sentence):
        find_labelled(make(tmp_path), LABELS)


def test_unreadable_photos_are_listed_and_skipped(engine, tmp_path, make_photo):
    bad = tmp_path / "bad.jpg"
    bad.write_text("no photo")
    result = evaluate(engine, [LabelledFile(bad, 0), LabelledFile(make_photo(), 0)])
    assert result.images == 1
    assert result.skipped == (
        "bad.jpg is text, not a photo; please use JPEG, PNG, WebP, GIF, BMP, TIFF, AVIF or HEIC.",
    )
    with pytest.raises(DataError, match="No image of the data set could be read"):
        evaluate(engine, [LabelledFile(bad, 0)])


def test_a_damaged_sheet_is_listed_and_skipped(engine, tmp_path, make_photo):
    bad = tmp_path / "n02123394.jpg"
    bad.write_text("no sheet")
    result = evaluate(engine, [LabelledFile(bad, 0, 64), LabelledFile(make_photo(), 0)])
    assert (result.images, len(result.skipped)) == (1, 1)


def test_batches_do_not_change_the_count(engine, make_photo):
    files = [LabelledFile(make_photo(f"{seed}.png", seed=seed), seed) for seed in range(5)]
    one, many = evaluate(engine, files, batch_size=1), evaluate(engine, files, batch_size=4)
    assert (one.images, one.top1, one.top5) == (many.images, many.top1, many.top5)
