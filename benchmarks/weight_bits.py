"""Size and accuracy of the bundled weights for several bits per weight.

    python -m benchmarks.weight_bits WEIGHTS DATA [--bits 8 7 6 5] [--limit N]

WEIGHTS is a folder with a manifest, DATA a labelled data set as `python -m resnet evaluate` takes.
The first row is the source itself. What is chosen is written by `python -m resnet export --format npz`.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path

from resnet.network.engine import Engine
from resnet.network.formats import write_compact
from resnet.network.manifest import read_manifest
from resnet.network.weights import read_arrays
from resnet.training.dataset import find_labelled
from resnet.training.evaluate import evaluate


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--bits", type=int, nargs="+", default=[8, 7, 6, 5])
    parser.add_argument("--limit", type=int)
    options = parser.parse_args()

    source = read_manifest(options.weights)
    arrays = read_arrays(source)
    files = find_labelled(options.data, source.labels)

    def measure(label: str, engine: Engine, size: int) -> None:
        result = evaluate(engine, files, limit=options.limit)
        print(json.dumps({"weights": label, "megabytes": round(size / 1e6, 1), **result.accuracy}), flush=True)

    measure("source", Engine(source, arrays), source.weights_path.stat().st_size)
    for bits in options.bits:
        with tempfile.TemporaryDirectory() as folder:
            path = write_compact(source, arrays, Path(folder), bits)
            measure(f"{bits} bits", Engine.load(read_manifest(Path(folder))), path.stat().st_size)


if __name__ == "__main__":
    main()
