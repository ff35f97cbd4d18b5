"""TensorFlow may take weights as fixed in the server's process: each network still gives its own answers."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = """
import dataclasses, json, sys
import numpy as np
from resnet.network.engine import Engine
from resnet.network.manifest import read_manifest
from resnet.network.sources import BUNDLED
from resnet.network.weights import read_arrays

manifest = read_manifest(BUNDLED)
arrays = read_arrays(manifest)
# The same network with its classes the other way round, and one whose first kernels have another sign.
turned = {**arrays, **{f"predictions/{part}": arrays[f"predictions/{part}"][..., ::-1] for part in ("kernel", "bias")}}
other = {**arrays, "conv1_conv/kernel": -arrays["conv1_conv/kernel"]}
pixels = np.random.default_rng(0).uniform(-100, 100, (1, 64, 64, 3)).astype(np.float32)
first, second = Engine(manifest, arrays), Engine(manifest, turned)
answers = [first.run(pixels), second.run(pixels), first.run(pixels)]
del second
answers.append(Engine(manifest, other).run(pixels))  # weights that come while others are served, and in their place
answers.append(first.run(pixels))
json.dump([[one.probabilities[0].tolist(), float(one.maps["C3"].sum())] for one in answers], sys.stdout)
"""


def answers(frozen):
    options = {"TF_ENABLE_ONEDNN_OPTS": "1", "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": frozen}
    script = [sys.executable, "-c", SCRIPT]
    done = subprocess.run(script, cwd=ROOT, env={**os.environ, **options}, stdout=subprocess.PIPE, check=True)
    return json.loads(done.stdout)


@pytest.mark.slow
def test_two_sets_of_weights_and_exchanged_ones_give_their_own_answers():
    fixed, usual = answers("1"), answers("0")
    for (one, size), (other, expected) in zip(fixed, usual, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)
        np.testing.assert_allclose(size, expected, rtol=1e-3)
    first, second, again, third, last = (np.array(one) for one, _ in fixed)
    np.testing.assert_array_equal(first, again)
    np.testing.assert_array_equal(first, last)
    np.testing.assert_allclose(second, first[::-1], atol=1e-6)
    assert np.abs(third - first).max() > 1e-3


def test_the_server_takes_its_weights_as_fixed_and_training_does_not():
    assert "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS" in (ROOT / "app.py").read_text(encoding="utf-8")
    for path in (ROOT / "resnet" / "training").rglob("*.py"):
        assert "FROZEN_WEIGHTS" not in path.read_text(encoding="utf-8")
