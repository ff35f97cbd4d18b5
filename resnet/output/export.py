"""Many photos: their answers one after another, and the files that hold them.

The page and the command line write the same folder with this code:

    predictions.csv     one row a photo and rank; a photo that could not be read has one row that says why
    manifest.json       version, weights, preprocessing, options, and what became of each photo
    maps/<photo>.npz    C1 to C5 as (height, width, channels) float32, all probabilities, and how they were made
    figures/<photo>.png the figure of `report.result_figure`
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet import __version__
from resnet.errors import OptionError, ResNetError
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import MAXIMUM_TOP_K, Observation, observe_prepared
from resnet.network.manifest import Manifest, write_text
from resnet.options import one_of, whole_number
from resnet.output.report import as_dictionary, result_figure, safe_stem
from resnet.output.saving import maps_file
from resnet.output.tables import write_table
from resnet.photo.images import Photo, read_photo
from resnet.photo.preprocess import FRAMINGS, NetworkInput, prepare
from resnet.text import printable

if TYPE_CHECKING:
    from resnet.network.engine import Engine

BATCH = 8
MOST_PHOTOS = 200
"""Photos that the page and its endpoint accept at a time."""

COLUMNS = ("photo", "rank", "wnid", "label", "probability", "error")


@dataclass(frozen=True)
class Answer:
    """Outcome for one photo of many: a result or an error.

    Attributes:
        name: Of the photo, as the caller named it.
        observation: The result, or None.
        error: Why there is none, or None.
    """

    name: str
    observation: Observation | None = None
    error: ResNetError | None = None


def answer_many(sources: Iterable[tuple[Path, str]], engine: Engine, framing: str = "crop") -> Iterator[Answer]:
    """Answers in the order of the photos, several photos a forward pass where their inputs have one size.

    Args:
        sources: (path, name) of each photo.
        engine: The network.
        framing: "crop" or "whole".
    """
    waiting: list[tuple[str, Photo, NetworkInput]] = []

    def flush() -> Iterator[Answer]:
        if waiting:
            photos = [(photo, ready) for _, photo, ready in waiting]
            for (name, _, _), found in zip(waiting, observe_prepared(photos, engine, framing), strict=True):
                yield Answer(name, found)
            waiting.clear()

    for path, given in sources:
        name = printable(given)
        try:
            photo = read_photo(path, name)
        except ResNetError as error:
            yield from flush()
            yield Answer(name, error=error)
            continue
        ready = prepare(photo.image, engine.manifest.input, framing, photo.size)
        if len(waiting) == BATCH or (waiting and waiting[0][2].pixels.shape != ready.pixels.shape):
            yield from flush()
        waiting.append((name, photo, ready))
    yield from flush()


class Export:
    """A folder that fills with the answers, one photo at a time."""

    def __init__(
        self,
        folder: Path,
        manifest: Manifest,
        view: ViewOptions,
        *,
        top_k: int = 5,
        framing: str = "crop",
        maps: bool = True,
        figures: bool = True,
    ) -> None:
        """Make the folder.

        Args:
            folder: Where to write; files of the same names are replaced.
            manifest: Of the weights that answer.
            view: How figures show the maps.
            top_k: Classes per photo, 1 to 20.
            framing: "crop" or "whole".
            maps: Whether raw maps are written.
            figures: Whether figures are written.

        Raises:
            OptionError: The folder cannot be made.
        """
        self._folder = folder
        self._manifest = manifest
        self._view = view
        self._top_k = whole_number("number of classes", top_k, 1, MAXIMUM_TOP_K)
        self._framing = one_of("framing", framing, FRAMINGS)
        self._maps = folder / "maps" if maps else None
        self._figures = folder / "figures" if figures else None
        self._stems: set[str] = set()
        self._photos: list[dict[str, Any]] = []
        self._rows: list[dict[str, Any]] = []
        for needed in filter(None, (folder, self._maps, self._figures)):
            make_folder(needed)

    @property
    def begun(self) -> bool:
        """Return True if something was written."""
        return bool(self._photos)

    def add(self, answer: Answer) -> None:
        """Write what belongs to one photo.

        Raises:
            OptionError: A file cannot be written.
        """
        if answer.observation is None:
            self._photos.append({"image": answer.name, "error": str(answer.error)})
            self._rows.append({"photo": answer.name, "error": str(answer.error)})
            return
        observation = answer.observation
        stem = unused_stem(answer.name, self._stems)
        result = as_dictionary(observation, self._view, self._top_k)
        files: dict[str, str] = {}
        entry = {
            "image": answer.name,
            "files": files,
            **{key: result[key] for key in ("predictions", "stages", "input", "notes")},
        }
        self._photos.append(entry)
        self._rows += [{"photo": answer.name, **prediction} for prediction in result["predictions"]]
        try:
            if self._maps:
                (self._maps / f"{stem}.npz").write_bytes(maps_file(observation, self._view, self._top_k))
                files["maps"] = f"maps/{stem}.npz"
            if self._figures:
                (self._figures / f"{stem}.png").write_bytes(result_figure(observation, self._view, self._top_k))
                files["figure"] = f"figures/{stem}.png"
        except OSError as error:
            fault = OptionError(
                "The files of {} cannot be written to {}: {}.", answer.name, self._folder, error.strerror
            )
            entry["error"] = str(fault)
            raise fault from error

    def content(self) -> dict[str, Any]:
        """Return the content of `manifest.json`: version, weights, preprocessing, options, and each photo."""
        weights = self._manifest.to_json()
        return {
            "version": __version__,
            "weights": {key: weights[key] for key in ("name", "sha256", "depth", "classes", "stem_pool", "licence")},
            "preprocessing": weights["input"],
            "options": {"top_k": self._top_k, "framing": self._framing, **asdict(self._view)},
            "photos": self._photos,
        }

    def packed(self) -> Path:
        """All of the finished folder as a ZIP file beside it."""
        return zip_folder(self._folder, self._folder.with_suffix(".zip"))

    def finish(self) -> None:
        """Write the table and the manifest of what was exported.

        Raises:
            OptionError: A file cannot be written.
        """
        try:
            write_table(self._folder / "predictions.csv", COLUMNS, self._rows)
            text = json.dumps(self.content(), indent=2, ensure_ascii=False) + "\n"
            write_text(self._folder / "manifest.json", text)
        except OSError as error:
            raise OptionError("The export cannot be written to {}: {}.", self._folder, error.strerror) from error


def make_folder(folder: Path) -> None:
    """Make a folder and those above it, if they are not there.

    Raises:
        OptionError: It cannot be made.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OptionError("The folder {} cannot be created: {}.", folder, error.strerror) from error


