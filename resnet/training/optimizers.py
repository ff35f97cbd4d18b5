"""Keras' optimizers with one TensorFlow operation a variable.

Keras 3 writes a step as ten operations for each variable, and works out the rate anew for each that decays. The
values are the same, and so is the time of a step, but all those operations take as long to compile as all the rest
of the network; `benchmarks.training` compares.
"""

from __future__ import annotations

from typing import Any

import keras
import tensorflow as tf

_NO_DECAY = ("bias", "gamma", "beta")
"""Of these a decay would take what batch normalisation has learnt (He et al. 2018, https://arxiv.org/abs/1812.01187)."""


def _shrink(variable: tf.Variable, decay: float, rate: tf.Tensor) -> None:
    """Decay that does not go through the gradient (Loshchilov and Hutter, https://arxiv.org/abs/1711.05101)."""
    if decay and not any(part in variable.name for part in _NO_DECAY):
        variable.assign_sub(variable * (decay * rate))


class AdamW(keras.optimizers.Adam):
    """Keras' AdamW (Kingma and Ba, https://arxiv.org/abs/1412.6980); biases and normalisation do not decay."""

    def __init__(self, learning_rate: Any, *, decay: float, **options: Any) -> None:
        """Prepare it.

        Args:
            learning_rate: A number or a schedule.
            decay: Share of a weight that a step at a rate of 1 takes away.
            options: Of Keras' optimizer.
        """
        super().__init__(learning_rate, **options)
        self.decay = decay

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Change one variable."""
        place = self._get_variable_index(variable)
        rate = tf.convert_to_tensor(learning_rate)
        step = tf.cast(self.iterations.value, tf.float32) + 1
        _shrink(variable, self.decay, rate)
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self._momentums[place].value.handle,
            v=self._velocities[place].value.handle,
            beta1_power=self.beta_1**step,
            beta2_power=self.beta_2**step,
            lr=rate,
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=gradient,
        )


class SGD(keras.optimizers.SGD):
    """Keras' SGD with Nesterov's momentum, and the decay of `AdamW`."""

    def __init__(self, learning_rate: Any, *, decay: float, momentum: float, **options: Any) -> None:
        """Prepare it.

        Args:
            learning_rate: A number or a schedule.
            decay: As for `AdamW`.
            momentum: Share of the last step's change that the next one goes on with, above 0.
            options: Of Keras' optimizer.
        """
        super().__init__(learning_rate, momentum=momentum, nesterov=True, **options)
        self.decay = decay

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: tf.Tensor) -> None:
        """Change one variable."""
        rate = tf.convert_to_tensor(learning_rate)
        _shrink(variable, self.decay, rate)
        tf.raw_ops.ResourceApplyKerasMomentum(
            var=variable.handle,
            accum=self.momentums[self._get_variable_index(variable)].value.handle,
            lr=rate,
            grad=gradient,
            momentum=self.momentum,
            use_nesterov=True,
        )
