"""Certainty at each level: probabilities added up along WordNet's tree of nouns.

Deng, Krause, Berg, Fei-Fei: "Hedging Your Bets" (CVPR 2012) answer with the most exact node that is likely enough.
Here the way down goes to the likeliest child as long as that keeps at least half of the probability, so that what is
said is right more often than not, if the probabilities are.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

import numpy as np
from numpy.typing import NDArray

from resnet.network.labels import ASSETS, ClassLabel

TREE = ASSETS / "labels" / "imagenet_tree.csv"
LEAST_SHARE = 0.5
"""Probability that a node on the way must keep."""

UNSURE = 0.43
"""Probability of the likeliest class below which an answer is called unsure; see `benchmarks/levels.py`."""

MOST_LEVELS = 3
"""Nodes that are named; more would be a lesson in zoology."""

_TOO_GENERAL = frozenset({
    "entity", "physical entity", "abstraction", "object", "whole", "matter", "living thing", "organism", "artifact",
    "thing", "substance", "causal agent", "psychological feature", "relation", "unit", "instrumentality",
})  # fmt: skip
"""Nodes that say nothing to a reader."""


@dataclass(frozen=True)
class Level:
    """A node on the way down.

    Attributes:
        wnid: WordNet id.
        name: Its name.
        probability: Of all classes of the network below it, 0 to 1.
    """

    wnid: str
    name: str
    probability: float


@cache
def _tree() -> dict[str, tuple[str, str]]:
    """WordNet id → (name, parent's id; empty for the root)."""
    with TREE.open(encoding="utf-8", newline="") as file:
        return {row["wnid"]: (row["name"], row["parent"]) for row in csv.DictReader(file)}


def names_in(language: str) -> dict[str, str]:
    """Return the names of all nodes in another language: WordNet id → name, for the classes of ImageNet as well.

    Args:
        language: Code of the language, which is the column's name in the tree's file.
    """
    with TREE.open(encoding="utf-8", newline="") as file:
        return {row["wnid"]: row[language] for row in csv.DictReader(file)}


def nodes_above(wnid: str) -> tuple[str, ...]:
    """Return a node and all nodes above it, up to the root."""
    found = []
    while wnid:
        found.append(wnid)
        wnid = _tree()[wnid][1]
    return tuple(found)


@lru_cache(maxsize=16)
def _branches(wnids: tuple[str, ...]) -> dict[str, dict[str, list[int]]]:
    """Node ("" above the root) → its children that have classes of the network, each with their indices."""
    found: dict[str, dict[str, list[int]]] = {}
    for index, wnid in enumerate(wnids):
        for node in nodes_above(wnid):
            found.setdefault(_tree()[node][1], {}).setdefault(node, []).append(index)
    return found


def _are_known(labels: Sequence[ClassLabel]) -> bool:
    return all(label.wnid in _tree() for label in labels)


def way_down(probabilities: NDArray[np.float32], labels: Sequence[ClassLabel]) -> tuple[Level, ...]:
    """Go down from the root to the likeliest child as long as it keeps at least half of the probability.

    Args:
        probabilities: (classes,) float32.
        labels: The network's classes.

    Returns:
        The nodes from the most general to the most exact one, without those that hold the same classes as the node
        below them; empty if a class is not in the tree, as own classes are not.
    """
    if not _are_known(labels):
        return ()
    branches = _branches(tuple(label.wnid for label in labels))
    names = {label.wnid: label.name for label in labels}
    way: list[Level] = []
    node, held = "", len(labels) + 1
    while own := branches.get(node):
        shares = {child: float(probabilities[indices].sum()) for child, indices in own.items()}
        node = max(shares, key=shares.__getitem__)
        if shares[node] < LEAST_SHARE:
            break
        if len(own[node]) == held:  # the same classes as the node above, whose place it takes
            way.pop()
        held = len(own[node])
        way.append(Level(node, names.get(node, _tree()[node][0]), shares[node]))
    return tuple(way)


def named_levels(probabilities: NDArray[np.float32], labels: Sequence[ClassLabel]) -> tuple[Level, ...]:
    """Return the levels that are worth naming: at most three, the last one the most exact.

    Args:
        probabilities: (classes,) float32.
        labels: The network's classes.
    """
    told = [level for level in way_down(probabilities, labels) if level.name not in _TOO_GENERAL]
    if len(told) <= MOST_LEVELS:
        return tuple(told)
    return (told[0], told[len(told) // 2], told[-1])


def percent(probability: float) -> str:
    """Write a probability as a reader wants it: a decimal below 10 %, none above."""
    return f"{probability:.1%}" if probability < 0.1 else f"{probability:.0%}"


def is_unsure(probabilities: NDArray[np.float32], labels: Sequence[ClassLabel]) -> bool:
    """Tell whether the likeliest class is not likely enough to be named without a warning.

    Own classes, which the tree does not know, are never called so: the threshold was not measured with them.
    """
    return _are_known(labels) and float(probabilities.max()) < UNSURE
