"""`export`: weights in the forms that other programs take."""

from __future__ import annotations

import argparse
import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from resnet.cli.arguments import add_outside, add_weights, positive
from resnet.errors import OptionError
from resnet.logs import without_greetings

if TYPE_CHECKING:
    from resnet.network.manifest import Manifest
    from resnet.network.weights import Arrays


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("export", help="a SavedModel to serve, or small weights to publish")
    add_weights(parser)
    parser.add_argument(
        "--format",
        choices=("savedmodel", "npz"),
        default="savedmodel",
        help="savedmodel for TensorFlow Serving, npz for --weights (default: savedmodel)",
    )
    parser.add_argument("--bits", type=int, choices=range(4, 9), help="npz: bits per number (default: 8)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the result")
    group = parser.add_argument_group("batch normalisation")
    group.add_argument(
        "--statistics",
        type=Path,
        metavar="DATA",
        help="estimate means and variances anew, after rounding, from a data set as evaluate takes it; "
        "not the one to measure with",
    )
    add_outside(group)
    group.add_argument(
        "--statistics-images",
        type=positive,
        default=10_000,
        help="number of pictures for --statistics (default: 10000)",
    )
    group.add_argument("--tile", type=positive, default=64, help="side of the data set's tiles in pixels (default: 64)")
    parser.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> int:
    if options.bits is not None and options.format != "npz":
        raise OptionError("--bits needs --format npz; received {}.", options.format)
    options.bits = options.bits or 8
    if options.statistics:
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # as for training
    with without_greetings():
        from resnet.network import formats
        from resnet.network.engine import find_devices
        from resnet.network.sources import read_weights

        find_devices()
        # Before the minutes that statistics take, not after them.
        if options.format == "savedmodel":
            formats.check_version(options.out)
        else:
            formats.check_new(options.out)
        manifest, arrays = read_weights(options.weights)
    if options.statistics:
        manifest, arrays = _with_new_statistics(options, manifest, arrays)
    with without_greetings():
        if options.format == "savedmodel":
            path = formats.write_saved_model(manifest, arrays, options.out)
        else:
            path = formats.write_compact(manifest, arrays, options.out, options.bits)
    print(f"wrote {path}")
    if options.format == "npz":
        print(f"measure it: python -m resnet evaluate DATA --weights {options.out} --record")
    return 0


def _with_new_statistics(options: argparse.Namespace, manifest: Manifest, arrays: Arrays) -> tuple[Manifest, Arrays]:
    from resnet.network.weights import rounded
    from resnet.training.dataset import find_labelled
    from resnet.training.layout import find_parts
    from resnet.training.statistics import with_new_statistics

    if options.format == "npz":
        arrays = rounded(arrays, options.bits)
    data = find_parts(options.statistics, options.tile).training
    files = find_labelled(data, manifest.labels, options.tile, outside=options.outside)
    arrays, images = with_new_statistics(manifest, arrays, files, images=options.statistics_images)
    made = {**manifest.training, "statistics": {"data": options.statistics.resolve().name, "images": images}}
    return replace(manifest, training=made), arrays
