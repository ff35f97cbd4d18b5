"""Arguments shared by several commands: weights and checked numbers."""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet.errors import OptionError
from resnet.logs import without_greetings
from resnet.network.sources import SOURCES, load_engine
from resnet.output.saving import FORMATS
from resnet.photo.preprocess import FRAMINGS

if TYPE_CHECKING:
    from resnet.network.engine import Engine


def add_weights(parser: argparse.ArgumentParser) -> None:
    """Add `--weights` to a command."""
    parser.add_argument(
        "--weights",
        default=os.environ.get("RESNET_WEIGHTS") or "auto",
        help=f"{', '.join(SOURCES)}, or a path (default: $RESNET_WEIGHTS, else auto: the ImageNet "
        "weights if they are on this machine, else the bundled ones)",
    )


def add_framing(parser: argparse.ArgumentParser) -> None:
    """Add `--framing` to a command."""
    parser.add_argument(
        "--framing", choices=FRAMINGS, default="crop", help="centre crop, or the whole photo (default: crop)"
    )


def add_outside(parser: argparse.ArgumentParser | argparse._ArgumentGroup) -> None:
    """Add `--outside` to a command that reads lists of pictures."""
    parser.add_argument(
        "--outside", action="store_true", help="let a CSV file name pictures outside of its own folder; if you trust it"
    )


def json_text(value: Any, **options: Any) -> str:
    """Return a value as JSON that is valid wherever it is written: in ASCII where stdout is not in UTF-8.

    Args:
        value: Plain values.
        options: Of `json.dumps`.
    """
    unicode = "utf" in (getattr(sys.stdout, "encoding", None) or "utf-8").lower()
    return json.dumps(value, ensure_ascii=not unicode, **options)


def write_file(path: Path, content: bytes) -> None:
    """Write a file.

    Raises:
        OptionError: It cannot be written.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise OptionError("The file {} cannot be written: {}.", path, error.strerror) from error


def format_of(path: Path) -> str:
    """Return the format that the name of a figure's file asks for.

    Raises:
        OptionError: It is none of `FORMATS`.
    """
    suffix = path.suffix.lower().removeprefix(".")
    if suffix not in FORMATS:
        raise OptionError("A figure's file must end in .png, .svg or .pdf; received {}.", path)
    return suffix


def leave_output() -> None:
    """Write nowhere what is still to be printed: nobody reads it, or Python would try again at its end."""
    with contextlib.suppress(OSError):  # there may be none
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def load(choice: str) -> Engine:
    """The engine of a choice of weights, without what TensorFlow has to say while it starts."""
    with without_greetings():
        # TensorFlow speaks of missing graphics cards before any setting of it could be read.
        from resnet.network.engine import find_devices

        find_devices()
    return load_engine(choice)


def positive(text: str) -> int:
    """An argument that must be a whole number from 1."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"must be a whole number from 1; received {text!r}")
    return int(text)
