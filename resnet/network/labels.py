"""Class names: read from files, unique, searchable; never from the network.

A class file has one class a line, in the order of the network's outputs. A line that is a WordNet
id of ImageNet (`n02124075`) gets its name from `assets/labels/imagenet.csv`; any other line is the
name itself.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from resnet.errors import WeightsError
from resnet.text import composed, decode, is_printable, key_of, loose_key_of

ASSETS = Path(__file__).resolve().parent.parent.parent / "assets"
EXAMPLES = sorted((ASSETS / "examples").glob("*.jpg"))
"""Example photos of the page."""

CLASSES_NAME = "classes.txt"
"""Name of the class files that the program writes."""

IMAGENET_CLASSES = ASSETS / "labels" / "imagenet.csv"


@dataclass(frozen=True)
class ClassLabel:
    """One output of the network.

    Attributes:
        index: Position among the network's outputs, from 0.
        wnid: WordNet id, such as `n02124075`; empty for classes outside ImageNet.
        name: Unique among the classes of the same network, also without regard to capitals.
        synonyms: Further names to find the class by, separated by commas; may be empty.
    """

    index: int
    wnid: str
    name: str
    synonyms: str = ""


@cache
def imagenet_names() -> dict[str, tuple[str, str]]:
    """WordNet id → (unique name, synonyms) of the 1,000 ImageNet classes, in the network's order."""
    with IMAGENET_CLASSES.open(encoding="utf-8", newline="") as file:
        return {row["wnid"]: (row["name"], row["synonyms"]) for row in csv.DictReader(file)}


def label_classes(lines: Iterable[str]) -> tuple[ClassLabel, ...]:
    """Labels of the classes named by `lines`, each a WordNet id of ImageNet or a plain name.

    Raises:
        WeightsError: A line is empty, or stands twice.
    """
    entries = [composed(line.strip()) for line in lines]
    repeated = [entry for entry, count in Counter(entries).items() if count > 1]
    if "" in entries or repeated:
        fault = "an empty line" if "" in entries else f"{repeated[0]!r} twice"
        raise WeightsError("Each line of a class file must name a different class; found {}.", fault)
    unprintable = next((entry for entry in entries if not is_printable(entry)), None)
    if unprintable is not None:
        raise WeightsError("The names of classes must be printable; one is {!r}.", unprintable)
    known = imagenet_names()
    labels = [
        ClassLabel(index, entry, *known[entry]) if entry in known else ClassLabel(index, "", entry)
        for index, entry in enumerate(entries)
    ]
    return tuple(_with_distinct_names(labels))


def _with_distinct_names(labels: Sequence[ClassLabel]) -> Iterator[ClassLabel]:
    """Labels whose names differ in more than capitals: one with a WordNet id gets it behind its name, if need be.

    Raises:
        WeightsError: Two without ids have the same name.
    """
    named: dict[str, list[ClassLabel]] = {}
    for label in labels:
        named.setdefault(key_of(label.name), []).append(label)
    for label in labels:
        same = named[key_of(label.name)]
        plain = [other.name for other in same if not other.wnid]
        if len(plain) > 1:
            fault = f"{plain[0]!r} and {plain[1]!r}"
            raise WeightsError("Each line of a class file must name a different class; found {}.", fault)
        apart = len(same) > 1 and label.wnid
        yield replace(label, name=f"{label.name} ({label.wnid})") if apart else label


class ClassNames:
    """Finds classes by the names that people know them by."""

    def __init__(self, labels: Sequence[ClassLabel]) -> None:
        """Take down all names, the surest first: exact ones, any capitals, any blanks, synonyms."""
        self._levels: list[tuple[Callable[[str], str], dict[str, list[int]]]] = []
        names = [(label.index, (label.name, label.wnid)) for label in labels]
        synonyms = [(label.index, label.synonyms.split(",")) for label in labels]
        for key, known in ((str, names), (key_of, names), (loose_key_of, names), (loose_key_of, synonyms)):
            found: dict[str, list[int]] = {}
            for index, own in known:
                for name in dict.fromkeys(key(one.strip()) for one in own if one.strip()):
                    found.setdefault(name, []).append(index)
            self._levels.append((key, found))

    def find(self, name: str) -> list[int]:
        """Return the indices of the classes with a name: none, one, or several if it is a synonym of several."""
        for key, found in self._levels:
            if indices := found.get(key(name.strip())):
                return indices
        return []


def read_class_file(path: Path) -> tuple[ClassLabel, ...]:
    """Labels from a class file, a text in UTF-8 or with a byte order mark.

    Raises:
        WeightsError: The file cannot be read, or a line is empty, stands twice or is not printable.
    """
    try:
        text = decode(path.read_bytes())
    except (OSError, UnicodeDecodeError) as error:
        raise WeightsError("The class file {} cannot be read: {}.", path.name, error) from error
    return label_classes(text.splitlines())


def write_class_file(labels: Iterable[ClassLabel], path: Path) -> None:
    """Write a class file that `read_class_file` reads as the same labels."""
    path.write_text("".join(f"{label.wnid or label.name}\n" for label in labels), encoding="utf-8")
