"""Answers in bfloat16: what is rounded, what stays as it is, and what counts as the same answer."""

import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

from resnet.errors import OptionError
from resnet.network.engine import PassResult
from resnet.network.manifest import read_manifest
from resnet.network.model import block_output, in_bfloat16
from resnet.network.precision import chosen_precision, difference, faster, multiplies_bfloat16
from resnet.network.sources import BUNDLED
from resnet.network.weights import arrays_of, assign, fold
from resnet.stages import STAGE_NAMES
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
    values = {name: np.full((1, 2, 2, 3), maps, np.float32) for name in STAGE_NAMES}
    return PassResult(np.array([probabilities], np.float32), values, 1.0)


@pytest.mark.parametrize(
    ("exact", "other", "found"),
    [
        ([0.6, 0.3, 0.1], [0.604, 0.297, 0.099], ""),
        ([0.6, 0.203, 0.2], [0.6, 0.2, 0.203], ""),  # no further apart than a tie
        ([0.6, 0.207, 0.2], [0.6, 0.2, 0.203], "two classes in another order"),
        ([0.6, 0.207, 0.2], [0.6, 0.2, 0.2], "two classes in another order"),
        ([0.401, 0.4, 0.1], [0.4, 0.401, 0.1], "another likeliest class"),
        ([0.6, 0.3, 0.1], [np.nan] * 3, "two classes in another order"),
    ],
    ids=str,
)
def test_answers_are_the_same_if_classes_keep_their_order(exact, other, found):
    assert difference(answer(*exact), answer(*other)) == found


@pytest.mark.parametrize(("value", "found"), [(1.019, ""), (0.979, "2.1%"), (1.1, "10.0%"), (np.nan, "nan%")])
def test_answers_are_the_same_if_no_map_changes_by_more_than_two_percent(value, found):
    exact, other = answer(0.6, 0.4), answer(0.6, 0.4)
    other.maps["C4"][0, 1, 0, 2] = value
    assert difference(exact, other) == (f"a C4 that differs by {found} of its maximum" if found else "")


def test_the_choice_is_one_of_three_words(monkeypatch):
    monkeypatch.delenv("RESNET_PRECISION")
    assert chosen_precision() == "auto"
    monkeypatch.setenv("RESNET_PRECISION", "half")
    with pytest.raises(OptionError, match="RESNET_PRECISION must be one of auto, float32, bfloat16; received 'half'"):
        chosen_precision()


def test_what_the_processor_can_counts_only_where_it_computes(monkeypatch, tmp_path):
    (tmp_path / "cpuinfo").write_bytes(b"flags : fpu avx512_bf16 \xff\n")
    monkeypatch.setattr("resnet.network.precision.PROCESSOR", tmp_path / "cpuinfo")
    monkeypatch.setattr("resnet.network.engine.find_devices", lambda: ["/physical_device:CPU:0"])
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    assert multiplies_bfloat16()
    monkeypatch.setattr("resnet.network.engine.find_devices", lambda: ["/physical_device:GPU:0"])
    assert not multiplies_bfloat16()
    monkeypatch.setattr("resnet.network.engine.find_devices", lambda: ["/physical_device:CPU:0"])
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", "0")
    assert not multiplies_bfloat16()
    monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    (tmp_path / "cpuinfo").write_text("flags : fpu avx2 avx512f\n")
    assert not multiplies_bfloat16()
    (tmp_path / "cpuinfo").unlink()
    assert not multiplies_bfloat16()


class Twins:
    """An engine that answers 0.6 and 0.4, and its twin in bfloat16, which answers a little otherwise."""

    def __init__(self, change=0.0):
        self.manifest = read_manifest(BUNDLED)
        self.change = change
        self.asked = []

    def in_bfloat16(self):
        self.twin = Twins()
        self.twin.asked = self.asked
        self.twin.run = lambda pixels: answer(0.6 - self.change, 0.4 + self.change)
        return self.twin

    def run(self, pixels):
        self.asked.append(pixels)
        return answer(0.6, 0.4)