def check_outside(folder: Path, source: Path) -> None:
    """Make sure that a result does not become a part of what it was made from.

    Raises:
        OptionError: The folder lies in the source, or is it.
    """
    # Unlike those of Path, these take a path that cannot be looked up for none.
    inside = Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(source))
    if os.path.isdir(source) and inside:  # noqa: PTH112
        raise OptionError("The result {} would lie inside {}; please choose a folder elsewhere.", folder, source)


def unused_stem(name: str, used: set[str]) -> str:
    """A name for a photo's files that no other photo in `used` has, whatever a file system makes of case."""
    stem = candidate = safe_stem(Path(name).name)
    number = 1
    while candidate.casefold() in used:
        number += 1
        candidate = f"{stem}-{number}"
    used.add(candidate.casefold())
    return candidate


def zip_folder(folder: Path, target: Path) -> Path:
    """All of a folder as one ZIP file.

    Args:
        folder: What to put in.
        target: The file to write, ending in `.zip`.
    """
    return Path(shutil.make_archive(str(target.with_suffix("")), "zip", folder))


def write_all(answers: Iterable[Answer], export: Export) -> Iterator[Answer]:
    """Write each answer as it passes by, and the table at the end."""
    for answer in answers:
        export.add(answer)
        yield answer
    export.finish()
