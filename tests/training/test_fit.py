"""Learning on a small network: it learns, goes on where it was, freezes what it should, stops in time."""

import json
import shutil

import keras
import numpy as np
import pytest
import tensorflow as tf

from resnet.errors import DataError, OptionError
from resnet.network.model import build_network
from resnet.network.weights import arrays_of, assign
from resnet.photo.preprocess import InputSpec, normalise
from resnet.training.fit import class_weights, fit, make_optimizer, set_learning
from resnet.training.pictures import Picture, Pictures
from resnet.training.pipeline import PIXEL_UNIT, in_training_units
from resnet.training.precision import faster_precision, policy
from resnet.training.recipe import Augmentation, Phase, Recipe
from resnet.training.state import RunState
from tests.networks import randomise

SPEC = InputSpec(size=32, detail=32)
FILTERS = ((4, 4, 16), (4, 4, 32), (8, 8, 32), (8, 8, 64))
MILD = Augmentation(smallest_crop=0.8, colour=0.1)
PARTS = {"training": np.arange(32), "validation": np.arange(32, 48)}


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
    """One block a stage, which is all that learning can tell apart."""
    return build_network((1, 1, 1, 1), FILTERS, input_shape=(None, None, 3), stem_filters=8, hidden_units=64, classes=4)


def run(pictures, folder, recipe, *, rows=None, model=None, log=None, resume=False, strategy=None):
    """Learn; gives the history and the network."""
    keras.utils.set_random_seed(0)
    folder.mkdir(exist_ok=True)
    model = model or small_network()
    strategy = strategy or tf.distribute.get_strategy()
    history = fit(
        model, recipe, pictures, rows or PARTS, SPEC, folder, strategy=strategy, log=log, resume=resume, quiet=True
    )
    return history, model


def recipe_of(**options):
    """Four epochs of the head alone: few variables, whose steps are quickly compiled."""
    chosen = {
        "head_epochs": 0, "unfreeze": "head", "batch_norm": "trained", "batch_size": 8, "epochs": 4, "rate": 3e-3,
        "patience": 0, "augmentation": MILD, "precision": "float32",
    }  # fmt: skip
    return Recipe(**{**chosen, **options})


class Killed(BaseException):
    """Stands for the end of the process at a certain step."""


def run_until(steps, pictures, folder, recipe):
    """Run, and be killed after so many steps of all phases."""
    checked = RunState._check_number

    def check(self, loss, step):
        checked(self, loss, step)
        if step == steps:
            raise Killed

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(RunState, "_check_number", check)
        with pytest.raises(Killed):
            run(pictures, folder, recipe)


@pytest.fixture(scope="module")
def killed(pictures, tmp_path_factory):
    """What a run leaves that was killed in its third epoch, by `recipe_of()`."""
    folder = tmp_path_factory.mktemp("killed") / "state"
    run_until(9, pictures, folder, recipe_of())
    return folder


@pytest.fixture
def state(killed, tmp_path):
    """A copy of it."""
    return shutil.copytree(killed, tmp_path / "state")


@pytest.fixture(scope="module")
def ended(pictures, tmp_path_factory):
    """A run of six epochs with curves: its history, its network, its folder."""
    folder = tmp_path_factory.mktemp("ended")
    return *run(pictures, folder, recipe_of(epochs=6, rate=3e-2), log=folder / "logs"), folder


@pytest.mark.slow
def test_it_learns_what_can_be_learnt(pictures, tmp_path):
    history, _ = run(pictures, tmp_path / "state", recipe_of(from_scratch=True, epochs=20, rate=1e-2))
    assert [row["epoch"] for row in history] == list(range(1, 21))
    assert history[-1]["images"] == 20 * 32
    assert history[-1]["loss"] < history[0]["loss"]
    assert max(row["val_top1"] for row in history) >= 0.75  # chance is 0.25


TWO_PHASES = {"head_epochs": 2, "epochs": 2, "head_rate": 1e-2}


