"""Class activation maps, against the formulas of their papers written out cell by cell."""

from dataclasses import replace

import numpy as np
import pytest

from resnet.errors import OptionError
from resnet.maps.evidence import (
    LINEAR_METHODS,
    METHODS,
    check_classes,
    find_evidence,
    grad_cam,
    grad_cam_plus_plus,
    hires_cam,
    layer_cam,
)
from resnet.maps.observation import observe
from resnet.network.labels import ASSETS
from resnet.photo.images import read_photo
from resnet.stages import READ_STEPS

ESPRESSO = ASSETS / "examples" / "espresso.jpg"


@pytest.fixture(scope="module")
def pair():
    generator = np.random.default_rng(0)
    activations = np.maximum(generator.standard_normal((5, 4, 6)), 0).astype(np.float32)
    return activations, generator.standard_normal((5, 4, 6)).astype(np.float32)


def by_loops(activations, weight):
    """A map as the sum over channels of weight times activation, one number at a time."""
    height, width, channels = activations.shape
    result = np.zeros((height, width))
    for y in range(height):
        for x in range(width):
            for channel in range(channels):
                result[y, x] += weight(y, x, channel) * float(activations[y, x, channel])
    return result


def test_grad_cam_weighs_channels_by_their_mean_gradient(pair):
    activations, gradients = pair
    means = [sum(float(g) for g in gradients[..., k].ravel()) / 20 for k in range(6)]
    np.testing.assert_allclose(grad_cam(*pair), by_loops(activations, lambda y, x, k: means[k]), rtol=1e-4, atol=1e-5)


def test_grad_cam_plus_plus_is_equation_19_for_an_exponential_score(pair):
    activations, gradients = pair
    weights = []
    for k in range(6):
        total = sum(float(value) for value in activations[..., k].ravel())
        weight = 0.0
        for g in map(float, gradients[..., k].ravel()):
            below = 2 * g**2 + total * g**3
            weight += g**2 / below * max(g, 0) if below else 0
        weights.append(weight)
    expected = by_loops(activations, lambda y, x, k: weights[k])
    np.testing.assert_allclose(grad_cam_plus_plus(*pair), expected, rtol=1e-4, atol=1e-5)


def test_hires_cam_multiplies_cell_by_cell(pair):
    activations, gradients = pair
    expected = by_loops(activations, lambda y, x, k: float(gradients[y, x, k]))
    np.testing.assert_allclose(hires_cam(*pair), expected, rtol=1e-4, atol=1e-5)


def test_layer_cam_keeps_positive_gradients_only(pair):
    activations, gradients = pair
    expected = by_loops(activations, lambda y, x, k: max(float(gradients[y, x, k]), 0))
    np.testing.assert_allclose(layer_cam(*pair), expected, rtol=1e-4, atol=1e-5)


def test_without_activation_or_gradient_there_is_no_evidence(pair):
    nothing = np.zeros_like(pair[0])
    for method in (grad_cam, grad_cam_plus_plus, hires_cam, layer_cam):
        assert np.array_equal(method(nothing, pair[1]), np.zeros((5, 4)))
        assert np.array_equal(method(pair[0], nothing), np.zeros((5, 4)))


@pytest.fixture(scope="module")
def observation(engine):
    return observe(read_photo(ESPRESSO), engine, "whole")


@pytest.fixture(scope="module")
def evidence(engine, observation):
    return find_evidence(observation, engine, [prediction.index for prediction in observation.predictions(3)])


def test_every_method_has_a_map_of_each_class_and_stage_at_the_stages_size(evidence, observation):
    for method in METHODS:
        matrix = evidence.matrix(method)
        assert len(matrix) == 3
        for row in matrix:
            shapes = [
                values[::step, ::step].shape[:2] for step, values in zip(READ_STEPS, observation.maps, strict=True)
            ]
            assert [heatmap.values.shape for heatmap in row] == shapes
            assert all(heatmap.minimum >= 0 for heatmap in row)


def test_hires_cam_of_c5_adds_up_to_the_logit_but_for_the_biases(engine, observation, evidence):
    """The classifier is linear in its active units: its logit is what C5 adds and what the biases add."""
    model = engine._model
    hidden, last = (model.get_layer(name) for name in ("dense_1024", "predictions"))
    pooled = observation.maps[4].mean(axis=(0, 1))
    active = pooled @ hidden.kernel.numpy() + hidden.bias.numpy() > 0
    for place, index in enumerate(evidence.classes):
        column = last.kernel.numpy()[:, index]
        biases = float((hidden.bias.numpy() * active) @ column) + float(last.bias.numpy()[index])
        added = float(evidence.maps["hirescam"][place][4].sum())
        np.testing.assert_allclose(added + biases, evidence.logits[index], rtol=1e-3)


