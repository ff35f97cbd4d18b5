"""Answers in bfloat16: what is rounded, what stays as it is, and what counts as the same answer."""

import json
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from resnet.errors import OptionError
from resnet.network.model import block_output, in_bfloat16
from resnet.network.precision import chosen_precision, difference
from resnet.network.weights import arrays_of, assign, fold
from tests.networks import randomise, tiny_network

ROOT = Path(__file__).resolve().parents[2]


def rounded(values):
    """To the nearest bfloat16, by the bits of the float32: the upper 16, a tie to the even one."""
    bits = np.asarray(values, np.float32).view(np.uint32).astype(np.uint64)
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)


def by_hand(model, pixels):
    """C1 and each block's output of a folded network by float32 layers, convolutions between rounded numbers."""

    def layer(name, values):
        return np.asarray(model.get_layer(name)(values))

    def convolution(name, values):
        kernel, bias = (rounded(part) for part in model.get_layer(name).get_weights())
        stride, padding = model.get_layer(name).strides, model.get_layer(name).padding
        return rounded(rounded(keras.ops.conv(rounded(values), kernel, stride, padding)) + bias)

    values = layer("pool1_pool", layer("conv1_relu", layer("conv1_conv", layer("conv1_pad", pixels))))
    found = [values]
    for name in [part.name.removesuffix("_out") for part in model.layers if part.name.endswith("_out")]:
        inner = np.maximum(convolution(f"{name}_1_conv", values), 0)
        inner = np.maximum(convolution(f"{name}_2_conv", inner), 0)
        shortcut = convolution(f"{name}_0_conv", values) if name.endswith("_block1") else values
        values = np.maximum(convolution(f"{name}_3_conv", inner) + shortcut, 0)
        found.append(values)
    return found


def test_the_convolutions_of_c2_to_c5_are_rounded_and_nothing_else():
    network = tiny_network(input_shape=(None, None, 3))
    randomise(network, 5)
    folded = tiny_network(input_shape=(None, None, 3), folded=True)
    assign(folded, fold(arrays_of(network)))
    copy = in_bfloat16(folded)
    names = ["pool1", *(part.name.removesuffix("_out") for part in folded.layers if part.name.endswith("_out"))]
    pixels = np.random.default_rng(1).uniform(-100, 100, (2, 40, 56, 3)).astype(np.float32)

    def outputs(model):
        found = keras.Model(model.input, [block_output(model, name) for name in names])(pixels)
        return [np.asarray(values) for values in found]

    exact, quick, expected = outputs(folded), outputs(copy), by_hand(folded, pixels)
    assert {values.dtype.name for values in quick} == {"float32"}
    np.testing.assert_array_equal(quick[0], exact[0])
    for one, other, same in zip(quick[1:], exact[1:], expected[1:], strict=True):
        # Sums in another order may end on the neighbouring number of 8 bits: 2^-8 of a value, in each of three steps.
        np.testing.assert_allclose(one, same, atol=0.012 * same.max())
        assert 0 < np.abs(one - other).max() < 0.03 * other.max()
        assert np.abs(one - same).mean() < 0.5 * np.abs(one - other).mean()
    assert np.asarray(copy(pixels)).dtype == np.float32
    assert {part.compute_dtype for part in copy.layers if part.name.endswith(("_add", "_out"))} == {"float32"}


def answer(*probabilities, maps=1.0):
    return [np.array([probabilities], np.float32), *(np.full((1, 2, 2, 3), maps, np.float32) for _ in range(5))]


@pytest.mark.parametrize(
    ("exact", "other", "found"),
    [
        ([0.6, 0.3, 0.1], [0.604, 0.297, 0.099], ""),
        ([0.6, 0.203, 0.2], [0.6, 0.2, 0.203], ""),  # no further apart than a tie
        ([0.6, 0.207, 0.2], [0.6, 0.2, 0.203], "two classes of photo 1 change places"),
        ([0.6, 0.207, 0.2], [0.6, 0.2, 0.2], "two classes of photo 1 change places"),
        ([0.401, 0.4, 0.1], [0.4, 0.401, 0.1], "the likeliest class of photo 1 is another"),
    ],
    ids=str,
)
def test_answers_are_the_same_if_classes_keep_their_order(exact, other, found):
    assert difference(answer(*exact), answer(*other)) == found


def test_answers_are_the_same_if_each_photos_maps_change_by_two_percent_at_most():
    exact, other = answer(0.6, 0.4), answer(0.6, 0.4, maps=1.019)
    assert difference(exact, other) == ""
    # The second photo's map is smaller: 1 % of the first one's maximum is 10 % of its own.
    both = [np.concatenate([values, values]) for values in exact]
    both[4][1] *= 0.1
    changed = [values.copy() for values in both]
    changed[4][1, 0, 0, 0] += 0.01
    assert difference(both, changed) == "C4 changes by up to 10.0% of its maximum"


def test_the_choice_is_one_of_three_words(monkeypatch):
    monkeypatch.delenv("RESNET_PRECISION")
    assert chosen_precision() == "auto"
    monkeypatch.setenv("RESNET_PRECISION", "half")
    with pytest.raises(OptionError, match="RESNET_PRECISION must be one of auto, float32, bfloat16; received 'half'"):
        chosen_precision()


SCRIPT = """
import json, sys
from dataclasses import replace
import numpy as np
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import observe
from resnet.maps.occlusion import hide
from resnet.maps.without import answer_without
from resnet.network.labels import ASSETS
from resnet.network.precision import difference
from resnet.network.sources import load_bundled
from resnet.photo.images import read_photo
from resnet.service.explorer import Explorer, Source
from resnet.service.provider import EngineProvider, _example_pixels

engine = load_bundled()
explorer = Explorer(EngineProvider.serving(engine))
source = Source(str(ASSETS / "examples" / "raccoon.jpg"))
first, exact = explorer.observe(source)
examples = _example_pixels(engine.manifest.input)
stopped = engine.use_bfloat16(examples)
second, quick = explorer.observe(source)
hidden = [hide(one, engine, one.heatmaps(ViewOptions())[4], 0, "mean").probabilities for one in (exact, quick)]
without = answer_without(quick, engine, 1, 4, 4)
trace = engine.trace(quick.maps[0])
json.dump({
    "stopped": stopped,
    "examples": len(examples),
    "precisions": [exact.precision, quick.precision, first.key[3], second.key[3]],
    "changed": float(np.abs(exact.probabilities - quick.probabilities).max()),
    "first map": float(np.abs(exact.maps[0] - quick.maps[0]).max()),
    "hidden": [float(np.abs(a - b.probabilities).max()) for a, b in zip(hidden, (exact, quick))],
    "without": float(np.abs(without.probabilities - without.probabilities_before).max()),
    "traced": float(np.abs(trace.outputs[-1] - exact.maps[4]).max() / exact.maps[4].max()),
}, sys.stdout)
"""


@pytest.mark.slow
def test_the_bundled_network_answers_the_same_and_whatever_is_compared_has_the_same_precision():
    """With oneDNN, as it is served."""
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1", "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, text=True
    )
    found = json.loads(done.stdout)
    assert (found["stopped"], found["examples"]) == ("", 8)
    assert found["precisions"] == ["float32", "bfloat16", "float32", "bfloat16"]
    assert 1e-5 < found["changed"] < 0.005
    assert found["first map"] == 0
    # With nothing hidden the answer is the photo's own, in its own precision.
    assert max(found["hidden"]) < 1e-5
    # One cell of 1,024 changes less than the rounding does: both sides are computed alike.
    assert 0 < found["without"] < 0.02
    assert found["traced"] < 1e-4
