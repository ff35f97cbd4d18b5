"""Portions of very many photos, and the plan that identifies a run."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from resnet.errors import DataError, OptionError
from resnet.maps.observation import MAXIMUM_TOP_K
from resnet.network.manifest import Manifest, write_text
from resnet.options import one_of, whole_number
from resnet.photo.folders import find_pictures
from resnet.photo.preprocess import FRAMINGS

PLAN_NAME = "_plan.json"
PORTION = 10_000


@dataclass(frozen=True)
class BatchOptions:
    """Options of a run.

    Attributes:
        weights: "auto", "bundled", "imagenet" or a path.
        top_k: Classes per photo, 1 to 20.
        framing: "crop" or "whole".
        workers: Processes with a network each.
        batch_size: Photos per forward pass.
        column: Of Parquet input: holds the photos' files as bytes.
        name_column: Of Parquet input: holds what to call the photos.
        portion: Photos of a folder that are finished together; of Parquet input a file is a portion.
    """

    weights: str = "auto"
    top_k: int = 5
    framing: str = "crop"
    workers: int = 1
    batch_size: int = 16
    column: str = "image"
    name_column: str = "path"
    portion: int = PORTION

    def __post_init__(self) -> None:
        """Check every option.

        Raises:
            OptionError: One is unknown or outside its range.
        """
        whole_number("number of classes", self.top_k, 1, MAXIMUM_TOP_K)
        one_of("framing", self.framing, FRAMINGS)
        whole_number("number of workers", self.workers, 1, 4096)
        whole_number("batch size", self.batch_size, 1, 1024)
        whole_number("size of a portion", self.portion, 1, 10**9)


@dataclass(frozen=True)
class Portion:
    """Unit of work that is written as a whole: some photos, or one Parquet file."""

    photos: tuple[str, ...] = ()
    parquet: str = ""


def find_portions(sources: Sequence[Path], size: int, notes: list[str] | None = None) -> list[Portion]:
    """The work in portions, always in the same order.

    Args:
        sources: Folders of photos, photos, or Parquet files.
        size: Photos of a portion.
        notes: Gets sentences about files that are left out.

    Raises:
        DataError: A source does not exist, a folder in it cannot be read, or there is nothing to do.
    """
    photos: list[str] = []
    parquet: list[str] = []
    for source in sources:
        if not source.exists():
            raise DataError("There is no folder or file {}.", source)
        if source.is_dir():
            found = find_pictures(source)
            if found.unreadable:
                raise DataError(found.unreadable[0])
            photos += [str(path.resolve()) for path in found.pictures]
            parquet += [str(path.resolve()) for path in found.others if path.suffix == ".parquet"]
            found.others = [path for path in found.others if path.suffix != ".parquet"]
            if notes is not None and (sentence := found.left_out(source)):
                notes.append(sentence)
        elif source.suffix == ".parquet":
            parquet.append(str(source.resolve()))
        else:
            photos.append(str(source.resolve()))
    portions = [Portion(photos=tuple(photos[start : start + size])) for start in range(0, len(photos), size)]
    portions += [Portion(parquet=path) for path in parquet]
    if not portions:
        raise DataError("{} holds neither photos nor Parquet files.", ", ".join(map(str, sources)))
    return portions


def make_plan(portions: Sequence[Portion], manifest: Manifest, options: BatchOptions) -> dict[str, Any]:
    """Return what has to be the same for a result to go on: the photos, the weights and the options."""
    listing = json.dumps([[portion.photos, portion.parquet] for portion in portions])
    return {
        "portions": len(portions),
        "input": hashlib.sha256(listing.encode()).hexdigest(),
        "weights": {"name": manifest.name, "sha256": manifest.sha256},
        "top_k": options.top_k,
        "framing": options.framing,
        "column": options.column,
        "name_column": options.name_column,
    }


def check_plan(out: Path, plan: Mapping[str, Any]) -> None:
    """Begin a result, or make sure that the one there is of the same work.

    Raises:
        OptionError: It is of other work, or cannot be written.
    """
    path = out / PLAN_NAME
    try:
        if path.exists():
            before = json.loads(path.read_text(encoding="utf-8"))
            if not isinstance(before, dict):
                raise ValueError(f"{PLAN_NAME} is not from an earlier run")
            changed = [key for key in plan if plan[key] != before.get(key)]
            if changed:
                raise OptionError(
                    "{} holds the result of other work, which differs in {!r}. Please choose another folder.",
                    out,
                    changed[0],
                )
            return
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise OptionError("The result needs a new folder; {} exists and is not from an earlier run.", out)
        out.mkdir(parents=True, exist_ok=True)
        write_text(path, json.dumps(plan, indent=2) + "\n")
    except (OSError, ValueError) as error:
        raise OptionError("The result cannot be written to {}: {}.", out, error) from error


def part_of(out: Path, number: int) -> Path:
    """Return the folder of a finished portion."""
    return out / f"part-{number:05d}"
