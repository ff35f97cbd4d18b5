"""ONNX Runtime against TensorFlow."""

import os
import subprocess
import sys

import numpy as np
import pytest

from resnet.errors import OptionError
from resnet.network import onnx_network
from resnet.network.engine import Engine
from resnet.network.labels import ASSETS
from resnet.network.manifest import read_manifest
from resnet.network.model import block_output
from resnet.network.onnx_network import MAP_TOLERANCE, PROBABILITY_TOLERANCE, chosen_runtime, compile_onnx
from resnet.network.sources import BUNDLED
from resnet.network.weights import arrays_of, assign, fold, read_arrays
from resnet.photo.images import read_photo
from resnet.photo.preprocess import prepare
from tests.networks import TINY_BLOCKS, randomise, tiny_network


@pytest.mark.parametrize(("stem_pool", "size"), [("same", (3, 33, 47)), ("centered", (2, 32, 95))], ids=str)
def test_every_stage_is_that_of_keras(stem_pool, size):
    network = tiny_network(input_shape=(None, None, 3), stem_pool=stem_pool)
    randomise(network, 5)
    arrays = fold(arrays_of(network))
    folded = tiny_network(input_shape=(None, None, 3), stem_pool=stem_pool, folded=True)
    assign(folded, arrays)
    pixels = np.random.default_rng(1).uniform(-100, 100, (*size, 3)).astype(np.float32)
    run = compile_onnx(arrays, TINY_BLOCKS, stem_pool)
    probabilities, *maps = run(pixels)
    np.testing.assert_allclose(probabilities, folded.predict_on_batch(pixels), atol=1e-5)
    import keras

    names = ["pool1", *(f"conv{stage}_block{count}" for stage, count in enumerate(TINY_BLOCKS, start=2))]
    expected = keras.Model(folded.input, [block_output(folded, name) for name in names]).predict_on_batch(pixels)
    for ours, theirs in zip(maps, expected, strict=True):
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, atol=1e-5 * theirs.max())


@pytest.mark.slow
def test_the_engine_gives_the_same_by_both(engine):
    manifest = read_manifest(BUNDLED)
    fast = Engine(manifest, read_arrays(manifest), runtime="onnx")
    assert (engine.runtime, fast.runtime) == ("tensorflow", "onnx")
    for name in ("espresso", "raccoon", "cat"):
        photo = read_photo(ASSETS / "examples" / f"{name}.jpg")
        for framing in ("crop", "whole"):
            pixels = prepare(photo.image, manifest.input, framing, photo.size).pixels[None]
            one, other = engine.run(pixels), fast.run(pixels)
            np.testing.assert_allclose(other.probabilities, one.probabilities, atol=PROBABILITY_TOLERANCE)
            assert other.probabilities.argmax() == one.probabilities.argmax()
            for stage, values in one.maps.items():
                np.testing.assert_allclose(other.maps[stage], values, atol=MAP_TOLERANCE * values.max())
    several = np.repeat(pixels, 3, axis=0)
    np.testing.assert_allclose(fast.scores(several), engine.scores(several), atol=PROBABILITY_TOLERANCE)
    trace, expected = fast.trace(other.maps["C1"][0]), engine.trace(one.maps["C1"][0])
    np.testing.assert_allclose(trace.outputs[-1], expected.outputs[-1], atol=1e-3 * expected.outputs[-1].max())


@pytest.mark.slow
def test_nothing_is_reported_to_anybody():
    # Where it would report, it first tries to store an identity at home, and complains if it cannot.
    program = (
        "import numpy as np\n"
        "from tests.network.test_onnx_network import tiny_network, fold, arrays_of, compile_onnx, TINY_BLOCKS\n"
        "run = compile_onnx(fold(arrays_of(tiny_network())), TINY_BLOCKS, 'same')\n"
        "run(np.zeros((1, 64, 64, 3), np.float32))\n"
    )
    environment = {name: value for name, value in os.environ.items() if name not in ("CI", "ORT_DISABLE_TELEMETRY")}
    environment |= {"HOME": "/proc/none", "PYTHONPATH": "."}
    ended = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert "elemetry" not in ended.stderr


def test_what_is_installed_runs_unless_another_is_asked_for(monkeypatch):
    monkeypatch.delenv("RESNET_RUNTIME")
    assert chosen_runtime() == "onnx"
    monkeypatch.setattr(onnx_network, "find_spec", lambda name: None)
    assert chosen_runtime() == "tensorflow"
    monkeypatch.setenv("RESNET_RUNTIME", "onnx")
    with pytest.raises(OptionError, match="RESNET_RUNTIME is onnx, but the packages onnx and onnxruntime are not"):
        chosen_runtime()
    monkeypatch.setenv("RESNET_RUNTIME", "fast")
    with pytest.raises(OptionError, match="RESNET_RUNTIME must be one of auto, tensorflow, onnx; received 'fast'"):
        chosen_runtime()
