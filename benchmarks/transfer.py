"""Value of trained weights for a small data set: the same training from them and from random weights.

    python -m benchmarks.transfer DATA [--seeds 0 1] [--weights bundled] [-- options of `train`]

DATA is a folder per class. Random weights get normalisation statistics from the data set itself, so
that their features are as spread as they can be. Each row is one run of `python -m resnet train`: the
validation accuracy of the best epoch of the head alone, with everything below it frozen, and of the
result after the upper stages learned, too.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import keras
import numpy as np

from resnet.network.labels import CLASSES_NAME, write_class_file
from resnet.network.manifest import Manifest, file_sha256, read_manifest, write_manifest
from resnet.network.sources import read_weights
from resnet.network.weights import arrays_of, write_npz
from resnet.training.dataset import find_training_data
from resnet.training.pictures import decode_all
from resnet.training.pipeline import in_training_units, validation_batches
from resnet.training.start import Start, build_start


def write_random_weights(like: Manifest, data: Path, folder: Path) -> None:
    """Random weights with the manifest of others, and statistics from 64 pictures."""
    keras.utils.set_random_seed(0)
    found = find_training_data(data)
    model = build_start(Start(like, None), found.labels, keep_head=False, dropout=0.0)
    pictures = decode_all(found.training, found.labels, like.input, folder, quiet=True)
    rows = np.random.default_rng(0).permutation(len(pictures.items))[:64]
    for layer in model.layers:
        if isinstance(layer, keras.layers.BatchNormalization):
            layer.momentum = 0.0
    (images, _), *_ = validation_batches(pictures, rows, like.input, len(rows), 2)
    model(images, training=True)
    path = folder / "random.npz"
    write_npz(in_training_units(arrays_of(model), like.input, back=True), path, compress=False)
    write_class_file(found.labels, folder / CLASSES_NAME)
    manifest = dataclasses.replace(
        like, name="random", classes=len(found.labels), file=path.name, class_file=CLASSES_NAME,
        sha256=file_sha256(path), accuracy={}, folder=folder,
    )  # fmt: skip
    write_manifest(manifest, folder)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("data", type=Path)
    parser.add_argument("--weights", default="bundled")
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("more", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    more = [word for word in options.more if word != "--"]
    with tempfile.TemporaryDirectory() as scratch:
        random = Path(scratch) / "random"
        random.mkdir()
        manifest, _ = read_weights(options.weights)
        write_random_weights(manifest, options.data, random)
        for seed in options.seeds:
            for name, weights in (("random", str(random)), (options.weights, options.weights)):
                out = Path(scratch) / f"{Path(name).name}-{seed}"
                command = [sys.executable, "-m", "resnet", "train", options.data, "--out", out, "--weights", weights]
                command += ["--seed", seed, *more]
                done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)
                if done.returncode > 1:
                    sys.exit(done.stderr[-2000:])
                history = json.loads((out / "history.json").read_text())
                head = min((row for row in history if row["phase"] == 0), key=lambda row: row["val_loss"])
                (accuracy,) = read_manifest(out).accuracy.values()
                row = {"weights": name, "seed": seed, "images": accuracy["images"], "head_top1": head["val_top1"],
                       "top1": accuracy["top1"], "minutes": round(history[-1]["seconds"] / 60, 1)}  # fmt: skip
                print(json.dumps(row), flush=True)


if __name__ == "__main__":
    main()
