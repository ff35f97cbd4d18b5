"""Accuracy of the named level, and the probability below which an answer is called unsure.

    python -m benchmarks.levels DATA [--weights CHOICE] [--limit N]

DATA is a labelled set with WordNet ids, as `evaluate` takes it. Every second picture chooses the threshold, the
others measure it. The threshold is the highest one below which at most a quarter of the answers is right.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from resnet.network.levels import UNSURE, named_levels, nodes_above, way_down
from resnet.network.sources import load_engine
from resnet.training.dataset import find_labelled
from resnet.training.evaluate import evaluate

RIGHT_BELOW = 0.25


def threshold(confidence: NDArray[np.float32], right: NDArray[np.bool_]) -> float:
    """Return the highest probability below which at most `RIGHT_BELOW` of the answers is right."""
    order = np.argsort(confidence)
    shares = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    low = np.flatnonzero(shares <= RIGHT_BELOW)
    return float(confidence[order[low[-1]]]) if len(low) else 0.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", default="bundled")
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()
    engine = load_engine(options.weights)
    files = find_labelled(options.data, engine.manifest.labels)
    found = evaluate(engine, files, limit=options.limit, keep_probabilities=True)
    probabilities = found.probabilities
    assert probabilities is not None
    right = found.answers == found.truth
    chosen = threshold(found.confidence[::2], right[::2])
    print(f"threshold from every second picture: {chosen:.3f} (in use: {UNSURE})")
    unsure = found.confidence[1::2] < UNSURE
    others = right[1::2]
    print(f"of the other {len(others):,} pictures {unsure.mean():.1%} are called unsure")
    print(f"  right among these {others[unsure].mean():.1%}, among the rest {others[~unsure].mean():.1%}")
    labels = found.labels
    for name, levels in (("the deepest level", way_down), ("the deepest level that is named", named_levels)):
        deepest = [levels(row, labels)[-1:] for row in probabilities[1::2]]
        hits = [
            way[0].wnid in nodes_above(labels[truth].wnid)
            for way, truth in zip(deepest, found.truth[1::2], strict=True)
            if way
        ]
        exact = [way[0].wnid in {label.wnid for label in labels} for way in deepest if way]
        print(f"{name}: right for {np.mean(hits):.1%} of {len(hits):,}, a class itself for {np.mean(exact):.1%}")
    print(f"the likeliest class: right for {others.mean():.1%}")


if __name__ == "__main__":
    main()
