"""The loop on a small network: it learns, goes on where it was, freezes what it should, stops in time."""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from resnet.errors import DataError, OptionError
from resnet.model import build_network
from resnet.preprocess import InputSpec
from resnet.training.loop import Loop
from resnet.training.machine import faster_precision, policy
from resnet.training.pictures import Picture, Pictures
from resnet.training.recipe import Augmentation, Phase, Recipe
from resnet.training.steps import make_optimizer, set_learning
from resnet.weights import arrays_of
from tests.networks import randomise

pytestmark = pytest.mark.slow

SPEC = InputSpec(size=32, detail=32)
FILTERS = ((4, 4, 16), (4, 4, 32), (8, 8, 32), (8, 8, 64))
MILD = Augmentation(smallest_crop=0.8, colour=0.1)


@pytest.fixture(scope="module")
def pictures():
    """Four classes, each a colour with noise."""
    generator = np.random.default_rng(0)
    colours = np.array([[220, 40, 40], [40, 220, 40], [40, 40, 220], [200, 200, 40]])
    classes = np.arange(48) % 4
    pixels = colours[classes][:, None, None] + generator.integers(-30, 30, (48, 32, 32, 3))
    items = tuple(Picture(row, 0, int(classes[row]), str(row)) for row in range(48))
    return Pictures(pixels.clip(0, 255).astype(np.uint8), items, ())


def small_network():
    """One block a stage, which is all that the loop can tell apart."""
    return build_network((1, 1, 1, 1), FILTERS, input_shape=(None, None, 3), stem_filters=8, hidden_units=64, classes=4)


def loop_of(pictures, folder, recipe, rows=None, model=None, log=None):
    keras.utils.set_random_seed(0)
    folder.mkdir(exist_ok=True)
    if model is None:
        model = small_network()
    parts = rows or {"training": np.arange(32), "validation": np.arange(32, 48)}
    alone = tf.distribute.get_strategy()
    return Loop(model, recipe, pictures, parts, SPEC, folder, strategy=alone, log=log, quiet=True), model


def scratch(**options):
    chosen = {"from_scratch": True, "batch_size": 8, "epochs": 4, "rate": 3e-3, "patience": 0, "augmentation": MILD}
    return Recipe(**{**chosen, **options})


class Killed(BaseException):
    """Stands for the end of the process at a certain step."""


def run_until(steps, loop):
    """Run, and be killed after so many steps."""
    counted = loop._count

    def count(sums):
        counted(sums)
        if loop.progress.total_steps == steps:
            raise Killed

    loop._count = count
    with pytest.raises(Killed):
        loop.run()


@pytest.fixture(scope="module")
def killed(pictures, tmp_path_factory):
    """What a run leaves that was killed in its third epoch, by `scratch()`."""
    folder = tmp_path_factory.mktemp("killed") / "state"
    run_until(9, loop_of(pictures, folder, scratch())[0])
    return folder


@pytest.fixture
def state(killed, tmp_path):
    """A copy of it."""
    return shutil.copytree(killed, tmp_path / "state")


@pytest.fixture(scope="module")
def ended(pictures, tmp_path_factory):
    """A run of six epochs with curves: the loop, its network, its folder."""
    folder = tmp_path_factory.mktemp("ended")
    loop, model = loop_of(pictures, folder, scratch(epochs=6, rate=3e-2), log=folder / "logs")
    loop.run()
    return loop, model, folder


def test_it_learns_what_can_be_learnt(pictures, tmp_path):
    loop, _ = loop_of(pictures, tmp_path / "state", scratch(epochs=20, rate=1e-2))
    history = loop.run()
    assert [row["epoch"] for row in history] == list(range(1, 21))
    assert history[-1]["images"] == 20 * 32
    assert history[-1]["loss"] < history[0]["loss"]
    assert max(row["val_top1"] for row in history) >= 0.75  # chance is 0.25


