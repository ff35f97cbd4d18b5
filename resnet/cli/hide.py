"""`hide`: the answer without what is drawn on a photo, alone or beside as much of a map."""

from __future__ import annotations

import argparse
from pathlib import Path

from resnet.cli.arguments import add_framing, add_weights, format_of, load, write_file
from resnet.errors import OptionError
from resnet.maps.drawn import Drawing, hide_drawn, read_drawing
from resnet.maps.evidence import find_evidence
from resnet.maps.observation import likeliest, observe
from resnet.maps.occlusion import FILLS, HIDING_MAPS, hide, hiding_map
from resnet.output.drawn import MOST_CLASSES, Attempt, Rival
from resnet.photo.images import read_photo
from resnet.stages import STAGE_NAMES


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("hide", help="the answer without a part of the photo, against as much of a map")
    parser.add_argument("photo", type=Path, metavar="PHOTO")
    parser.add_argument(
        "--box",
        dest="boxes",
        type=_box,
        action="append",
        required=True,
        metavar="LEFT,TOP,RIGHT,BOTTOM",
        help="hide this, in pixels of the photo; can be given several times",
    )
    parser.add_argument("--fill", choices=FILLS, default=FILLS[0], help="what replaces it (default: blur)")
    parser.add_argument("--class", dest="class_name", default="", metavar="NAME", help="default: the likeliest")
    parser.add_argument("--against", choices=HIDING_MAPS, help="also hide as much of this map, its hottest part")
    parser.add_argument("--stage", choices=STAGE_NAMES, default="C5", help="of that map (default: C5)")
    add_weights(parser)
    add_framing(parser)
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw what is hidden and the classes")
    parser.set_defaults(run=_hide)


def _box(text: str) -> list[float]:
    try:
        left, top, right, bottom = map(float, text.split(","))
    except ValueError:
        raise argparse.ArgumentTypeError(f"must be LEFT,TOP,RIGHT,BOTTOM; received {text!r}") from None
    return [left, top, right, bottom]


def _hide(options: argparse.Namespace) -> int:
    kind = format_of(options.figure) if options.figure else ""
    drawing: Drawing = read_drawing([{"box": box} for box in options.boxes])
    photo = read_photo(options.photo)
    engine = load(options.weights)
    observation = observe(photo, engine, options.framing)
    manifest = observation.manifest
    name = options.class_name
    target = manifest.class_named(name) if name else observation.likeliest_indices(1)[0]
    found = hide_drawn(observation, engine, drawing, options.fill)
    if not found.share:
        raise OptionError("The network sees nothing of what is to be hidden: the photo has {} × {} pixels.",
                          *observation.geometry.photo_size)  # fmt: skip
    rival = None
    if options.against:
        place = STAGE_NAMES.index(options.stage)
        heatmap = hiding_map(
            observation, options.against, place, target, lambda: find_evidence(observation, engine, [target])
        )
        hidden = hide(observation, engine, heatmap, found.share * 100, options.fill)
        rival = Rival(options.against, options.stage, hidden)
    attempt = Attempt(observation, drawing, target, options.fill, found, rival)
    print(f"{observation.photo_name}  ({manifest.name}): {found.share:.1%} of what the network sees is hidden")
    for note in observation.notes:
        print(f"  note: {note}")
    rows = [("before", observation.probabilities), ("without what is drawn", found.probabilities)]
    if rival:
        rows.append((f"without as much of {rival.source}, {rival.stage}", rival.hidden.probabilities))
    for words, probabilities in rows:
        first = likeliest(probabilities, manifest, MOST_CLASSES)[0]
        label = f"{attempt.class_name} {probabilities[target]:.1%}"
        print(f"  {words:<36}{label:<32}likeliest: {first.label} {first.probability:.1%}")
    if options.figure:
        write_file(options.figure, attempt.figure(kind))
    return 0
