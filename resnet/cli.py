"""The command line: `python -m resnet classify | evaluate | info`."""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import io
import json
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from resnet import __version__
from resnet.errors import OptionError, ResNetError
from resnet.explain import DISPLAY_SIDE, MAXIMUM_TOP_K, Observation, observe
from resnet.heatmaps import AGGREGATIONS, COLORMAPS, SCALES, ViewOptions
from resnet.images import find_photos, read_photo
from resnet.manifest import Manifest, read_manifest, verify
from resnet.preprocess import FRAMINGS
from resnet.provider import BUNDLED, SOURCES, load_now
from resnet.report import as_dictionary, figure_png, safe_stem, stage_caption
from resnet.stages import (
    block_table,
    head_multiply_accumulates,
    head_parameters,
    stage_table,
)

if TYPE_CHECKING:
    from resnet.engine import Engine

FEW_PHOTOS = 3
JPEG_QUALITY = 90


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command.

    Args:
        arguments: Words after the program's name; those of the process by default.

    Returns:
        0 if all went well, 1 if some photos failed, 2 for wrong usage or weights that do not load.
    """
    logging.basicConfig(format="resnet: %(message)s", level=logging.WARNING)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")  # names and bars on any terminal
    options = _parser().parse_args(arguments)
    try:
        status = int(options.run(options))
        sys.stdout.flush()
        return status
    except ResNetError as error:
        print(f"resnet: {error}", file=sys.stderr)
        return 2
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        print(f"resnet: The output cannot be written: {error.strerror}.", file=sys.stderr)
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python tries again at its end
        return 1
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m resnet", description="See what a ResNet101 sees: top-k classes and feature maps C1 to C5."
    )
    parser.add_argument("--version", action="version", version=__version__)
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    _add_classify(commands)
    _add_evaluate(commands)
    _add_info(commands)
    return parser


def _add_weights(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--weights",
        default=os.environ.get("RESNET_WEIGHTS") or "auto",
        help=f"{', '.join(SOURCES)}, or a path (default: $RESNET_WEIGHTS, else auto: the ImageNet "
        "weights if they are on this machine, else the bundled ones)",
    )


def _add_classify(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("classify", help="classes and feature maps of photos")
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="a photo, or a folder of them")
    parser.add_argument("--top-k", type=_top_k, default=5, metavar="K", help="classes to list, 1 to 20 (default: 5)")
    _add_weights(parser)
    parser.add_argument(
        "--framing", choices=FRAMINGS, default="crop", help="centre crop, or the whole photo (default: crop)"
    )
    parser.add_argument(
        "--map",
        type=_map,
        default="mean",
        metavar="MAP",
        help="mean, max, l2, pca or channel:N (default: mean)",
    )
    parser.add_argument("--colormap", choices=COLORMAPS, default="turbo", help="default: turbo")
    parser.add_argument("--opacity", type=_opacity, default=0.55, help="of the map, 0 to 1 (default: 0.55)")
    parser.add_argument(
        "--scale", choices=SCALES, default="each", help="each map's own colour scale, or one shared (default: each)"
    )
    parser.add_argument("--blocks", action="store_true", help="show cells as blocks instead of smooth")
    parser.add_argument(
        "--heatmaps", type=Path, metavar="DIR", help="write <photo>.C1.jpg to .C5.jpg and <photo>.figure.png there"
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=_classify)


def _add_evaluate(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("evaluate", help="accuracy on a labelled data set")
    parser.add_argument(
        "data", type=Path, metavar="DATA", help="DATA/<class>/… with photos, or DATA/<class>.jpg with tiles"
    )
    _add_weights(parser)
    parser.add_argument("--tile", type=_positive, default=64, help="side of the tiles in pixels (default: 64)")
    parser.add_argument("--batch-size", type=_positive, default=32, help="images per pass (default: 32)")
    parser.add_argument("--limit", type=_positive, help="stop after so many images")
    parser.add_argument("--json", action="store_true", help="one JSON object")
    parser.set_defaults(run=_evaluate)


def _add_info(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    parser = commands.add_parser("info", help="stages, costs, and the weights with their manifest")
    _add_weights(parser)
    parser.add_argument("--all-blocks", action="store_true", help="every residual block, not only the stages")
    parser.set_defaults(run=_info)


@contextlib.contextmanager
def _without_native_messages() -> Iterator[None]:
    """Keep off the terminal what C++ code writes there by itself; Python's errors are raised as ever."""
    sys.stderr.flush()
    kept, silence = os.dup(2), os.open(os.devnull, os.O_WRONLY)
    os.dup2(silence, 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
        os.close(silence)


def _load(choice: str) -> Engine:
    with _without_native_messages():
        # TensorFlow speaks of missing graphics cards before any setting of it could be read.
        from resnet.engine import find_devices

        find_devices()
    return load_now(choice)


def _top_k(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAXIMUM_TOP_K:
        raise argparse.ArgumentTypeError(f"must be 1 to {MAXIMUM_TOP_K}; received {text!r}")
    return int(text)


def _positive(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1; received {text!r}")
    return int(text)


def _opacity(text: str) -> float:
    try:
        return ViewOptions(opacity=float(text)).opacity
    except (ValueError, OptionError):
        raise argparse.ArgumentTypeError(f"must be 0 to 1; received {text!r}") from None


def _map(text: str) -> tuple[str, int]:
    name, _, channel = text.partition(":")
    numbered = name == "channel" and channel.isdecimal()
    if numbered or (name in AGGREGATIONS and name != "channel" and not channel):
        return name, int(channel or 0)
    raise argparse.ArgumentTypeError(f"must be mean, max, l2, pca or channel:N; received {text!r}")


def _classify(options: argparse.Namespace) -> int:
    aggregation, channel = options.map
    view = ViewOptions(
        aggregation, channel, options.colormap, options.opacity, options.scale, smooth=not options.blocks
    )
    if options.heatmaps:
        _make_folder(options.heatmaps)
    unreadable: list[str] = []
    photos = [photo for given in options.photos for photo in _expand(given, unreadable)]
    for sentence in unreadable:
        print(f"resnet: {sentence}", file=sys.stderr)
    engine = _load(options.weights)
    failed = len(unreadable)
    stems: set[str] = set()
    for path in tqdm(photos, unit="photo", disable=len(photos) <= FEW_PHOTOS, file=sys.stderr):
        try:
            observation = observe(read_photo(path, str(path)), engine, options.framing)
            if options.heatmaps:
                _write_pictures(observation, view, options.top_k, options.heatmaps, _unused_stem(path, stems))
        except ResNetError as error:
            failed += 1
            tqdm.write(f"resnet: {error}", file=sys.stderr)
            continue
        text = (
            _as_line(observation, view, options.top_k) if options.json else _as_table(observation, view, options.top_k)
        )
        tqdm.write(text, file=sys.stdout)
    if not photos:
        print("resnet: there are no photos in the given folders.", file=sys.stderr)
    return 1 if failed or not photos else 0


def _expand(given: Path, unreadable: list[str]) -> list[Path]:
    # os.path.isdir, unlike Path.is_dir, takes a path that cannot be looked up for none.
    return find_photos(given, unreadable) if os.path.isdir(given) else [given]  # noqa: PTH112


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError(f"The folder {folder} cannot be made: {error.strerror}.") from error


def _unused_stem(path: Path, used: set[str]) -> str:
    """A name for the photo's files that no other photo of this run has."""
    stem = candidate = safe_stem(path.name)
    number = 1
    while candidate.casefold() in used:
        number += 1
        candidate = f"{stem}-{number}"
    used.add(candidate.casefold())
    return candidate


def _write_pictures(observation: Observation, view: ViewOptions, top_k: int, folder: Path, stem: str) -> None:
    try:
        for heatmap in observation.heatmaps(view):
            picture = observation.overlay(heatmap, view, DISPLAY_SIDE)
            picture.save(folder / f"{stem}.{heatmap.block.stage}.jpg", quality=JPEG_QUALITY)
        (folder / f"{stem}.figure.png").write_bytes(figure_png(observation, view, top_k))
    except OSError as error:
        raise OptionError(
            f"The pictures of {observation.photo_name} cannot be written to {folder}: {error.strerror}."
        ) from error


def _as_line(observation: Observation, view: ViewOptions, top_k: int) -> str:
    return json.dumps(as_dictionary(observation, view, top_k), ensure_ascii=False)


def _as_table(observation: Observation, view: ViewOptions, top_k: int) -> str:
    lines = [f"{observation.photo_name}  ({observation.manifest.name}, {observation.forward_milliseconds:.0f} ms)"]
    for prediction in observation.predictions(top_k):
        bar = "█" * round(prediction.probability * 20)
        lines.append(f"  {prediction.rank:2d}  {prediction.probability:6.1%}  {prediction.label:<28} {bar}".rstrip())
    for heatmap in observation.heatmaps(view):
        lines.append(f"  {heatmap.block.stage}  {', '.join(stage_caption(heatmap))}")
    return "\n".join(lines)


def _evaluate(options: argparse.Namespace) -> int:
    from resnet.training.dataset import find_labelled
    from resnet.training.evaluate import evaluate

    engine = _load(options.weights)
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


def _manifest_of(choice: str) -> Manifest:
    """The manifest of the weights that `load_now` would take, verified where their file is here."""
    if choice in ("auto", "imagenet"):
        from resnet.imagenet import IMAGENET_MANIFEST, converted_folder, is_cached

        if converted_folder().exists():
            return _verified(converted_folder())
        if choice == "imagenet" or is_cached():
            return IMAGENET_MANIFEST
    return _verified(BUNDLED if choice in SOURCES else Path(choice))


def _verified(path: Path) -> Manifest:
    manifest = read_manifest(path)
    verify(manifest)
    return manifest


def _info(options: argparse.Namespace) -> int:
    manifest = _manifest_of(options.weights)
    size = manifest.input.size
    table = block_table(manifest.depth, (size, size), manifest.stem_pool)
    head = head_multiply_accumulates(manifest.classes)
    parameters = sum(block.parameters for block in table) + head_parameters(manifest.classes)
    costs = sum(block.multiply_accumulates for block in table) + head
    print(f"ResNet{manifest.depth}, input {size}×{size} px, {manifest.classes} classes")
    print(f"parameters {parameters:,}, multiply-accumulates {costs / 1e9:.2f} billion a photo\n")
    print(f"{'name':<16}{'shape':<16}{'stride':>7}{'field':>7}{'million MACs':>14}{'parameters':>13}")
    rows = table if options.all_blocks else stage_table(table)
    for block in rows:
        members = [block] if options.all_blocks else [one for one in table if one.stage == block.stage]
        shape = "×".join(map(str, block.shape))
        cost = sum(one.multiply_accumulates for one in members) / 1e6
        numbers = sum(one.parameters for one in members)
        name = block.name if options.all_blocks else block.stage
        print(f"{name:<16}{shape:<16}{block.stride:>7}{block.receptive_field:>7}{cost:>14,.1f}{numbers:>13,}")
    print(f"{'head':<16}{manifest.classes:<16}{'':>14}{head / 1e6:>14,.1f}{head_parameters(manifest.classes):>13,}")
    place = manifest.weights_path if manifest.sha256 else "loaded by Keras when they are first used"
    print(f"\nweights: {place}")
    print(json.dumps(manifest.to_json(), indent=2, ensure_ascii=False))
    return 0
