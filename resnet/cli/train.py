"""`train`: weights of one's own classes."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet.cli.arguments import add_outside, add_weights, positive
from resnet.errors import OptionError
from resnet.logs import without_greetings
from resnet.network.precision import PRECISIONS
from resnet.network.sources import read_weights, settled_choice
from resnet.output.export import check_outside
from resnet.photo.preprocess import InputSpec
from resnet.progress import progress
from resnet.stages import DEPTHS, STAGE_NAMES
from resnet.training.recipe import BATCH_NORMS, OPTIMIZERS, STRATEGIES, Augmentation, Recipe

if TYPE_CHECKING:
    from resnet.training.start import Start
    from resnet.training.train import Trained

_DEFAULTS = Recipe()
SCRATCH_EPOCHS, SCRATCH_RATE = 60, 1e-3
SCRATCH_SIZE = 128


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("train", help="train on your own classes")
    parser.add_argument(
        "data",
        type=Path,
        metavar="DATA",
        help="a folder per class; or train/ and val/ with that inside; or a CSV file with the columns path and label",
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of the result")
    parser.add_argument("--resume", action="store_true", help="resume the run in --out, with the options it had")
    add_weights(parser)
    parser.add_argument("--from-scratch", action="store_true", help="start from random weights instead")
    parser.add_argument("--depth", type=int, choices=DEPTHS, help="from scratch: depth (default: 101)")
    _add_data_options(parser)
    _add_schedule_options(parser)
    _add_machine_options(parser)
    parser.set_defaults(run=_train)


def _option(group: argparse._ArgumentGroup, name: str, kind: Callable[[str], Any], text: str, **more: Any) -> None:
    default = more.pop("default", getattr(_DEFAULTS, name.replace("-", "_"), None))
    group.add_argument(f"--{name}", type=kind, default=default, help=f"{text} (default: {default})", **more)


def _add_data_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("data")
    group.add_argument("--tile", type=positive, help="DATA/<class>.jpg are sheets of tiles of this side in pixels")
    add_outside(group)
    group.add_argument(
        "--size", type=positive, help="side of the network's input in pixels (default: as the start; from scratch: 128)"
    )
    group.add_argument(
        "--detail", type=int, help="reduce pictures to this side first; 0: do not (default: as the start)"
    )
    _option(group, "train-size", int, "side of the images while learning in pixels; 0 for that of the input")
    _option(group, "validation-share", float, "share of each class set aside, without a val/")
    _option(group, "validation-images", int, "images looked at after each epoch; 0 for all")
    group.add_argument(
        "--soft-labels",
        type=Path,
        metavar="NPZ",
        help="another classifier's probabilities for the pictures, to learn from as well",
    )
    _option(group, "soft-share", float, "how much these count against the classes, 0 to 1")
    usual = _DEFAULTS.augmentation
    _option(group, "smallest-crop", float, "least area of a random crop", default=usual.smallest_crop)
    _option(group, "colour", float, "variation of brightness and contrast", default=usual.colour)
    group.add_argument("--no-flip", action="store_true", help="do not mirror pictures")
    group.add_argument("--no-class-weights", action="store_true", help="do not give rare classes more weight")


def _add_schedule_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("schedule")
    _option(group, "head-epochs", int, "passes over the data for the new head alone (not from scratch)")
    group.add_argument(
        "--epochs",
        type=int,
        help=f"passes for the upper stages (default: {_DEFAULTS.epochs}; from scratch: {SCRATCH_EPOCHS})",
    )
    _option(group, "unfreeze", str, "first stage that learns then", choices=("head", *STAGE_NAMES))
    _option(group, "batch-norm", str, "batch normalisation in stages that learn then", choices=BATCH_NORMS)
    _option(group, "batch-size", int, "images a step")
    _option(group, "steps-per-epoch", int, "steps between two validations; 0 for the whole batches of a pass")
    _option(group, "optimizer", str, "method", choices=OPTIMIZERS)
    _option(group, "head-rate", float, "highest learning rate for the head")
    group.add_argument(
        "--rate",
        type=float,
        help=f"highest learning rate afterwards (default: {_DEFAULTS.rate}; from scratch: {SCRATCH_RATE})",
    )
    _option(group, "weight-decay", float, "weight decay of kernels")
    _option(group, "average-steps", int, "steps that averaged weights, which become the result, reach back; 0 for none")
    _option(group, "dropout", float, "share of the head's inputs and hidden units left out of a step")
    _option(group, "smoothing", float, "label smoothing")
    _option(group, "patience", int, "epochs without progress that end a phase; 0 for never")
    _option(group, "seed", int, "of everything random")


def _add_machine_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("machine")
    _option(group, "precision", str, "auto takes what is faster here", choices=PRECISIONS)
    _option(group, "strategy", str, f"devices to train on, {STRATEGIES[0]} or {STRATEGIES[1]}")
    group.add_argument("--deterministic", action="store_true", help="reproducible to the bit; slower")
    group.add_argument("--checkpoint-minutes", help=argparse.SUPPRESS)


def _recipe(options: argparse.Namespace) -> Recipe:
    known = vars(options)
    same = {name: known[name] for name in Recipe.__dataclass_fields__ if name in known}
    scratch = options.from_scratch
    if options.depth is not None and not scratch:
        raise OptionError("The depth is that of the weights; --depth {} needs --from-scratch.", options.depth)
    same["depth"] = options.depth or _DEFAULTS.depth
    same["epochs"] = options.epochs if options.epochs is not None else SCRATCH_EPOCHS if scratch else _DEFAULTS.epochs
    same["rate"] = options.rate if options.rate is not None else SCRATCH_RATE if scratch else _DEFAULTS.rate
    same["class_weights"] = not options.no_class_weights
    same["augmentation"] = Augmentation(
        smallest_crop=options.smallest_crop, flip=not options.no_flip, colour=options.colour
    )
    return Recipe(**same)


def _start(options: argparse.Namespace, recipe: Recipe) -> Start:
    from resnet.training.start import Start, start_from_scratch

    if recipe.from_scratch:
        start = start_from_scratch(recipe.depth, InputSpec(size=options.size or SCRATCH_SIZE))
    else:
        start = Start(*read_weights(options.weights))
    spec = start.manifest.input
    if options.size is not None:
        spec = replace(spec, size=options.size)
    if options.detail is not None:
        spec = replace(spec, detail=options.detail or None)
    if not 32 <= spec.size <= 1024 or not (spec.detail is None or 1 <= spec.detail <= spec.size):
        raise OptionError(
            "The size must be 32 to 1024 and the detail 1 to the size; received {} and {}.", spec.size, spec.detail
        )
    return Start(replace(start.manifest, input=spec), start.arrays)


def _check_former(options: argparse.Namespace) -> None:
    """Say what became of options that an earlier version had."""
    if options.checkpoint_minutes is not None:
        raise OptionError(
            "--checkpoint-minutes is gone: a run is kept after every epoch; --steps-per-epoch makes epochs shorter."
        )
    if options.strategy == "multiworker":
        raise OptionError(
            "--strategy multiworker is gone: one machine trains; --strategy mirrored uses all of its devices."
        )


def _train(options: argparse.Namespace) -> int:
    _check_former(options)
    os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")  # for training in batches, whatever suits one photo
    with without_greetings():
        from resnet.training import train as training

        if options.resume:
            options, recipe = _recorded(options, training.read_run(options.out))
        else:
            recipe = _recipe(options)
    check_outside(options.out, options.data)
    trained = training.train(
        recipe,
        options.data,
        options.out,
        _start(options, recipe),
        choice=settled_choice(options.weights),
        tile=options.tile,
        soft_labels=options.soft_labels,
        outside=options.outside,
        resume=options.resume,
    )
    for sentence in (*trained.notes, *trained.skipped, *trained.dropped):
        print(f"resnet: {sentence}", file=sys.stderr)
    _finish(trained, options.data)
    return 1 if trained.skipped else 0


def _recorded(options: argparse.Namespace, run: dict[str, Any]) -> tuple[argparse.Namespace, Recipe]:
    """The options that a run began with, in place of those of the command that goes on with it."""
    try:
        recipe = Recipe.from_json(run["options"])
        before = {
            "weights": run["weights"],
            "size": run["input"]["size"],
            "detail": run["input"]["detail"] or 0,
            "tile": run["data"]["tile"],
            "soft_labels": Path(run["soft_labels"]) if run.get("soft_labels") else None,
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise OptionError("The run in {} was not written by this version of the program.", options.out) from error
    return argparse.Namespace(**{**vars(options), **before}), recipe


def _finish(trained: Trained, data: Path) -> None:
    """Measure the new weights as `evaluate` does, and leave a folder that the page and a reader can open."""
    from resnet.network.engine import Engine
    from resnet.network.manifest import write_manifest
    from resnet.training.evaluate import evaluate
    from resnet.training.report import write_report
    from resnet.training.train import finish

    out = trained.manifest.folder
    # The validation pictures chose the epoch, so that what is right on them is a little too good.
    part = "test" if trained.test else "validation, which chose the epoch"
    name = f"{data.resolve().name}, {part}"
    with progress(trained.test or trained.validation, unit="file", desc="measuring") as bar:
        result = evaluate(Engine.load(trained.manifest), bar)
    manifest = replace(trained.manifest, accuracy={name: result.accuracy})
    write_manifest(manifest, out)
    page = write_report(out, manifest, name, result, trained.history)
    finish(out)
    low, high = result.interval
    print(f"top-1     {result.top1:.1%} of {result.images:,} pictures ({part}); 95 % interval {low:.1%} to {high:.1%}")
    if not trained.test:
        print("          pictures in a folder test/ beside train/ would tell more")
    print(f"wrote     {out}")
    print(f"report    {page}")
    print(f"show      python app.py --weights {out}")
