"""`elsewhere`: cells of a photo and of others that resemble an asked one, as a table and a figure."""

from __future__ import annotations

import argparse
from pathlib import Path

from resnet.cli.arguments import add_framing, add_weights, format_of, load, write_file
from resnet.errors import OptionError
from resnet.maps.elsewhere import find_elsewhere
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import observe
from resnet.output.elsewhere import elsewhere_figure
from resnet.photo.images import read_photo
from resnet.stages import STAGE_NAMES


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("elsewhere", help="cells that resemble one, in its photo and in others")
    parser.add_argument("photo", type=Path, metavar="PHOTO")
    parser.add_argument("others", type=Path, nargs="*", metavar="OTHER", help="further photos to look in")
    parser.add_argument(
        "--at", type=_point, required=True, metavar="X,Y", help="the asked cell, by a point in pixels of the photo"
    )
    parser.add_argument("--stage", choices=STAGE_NAMES, default="C4", help="default: C4")
    add_weights(parser)
    add_framing(parser)
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw each photo's map: .png, .svg, .pdf")
    parser.set_defaults(run=_elsewhere)


def _point(text: str) -> tuple[float, float]:
    try:
        x, y = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be X,Y; received {text!r}") from None
    return x, y


def _elsewhere(options: argparse.Namespace) -> int:
    kind = format_of(options.figure) if options.figure else ""
    photo, *others = (read_photo(path) for path in (options.photo, *options.others))
    engine = load(options.weights)
    observation, *further = (observe(one, engine, options.framing) for one in (photo, *others))
    stage, (x, y) = STAGE_NAMES.index(options.stage), options.at
    left, top, right, bottom = observation.geometry.seen
    if not (left <= x <= right and top <= y <= bottom):
        raise OptionError(
            "The network saw x {:.0f} to {:.0f}, y {:.0f} to {:.0f} px; received {:g},{:g}.",
            left, right, top, bottom, x, y,
        )  # fmt: skip
    row, column = observation.geometry.cell_at(observation.blocks[stage], x, y)
    found = find_elsewhere(observation, stage, row, column, further)
    print(f"{observation.photo_name}  ({engine.manifest.name}): {options.stage}, row {row + 1}, column {column + 1}")
    for one in found:
        for match in one.matches:
            box = ", ".join(f"{edge:.0f}" for edge in match.box)
            print(f"  {match.cosine:6.3f}  {one.observation.photo_name:<28}box {box} px")
    if options.figure:
        write_file(options.figure, elsewhere_figure(found, row, column, ViewOptions(), kind))
    return 0
