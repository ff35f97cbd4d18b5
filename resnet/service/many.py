"""Many photos of one visitor: answered one after another, and packed as one file."""

from __future__ import annotations

import contextlib
import tempfile
from collections.abc import Callable, Iterator, Sequence
from itertools import takewhile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from resnet.maps.heatmaps import ViewOptions
from resnet.metrics import count_error
from resnet.network.manifest import Manifest
from resnet.output.export import Answer, Export, answer_many, write_all
from resnet.service.temporary import check_room, touch

if TYPE_CHECKING:
    from resnet.network.engine import Engine


@contextlib.contextmanager
def temporary_export(manifest: Manifest, view: ViewOptions, **options: Any) -> Iterator[Export]:
    """Make an export into a folder that is removed afterwards: store `Export.packed` before.

    Args:
        manifest: Of the weights that answer.
        view: How figures show the maps.
        **options: Further ones of `Export`.

    Raises:
        OptionError: There is no space for it.
    """
    check_room()
    with tempfile.TemporaryDirectory(prefix="resnet-export-") as folder:
        yield Export(Path(folder) / "resnet-export", manifest, view, **options)


def exported(
    files: Sequence[str], engine: Engine, framing: str, export: Export, wanted: Callable[[], bool] = lambda: True
) -> Iterator[Answer]:
    """Answer photo by photo, and write each answer to an export as it passes.

    Args:
        files: Paths of the photos; those that are still to come count as used meanwhile.
        engine: The network.
        framing: "crop" or "whole".
        export: Where the answers are written.
        wanted: Asked before each photo; no further photo is read once it returns False.

    Raises:
        OptionError: There is no space for further files.
    """
    sources = ((Path(file), Path(file).name) for file in takewhile(lambda _: wanted(), files))
    for done, answer in enumerate(write_all(answer_many(sources, engine, framing), export), 1):
        check_room()
        if answer.error:
            count_error(answer.error)
        touch(*files[done:])
        yield answer
