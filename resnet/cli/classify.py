"""`classify`: classes and feature maps of photos, as a table, JSON or pictures."""

from __future__ import annotations

import argparse
import json
import os
import sys
from pathlib import Path

from tqdm import tqdm

from resnet.cli.arguments import add_weights, load
from resnet.errors import OptionError, ResNetError
from resnet.explain import DISPLAY_SIDE, MAXIMUM_TOP_K, Observation, observe
from resnet.heatmaps import AGGREGATIONS, COLORMAPS, SCALES, ViewOptions
from resnet.images import find_photos, read_photo
from resnet.preprocess import FRAMINGS
from resnet.report import as_dictionary, figure_png, safe_stem, stage_caption

FEW_PHOTOS = 3
JPEG_QUALITY = 90


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("classify", help="classes and feature maps of photos")
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="a photo, or a folder of them")
    parser.add_argument("--top-k", type=_top_k, default=5, metavar="K", help="classes to list, 1 to 20 (default: 5)")
    add_weights(parser)
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


def _top_k(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAXIMUM_TOP_K:
        raise argparse.ArgumentTypeError(f"must be 1 to {MAXIMUM_TOP_K}; received {text!r}")
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
    engine = load(options.weights)
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
