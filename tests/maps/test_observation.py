"""One photo through the bundled network, and the cache of results."""

import threading

import numpy as np
import pytest

from resnet.errors import OptionError
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import observe
from resnet.network.labels import ASSETS
from resnet.network.model import block_output
from resnet.network.weights import assign, network_of, read_arrays
from resnet.photo.images import read_photo

ESPRESSO = ASSETS / "examples" / "espresso.jpg"


@pytest.fixture(scope="module")
def observation(engine):
    return observe(read_photo(ESPRESSO), engine)


def test_a_photo_of_an_espresso_is_an_espresso(observation):
    first, *_ = observation.predictions(5)
    assert (first.rank, first.label, first.wnid) == (1, "espresso", "n07920052")
    assert first.probability > 0.3


def test_predictions_are_sorted_and_sum_to_at_most_one(observation):
    predictions = observation.predictions(20)
    shares = [prediction.probability for prediction in predictions]
    assert len(predictions) == 20
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) <= 1 + 1e-6
    assert observation.probabilities.sum() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("top_k", [0, 21, -1])
def test_top_k_has_limits(observation, top_k):
    with pytest.raises(OptionError, match=f"number of classes must be 1 to 20; received {top_k}"):
        observation.predictions(top_k)


@pytest.mark.slow
def test_engine_equals_the_network_with_batch_normalisation(engine):
    """The folded, compiled function against plain Keras: probabilities to 1e-5, maps to 1e-4."""
    import keras

    model = network_of(engine.manifest)
    assign(model, read_arrays(engine.manifest))
    outputs = [
        block_output(model, name) for name in ("pool1", "conv2_block3", "conv3_block4", "conv4_block23", "conv5_block3")
    ]
    pixels = np.random.default_rng(0).uniform(-120, 130, (2, 96, 160, 3)).astype(np.float32)
    expected, *maps = keras.Model(model.input, [model.output, *outputs]).predict_on_batch(pixels)
    result = engine.run(pixels)
    powers = expected.astype(np.float64) ** (1 / engine.manifest.temperature)  # softmax(logits / temperature)
    assert np.abs(result.probabilities - powers / powers.sum(axis=1, keepdims=True)).max() <= 1e-5
    for values, wanted in zip(result.maps.values(), maps, strict=True):
        assert np.abs(values - wanted).max() <= 1e-4 * wanted.max()


def test_maps_have_the_shapes_of_the_stage_table(observation):
    assert [stage.stage for stage in observation.blocks] == ["C1", "C2", "C3", "C4", "C5"]
    assert [values.shape for values in observation.maps] == [stage.shape for stage in observation.blocks]


def test_whole_photo_gives_maps_of_its_shape(engine):
    whole = observe(read_photo(ESPRESSO), engine, "whole")
    assert [values.shape for values in whole.maps] == [stage.shape for stage in whole.blocks]
    assert whole.maps[0].shape[1] > whole.maps[0].shape[0]


def test_every_view_comes_from_the_same_pass(engine, observation):
    before = engine.passes
    for aggregation in ("mean", "max", "l2", "channel", "pca"):
        for scale in ("each", "shared"):
            view = ViewOptions(aggregation, channel=5, scale=scale, colormap="magma", opacity=0.9, smooth=False)
            for heatmap in observation.heatmaps(view):
                observation.overlay(heatmap, view, 64)
    assert engine.passes == before


def test_visitors_who_share_a_pass_get_what_they_would_get_alone(engine):
    pixels = np.random.default_rng(0).uniform(-100, 100, (4, 1, 64, 64, 3)).astype(np.float32)
    expected = [engine.run(one).probabilities for one in pixels]
    found = [None] * 4

    def ask(index):
        found[index] = engine.run(pixels[index]).probabilities

    threads = [threading.Thread(target=ask, args=(index,)) for index in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    # A batch is added up in another order than a single image.
    np.testing.assert_allclose(found, expected, atol=1e-5)