@pytest.mark.parametrize(
    ("steps", "minutes", "average"),
    [(6, 0.0, 2), (9, 1e6, 0)],
    ids=["in an epoch, with an average", "after an epoch"],
)
def test_a_run_that_was_killed_ends_as_if_it_had_not_been(pictures, tmp_path, steps, minutes, average):
    recipe = scratch(epochs=3, checkpoint_minutes=minutes, average_steps=average)
    whole, expected = loop_of(pictures, tmp_path / "whole", recipe)
    history = whole.run()

    run_until(steps, loop_of(pictures, tmp_path / "state", recipe)[0])
    second, model = loop_of(pictures, tmp_path / "state", recipe)
    again = second.run(resume=True)

    assert len(again) == len(history)
    for row, other in zip(again, history, strict=True):
        for key in ("loss", "val_loss", "rate", "images"):
            assert row[key] == pytest.approx(other[key], rel=1e-4), key
    for key, values in arrays_of(expected).items():
        np.testing.assert_allclose(arrays_of(model)[key], values, rtol=1e-3, atol=1e-5, err_msg=key)


def test_a_checkpoint_that_was_not_finished_does_not_count(pictures, state):
    # What a process leaves that ends while it writes: progress without weights, and a part of the weights.
    (state / "ckpt-12.json").write_text("{")
    (state / "ckpt-12.data-00000-of-00001").write_bytes(b"half")
    loop, _ = loop_of(pictures, state, scratch())
    assert len(loop.run(resume=True)) == 4


@pytest.mark.parametrize("suffix", [".json", ".data-00000-of-00001"])
def test_a_damaged_checkpoint_is_said_in_a_sentence(pictures, state, suffix):
    (state / f"ckpt-8{suffix}").write_bytes(b"")
    loop, _ = loop_of(pictures, state, scratch())
    with pytest.raises(DataError, match=r"The checkpoint .*ckpt-8 is damaged; the run cannot go on from it"):
        loop.run(resume=True)


def test_two_checkpoints_and_the_best_weights_are_kept(ended):
    _, _, folder = ended
    assert sorted(path.stem for path in folder.glob("ckpt-*.json")) == ["ckpt-20", "ckpt-24"]
    assert len(list(folder.glob("best-*.index"))) == 1


def test_the_best_weights_are_the_result(ended):
    loop, model, _ = ended
    best = min(row["val_loss"] for row in loop.progress.history)
    measured = loop._validate(_measuring(model))
    assert measured["val_loss"] == pytest.approx(best, rel=1e-4)


def _measuring(model):
    from resnet.training.steps import measuring_step

    return measuring_step(model, tf.distribute.get_strategy())


