"""Measures for answers to labelled pictures: accuracy, confusion, calibration."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from resnet.network.calibration import fit_temperature, tempered

BINS = 15


@dataclass(frozen=True)
class ClassMeasure:
    """Results of one class.

    Attributes:
        images: Pictures of the class.
        recall: Share of its pictures that were given its name; None without pictures.
        precision: Share of right answers among those that gave its name; None if none did.
        top5: Share of its pictures with its name among the first five; None without pictures.
    """

    images: int
    recall: float | None
    precision: float | None
    top5: float | None


@dataclass(frozen=True)
class CalibrationBin:
    """The answers whose confidence lies between two bounds.

    Attributes:
        low: Lower bound, exclusive but for 0.
        high: Upper bound, inclusive.
        images: Number of answers.
        confidence: Mean probability of the first class; 0 without answers.
        accuracy: Share of right answers; 0 without answers.
    """

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


def ranks(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rank of each true class, from 0: how many classes come before it.

    Of equal probabilities the first class comes first, as in `argmax`: a network that always says the same of all
    classes is right no oftener than by chance.

    Args:
        probabilities: (batch, classes).
        truth: (batch,) class indices.
    """
    own = probabilities[np.arange(len(truth)), truth][:, None]
    earlier = np.arange(probabilities.shape[1]) < truth[:, None]
    # NaN comes last.
    return np.asarray((~(probabilities <= own) | ((probabilities == own) & earlier)).sum(axis=1))


def confusion_matrix(truth: NDArray[np.int64], answers: NDArray[np.int64], classes: int) -> NDArray[np.int64]:
    """Return the confusion matrix, (classes, classes): true class by row, answer by column."""
    return np.bincount(truth * classes + answers, minlength=classes * classes).reshape(classes, classes)


def measure_classes(
    confusion: NDArray[np.int64], truth: NDArray[np.int64], found: NDArray[np.int64]
) -> list[ClassMeasure]:
    """Recall, precision and top-5 of every class.

    Args:
        confusion: From `confusion_matrix`.
        truth: (images,) class indices.
        found: (images,) from `ranks`.
    """
    images, answered = confusion.sum(axis=1), confusion.sum(axis=0)
    return [
        ClassMeasure(
            int(images[index]),
            float(confusion[index, index] / images[index]) if images[index] else None,
            float(confusion[index, index] / answered[index]) if answered[index] else None,
            float((found[truth == index] < 5).mean()) if images[index] else None,
        )
        for index in range(len(confusion))
    ]


def calibration(confidence: NDArray[np.float32], right: NDArray[np.bool_], bins: int = BINS) -> list[CalibrationBin]:
    """Return confidence and accuracy in bins of equal width.

    Guo, Pleiss, Sun, Weinberger: "On Calibration of Modern Neural Networks"
    (https://arxiv.org/abs/1706.04599), section 2.

    Args:
        confidence: (images,) probability of the first class.
        right: (images,) whether that was the true class.
        bins: Number of bins.
    """
    places = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    result = []
    for place in range(bins):
        inside = places == place
        count = int(inside.sum())
        result.append(
            CalibrationBin(
                place / bins,
                (place + 1) / bins,
                count,
                float(confidence[inside].mean()) if count else 0.0,
                float(right[inside].mean()) if count else 0.0,
            )
        )
    return result


def expected_calibration_error(bins: list[CalibrationBin]) -> float:
    """Mean distance of confidence and accuracy, each bin weighted by its images; 0 is perfect, 1 the worst."""
    total = sum(one.images for one in bins)
    return sum(one.images * abs(one.confidence - one.accuracy) for one in bins) / total


@dataclass(frozen=True)
class Calibration:
    """A temperature, and what it does.

    Attributes:
        temperature: Fitted on every second picture.
        before: Expected calibration error of the others as they are, 0 to 1.
        after: The same with the temperature.
    """

    temperature: float
    before: float
    after: float


def calibrate(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> Calibration:
    """Fit a temperature on half of the pictures, and measure it on the other half.

    Args:
        probabilities: (images, classes), by softmax.
        truth: (images,) class indices.
    """
    temperature = round(fit_temperature(probabilities[::2], truth[::2]), 3)

    def error(answers: NDArray[np.float32]) -> float:
        right = answers.argmax(axis=1) == truth[1::2]
        return expected_calibration_error(calibration(answers.max(axis=1), right))

    others = probabilities[1::2]
    return Calibration(temperature, error(others), error(tempered(others, temperature)))


def wilson_interval(right: int, images: int) -> tuple[float, float]:
    """Return the bounds between which the true share lies, 19 times of 20.

    Wilson 1927, "Probable Inference, the Law of Succession, and Statistical Inference"
    (https://doi.org/10.1080/01621459.1927.10502953).

    Args:
        right: Right answers.
        images: All of them, at least 1.
    """
    z, share = 1.959964, right / images
    middle = (share + z * z / (2 * images)) / (1 + z * z / images)
    reach = z / (1 + z * z / images) * math.sqrt(share * (1 - share) / images + z * z / (4 * images * images))
    return max(0.0, middle - reach), min(1.0, middle + reach)


def most_confused(confusion: NDArray[np.int64], count: int = 10) -> list[tuple[int, int, int]]:
    """The most frequent mistakes as (true class, answer, times), most frequent first."""
    wrong = confusion - np.diag(np.diag(confusion))
    order = np.argsort(-wrong, axis=None, kind="stable")[:count]
    pairs = (np.unravel_index(place, wrong.shape) for place in order)
    return [(int(row), int(column), int(wrong[row, column])) for row, column in pairs if wrong[row, column]]
