"""`batch`: very many photos on several processes or machines."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from resnet.cli.arguments import add_framing, add_weights, positive
from resnet.logs import without_greetings
from resnet.maps.observation import MAXIMUM_TOP_K
from resnet.progress import progress


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("batch", help="very many photos: classes and features as Parquet")
    parser.add_argument(
        "sources", nargs="+", type=Path, metavar="SOURCE", help="a folder of photos or of Parquet files, or such a file"
    )
    parser.add_argument(
        "--out", type=Path, required=True, help="folder of the result; run the same command again to resume"
    )
    add_weights(parser)
    add_framing(parser)
    parser.add_argument(
        "--top-k", type=positive, default=5, metavar="K", help=f"classes a photo, 1 to {MAXIMUM_TOP_K} (default: 5)"
    )
    parser.add_argument("--workers", type=positive, default=1, help="processes with a network each (default: 1)")
    parser.add_argument("--batch-size", type=positive, default=16, help="photos per forward pass (default: 16)")
    parser.add_argument("--column", default="image", help="Parquet: column with the files' bytes (default: image)")
    parser.add_argument("--name-column", default="path", help="Parquet: column with the names (default: path)")
    parser.add_argument(
        "--portion", type=positive, default=10_000, help="photos that are finished together (default: 10000)"
    )
    parser.add_argument("--address", help="of a running Ray cluster (default: start one on this machine)")
    parser.set_defaults(run=_batch)


def _batch(options: argparse.Namespace) -> int:
    from resnet.output.batch import count_rows, run_batch
    from resnet.output.portions import BatchOptions

    with without_greetings():
        from resnet.network.engine import find_devices

        find_devices()

    names = BatchOptions.__dataclass_fields__
    chosen = BatchOptions(**{name: value for name, value in vars(options).items() if name in names})
    bar = None
    notes: list[str] = []
    for done, total in run_batch(options.sources, options.out, chosen, options.address, notes):
        while notes:
            print(f"resnet: {notes.pop(0)}", file=sys.stderr)
        bar = bar or progress(total=total, initial=done, unit="portion")
        bar.update(done - bar.n)
    if bar is not None:
        bar.close()
    photos, faults = count_rows(options.out)
    print(f"wrote {options.out}: {photos:,} photos")
    if faults:
        print(f"resnet: {faults:,} of them could not be read; the column error says why.", file=sys.stderr)
    return 1 if faults else 0
