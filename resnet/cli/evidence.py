"""`evidence`: which part of each stage speaks for which class, as a table and a figure."""

from __future__ import annotations

import argparse
from pathlib import Path

from resnet.cli.arguments import add_framing, add_weights, format_of, load, write_file
from resnet.errors import OptionError
from resnet.maps.evidence import EVIDENCE_SCALES, LINEAR_METHODS, MAXIMUM_CLASSES, METHOD_NAMES, METHODS, find_evidence
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import observe
from resnet.output.figures import evidence_figure
from resnet.photo.images import read_photo
from resnet.stages import STAGE_NAMES


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("evidence", help="class activation maps of a photo, per class and stage")
    parser.add_argument("photo", type=Path, metavar="PHOTO")
    parser.add_argument(
        "--class",
        dest="classes",
        action="append",
        default=[],
        metavar="NAME",
        help="name or WordNet id; can be given several times (default: the --top-k likeliest)",
    )
    parser.add_argument(
        "--top-k", type=int, choices=range(1, MAXIMUM_CLASSES + 1), default=5, metavar="K", help="1 to 10 (default: 5)"
    )
    parser.add_argument("--method", choices=METHODS, default="hirescam", help="default: hirescam")
    parser.add_argument(
        "--scale", choices=EVIDENCE_SCALES, default="stage", help="one colour scale per stage, or each map's own"
    )
    parser.add_argument("--difference", action="store_true", help="add a row: the first class minus the second")
    add_weights(parser)
    add_framing(parser)
    parser.add_argument("--figure", type=Path, metavar="FILE", help="draw the class x stage matrix: .png, .svg, .pdf")
    parser.set_defaults(run=_evidence)


def _evidence(options: argparse.Namespace) -> int:
    if options.difference and not options.figure:
        raise OptionError("--difference is a row of the figure; it needs --figure.")
    if options.difference and options.method not in LINEAR_METHODS:
        raise OptionError("--difference is that of Grad-CAM or HiResCAM; received {}.", options.method)
    kind = format_of(options.figure) if options.figure else ""
    photo = read_photo(options.photo)
    engine = load(options.weights)
    observation = observe(photo, engine, options.framing)
    manifest = observation.manifest
    chosen = [manifest.class_named(name) for name in options.classes]
    chosen = chosen or [prediction.index for prediction in observation.predictions(options.top_k)]
    chosen = list(dict.fromkeys(chosen))
    if options.difference and len(chosen) < 2:
        raise OptionError("--difference needs two classes; received {}.", manifest.labels[chosen[0]].name)
    found = find_evidence(observation, engine, chosen)
    print(f"{observation.photo_name}  ({METHOD_NAMES[options.method]}, {manifest.name})")
    for note in observation.notes:
        print(f"  note: {note}")
    print("  sum of each stage's map; for HiResCAM, C5 adds up to the logit apart from its biases, C1 to C4 are slopes")
    print(f"  {'class':<28}{'probability':>12}{'logit':>9}" + "".join(f"{stage:>10}" for stage in STAGE_NAMES))
    for place, index in enumerate(found.classes):
        sums = "".join(f"{float(values.sum()):10.3g}" for values in found.maps[options.method][place])
        name, probability = manifest.labels[index].name, observation.probabilities[index]
        print(f"  {name:<28}{probability:12.1%}{found.logits[index]:9.2f}{sums}")
    if options.figure:
        difference = (0, 1) if options.difference else None
        content = evidence_figure(observation, found, options.method, options.scale, ViewOptions(), difference, kind)
        write_file(options.figure, content)
    return 0
