"""The weights that there are: bundled, the published ones, and files of one's own.

This module loads no TensorFlow until weights are asked for, so that the page can answer first.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from resnet.network.labels import ASSETS
from resnet.network.manifest import Manifest, read_manifest

if TYPE_CHECKING:
    from resnet.network.engine import Engine
    from resnet.network.weights import Arrays

BUNDLED = ASSETS / "weights"
SOURCES = ("auto", "bundled", "imagenet")
SERVER = "server"
"""A visitor's choice of weights that leaves it to the server."""

_log = logging.getLogger(__name__)


def check_choice(choice: str) -> None:
    """Check a choice of weights without loading them.

    Args:
        choice: "auto", "bundled", "imagenet", or the path of weights, their folder or manifest.

    Raises:
        WeightsError: It is a path without weights and a valid manifest.
    """
    if choice not in SOURCES:
        _ = read_manifest(Path(choice)).labels


def load_bundled() -> Engine:
    """An engine with the weights that come with the program."""
    return load_file(BUNDLED)


def load_file(path: str | Path) -> Engine:
    """An engine with weights from a file, its folder or its manifest."""
    from resnet.network.engine import Engine

    return Engine.load(read_manifest(Path(path)))


def load_imagenet(*, download: bool = True) -> Engine:
    """An engine with the published ImageNet weights."""
    from resnet.network.engine import Engine
    from resnet.network.imagenet import load_imagenet as load

    return Engine(*load(download=download))


def imagenet_is_cached() -> bool:
    """Return True if the ImageNet weights are installed."""
    from resnet.network.imagenet import is_cached

    return is_cached()


def load_engine(choice: str = "auto") -> Engine:
    """Return a network ready to answer.

    Args:
        choice: "bundled", "imagenet", the path of weights, their folder or manifest, or "auto": the ImageNet weights
            if they are on this machine, else the bundled ones; it never downloads.

    Raises:
        WeightsError: The chosen weights are not available.
    """
    if choice == "auto":
        if imagenet_is_cached():
            try:
                return load_imagenet(download=False)
            except Exception as error:  # noqa: BLE001 - whatever stops the better weights, the bundled ones serve
                _log.warning("Using the bundled weights. %s", error)
        choice = "bundled"
    return loader(choice)()


def settled_choice(choice: str) -> str:
    """A choice that means the same later and in other processes: no "auto", no relative path."""
    if choice == "auto":
        return "imagenet" if imagenet_is_cached() else "bundled"
    return choice if choice in SOURCES else str(Path(choice).resolve())


def read_weights(choice: str) -> tuple[Manifest, Arrays]:
    """The numbers of a choice of weights, without an engine; "auto" never downloads.

    Raises:
        WeightsError: The chosen weights are not available.
    """
    wanted = settled_choice(choice)
    if wanted == "imagenet":
        from resnet.network.imagenet import load_imagenet as load

        return load(download=choice == "imagenet")
    from resnet.network.weights import read_arrays

    manifest = read_manifest(BUNDLED if wanted == "bundled" else Path(choice))
    _ = manifest.labels
    return manifest, read_arrays(manifest)


def loader(choice: str) -> Callable[[], Engine]:
    """Return the loader of "bundled", "imagenet" or a path."""
    return {"bundled": load_bundled, "imagenet": load_imagenet}.get(choice, lambda: load_file(choice))


@dataclass(frozen=True)
class Choice:
    """Weights that a visitor may choose.

    Attributes:
        identifier: "server" for those that the server was started with, "bundled", "imagenet", or
            the name of weights on the server's list.
        path: Of weights on the server's list, else None.
    """

    identifier: str
    path: Path | None = None


def offered_choices(paths: Sequence[str | Path]) -> tuple[Choice, ...]:
    """Return the weights that visitors can choose: the server's own, bundled, ImageNet, and offered ones.

    Args:
        paths: Of weights, their folders or manifests. They are known by their manifests' names;
            where two are equal, the later one gets a number.

    Raises:
        WeightsError: A path has no weights with a valid manifest.
    """
    choices = [Choice(SERVER), Choice("bundled"), Choice("imagenet")]
    taken = {choice.identifier for choice in choices}
    for path in map(Path, paths):
        manifest = read_manifest(path)
        _ = manifest.labels
        name, number = manifest.name, 1
        while name in taken:
            number += 1
            name = f"{manifest.name} ({number})"
        taken.add(name)
        choices.append(Choice(name, path))
    return tuple(choices)
