"""How often the network is right: top-1 and top-5 accuracy on a labelled data set."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet.engine import Engine
from resnet.errors import DataError, ImageError
from resnet.preprocess import prepare
from resnet.training.dataset import LabelledFile


@dataclass(frozen=True)
class Evaluation:
    """What was measured.

    Attributes:
        images: Number of images classified.
        top1: Share of images whose class came first.
        top5: Share of images whose class was among the first five.
        skipped: Sentences about files that could not be read.
        images_per_second: Throughput, decoding included.
    """

    images: int
    top1: float
    top5: float
    skipped: tuple[str, ...]
    images_per_second: float


def ranks(probabilities: NDArray[np.float32], truth: NDArray[np.int64]) -> NDArray[np.int64]:
    """The rank of each true class, from 0: how many classes got a higher probability.

    Args:
        probabilities: (batch, classes).
        truth: (batch,) class indices.
    """
    own = probabilities[np.arange(len(truth)), truth]
    return np.asarray((probabilities > own[:, None]).sum(axis=1))


def _labelled_images(files: Iterable[LabelledFile], skipped: list[str]) -> Iterator[tuple[Image.Image, int]]:
    for file in files:
        try:
            for _, image in file.images():
                yield image, file.class_index
        except ImageError as error:
            skipped.append(str(error))


def evaluate(
    engine: Engine, files: Iterable[LabelledFile], *, batch_size: int = 32, limit: int | None = None
) -> Evaluation:
    """Classify every image, framed as the manifest says, and count.

    Args:
        engine: The network.
        files: From `find_labelled`.
        batch_size: Images per forward pass.
        limit: Stop after so many images.

    Raises:
        DataError: Not one image could be read, or a sheet does not fit its tiles.
    """
    skipped: list[str] = []
    found: list[NDArray[np.int64]] = []
    stream = islice(_labelled_images(files, skipped), limit)
    start = time.perf_counter()
    while batch := list(islice(stream, batch_size)):
        pixels = np.stack([prepare(image, engine.manifest.input).pixels for image, _ in batch])
        truth = np.array([index for _, index in batch])
        found.append(ranks(engine.run(pixels).probabilities, truth))
    elapsed = time.perf_counter() - start
    if not found:
        raise DataError("No image of the data set could be read; the first fault: {}", (skipped or ["none"])[0])
    every = np.concatenate(found)
    return Evaluation(
        images=len(every),
        top1=float((every < 1).mean()),
        top5=float((every < 5).mean()),
        skipped=tuple(skipped),
        images_per_second=len(every) / elapsed,
    )