@pytest.mark.parametrize(
    ("wanted", "able", "change", "taken", "said"),
    [
        ("auto", True, 0.01, True, "Answering in bfloat16."),
        ("auto", True, 0.2, False, "Answering in float32: in bfloat16 the example alp has another likeliest class."),
        ("bfloat16", False, 0.2, True, "Answering in bfloat16."),
        ("auto", False, 0.0, False, None),
        ("float32", True, 0.0, False, None),
    ],
    ids=str,
)
def test_bfloat16_is_taken_where_it_is_asked_for_or_as_good(monkeypatch, caplog, wanted, able, change, taken, said):
    monkeypatch.setenv("RESNET_PRECISION", wanted)
    monkeypatch.setattr("resnet.network.precision.multiplies_bfloat16", lambda: able)
    caplog.set_level(logging.INFO, "resnet")
    engine = Twins(change)
    found = faster(engine)
    assert found is (engine.twin if taken else engine)
    assert caplog.messages == ([said] if said else [])
    if wanted == "auto" and able and taken:  # compared on all examples, as the network gets them
        side = engine.manifest.input.size
        assert [pixels.shape for pixels in engine.asked] == [(1, side, side, 3)] * 8


SCRIPT = """
import json, sys
import numpy as np
from resnet.maps.curves import measure_curves
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.occlusion import hide
from resnet.maps.without import answer_with_all
from resnet.network.labels import EXAMPLES
from resnet.network.precision import faster
from resnet.network.sources import load_bundled
from resnet.service.explorer import Explorer, Source
from resnet.service.provider import EngineProvider

engine = load_bundled()
provider = EngineProvider.serving(engine)
explorer = Explorer(provider)
source = Source(str(EXAMPLES[-3]))
first, exact = explorer.observe(source)
twin = faster(engine)
provider._replace(engine, twin)
second, quick = explorer.observe(source)
again = explorer.observe_other(first, None, "rotate", 0)[1]
like = explorer.elsewhere(first, 4, 1, 1, [str(path) for path in EXAMPLES])
pairs = [(exact, engine), (quick, twin)]
hidden = [hide(one, own, one.heatmaps(ViewOptions())[4], 0, "mean").probabilities for one, own in pairs]
top = int(quick.probabilities.argmax())
map_of_all = quick.heatmaps(ViewOptions())[4]
*_, curves = measure_curves(quick, twin, map_of_all, top, "mean")
part = hide(quick, twin, map_of_all, 100 * curves.deletion.shares[3], "mean").probabilities
whole = answer_with_all(quick, twin, 1)
unchanged = explorer.with_all(second, 1)
trace = twin.trace(quick.maps[0])

def apart(one, other):
    return float(np.abs(np.asarray(one) - other).max())

json.dump({
    "precisions": [exact.precision, quick.precision, again.precision],
    "held": provider.engine_of(first.key[2], "server") is engine and provider.engine() is twin,
    "names": [entry.observation.photo_name for entry in like],
    "changed": apart(exact.probabilities, quick.probabilities),
    "first map": apart(exact.maps[0], quick.maps[0]),
    "hidden": [apart(after, one.probabilities) for after, (one, _) in zip(hidden, pairs)],
    "unchanged": apart(again.probabilities, exact.probabilities),
    "curve": apart(curves.deletion.probabilities[3], part[top]),
    "without": apart(whole.probabilities, engine.from_stage(1, quick.maps[1])[0]),
    "explored": apart(unchanged.logits, whole.logits),
    "traced": apart(trace.outputs[-1], exact.maps[4]) / float(exact.maps[4].max()),
}, sys.stdout)
"""


@pytest.mark.slow
def test_the_bundled_network_answers_the_same_and_whatever_is_compared_has_the_same_precision():
    """With oneDNN, as it is served."""
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1", "TF_ONEDNN_ASSUME_FROZEN_WEIGHTS": "1"}
    environment["RESNET_PRECISION"] = "auto" if multiplies_bfloat16() else "bfloat16"
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=ROOT, env=environment, stdout=subprocess.PIPE, check=True, text=True
    )
    found = json.loads(done.stdout)
    assert found["precisions"] == ["float32", "bfloat16", "float32"]
    assert found["held"]
    assert len(found["names"]) == len(set(found["names"])) == 8
    assert 1e-5 < found["changed"] < 0.005
    assert found["first map"] == 0
    # With nothing hidden or changed the answer is the photo's own, in its own precision.
    assert max(*found["hidden"], found["unchanged"], found["curve"]) < 1e-5
    assert max(found["without"], found["explored"]) < 1e-6
    assert found["traced"] < 1e-4