@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_averaged_weights_are_measured_and_kept_while_learning_goes_on_from_the_last(
    pictures, tmp_path, monkeypatch, optimizer
):
    loop, model = loop_of(pictures, tmp_path, scratch(epochs=5, average_steps=100, optimizer=optimizer))
    counted, ended, kept, steps = loop._count, loop._end_of_epoch, [], []
    monkeypatch.setattr(loop, "_count", lambda sums: (counted(sums), steps.append(arrays_of(model))))
    monkeypatch.setattr(loop, "_end_of_epoch", lambda *rest: (kept.append(arrays_of(model)), ended(*rest))[1])
    loop.run()

    trained = [f"{layer.name}/{part}" for layer in model.layers for part in ("kernel", "gamma") if hasattr(layer, part)]
    for key in trained:
        average = steps[0][key].astype(np.float64)
        for number, step in enumerate(steps[1:], start=2):
            average = 0.75 * average + 0.25 * step[key]
            if number % 4 == 0:  # an epoch has four steps, a fifth of all as well
                np.testing.assert_allclose(kept[number // 4 - 1][key], average, rtol=1e-4, atol=1e-6, err_msg=key)
    assert any(not np.allclose(kept[0][key], steps[3][key], atol=1e-4) for key in trained)
    best = int(np.argmin([row["val_loss"] for row in loop.progress.history]))
    np.testing.assert_array_equal(arrays_of(model)["predictions/kernel"], kept[best]["predictions/kernel"])


def test_a_phase_without_progress_ends_early(pictures, tmp_path, monkeypatch):
    loop, _ = loop_of(pictures, tmp_path, scratch(epochs=9, patience=2))
    losses = iter([3.0, 2.0, 2.5, 2.4, 1.0])
    monkeypatch.setattr(loop, "_validate", lambda _: {"val_loss": next(losses), "val_top1": 0.5, "val_top5": 1.0})
    assert [row["val_loss"] for row in loop.run()] == [3.0, 2.0, 2.5, 2.4]


def test_frozen_layers_do_not_change_and_statistics_stay(pictures, tmp_path):
    model = small_network()
    randomise(model, 0)
    before = arrays_of(model)
    recipe = Recipe(head_epochs=1, epochs=1, unfreeze="C5", batch_size=8, precision="float32", augmentation=MILD)
    loop, _ = loop_of(pictures, tmp_path, recipe, model=model)
    history = loop.run()
    assert [row["name"] for row in history] == ["head", "C5 and above"]
    loop._checkpoints.take_best(loop.progress.best["file"])
    tf.train.Checkpoint(model=model).read(str(tmp_path / "ckpt-8")).expect_partial()  # after both phases
    changed = {key.split("/")[0] for key, values in arrays_of(model).items() if not np.array_equal(values, before[key])}
    assert changed >= {"dense_1024", "predictions", "conv5_block1_1_conv"}
    assert not any(name.startswith(("conv1", "conv2", "conv3", "conv4")) or name.endswith("_bn") for name in changed)


def test_trained_normalisation_moves_its_statistics(pictures, tmp_path):
    model = small_network()
    before = arrays_of(model)
    recipe = Recipe(head_epochs=0, epochs=1, unfreeze="C1", batch_norm="trained", batch_size=8, augmentation=MILD)
    loop_of(pictures, tmp_path, recipe, model=model)[0].run()
    assert not np.array_equal(arrays_of(model)["conv1_bn/moving_mean"], before["conv1_bn/moving_mean"])


@pytest.mark.parametrize(
    ("learns_from", "first"), [("head", "dense"), ("C5", "conv5"), ("C4", "conv4"), ("C1", "conv1")]
)
def test_a_phase_learns_from_its_stage_on(learns_from, first):
    model = small_network()
    set_learning(model, Phase("", learns_from, True, 1, 1e-3))
    names = ["conv1", "conv2", "conv3", "conv4", "conv5", "dense", "predictions"]
    learning = {name for name in names for v in model.trainable_variables if v.path.startswith(name)}
    assert learning == set(names[names.index(first) :])
    assert not any("_bn" in variable.path for variable in model.trainable_variables)


def test_rare_classes_count_more(pictures, tmp_path):
    rows = {"training": np.array([0, 4, 8, 12, 1, 2, 3]), "validation": np.arange(32, 48)}
    loop, _ = loop_of(pictures, tmp_path, scratch(), rows)
    # 4 of the first class, 1 of each other: all classes together count the same, the mean picture counts 1.
    weights = loop._weights.numpy()
    np.testing.assert_allclose(weights, [7 / 16, 7 / 4, 7 / 4, 7 / 4])
    assert np.mean(weights[pictures.classes[rows["training"]]]) == pytest.approx(1)
    plain, _ = loop_of(pictures, tmp_path, scratch(class_weights=False), rows)
    assert plain._weights.numpy().tolist() == [1, 1, 1, 1]


def test_sixteen_bits_are_for_products_alone(pictures, tmp_path):
    with policy("bfloat16"):
        model = small_network()
    assert keras.config.dtype_policy().name == "float32"
    loop, _ = loop_of(pictures, tmp_path, scratch(epochs=1), model=model)
    assert np.isfinite(loop.run()[0]["val_loss"])
    answers = model(np.zeros((1, 32, 32, 3), np.float32))
    assert (model.get_layer("conv1_conv").compute_dtype, answers.dtype.name) == ("bfloat16", "float32")
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}


def test_the_faster_precision_is_one_that_exists():
    assert faster_precision() in ("float32", "bfloat16")


def test_the_rate_rises_then_falls_along_a_cosine():
    optimizer = make_optimizer(Recipe(), Phase("", "C1", False, 1, 0.5), 100)
    rates = [float(optimizer._learning_rate(step)) for step in (0, 10, 55, 100)]
    assert rates == pytest.approx([0.05, 0.5, 0.25, 0], abs=1e-6)


def test_a_loss_that_is_no_number_ends_the_run_with_a_sentence(pictures, tmp_path):
    loop, _ = loop_of(pictures, tmp_path, scratch(optimizer="sgd", rate=10.0))
    bad = loop._model.get_layer("predictions").bias
    bad.assign(np.full(4, np.nan, np.float32))
    with pytest.raises(OptionError, match=r"The loss is no number any more after step 1; please try a lower rate"):
        loop.run()


def test_a_checkpoint_that_cannot_be_written_ends_the_run_with_a_sentence(pictures, tmp_path, monkeypatch):
    loop, _ = loop_of(pictures, tmp_path, scratch())

    def full(*_, **__):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.train.CheckpointManager, "save", full)
    with pytest.raises(DataError, match=r"The checkpoint cannot be written to .*: No space left on device"):
        loop.run()


