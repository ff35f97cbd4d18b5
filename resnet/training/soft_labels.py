"""Answers of another classifier, used as additional training targets.

Hinton, Vinyals, Dean: "Distilling the Knowledge in a Neural Network" (https://arxiv.org/abs/1503.02531).
The answers come from a file, so the other classifier can be of any library, or several together.
"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnet.errors import DataError
from resnet.training.pictures import Pictures

SUM_TOLERANCE = 0.02
"""Tolerance for the sum of 16-bit probabilities of a picture."""


def read_soft_labels(path: Path, pictures: Pictures, rows: NDArray[np.int64], classes: int) -> NDArray[np.float16]:
    """Read probabilities by picture.

    Args:
        path: A NumPy `.npz` with `digest` (n,) text, each from `pictures.digest_of`, and `probability`
            (n, classes) floats from 0 to 1 that add up to 1, classes in the order of the data set's.
        pictures: Of the data set.
        rows: Pictures that must be in the file.
        classes: Of the data set.

    Returns:
        (pictures, classes); 0 where the file lacks a picture that is not in `rows`.

    Raises:
        DataError: The file cannot be read, has other classes, or lacks a picture.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            digests, probabilities = file["digest"], file["probability"]
    except (OSError, EOFError, ValueError, KeyError, TypeError, zipfile.BadZipFile) as error:
        reason = getattr(error, "strerror", None) or error
        raise DataError("The soft labels {} cannot be read: {}.", path, reason) from error
    if digests.ndim != 1 or probabilities.shape != (digests.size, classes):
        raise DataError(
            "The soft labels {} must hold {} probabilities for each of their {} pictures; received {}.",
            path,
            classes,
            digests.size,
            " x ".join(map(str, probabilities.shape)),
        )
    if probabilities.dtype.kind not in "fiu":
        raise DataError(
            "The probabilities of the soft labels {} must be numbers; received {}.", path, probabilities.dtype
        )
    probabilities = probabilities.astype(np.float16)
    sums = probabilities.sum(axis=1, dtype=np.float32)
    if not (np.all(probabilities >= 0) and np.all(np.abs(sums - 1) <= SUM_TOLERANCE)):
        raise DataError("The soft labels {} must be probabilities that add up to 1 for each picture.", path)
    places = {digest: place for place, digest in enumerate(digests.tolist())}
    lacking = [row for row in rows if pictures.items[row].digest not in places]
    if lacking:
        raise DataError("The soft labels {} lack {} of the {} pictures to learn from.", path, len(lacking), len(rows))
    found = np.zeros((len(pictures.items), classes), np.float16)
    for row, item in enumerate(pictures.items):
        if item.digest in places:
            found[row] = probabilities[places[item.digest]]
    return found
