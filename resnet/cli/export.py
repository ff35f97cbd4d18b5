"""`export`: weights in the forms that other programs take."""

from __future__ import annotations

import argparse
from pathlib import Path

from resnet.cli.arguments import add_weights, without_native_messages


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
    parser.add_argument("--bits", type=int, choices=range(4, 9), default=8, help="npz: bits a number (default: 8)")
    parser.add_argument("--out", type=Path, required=True, help="folder of the result")
    parser.set_defaults(run=_export)


def _export(options: argparse.Namespace) -> int:
    with without_native_messages():
        from resnet import formats
        from resnet.engine import find_devices
        from resnet.provider import read_weights

        find_devices()
        manifest, arrays = read_weights(options.weights)
        if options.format == "savedmodel":
            path = formats.write_saved_model(manifest, arrays, options.out)
        else:
            path = formats.write_compact(manifest, arrays, options.out, options.bits)
    print(f"wrote {path}")
    if options.format == "npz":
        print(f"measure it: python -m resnet evaluate DATA --weights {options.out} --record")
    return 0
