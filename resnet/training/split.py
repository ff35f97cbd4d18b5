"""Split into training and validation pictures; no picture is in both."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resnet.errors import DataError
from resnet.network.labels import ClassLabel
from resnet.training.files import LabelledFile
from resnet.training.pictures import Pictures


@dataclass(frozen=True)
class Split:
    """Rows of `Pictures` by what they are for.

    Attributes:
        training: Rows to learn from, ascending.
        validation: Rows to measure with, ascending.
        dropped: Sentences about pictures that were left out because an equal one is in the data set.
    """

    training: NDArray[np.int64]
    validation: NDArray[np.int64]
    dropped: tuple[str, ...]


def split(
    pictures: Pictures,
    files: Sequence[LabelledFile],
    labels: Sequence[ClassLabel],
    *,
    given: int | None,
    share: float,
    seed: int,
) -> Split:
    """Set pictures aside for validation, the same share of each class.

    Of equal pictures of a class one is kept: the one for validation where the data set has both. Of
    equal pictures of several classes none is.

    Args:
        pictures: Of the data set.
        files: That they come from.
        labels: Its classes.
        given: Number of the first file that is for validation, where the data set says so itself.
        share: Of each class's pictures to set aside otherwise, above 0 and below 1.
        seed: Which ones.

    Raises:
        DataError: A class has too few different pictures.
    """
    first_given = len(files) if given is None else given
    rows, dropped = _without_duplicates(pictures, files, labels, first_given)
    classes = pictures.classes[rows]
    if given is not None:
        measured = np.array([pictures.items[row].file >= given for row in rows], bool)
    else:
        measured = np.zeros(len(rows), bool)
        generator = np.random.default_rng(seed)
        for label in labels:
            own = np.flatnonzero(classes == label.index)
            if len(own) < 2:
                raise DataError("The class {} has {} readable pictures; at least 2 are needed.", label.name, len(own))
            measured[generator.permutation(own)[: min(max(1, round(len(own) * share)), len(own) - 1)]] = True
    training, validation = rows[~measured], rows[measured]
    lacking = set(range(len(labels))) - set(pictures.classes[training].tolist())
    if lacking:
        raise DataError("The class {} has no readable picture to learn from.", labels[min(lacking)].name)
    if not len(validation):
        raise DataError("The validation has no readable picture.")
    return Split(training, validation, tuple(dropped))


def _without_duplicates(
    pictures: Pictures, files: Sequence[LabelledFile], labels: Sequence[ClassLabel], first_given: int
) -> tuple[NDArray[np.int64], list[str]]:
    def name(row: int) -> str:
        item = pictures.items[row]
        part = "validation" if item.file >= first_given else "training"
        return f"{files[item.file].name(item.position)} ({labels[item.class_index].name}, {part})"

    equal: dict[str, list[int]] = {}
    order = sorted(range(len(pictures.items)), key=lambda row: (pictures.items[row].file < first_given, row))
    for row in order:
        equal.setdefault(pictures.items[row].digest, []).append(row)
    kept, dropped = [], []
    for first, *others in equal.values():
        if len({pictures.items[row].class_index for row in (first, *others)}) > 1:
            dropped.append(f"{', '.join(map(name, (first, *others)))} show the same and are left out.")
            continue
        kept.append(first)
        dropped += [f"{name(row)} shows the same as {name(first)} and is left out." for row in others]
    return np.array(sorted(kept), np.int64), dropped
