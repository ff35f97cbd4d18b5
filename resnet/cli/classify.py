"""`classify`: classes and feature maps of photos, as a table, JSON or pictures."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from tqdm import tqdm

from resnet.cli.arguments import add_framing, add_weights, json_text, leave_output, load
from resnet.errors import OptionError, ResNetError
from resnet.maps.channels import trace_blocks
from resnet.maps.heatmaps import AGGREGATIONS, COLORMAPS, SCALES, ViewOptions
from resnet.maps.inside import MEAN, look_inside
from resnet.maps.observation import DISPLAY_SIDE, MAXIMUM_TOP_K, Observation
from resnet.maps.parts import find_parts
from resnet.network.levels import is_unsure, named_levels, percent
from resnet.output.export import Answer, Export, answer_many, check_outside, make_folder, unused_stem
from resnet.output.flight import fly_through, gif
from resnet.output.inside import inside_figure
from resnet.output.parts import parts_figure
from resnet.output.report import as_dictionary, result_figure, safe_stem, stage_caption
from resnet.photo.folders import Found, find_pictures, left_out_of
from resnet.progress import progress
from resnet.stages import STAGE_NAMES
from resnet.text import printable

if TYPE_CHECKING:  # it loads TensorFlow
    from resnet.network.engine import Engine

FEW_PHOTOS = 3
JPEG_QUALITY = 90


def add_command(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the command to the program."""
    parser = commands.add_parser("classify", help="classes and feature maps of photos")
    parser.add_argument("photos", nargs="+", type=Path, metavar="PHOTO", help="a photo, or a folder of them")
    parser.add_argument("--top-k", type=_top_k, default=5, metavar="K", help="classes to list, 1 to 20 (default: 5)")
    add_weights(parser)
    add_framing(parser)
    parser.add_argument(
        "--map",
        type=_map,
        default="mean",
        metavar="MAP",
        help="mean, max, l2, pca or channel:N (default: mean)",
    )
    parser.add_argument("--colormap", choices=COLORMAPS, default="turbo", help="default: turbo")
    parser.add_argument("--opacity", type=_share, default=0.55, help="of the map, 0 to 1 (default: 0.55)")
    parser.add_argument(
        "--scale", choices=SCALES, default="each", help="each map's own colour scale, or one shared (default: each)"
    )
    parser.add_argument(
        "--cut",
        type=_share,
        default=0,
        metavar="SHARE",
        help="show only what lies above this share of the colour scale, 0 to 1; JSON gives the box of its largest "
        "piece (default: 0)",
    )
    parser.add_argument("--blocks", action="store_true", help="show cells as blocks instead of smooth")
    parser.add_argument(
        "--heatmaps", type=Path, metavar="DIR", help="write <photo>.C1.jpg to .C5.jpg and <photo>.figure.png there"
    )
    parser.add_argument(
        "--flight", action="store_true", help="with --heatmaps: also write <photo>.flight.gif, the map after each block"
    )
    parser.add_argument(
        "--inside",
        type=_block,
        metavar="BLOCK",
        help="with --heatmaps: also write <photo>.inside.png, every step of a block, such as C4:7",
    )
    parser.add_argument(
        "--parts",
        type=_block,
        metavar="PARTS",
        help="with --heatmaps: also write <photo>.parts.png, a stage split into 2 to 8 parts, such as C5:4",
    )
    parser.add_argument(
        "--export",
        type=Path,
        metavar="DIR",
        help="write predictions.csv, manifest.json, maps/<photo>.npz and figures/<photo>.png there",
    )
    parser.add_argument("--json", action="store_true", help="one JSON object a line")
    parser.set_defaults(run=_classify)


def _top_k(text: str) -> int:
    if not text.isdecimal() or not 1 <= int(text) <= MAXIMUM_TOP_K:
        raise argparse.ArgumentTypeError(f"must be 1 to {MAXIMUM_TOP_K}; received {text!r}")
    return int(text)


def _share(text: str) -> float:
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


def _block(text: str) -> tuple[str, int]:
    stage, _, number = text.partition(":")
    if stage in STAGE_NAMES and number.isdecimal():
        return stage, int(number)
    raise argparse.ArgumentTypeError(
        f"must be a stage and the number of its block, or of its parts, such as C4:7; received {text!r}"
    )


def _classify(options: argparse.Namespace) -> int:
    aggregation, channel = options.map
    view = ViewOptions(
        aggregation,
        channel,
        options.colormap,
        options.opacity,
        options.scale,
        smooth=not options.blocks,
        cut=options.cut,
    )
    sources = [(given, _expand(given)) for given in options.photos]
    photos = [photo for _, found in sources for photo in found.pictures]
    unreadable = [sentence for _, found in sources for sentence in found.unreadable]
    _check_targets(options, photos)
    if options.heatmaps:
        make_folder(options.heatmaps)
    for sentence in (*unreadable, *left_out_of(sources)):
        print(f"resnet: {sentence}", file=sys.stderr)
    engine = load(options.weights)
    export = None
    if options.export:
        export = Export(options.export, engine.manifest, view, top_k=options.top_k, framing=options.framing)
    failed = len(unreadable)
    stems: set[str] = set()
    write = _as_line if options.json else _as_table
    print_answer = _Printer(goes_on=bool(options.export or options.heatmaps))
    answers = answer_many([(path, str(path)) for path in photos], engine, options.framing)
    bar = progress(answers, total=len(photos), unit="photo", quiet=len(photos) <= FEW_PHOTOS)
    try:
        for answer in bar:
            try:
                observation = _result(answer, export)
                if options.heatmaps:
                    _write_pictures(observation, engine, view, options, unused_stem(answer.name, stems))
            except ResNetError as error:
                failed += 1
                tqdm.write(f"resnet: {error}", file=sys.stderr)
                continue
            print_answer(write(observation, view, options.top_k))
    finally:  # also where it is interrupted: what has been answered is kept, and nothing takes the place of more
        if export and (export.begun or not photos):
            export.finish()
    if not photos:
        print("resnet: there are no photos in the given folders.", file=sys.stderr)
    return 1 if failed or not photos else 0