@pytest.mark.parametrize(
    ("steps", "options"),
    [
        pytest.param(2, {}, id="in the first epoch", marks=pytest.mark.slow),
        pytest.param(9, TWO_PHASES, id="as the second phase begins", marks=pytest.mark.slow),
        pytest.param(16, {**TWO_PHASES, "average_steps": 2}, id="as it ends, with an average", marks=pytest.mark.slow),
    ],
)
def test_a_run_that_was_killed_ends_as_if_it_had_not_been(pictures, tmp_path, steps, options):
    recipe = recipe_of(**options)
    history, expected = run(pictures, tmp_path / "whole", recipe)
    run_until(steps, pictures, tmp_path / "state", recipe)
    again, model = run(pictures, tmp_path / "state", recipe, resume=True)
    assert len(again) == len(history) == 4
    for row, other in zip(again, history, strict=True):
        for key in ("phase", "epoch", "loss", "val_loss", "rate", "images"):
            assert row[key] == pytest.approx(other[key], rel=1e-4), key
    for key, values in arrays_of(expected).items():
        np.testing.assert_allclose(arrays_of(model)[key], values, rtol=1e-3, atol=1e-5, err_msg=key)


def test_a_state_that_was_not_finished_does_not_count(pictures, state):
    # What a process leaves that ends while it writes: a part of the arrays, and of the progress.
    (state / "state-12.npz").write_bytes(b"half")
    (state / "best-12.npz").write_bytes(b"half")
    (state / "progress.json.new").write_text("{")
    history, _ = run(pictures, state, recipe_of(), resume=True)
    assert len(history) == 4


@pytest.mark.parametrize("name", ["progress.json", "state-8.npz"])
def test_a_damaged_checkpoint_is_said_in_a_sentence(pictures, state, name):
    (state / name).write_bytes(b"")
    with pytest.raises(DataError, match=rf"The checkpoint .*{name} is damaged; the run cannot be resumed from it"):
        run(pictures, state, recipe_of(), resume=True)


@pytest.mark.slow
def test_the_last_state_and_the_best_weights_are_kept(ended):
    history, _, folder = ended
    best = 4 * (1 + int(np.argmin([row["val_loss"] for row in history])))
    kept = sorted(path.name for path in folder.iterdir() if path.is_file())
    assert kept == [f"best-{best}.npz", "progress.json", "state-24.npz"]


def measured(model, pictures, rows):
    """Loss and accuracy by the formulas, of pictures as the network sees them outside of training."""
    assign(model, in_training_units(arrays_of(model), SPEC, back=True))
    answers = model(normalise(pictures.pixels[rows], SPEC)).numpy().astype(np.float64)
    wanted = pictures.classes[rows]
    return -np.log(answers[np.arange(len(rows)), wanted]).mean(), (answers.argmax(axis=1) == wanted).mean()


