"""Each step changes the weights as Keras' own optimizers do, on one device, compiled, and on replicas."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from resnet.training.optimizers import SGD, AdamW

RATE = 0.05
DECAY = 0.2
"""Large, so that a decay which is left out, or comes in the wrong place, shows."""


def network():
    # Each with a seed of its own: threads of other tests draw from the one that is shared.
    first, last = (keras.initializers.GlorotUniform(seed) for seed in (1, 2))
    # Before a normalisation a bias has no gradient but rounding, of which Adam would make whole steps.
    layers = [
        keras.layers.Dense(5, use_bias=False, kernel_initializer=first),
        keras.layers.BatchNormalization(),
        keras.layers.Dense(3, kernel_initializer=last),
    ]
    return keras.Sequential([keras.Input((4,)), *layers])


def schedule():
    return keras.optimizers.schedules.CosineDecay(RATE / 10, 8, warmup_target=RATE, warmup_steps=2)


def of_keras(kind, **options):
    if kind is AdamW:
        optimizer = keras.optimizers.AdamW(schedule(), weight_decay=DECAY, **options)
    else:
        optimizer = keras.optimizers.SGD(schedule(), weight_decay=DECAY, momentum=0.9, nesterov=True, **options)
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return optimizer


def ours(kind, **options):
    return kind(schedule(), decay=DECAY, **({"momentum": 0.9} if kind is SGD else {}), **options)


def learn(make_optimizer, strategy, steps=9):
    """All weights of a network after each of some steps."""
    generator = np.random.default_rng(0)
    images = tf.constant(generator.standard_normal((16, 4)), tf.float32)
    targets = tf.constant(generator.standard_normal((16, 3)), tf.float32)
    with strategy.scope():
        model = network()
        optimizer = make_optimizer()
        optimizer.build(model.trainable_variables)

    def on_replica():
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(model(images, training=True) - targets))
        optimizer.apply_gradients(
            zip(tape.gradient(loss, model.trainable_variables), model.trainable_variables, strict=True)
        )

    step = tf.function(lambda: strategy.run(on_replica))
    history = []
    for _ in range(steps):
        step()
        history.append({variable.path: variable.numpy() for variable in model.trainable_variables})
    return history


@pytest.mark.parametrize("options", [{}, {"use_ema": True, "ema_momentum": 0.5}], ids=["plain", "averaged"])
@pytest.mark.parametrize("kind", [AdamW, SGD])
def test_every_step_is_that_of_keras(kind, options):
    alone = tf.distribute.get_strategy()
    expected = learn(lambda: of_keras(kind, **options), alone)
    found = learn(lambda: ours(kind, **options), alone)
    for number, (weights, others) in enumerate(zip(found, expected, strict=True)):
        for (path, values), other in zip(weights.items(), others.values(), strict=True):
            np.testing.assert_allclose(values, other, rtol=1e-5, atol=1e-5, err_msg=f"{path} at step {number}")
    kernels = [values for path, values in found[-1].items() if path.endswith("kernel")]
    assert all(np.abs(values).max() > 0.05 for values in kernels)


@pytest.mark.parametrize("kind", [AdamW, SGD])
def test_biases_and_normalisation_do_not_decay(kind):
    model = network()
    optimizer = ours(kind)
    optimizer.build(model.trainable_variables)
    for variable in model.trainable_variables:
        variable.assign(tf.ones_like(variable))
    nothing = [tf.zeros_like(variable) for variable in model.trainable_variables]
    optimizer.apply_gradients(zip(nothing, model.trainable_variables, strict=True))
    for variable in model.trainable_variables:
        left = 1 - DECAY * RATE / 10 if variable.name == "kernel" else 1
        np.testing.assert_allclose(variable.numpy(), left, rtol=1e-6, err_msg=variable.path)


@pytest.mark.parametrize("kind", [AdamW, SGD])
def test_a_mirrored_network_takes_the_same_steps(kind):
    found = learn(lambda: ours(kind), tf.distribute.MirroredStrategy(["CPU:0"]))
    expected = learn(lambda: ours(kind), tf.distribute.get_strategy())
    for values, other in zip(found[-1].values(), expected[-1].values(), strict=True):
        np.testing.assert_allclose(values, other, rtol=1e-5, atol=1e-6)