class _Printer:
    """Prints answers until the reader closes the pipe."""

    def __init__(self, *, goes_on: bool) -> None:
        self._goes_on = goes_on
        self._reads = True

    def __call__(self, text: str) -> None:
        """Print one.

        Raises:
            BrokenPipeError: Nobody reads, and nothing else is to be done.
        """
        if not self._reads:
            return
        try:
            tqdm.write(text, file=sys.stdout)
            sys.stdout.flush()
        except BrokenPipeError:
            if not self._goes_on:
                raise
            self._reads = False
            leave_output()


def _check_targets(options: argparse.Namespace, photos: Sequence[Path]) -> None:
    """Make sure that there is a folder to write to, and that pictures do not become photos or replace them.

    Raises:
        OptionError: They would.
    """
    for name in ("flight", "inside", "parts"):
        if getattr(options, name) and not options.heatmaps:
            raise OptionError("--{} needs --heatmaps, the folder to write to.", name)
    written: dict[Path, Sequence[str]] = {}
    if options.heatmaps:
        written[options.heatmaps] = [f".{stage}.jpg" for stage in STAGE_NAMES] + [
            *(".figure.png", ".flight.gif", ".inside.png", ".parts.png"),
        ]
    if options.export:
        written[options.export / "figures"] = [".png"]
    if not written:
        return
    # Unlike those of Path, these take a path that cannot be looked up as it is.
    read = {os.path.realpath(path).casefold() for path in photos}  # as some file systems do
    numbered: set[str] = set()
    stems = {stem for path in photos for name in [printable(str(path))]
             for stem in (safe_stem(Path(name).name), unused_stem(name, numbered))}  # fmt: skip
    for folder, endings in written.items():
        for given in options.photos:
            check_outside(folder, given)
        for path in (folder / f"{stem}{ending}" for stem in stems for ending in endings):
            if os.path.realpath(path).casefold() in read:
                raise OptionError("{} would be written over {}; please choose a folder elsewhere.", path.name, path)


def _result(answer: Answer, export: Export | None) -> Observation:
    """The result of a photo, exported if that is wanted.

    Raises:
        ResNetError: There is no result, or it cannot be written.
    """
    if export:
        export.add(answer)
    if answer.observation is None:
        raise answer.error or ResNetError("{} has no result.", answer.name)
    return answer.observation


def _expand(given: Path) -> Found:
    # os.path.isdir, unlike Path.is_dir, takes a path that cannot be looked up for none.
    return find_pictures(given) if os.path.isdir(given) else Found([given])  # noqa: PTH112


def _write_pictures(
    observation: Observation, engine: Engine, view: ViewOptions, options: argparse.Namespace, stem: str
) -> None:
    folder = options.heatmaps
    try:
        for heatmap in observation.heatmaps(view):
            picture = observation.overlay(heatmap, view, DISPLAY_SIDE)
            picture.save(folder / f"{stem}.{heatmap.block.stage}.jpg", quality=JPEG_QUALITY)
        (folder / f"{stem}.figure.png").write_bytes(result_figure(observation, view, options.top_k))
        if options.flight or options.inside:
            trace = trace_blocks(observation, engine)
        if options.flight:
            (folder / f"{stem}.flight.gif").write_bytes(gif(fly_through(observation, trace, view)))
        if options.inside:
            inside = look_inside(observation, trace, trace.place(*options.inside), engine)
            (folder / f"{stem}.inside.png").write_bytes(inside_figure(observation, inside, MEAN, view))
        if options.parts:
            stage, count = options.parts
            parts = find_parts(observation, STAGE_NAMES.index(stage), count, engine)
            (folder / f"{stem}.parts.png").write_bytes(parts_figure(observation, parts, view))
    except OSError as error:
        raise OptionError(
            "The pictures of {} cannot be written to {}: {}.", observation.photo_name, folder, error.strerror
        ) from error


def _as_line(observation: Observation, view: ViewOptions, top_k: int) -> str:
    return json_text(as_dictionary(observation, view, top_k))


def _as_table(observation: Observation, view: ViewOptions, top_k: int) -> str:
    lines = [f"{observation.photo_name}  ({observation.manifest.name}, {observation.forward_milliseconds:.0f} ms)"]
    for prediction in observation.predictions(top_k):
        bar = "█" * round(prediction.probability * 20)
        lines.append(f"  {prediction.rank:2d}  {prediction.probability:6.1%}  {prediction.label:<28} {bar}".rstrip())
    answer = observation.probabilities, observation.manifest.labels
    levels = " › ".join(f"{level.name} {percent(level.probability)}" for level in named_levels(*answer))
    if told := [*(["not sure"] if is_unsure(*answer) else []), *([levels] if levels else [])]:
        lines.append(f"  {'; '.join(told)}")
    lines += [f"  note: {note}" for note in observation.notes]
    for heatmap in observation.heatmaps(view):
        lines.append(f"  {heatmap.block.stage}  {', '.join(stage_caption(heatmap))}")
    return "\n".join(lines)