def test_the_best_weights_are_the_result_and_validation_is_the_mean_over_the_pictures(pictures, tmp_path):
    rows = {"training": np.arange(32), "validation": np.arange(32, 45)}  # no multiple of the batch
    history, model = run(pictures, tmp_path, recipe_of(epochs=5, rate=1e-2), rows=rows)
    best = min(history, key=lambda row: row["val_loss"])
    loss, top1 = measured(model, pictures, rows["validation"])
    assert best["val_loss"] == pytest.approx(loss, rel=1e-4)
    assert best["val_top1"] == pytest.approx(top1)


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["adamw", "sgd"])
def test_averaged_weights_are_measured_and_kept_while_learning_goes_on_from_the_last(
    pictures, tmp_path, monkeypatch, optimizer
):
    steps, kept = [], []
    checked, ended = RunState.on_train_batch_end, RunState.on_test_end

    def after_step(self, batch, logs):
        steps.append(arrays_of(self.model))
        checked(self, batch, logs)

    def after_test(self, logs):
        kept.append(arrays_of(self.model))
        ended(self, logs)

    monkeypatch.setattr(RunState, "on_train_batch_end", after_step)
    monkeypatch.setattr(RunState, "on_test_end", after_test)
    recipe = recipe_of(epochs=5, average_steps=100, optimizer=optimizer)
    history, model = run(pictures, tmp_path, recipe)

    layers = [layer for layer in model.layers if layer.trainable]
    trained = [f"{layer.name}/{part}" for layer in layers for part in ("kernel", "gamma") if hasattr(layer, part)]
    for key in trained:
        average = steps[0][key].astype(np.float64)
        for number, step in enumerate(steps[1:], start=2):
            average = 0.75 * average + 0.25 * step[key]
            if number % 4 == 0:  # an epoch has four steps, a fifth of all as well
                np.testing.assert_allclose(kept[number // 4 - 1][key], average, rtol=1e-4, atol=1e-6, err_msg=key)
    assert any(not np.allclose(kept[0][key], steps[3][key], atol=1e-4) for key in trained)
    best = int(np.argmin([row["val_loss"] for row in history]))
    np.testing.assert_array_equal(arrays_of(model)["predictions/kernel"], kept[best]["predictions/kernel"])


@pytest.mark.slow
def test_a_phase_without_progress_ends_early_and_patience_outlives_the_process(pictures, tmp_path, monkeypatch):
    recipe = recipe_of(epochs=9, patience=2)
    ended = RunState.on_epoch_end
    losses = iter([3.0, 2.0, 2.5, 2.4, 1.0])
    monkeypatch.setattr(
        RunState, "on_epoch_end", lambda self, epoch, logs: ended(self, epoch, {**logs, "val_loss": next(losses)})
    )
    run_until(14, pictures, tmp_path, recipe)  # in the fourth epoch
    history, _ = run(pictures, tmp_path, recipe, resume=True)
    assert [row["val_loss"] for row in history] == [3.0, 2.0, 2.5, 2.4]
    again, _ = run(pictures, tmp_path, recipe, resume=True)  # killed before its result was written
    assert again == history


def test_frozen_layers_do_not_change_and_statistics_stay(pictures, tmp_path):
    model = small_network()
    randomise(model, 0)
    before = arrays_of(model)
    recipe = Recipe(head_epochs=1, epochs=1, unfreeze="C5", batch_size=8, precision="float32", augmentation=MILD)
    history, _ = run(pictures, tmp_path, recipe, model=model)
    assert [row["name"] for row in history] == ["head", "C5 and above"]
    with np.load(tmp_path / "state-8.npz") as stored:  # after both phases
        changed = {key.split("/")[0] for key, values in before.items() if not np.array_equal(values, stored[key])}
    assert changed >= {"dense_1024", "predictions", "conv5_block1_1_conv"}
    assert not any(name.startswith(("conv1", "conv2", "conv3", "conv4")) or name.endswith("_bn") for name in changed)


@pytest.mark.slow
def test_trained_normalisation_moves_its_statistics(pictures, tmp_path):
    model = small_network()
    before = arrays_of(model)
    recipe = Recipe(head_epochs=0, epochs=1, unfreeze="C1", batch_norm="trained", batch_size=8, augmentation=MILD)
    run(pictures, tmp_path, recipe, model=model)
    assert not np.array_equal(arrays_of(model)["conv1_bn/moving_mean"], before["conv1_bn/moving_mean"])


@pytest.mark.slow
def test_mirrored_devices_learn_as_one(pictures, tmp_path):
    # Without dropout and with frozen normalisation nothing depends on how a batch is divided.
    found = []
    for name, strategy in (("one", tf.distribute.get_strategy()), ("mirrored", tf.distribute.MirroredStrategy())):
        keras.utils.set_random_seed(0)
        with strategy.scope():
            model = build_network(
                (1, 1, 1, 1), FILTERS, input_shape=(None, None, 3), stem_filters=8, classes=4, dropout=0.0
            )
            randomise(model, 0)
        recipe = Recipe(
            head_epochs=1, epochs=2, unfreeze="C4", batch_size=8, optimizer="sgd", rate=1e-2, head_rate=1e-2,
            augmentation=MILD, strategy=name,
        )  # fmt: skip
        history, model = run(pictures, tmp_path / name, recipe, model=model, strategy=strategy)
        found.append((history, arrays_of(model)))
    (rows, arrays), (others, other_arrays) = found
    for row, other in zip(rows, others, strict=True):
        for key in ("loss", "val_loss", "top1", "val_top1", "images"):
            assert row[key] == pytest.approx(other[key], rel=1e-4), key
    for key, values in arrays.items():
        np.testing.assert_allclose(other_arrays[key], values, rtol=1e-3, atol=1e-5, err_msg=key)


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


def test_rare_classes_count_more():
    # 4 of the first class, 1 of each other: all classes together count the same, the mean picture counts 1.
    indices = np.array([0, 0, 0, 0, 1, 2, 3])
    weights = class_weights(indices, 4)
    np.testing.assert_allclose(weights, [7 / 16, 7 / 4, 7 / 4, 7 / 4])
    assert np.mean(weights[indices]) == pytest.approx(1)


@pytest.mark.parametrize("weighted", [True, pytest.param(False, marks=pytest.mark.slow)])
def test_the_loss_weighs_classes_and_smooths_its_targets(pictures, tmp_path, weighted):
    # A rate of almost 0 and frozen normalisation: the loss is that of the weights that the network came with.
    model = small_network()
    randomise(model, 0)
    plain = Augmentation(smallest_crop=1.0, aspect=1.0, flip=False, colour=0.0)
    recipe = Recipe(
        head_epochs=1, epochs=0, head_rate=1e-8, batch_size=7, dropout=0.0, smoothing=0.2, class_weights=weighted,
        augmentation=plain,
    )  # fmt: skip
    for layer in model.layers:
        if isinstance(layer, keras.layers.Dropout):
            layer.rate = 0.0
    rows = {"training": np.array([0, 4, 8, 12, 1, 2, 3]), "validation": np.arange(32, 48)}
    history, _ = run(pictures, tmp_path, recipe, rows=rows, model=model)
    answers = model(normalise(pictures.pixels[rows["training"]], SPEC) / PIXEL_UNIT).numpy().astype(np.float64)
    classes = pictures.classes[rows["training"]]
    targets = 0.8 * np.eye(4)[classes] + 0.05
    counts = np.array([7 / 16, 7 / 4, 7 / 4, 7 / 4])[classes] if weighted else np.ones(7)
    assert history[0]["loss"] == pytest.approx((-(targets * np.log(answers)).sum(axis=1) * counts).mean(), rel=1e-3)


def test_sixteen_bits_are_for_products_alone(pictures, tmp_path):
    with policy("bfloat16"):
        model = small_network()
    assert keras.config.dtype_policy().name == "float32"
    history, _ = run(pictures, tmp_path, recipe_of(epochs=1), model=model)
    assert np.isfinite(history[0]["val_loss"])
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
    model = small_network()
    model.get_layer("predictions").bias.assign(np.full(4, np.nan, np.float32))
    with pytest.raises(
        OptionError, match=r"Training diverged: the loss is not a number after step 1. Try a lower learning rate"
    ):
        run(pictures, tmp_path, recipe_of(), model=model)


def test_a_checkpoint_that_cannot_be_written_ends_the_run_with_a_sentence(pictures, tmp_path):
    (tmp_path / "state-4.npz").mkdir()
    with pytest.raises(DataError, match=r"The checkpoint cannot be written to .*: Is a directory"):
        run(pictures, tmp_path, recipe_of())


@pytest.mark.slow
def test_curves_can_be_shown_by_tensorboard(ended):
    history, _, folder = ended
    found = {}
    for part in ("train", "validation"):
        (file,) = (folder / "logs" / "1 head" / part).iterdir()
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                found[part, value.tag, event.step] = tf.make_ndarray(value.tensor)
    assert found["validation", "epoch_loss", 0] == pytest.approx(history[0]["val_loss"])
    assert found["train", "epoch_loss", 1] == pytest.approx(history[1]["loss"])


def test_a_recipe_survives_its_file():
    recipe = recipe_of(seed=3, unfreeze="C3")
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