def test_c5_of_grad_cam_equals_hires_cam_because_of_the_mean_pooling(evidence):
    for row in range(3):
        one, other = evidence.maps["gradcam"][row][4], evidence.maps["hirescam"][row][4]
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-5 * np.abs(other).max())


def test_logits_are_those_of_the_probabilities(evidence, observation):
    logits = evidence.logits / observation.manifest.temperature
    exponentials = np.exp(logits - logits.max())
    np.testing.assert_allclose(exponentials / exponentials.sum(), observation.probabilities, rtol=1e-3, atol=1e-6)


def test_scale_of_a_stage_is_shared_by_the_classes(evidence):
    shared, own = evidence.matrix("hirescam", "stage"), evidence.matrix("hirescam", "each")
    for stage in range(5):
        highest = max(row[stage].maximum for row in shared)
        assert {row[stage].high for row in shared} == {highest}
        assert [row[stage].high for row in own] == [row[stage].maximum for row in own]
    assert {heatmap.low for row in (*shared, *own) for heatmap in row} == {0.0}


def test_difference_is_antisymmetric_and_centred_on_zero(evidence):
    for method in LINEAR_METHODS:
        one, other = evidence.difference(method, 0, 1), evidence.difference(method, 1, 0)
        for first, second in zip(one, other, strict=True):
            np.testing.assert_array_equal(first.values, -second.values)
            assert first.low == -first.high
            assert first.high == np.abs(first.values).max()


def test_difference_of_a_linear_method_is_the_map_of_the_logits_difference(evidence, engine, observation):
    found = engine.gradients(observation.maps[0], evidence.classes[:2])
    for heatmap, step, values, gradients in zip(
        evidence.difference("hirescam", 0, 1), READ_STEPS, observation.maps, found.stages, strict=True
    ):
        expected = hires_cam(values, gradients[0] - gradients[1])[::step, ::step]
        np.testing.assert_allclose(heatmap.values, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@pytest.mark.parametrize("method", ["layercam", "gradcam++"])
def test_a_method_that_is_not_linear_has_no_difference(evidence, method):
    """That of two maps is not the map of the difference: what speaks for both is taken away where it should not be."""
    with pytest.raises(OptionError, match="The difference is that of Grad-CAM or HiResCAM; received"):
        evidence.difference(method, 0, 1)


def test_a_class_against_itself_has_a_flat_difference(evidence):
    assert {heatmap.note for heatmap in evidence.difference("gradcam", 1, 1)} == {"zero"}


def test_evidence_of_one_class_is_part_of_that_of_several(evidence):
    joined = type(evidence).join([evidence.only(2), evidence.only(0)])
    assert joined.classes == (evidence.classes[2], evidence.classes[0])
    for method in METHODS:
        for stage in range(5):
            assert np.array_equal(joined.maps[method][0][stage], evidence.maps[method][2][stage])
    assert np.array_equal(joined.contributions[9][1], evidence.contributions[9][0])


def test_five_classes_take_one_backward_pass(engine, observation):
    before = engine.passes
    find_evidence(observation, engine, range(5))
    assert engine.passes == before + 1


@pytest.mark.parametrize(
    ("classes", "sentence"),
    [
        ([], "takes 1 to 10 classes; received 0"),
        (range(11), "takes 1 to 10 classes; received 11"),
        ([200], "class must be 0 to 199; received 200"),
        ([-1], "class must be 0 to 199; received -1"),
    ],
    ids=str,
)
def test_wrong_classes_are_named(classes, sentence):
    with pytest.raises(OptionError, match=sentence):
        check_classes(classes, 200)


def test_a_class_named_twice_counts_once():
    assert check_classes([3, 5, 3], 200) == (3, 5)


def test_unknown_methods_are_named(evidence):
    with pytest.raises(OptionError, match="method must be one of gradcam, "):
        evidence.matrix("cam")
    with pytest.raises(OptionError, match="scale must be one of stage, each"):
        evidence.matrix("gradcam", "all")


def test_weights_with_two_classes_can_be_asked(engine, observation):
    """Nothing depends on the number of classes but the check."""
    small = replace(observation, manifest=replace(observation.manifest, classes=2))
    with pytest.raises(OptionError, match="0 to 1; received 5"):
        find_evidence(small, engine, [5])
