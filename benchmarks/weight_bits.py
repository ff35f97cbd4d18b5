"""How small the bundled weights can be: size and accuracy for several bits per weight.

    python -m benchmarks.weight_bits WEIGHTS DATA [--bits 8 7 6 5] [--limit N]
    python -m benchmarks.weight_bits WEIGHTS DATA --bits 6 --write assets/weights

WEIGHTS is a folder with a manifest, DATA a labelled data set as `python -m resnet evaluate` takes.
The first row is the source itself. With --write, the weights of the one given width are written
there with a manifest that holds what was measured.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import shutil
import tempfile
from pathlib import Path

from resnet.engine import Engine
from resnet.manifest import file_sha256, read_manifest, write_manifest
from resnet.training.dataset import find_labelled
from resnet.training.evaluate import evaluate
from resnet.weights import quantise, read_arrays, write_npz


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("weights", type=Path)
    parser.add_argument("data", type=Path)
    parser.add_argument("--bits", type=int, nargs="+", default=[8, 7, 6, 5])
    parser.add_argument("--limit", type=int)
    parser.add_argument("--write", type=Path)
    options = parser.parse_args()
    if options.write and len(options.bits) != 1:
        parser.error("--write needs exactly one number of bits")

    source = read_manifest(options.weights)
    arrays = read_arrays(source)
    files = find_labelled(options.data, source.labels)

    def measure(label: str, engine: Engine, size: int) -> dict[str, float]:
        result = evaluate(engine, files, limit=options.limit)
        row = {"images": result.images, "top1": round(result.top1, 4), "top5": round(result.top5, 4)}
        print(json.dumps({"weights": label, "megabytes": round(size / 1e6, 1), **row}), flush=True)
        return row

    if not options.write:
        measure("source", Engine(source, arrays), source.weights_path.stat().st_size)
    for bits in options.bits:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / f"{source.name}-{bits}bit.npz"
            write_npz(quantise(arrays, bits), path)
            shutil.copy(source.folder / source.class_file, folder)
            manifest = dataclasses.replace(source, file=path.name, sha256=file_sha256(path), folder=Path(folder))
            row = measure(f"{bits} bits", Engine.load(manifest), path.stat().st_size)
            if options.write:
                options.write.mkdir(parents=True, exist_ok=True)
                shutil.copy(path, options.write)
                shutil.copy(source.folder / source.class_file, options.write)
                write_manifest(
                    dataclasses.replace(manifest, accuracy={options.data.parent.name + "-" + options.data.name: row}),
                    options.write,
                )


if __name__ == "__main__":
    main()
