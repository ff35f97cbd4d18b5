"""What is said about a cell, against the network itself: what it adds, what it changes, and what is never read."""

import keras
import numpy as np
import pytest

from resnet.errors import OptionError
from resnet.maps.evidence import METHODS, find_evidence
from resnet.maps.observation import observe
from resnet.maps.without import answer_without
from resnet.network.labels import ASSETS
from resnet.network.model import block_output
from resnet.photo.images import read_photo
from resnet.stages import READ_STEPS, STAGE_NAMES, is_read


@pytest.fixture(scope="module")
def observation(engine):
    return observe(read_photo(ASSETS / "examples" / "espresso.jpg"), engine)


@pytest.fixture(scope="module")
def target(observation):
    return int(observation.probabilities.argmax())


@pytest.fixture(scope="module")
def evidence(observation, engine, target):
    return find_evidence(observation, engine, [target, 3])


def logits_by_keras(engine, stage, values):
    """From a stage's output to the logits, by Keras' own layers."""
    start = block_output(
        engine._model, [block for block in engine._blocks if block.stage == STAGE_NAMES[stage]][-1].name
    )
    last = engine._model.get_layer("predictions")
    hidden = keras.Model(start, engine._model.get_layer("dense_1024").output)
    return hidden(values[None]).numpy() @ last.kernel.numpy() + last.bias.numpy()


@pytest.mark.parametrize("stage", range(5))
def test_the_answer_without_a_cell_is_that_of_keras_layers(observation, engine, stage):
    rows, columns, _ = observation.maps[stage].shape
    row, column = 2 * (rows // 3), 2 * (columns // 4)
    before = engine.passes
    found = answer_without(observation, engine, stage, row, column)
    assert engine.passes == before + 1
    values = observation.maps[stage].copy()
    values[row, column] = 0
    (logits,) = logits_by_keras(engine, stage, values)
    np.testing.assert_allclose(found.logits, logits, rtol=1e-4, atol=1e-4)
    shares = np.exp((logits - logits.max()).astype(np.float64) / engine.manifest.temperature)
    np.testing.assert_allclose(found.probabilities, shares / shares.sum(), rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("stage", range(5))
def test_with_nothing_taken_away_the_answer_is_the_same(observation, engine, stage):
    probabilities, _ = engine.from_stage(stage, observation.maps[stage])
    np.testing.assert_allclose(probabilities, observation.probabilities, rtol=1e-3, atol=1e-6)


@pytest.mark.parametrize("stage", range(5))
def test_cells_that_are_not_read_change_nothing_and_the_others_do(observation, engine, stage, target, evidence):
    values = observation.maps[stage].copy()
    rows, columns, _ = values.shape
    unread = np.array([[not is_read(stage, row, column) for column in range(columns)] for row in range(rows)])
    assert unread.mean() == (0.75 if stage in (1, 2, 3) else 0)
    changed = values.copy()
    changed[unread] = 1e3
    _, same = engine.from_stage(stage, changed)
    np.testing.assert_array_equal(same, engine.from_stage(stage, values)[1])
    row, column = np.unravel_index(np.where(unread, 0, values.sum(axis=-1)).argmax(), unread.shape)
    assert (answer_without(observation, engine, stage, row, column).logits != evidence.logits).any()


def test_at_the_last_stage_a_cell_adds_what_its_map_says(observation, engine, target, evidence):
    """Taking it away takes that from the logit, as long as the same hidden units answer."""
    values = evidence.maps["hirescam"][0][4]
    biases = logits_by_keras(engine, 4, np.zeros_like(observation.maps[4]))[0, target]
    for row, column in np.ndindex(values.shape):
        lost = evidence.logits[target] - answer_without(observation, engine, 4, row, column).logits[target]
        assert lost == pytest.approx(float(values[row, column]), abs=0.15 * abs(float(evidence.logits[target])))
    assert values.sum() == pytest.approx(float(evidence.logits[target]), abs=2 + abs(float(biases)))


@pytest.mark.parametrize("method", METHODS)
def test_maps_by_gradients_have_the_cells_that_are_read(observation, evidence, engine, method):
    gradients = engine.gradients(observation.maps[0], evidence.classes).stages
    for stage, (block, step) in enumerate(zip(evidence.blocks, READ_STEPS, strict=True)):
        whole = observation.blocks[stage]
        assert evidence.maps[method][0][stage].shape == block.shape[:2]
        assert (block.stride, block.centre) == (whole.stride * step, whole.centre)
        assert block.shape[:2] == observation.maps[stage][::step, ::step].shape[:2]
        between = gradients[stage][0].copy()
        between[::step, ::step] = 0
        assert not between.any()  # nothing is lost by leaving them out
        # The same place of the photo.
        row, column = block.shape[0] - 1, block.shape[1] // 2
        read = observation.geometry.receptive_box(block, row, column)
        assert read == pytest.approx(observation.geometry.receptive_box(whole, row * step, column * step))


def test_grad_cam_and_hirescam_are_the_same_at_the_last_stage_alone(evidence):
    """So their agreement there proves nothing, which the page says."""
    one, other = evidence.maps["gradcam"][0], evidence.maps["hirescam"][0]
    np.testing.assert_allclose(one[4], other[4], rtol=1e-3, atol=1e-4)
    assert np.abs(one[3] - other[3]).max() > 0.01


def test_a_cell_that_is_not_there_is_refused(observation, engine):
    with pytest.raises(OptionError, match="C5 has 4 x 4 cells; received row 4, column 0"):
        answer_without(observation, engine, 4, 4, 0)


def test_a_map_without_anything_that_speaks_for_a_class_says_so_and_keeps_its_sum(evidence):
    negative = {method: ((-np.abs(rows[0][0]) - 1, *rows[0][1:]), *rows[1:]) for method, rows in evidence.maps.items()}
    from dataclasses import replace

    from resnet.output.report import note_of

    found = replace(evidence, maps=negative).matrix("hirescam", "each")[0][0]
    assert found.note == "against"
    total = negative["hirescam"][0][0].sum()
    assert str(note_of(found)) == f"nothing here speaks for it (sum {total:.3g})"
    np.testing.assert_array_equal(found.whole, negative["hirescam"][0][0])
    assert not found.values.any()
