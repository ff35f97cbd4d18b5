"""`evaluate`: accuracy on a labelled data set."""

from __future__ import annotations

import argparse
import dataclasses
import json
import sys
from pathlib import Path

from tqdm import tqdm

from resnet.cli.arguments import add_weights, load, positive


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("evaluate", help="accuracy on a labelled data set")
    parser.add_argument(
        "data", type=Path, metavar="DATA", help="DATA/<class>/… with photos, or DATA/<class>.jpg with tiles"
    )
    add_weights(parser)
    parser.add_argument("--tile", type=positive, default=64, help="side of the tiles in pixels (default: 64)")
    parser.add_argument("--batch-size", type=positive, default=32, help="images per pass (default: 32)")
    parser.add_argument("--limit", type=positive, help="stop after so many images")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=_evaluate)


def _evaluate(options: argparse.Namespace) -> int:
    from resnet.training.dataset import find_labelled
    from resnet.training.evaluate import evaluate

    engine = load(options.weights)
    files = find_labelled(options.data, engine.manifest.labels, options.tile)
    with tqdm(files, unit="file", file=sys.stderr) as progress:
        result = evaluate(engine, progress, batch_size=options.batch_size, limit=options.limit)
    for sentence in result.skipped:
        print(f"resnet: {sentence}", file=sys.stderr)
    if options.json:
        manifest = engine.manifest
        weights = {"name": manifest.name, "sha256": manifest.sha256}
        print(json.dumps({"weights": weights, **dataclasses.asdict(result)}, ensure_ascii=False))
    else:
        print(f"weights   {engine.manifest.name}")
        print(f"images    {result.images:,}")
        print(f"top-1     {result.top1:.2%}")
        print(f"top-5     {result.top5:.2%}")
        print(f"speed     {result.images_per_second:.1f} images/s")
    return 1 if result.skipped else 0
