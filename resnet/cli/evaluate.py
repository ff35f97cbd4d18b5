"""`evaluate`: accuracy, confusion and calibration on a labelled data set."""

from __future__ import annotations

import argparse
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from resnet.cli.arguments import (
    add_outside,
    add_weights,
    json_text,
    leave_output,
    load,
    positive,
)
from resnet.errors import OptionError
from resnet.logs import without_greetings
from resnet.network.sources import SOURCES
from resnet.output.export import check_outside, make_folder
from resnet.progress import progress

if TYPE_CHECKING:
    from resnet.network.manifest import Manifest
    from resnet.training.evaluate import Evaluation
    from resnet.training.files import LabelledFile
    from resnet.training.measures import Calibration


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("evaluate", help="accuracy, confusion and calibration on a labelled data set")
    parser.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="DATA/<class>/… with photos, DATA/<class>.jpg with tiles, or a CSV file with the columns path and label",
    )
    add_weights(parser)
    parser.add_argument("--report", type=Path, metavar="FOLDER", help="write figures, JSON and a page there")
    parser.add_argument("--tile", type=positive, default=64, help="side of the tiles in pixels (default: 64)")
    add_outside(parser)
    parser.add_argument("--batch-size", type=positive, default=32, help="images per pass (default: 32)")
    parser.add_argument("--limit", type=positive, help="limit to this many images, class by class")
    parser.add_argument("--size", type=positive, help="another input size in pixels than the weights ask for")
    parser.add_argument("--record", action="store_true", help="write the accuracy into the manifest of the weights")
    parser.add_argument(
        "--calibrate",
        action="store_true",
        help="fit the temperature that makes probabilities true on half of the pictures, measure it on the others; "
        "with --record it goes into the manifest",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=_evaluate)


def _check(options: argparse.Namespace) -> None:
    if options.record and (options.limit is not None or options.size is not None):
        raise OptionError("Only a whole data set at the weights' own size can be recorded; leave out {}.",
                          "--limit" if options.limit is not None else "--size")  # fmt: skip
    if options.record and options.weights in SOURCES:
        raise OptionError("--record needs --weights with a path; received {}.", options.weights)
    if options.report:
        check_outside(options.report, options.data)
        make_folder(options.report)


def _evaluate(options: argparse.Namespace) -> int:
    _check(options)
    with without_greetings():
        from resnet.training.evaluate import evaluate
        from resnet.training.measures import calibrate
        from resnet.training.report import write_report
    engine = load(options.weights)
    if options.size is not None:
        spec = engine.manifest.input
        if not max(32, spec.detail or 0) <= options.size <= 1024:
            raise OptionError("The size must be {} to 1024; received {}.", max(32, spec.detail or 0), options.size)
        engine.manifest = replace(engine.manifest, input=replace(spec, size=options.size))
    if options.calibrate:
        engine.manifest = replace(engine.manifest, temperature=1.0)
    files = _files(options, engine.manifest)
    with progress(files, unit="file") as bar:
        result = evaluate(
            engine, bar, batch_size=options.batch_size, limit=options.limit, keep_probabilities=options.calibrate
        )
    for sentence in result.skipped:
        print(f"resnet: {sentence}", file=sys.stderr)
    # First of all what was measured, as long as it may have taken: a disk may be full.
    found = None if result.probabilities is None else calibrate(result.probabilities, result.truth)
    failure = _print(engine.manifest, result, found, as_json=options.json)
    if options.report:
        page = write_report(options.report, engine.manifest, options.data.resolve().name, result)
        print(f"resnet: wrote {page}", file=sys.stderr)
    if options.record:
        _record(options, result, found)
    if failure:
        raise failure
    return 1 if result.skipped else 0


def _files(options: argparse.Namespace, manifest: Manifest) -> list[LabelledFile]:
    """The pictures to measure with: those of the test or the validation part, where there are parts."""
    from resnet.training.dataset import find_labelled
    from resnet.training.layout import find_parts

    parts = find_parts(options.data, options.tile)
    data = parts.measured or parts.training
    notes = [*parts.notes, *([f"measuring with {data}, not with {parts.training}."] if parts.measured else [])]
    files = find_labelled(data, manifest.labels, options.tile, outside=options.outside, notes=notes)
    for note in notes:
        print(f"resnet: {note}", file=sys.stderr)
    return files


def _print(manifest: Manifest, result: Evaluation, found: Calibration | None, *, as_json: bool) -> OSError | None:
    """Print the result; where nobody reads or a disk is full, gives the error, since a report may still be wanted."""
    if as_json:
        weights = {"name": manifest.name, "sha256": manifest.sha256}
        more = {} if found is None else {"temperature": asdict(found)}
        lines = [json_text({"weights": weights, **result.to_json(), **more})]
    else:
        lines = [
            f"weights      {manifest.name}",
            f"images       {result.images:,}",
            "top-1        {:.2%}, 95 % interval {:.2%} to {:.2%}".format(result.top1, *result.interval),
            *([f"top-5        {result.top5:.2%}"] if result.has_top5 else []),
            f"calibration  {result.calibration_error:.2%} expected error",
            f"speed        {result.images_per_second:.1f} images/s",
        ]
        if found is not None:
            lines.append(
                f"temperature  {found.temperature:g}, fitted on half of them; expected error of the others "
                f"{found.before:.2%} before, {found.after:.2%} with it"
            )
    try:
        print("\n".join(lines), flush=True)
    except OSError as error:
        leave_output()
        return error
    return None


def _record(options: argparse.Namespace, result: Evaluation, found: Calibration | None) -> None:
    from resnet.network.manifest import read_manifest, write_manifest

    manifest = read_manifest(Path(options.weights))
    accuracy = {**manifest.accuracy, options.data.resolve().name: result.accuracy}
    temperature = manifest.temperature if found is None else found.temperature
    write_manifest(replace(manifest, accuracy=accuracy, temperature=temperature), manifest.folder)
