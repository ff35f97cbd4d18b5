"""Accuracy of a network on a labelled data set, measured with the program's own forward pass."""

from __future__ import annotations

import heapq
import time
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from functools import cached_property
from itertools import count, islice
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet.errors import DataError, ImageError
from resnet.network.engine import Engine
from resnet.network.labels import ClassLabel
from resnet.photo.preprocess import prepare
from resnet.training.files import LabelledFile
from resnet.training.measures import (
    CalibrationBin,
    ClassMeasure,
    calibration,
    confusion_matrix,
    expected_calibration_error,
    measure_classes,
    ranks,
    wilson_interval,
)

THUMBNAIL = 128
TOP_K = 5
MISTAKES = 24


@dataclass(frozen=True)
class Mistake:
    """A picture that was called something else.

    Attributes:
        name: Of the picture.
        truth: Its class.
        answer: The class it was given.
        probability: Of that answer.
        thumbnail: The picture, at most 128 pixels wide and high.
    """

    name: str
    truth: int
    answer: int
    probability: float
    thumbnail: Image.Image


@dataclass(frozen=True)
class Evaluation:
    """Result of a measurement.

    Attributes:
        labels: The network's classes.
        truth: (images,) true classes.
        answers: (images,) the likeliest class of each.
        confidence: (images,) float32, its probability.
        ranks: (images,) rank of the true class, from 0.
        mistakes: The most confident ones, most confident first.
        skipped: Sentences about files that could not be read.
        seconds: For everything, decoding included.
        probabilities: (images, classes) float32, where they were to be kept.
    """

    labels: tuple[ClassLabel, ...]
    truth: NDArray[np.int64]
    answers: NDArray[np.int64]
    confidence: NDArray[np.float32]
    ranks: NDArray[np.int64]
    mistakes: tuple[Mistake, ...]
    skipped: tuple[str, ...]
    seconds: float
    probabilities: NDArray[np.float32] | None = None

    @property
    def images(self) -> int:
        """Number of pictures classified."""
        return len(self.truth)

    @property
    def top1(self) -> float:
        """Share of pictures whose class came first."""
        return float((self.ranks < 1).mean())

    @property
    def top5(self) -> float:
        """Share of pictures whose class was among the first five."""
        return float((self.ranks < 5).mean())

    @property
    def interval(self) -> tuple[float, float]:
        """Between which shares the true top-1 accuracy lies, 19 times of 20."""
        return wilson_interval(int((self.ranks < 1).sum()), self.images)

    @property
    def has_top5(self) -> bool:
        """Return True if there are more than five classes."""
        return len(self.labels) > TOP_K

    @property
    def images_per_second(self) -> float:
        """Throughput, decoding included."""
        return self.images / self.seconds

    @cached_property
    def confusion(self) -> NDArray[np.int64]:
        """Return the confusion matrix: true class by row, answer by column."""
        return confusion_matrix(self.truth, self.answers, len(self.labels))

    @cached_property
    def classes(self) -> list[ClassMeasure]:
        """Recall, precision and top-5 of every class."""
        return measure_classes(self.confusion, self.truth, self.ranks)

    @cached_property
    def calibration(self) -> list[CalibrationBin]:
        """Confidence and accuracy in 15 bins."""
        return calibration(self.confidence, self.answers == self.truth)

    @property
    def calibration_error(self) -> float:
        """Expected calibration error, 0 to 1."""
        return expected_calibration_error(self.calibration)

    @property
    def accuracy(self) -> dict[str, float]:
        """As a manifest states it."""
        more = {"top5": round(self.top5, 4)} if self.has_top5 else {}
        return {"images": self.images, "top1": round(self.top1, 4), **more}

    def to_json(self) -> dict[str, Any]:
        """Everything but the pictures, ready for JSON."""
        return {
            "images": self.images,
            "top1": self.top1,
            "top1_interval": list(self.interval),
            "top5": self.top5 if self.has_top5 else None,
            "calibration_error": self.calibration_error,
            "images_per_second": self.images_per_second,
            "skipped": list(self.skipped),
            "classes": [
                {"wnid": label.wnid, "label": label.name, **asdict(measure)}
                for label, measure in zip(self.labels, self.classes, strict=True)
            ],
            "calibration": [asdict(one) for one in self.calibration],
            "confusion": self.confusion.tolist(),
            "mistakes": [
                {
                    "picture": one.name,
                    "label": self.labels[one.truth].name,
                    "answer": self.labels[one.answer].name,
                    "probability": one.probability,
                }
                for one in self.mistakes
            ],
        }


def _labelled_images(files: Iterable[LabelledFile], skipped: list[str]) -> Iterator[tuple[Image.Image, int, str]]:
    for file in files:
        try:
            for position, image in file.images():
                yield image, file.class_index, file.name(position)
        except ImageError as error:
            skipped.append(str(error))


class _Mistakes:
    """The most confident mistakes so far."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Mistake]] = []
        self._order = count()

    def add(self, image: Image.Image, name: str, truth: int, answer: int, probability: float) -> None:
        if truth == answer or (len(self._heap) == MISTAKES and probability <= self._heap[0][0]):
            return
        thumbnail = image.copy()
        thumbnail.thumbnail((THUMBNAIL, THUMBNAIL))
        push = heapq.heappush if len(self._heap) < MISTAKES else heapq.heapreplace
        push(self._heap, (probability, next(self._order), Mistake(name, truth, answer, probability, thumbnail)))

    def sorted(self) -> tuple[Mistake, ...]:
        return tuple(mistake for _, _, mistake in sorted(self._heap, key=lambda entry: -entry[0]))


def evaluate(
    engine: Engine,
    files: Iterable[LabelledFile],
    *,
    batch_size: int = 32,
    limit: int | None = None,
    keep_probabilities: bool = False,
) -> Evaluation:
    """Classify every picture, framed as the manifest says, and measure.

    Args:
        engine: The network.
        files: From `find_labelled`.
        batch_size: Pictures per forward pass.
        limit: Stop after so many pictures.
        keep_probabilities: Return all of them.

    Raises:
        DataError: Not one picture could be read, or a sheet does not fit its tiles.
    """
    skipped: list[str] = []
    mistakes = _Mistakes()
    truths, answers, confidences, found = [], [], [], []
    kept: list[NDArray[np.float32]] = []
    stream = islice(_labelled_images(files, skipped), limit)
    start = time.perf_counter()
    while batch := list(islice(stream, batch_size)):
        pixels = np.stack([prepare(image, engine.manifest.input).pixels for image, _, _ in batch])
        truth = np.array([index for _, index, _ in batch])
        probabilities = engine.run(pixels).probabilities
        answer = probabilities.argmax(axis=1)
        confidence = probabilities.max(axis=1)
        for (image, index, name), called, sure in zip(batch, answer.tolist(), confidence.tolist(), strict=True):
            mistakes.add(image, name, index, called, sure)
        truths.append(truth)
        answers.append(answer)
        confidences.append(confidence)
        found.append(ranks(probabilities, truth))
        if keep_probabilities:
            kept.append(probabilities)
    elapsed = time.perf_counter() - start
    if not found:
        raise DataError("No image of the data set could be read; the first fault: {}", (skipped or ["none"])[0])
    return Evaluation(
        labels=engine.manifest.labels,
        truth=np.concatenate(truths),
        answers=np.concatenate(answers),
        confidence=np.concatenate(confidences),
        ranks=np.concatenate(found),
        mistakes=mistakes.sorted(),
        skipped=tuple(skipped),
        seconds=elapsed,
        probabilities=np.concatenate(kept) if keep_probabilities else None,
    )
