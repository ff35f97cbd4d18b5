"""Answers of another classifier, matched to pictures by content; a faulty file is named."""

import numpy as np
import pytest
from PIL import Image

from resnet.errors import DataError
from resnet.training.pictures import Picture, Pictures, digest_of
from resnet.training.soft_labels import read_soft_labels

IMAGES = [Image.new("RGB", (8, 8), (value, 0, 0)) for value in (10, 20, 30)]
PICTURES = Pictures(
    np.stack([np.asarray(image) for image in IMAGES]),
    tuple(Picture(row, 0, row % 2, digest_of(image)) for row, image in enumerate(IMAGES)),
    (),
)
DIGESTS = np.array([digest_of(image) for image in IMAGES])
ANSWERS = np.array([[0.75, 0.25], [0.5, 0.5], [0.125, 0.875]], np.float32)


def test_each_picture_gets_its_own_answer_whatever_the_order(tmp_path):
    np.savez(tmp_path / "soft.npz", digest=DIGESTS[::-1], probability=ANSWERS[::-1])
    np.testing.assert_array_equal(read_soft_labels(tmp_path / "soft.npz", PICTURES, np.arange(3), 2), ANSWERS)


def test_pictures_that_are_only_measured_with_may_be_missing(tmp_path):
    np.savez(tmp_path / "soft.npz", digest=DIGESTS[:2], probability=ANSWERS[:2])
    found = read_soft_labels(tmp_path / "soft.npz", PICTURES, np.array([0, 1]), 2)
    np.testing.assert_array_equal(found, [*ANSWERS[:2], [0, 0]])


def test_a_digest_tells_pictures_apart_by_shape_too():
    assert len({digest_of(Image.new("RGB", size)) for size in ((2, 8), (8, 2), (4, 4), (4, 5))}) == 4


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        ({"digest": DIGESTS}, "cannot be read: .*probability"),
        (
            {"digest": DIGESTS, "probability": ANSWERS[:, :1]},
            "must hold 2 probabilities for each of .* 3 .*received 3 x 1",
        ),
        ({"digest": DIGESTS, "probability": ANSWERS[:2]}, "received 2 x 2"),
        ({"digest": DIGESTS[0], "probability": ANSWERS[:1]}, "must hold 2 probabilities for each of their 1 pictures"),
        ({"digest": DIGESTS[:, None], "probability": ANSWERS}, "must hold 2 probabilities"),
        ({"digest": DIGESTS, "probability": ANSWERS * 2}, "must be probabilities that add up to 1"),
        ({"digest": DIGESTS, "probability": ANSWERS * np.nan}, "must be probabilities that add up to 1"),
        ({"digest": DIGESTS, "probability": np.array([[2, -1]] * 3)}, "must be probabilities that add up to 1"),
        ({"digest": DIGESTS, "probability": np.full((3, 2), "a")}, "must be numbers"),
        ({"digest": DIGESTS[:2], "probability": ANSWERS[:2]}, "lack 1 of the 3 pictures to learn from"),
    ],
)
def test_a_file_that_does_not_fit_is_refused_with_the_reason(tmp_path, content, sentence):
    np.savez(tmp_path / "soft.npz", **content)
    with pytest.raises(DataError, match=sentence):
        read_soft_labels(tmp_path / "soft.npz", PICTURES, np.arange(3), 2)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 half", b"no archive"])
def test_a_file_that_is_no_archive_is_refused(tmp_path, content):
    (tmp_path / "soft.npz").write_bytes(content)
    with pytest.raises(DataError, match=r"The soft labels .*soft.npz cannot be read"):
        read_soft_labels(tmp_path / "soft.npz", PICTURES, np.arange(3), 2)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(DataError, match=r"cannot be read: No such file"):
        read_soft_labels(tmp_path / "none.npz", PICTURES, np.arange(3), 2)
