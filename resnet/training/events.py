"""Numbers of a run for TensorBoard, written without having it installed."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import tensorflow as tf


class EventLog:
    """A file of events in a folder that `tensorboard --logdir` shows.

    `tf.summary.scalar` needs the package tensorboard for the one call that this class makes itself.
    """

    def __init__(self, folder: Path) -> None:
        """Begin a file.

        Args:
            folder: Made if it does not exist; files of earlier parts of the same run stay beside it.
        """
        self._writer = tf.raw_ops.SummaryWriter(shared_name=str(folder), container="")
        tf.raw_ops.CreateSummaryFileWriter(
            writer=self._writer, logdir=str(folder), max_queue=100, flush_millis=60_000, filename_suffix=".resnet"
        )

    def write(self, step: int, values: Mapping[str, float]) -> None:
        """Add a point to each curve.

        Args:
            step: Place on the horizontal axis.
            values: By name of the curve.
        """
        for name, value in values.items():
            tf.raw_ops.WriteScalarSummary(
                writer=self._writer, step=tf.constant(step, tf.int64), tag=name, value=tf.constant(value, tf.float32)
            )
        tf.raw_ops.FlushSummaryWriter(writer=self._writer)
