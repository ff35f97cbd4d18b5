"""`compare`: two photos, or one photo before and after a change, as a table and a figure."""

from __future__ import annotations

import argparse
from pathlib import Path

from resnet.cli.arguments import add_framing, add_weights, format_of, load, write_file
from resnet.errors import OptionError
from resnet.maps.comparison import CHANGES, check_change, observe_changed, similarities, verdict
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import observe
from resnet.output.figures import comparison_figure
from resnet.photo.images import read_photo


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("compare", help="two photos, or one before and after a change, stage by stage")
    parser.add_argument("photo", type=Path, metavar="PHOTO")
    parser.add_argument("other", type=Path, nargs="?", metavar="OTHER", help="another photo")
    parser.add_argument(
        "--change",
        type=_change,
        metavar="NAME:AMOUNT",
        help="instead of another photo, change the first: "
        + ", ".join(
            f"{name} ({one.low:g} to {one.high:g} {one.unit.replace('%', '%%')})" for name, one in CHANGES.items()
        ),
    )
    parser.add_argument("--map", choices=("mean", "max", "l2", "pca"), default="mean", help="default: mean")
    add_weights(parser)
    add_framing(parser)
    parser.add_argument(
        "--figure", type=Path, metavar="FILE", help="draw both photos' maps and charts: .png, .svg, .pdf"
    )
    parser.set_defaults(run=_compare)


def _change(text: str) -> tuple[str, float]:
    name, _, amount = text.partition(":")
    try:
        return name, float(amount)
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be NAME:AMOUNT, such as rotate:30; received {text!r}") from None


def _compare(options: argparse.Namespace) -> int:
    if (options.other is None) == (options.change is None):
        raise OptionError("Give another photo, or --change, to compare with; not both.")
    kind = format_of(options.figure) if options.figure else ""
    photo = read_photo(options.photo)
    other = None if options.change else read_photo(options.other)
    if options.change:
        check_change(*options.change)
    engine = load(options.weights)
    one = observe(photo, engine, options.framing)
    if other is not None:
        two = observe(other, engine, options.framing)
    else:
        two = observe_changed(photo, engine, options.framing, *options.change)
        two = two.named(f"{one.photo_name}, {options.change[0]} {options.change[1]:g}")
    print(f"{one.photo_name} and {two.photo_name}  ({one.manifest.name})")
    for found in (one, two):
        first = found.predictions(1)[0]
        print(f"  {first.probability:6.1%}  {first.label:<28}{found.photo_name}")
        for note in found.notes:
            print(f"  note: {note}")
    print(f"  {'stage':<8}{'cosine':>8}{'linear CKA':>12}{'by chance':>16}")
    answer = similarities(one, two)
    for stage in answer:
        cka, chance = ("–" if value is None else f"{value:.3f}" for value in (stage.cka, stage.chance))
        print(f"  {stage.stage:<8}{stage.cosine:8.3f}{cka:>12}{chance:>16}")
    print(f"  {verdict(answer)}")
    if options.figure:
        write_file(options.figure, comparison_figure(one, two, answer, ViewOptions(options.map), kind))
    return 0