def test_curves_can_be_shown_by_tensorboard(ended):
    loop, _, folder = ended
    history = loop.progress.history
    (file,) = (folder / "logs").iterdir()
    events = [event for event in tf.compat.v1.train.summary_iterator(str(file)) if event.summary.value]
    found = {(event.step, value.tag): value.simple_value for event in events for value in event.summary.value}
    assert found[4, "val_loss"] == pytest.approx(history[0]["val_loss"])
    assert found[8, "loss"] == pytest.approx(history[1]["loss"])


def test_a_recipe_survives_its_file():
    recipe = scratch(seed=3, unfreeze="C3")
    assert Recipe.from_json(json.loads(json.dumps(recipe.to_json()))) == recipe


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"epochs": 0, "head_epochs": 0}, "Nothing would be trained"),
        ({"from_scratch": True, "epochs": 0}, "Nothing would be trained"),
        ({"rate": 0.0}, "The rate must be 1e-08 to 10; received 0.0"),
        ({"validation_share": 1.5}, "share of the validation must be 0.01 to 0.9"),
        ({"unfreeze": "C9"}, "first stage to train must be one of head, C1, C2, C3, C4, C5"),
        ({"augmentation": Augmentation(smallest_crop=0.0)}, "smallest crop must be 0.01 to 1"),
        ({"dropout": 0.95}, "dropout must be 0 to 0.9"),
        ({"soft_share": 1.5}, "share of the soft labels must be 0 to 1"),
        ({"batch_size": 0}, "batch size must be 1 to 8192"),
        ({"train_size": 8}, "size of training must be 32 to 1024"),
    ],
)
def test_faulty_options_are_named(options, sentence):
    with pytest.raises(OptionError, match=sentence):
        Recipe(**options)


@pytest.mark.parametrize("kind", ["adamw", "sgd"])
def test_biases_and_normalisation_do_not_decay(kind):
    recipe = Recipe(head_epochs=0, unfreeze="C1", batch_norm="trained", optimizer=kind, weight_decay=0.5)
    (phase,) = recipe.phases()
    model = small_network()
    set_learning(model, phase)
    optimizer = make_optimizer(recipe, phase, 100)
    optimizer.build(model.trainable_variables)
    for variable in model.trainable_variables:
        variable.assign(tf.ones_like(variable))
    nothing = [tf.zeros_like(variable) for variable in model.trainable_variables]
    optimizer.apply_gradients(zip(nothing, model.trainable_variables, strict=True))
    changed = {variable.name for variable in model.trainable_variables if (np.asarray(variable) != 1).any()}
    assert changed == {"kernel"}
