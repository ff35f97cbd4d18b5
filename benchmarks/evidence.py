"""Cost of an explanation: evidence, blocks, hiding and comparing, in forward passes.

    python -m benchmarks.evidence [--rounds N] [--json]

Every round measures each contender once, in turn, so that a busy machine slows all alike; the table
gives medians and their ratio to one forward pass of the same photo with all five stages.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from math import cos, sin
from typing import Any

import keras
import tensorflow as tf

from benchmarks.tables import Tables, main, medians
from resnet.maps.channels import trace_blocks
from resnet.maps.comparison import similarities
from resnet.maps.curves import measure_curves
from resnet.maps.drawn import Drawing, Line, hide_drawn
from resnet.maps.elsewhere import find_elsewhere
from resnet.maps.evidence import find_evidence
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.inside import look_inside, work_out
from resnet.maps.observation import Observation, observe
from resnet.maps.occlusion import hide
from resnet.maps.parts import find_parts
from resnet.network.engine import Engine
from resnet.network.imagenet import IMAGENET_MANIFEST, move_from_keras
from resnet.network.labels import ASSETS
from resnet.network.model import block_output
from resnet.network.sources import load_bundled
from resnet.output.flight import fly_through
from resnet.photo.images import read_photo
from resnet.stages import block_table, stage_table
from resnet.ui.markup import SMALL_SIDE, data_uri

CLASSES = 5


def tape(engine: Engine) -> Callable[[Observation, list[int]], Any]:
    """The same gradients by TensorFlow's own differentiation, the classes as one batch."""
    model = engine._model
    ends = [block.name for block in stage_table(block_table(engine.manifest.depth))]
    hidden = model.get_layer("dense_1024").output
    network = keras.Model(model.input, [hidden, *(block_output(model, name) for name in ends)])
    last = model.get_layer("predictions")

    @tf.function(input_signature=[tf.TensorSpec((None, None, None, 3)), tf.TensorSpec((None,), tf.int32)])
    def run(pixels: Any, classes: Any) -> Any:
        with tf.GradientTape() as recorded:
            features, *maps = network(tf.repeat(pixels, tf.shape(classes)[0], axis=0), training=False)
            logits = tf.matmul(features, last.kernel) + last.bias
            chosen = tf.reduce_sum(tf.gather(logits, classes, axis=1, batch_dims=1))
        return recorded.gradient(chosen, maps)

    return lambda observation, classes: run(tf.constant(observation.pixels[None]), tf.constant(classes, tf.int32))


def frame(picture: bytes, engine: Engine) -> None:
    """What the live camera does with a frame, as soon as it has come."""
    seen = observe(read_photo(picture, "camera"), engine)
    for heatmap in seen.heatmaps(ViewOptions()):
        data_uri(seen.overlay(heatmap, ViewOptions(), SMALL_SIDE))


def explanations(engine: Engine, rounds: int) -> dict[str, float]:
    """Each tab's work on one photo."""
    photos = [read_photo(ASSETS / "examples" / name) for name in ("espresso.jpg", "cat.jpg")]
    observation, other = (observe(photo, engine) for photo in photos)
    classes = [prediction.index for prediction in observation.predictions(CLASSES)]
    heatmaps = observation.heatmaps(ViewOptions())
    heatmap = heatmaps[4]
    trace = trace_blocks(observation, engine)
    inside = look_inside(observation, trace, 20, engine)
    by_tape = tape(engine)
    buffer = io.BytesIO()
    observation.picture.resize((640, 480)).save(buffer, "JPEG")
    picture = buffer.getvalue()
    width, height = observation.geometry.photo_size
    places = [(width * (0.5 + 0.3 * sin(step / 9)), height * (0.5 + 0.3 * cos(step / 7))) for step in range(300)]
    drawing = Drawing(lines=(Line(tuple(places), 0.08 * min(width, height)),))
    pixels = observation.pixels[None]
    found = medians(
        {
            "one forward pass, scores and C1 to C5": lambda: engine.run(pixels),
            f"evidence, {CLASSES} classes x 5 stages x 4 methods": lambda: find_evidence(observation, engine, classes),
            "evidence, 1 class x 5 stages x 4 methods": lambda: find_evidence(observation, engine, classes[:1]),
            f"tf.GradientTape, {CLASSES} classes, gradients only": lambda: [
                part.numpy() for part in by_tape(observation, classes)
            ],
            "all 33 blocks": lambda: trace_blocks(observation, engine),
            "the flight through them, drawn": lambda: fly_through(observation, trace, ViewOptions()),
            "inside one block": lambda: look_inside(observation, trace, 20, engine),
            "one value of it worked out": lambda: work_out(inside, "2_conv", 1, 1, 7, engine),
            "C5 in 4 parts": lambda: find_parts(observation, 4, 4, engine),
            "C2 in 8 parts": lambda: find_parts(observation, 1, 8, engine),
            "cells like one of C2, in two photos": lambda: find_elsewhere(observation, 1, 9, 9, [other]),
            "a camera's frame, decoded, answered and drawn": lambda: frame(picture, engine),
            "five maps cut at 60 %": lambda: [observation.cut(one, ViewOptions(cut=0.6)) for one in heatmaps],
            "a part hidden": lambda: hide(observation, engine, heatmap, 20, "blur"),
            "a drawing of 300 points hidden": lambda: hide_drawn(observation, engine, drawing, "blur"),
            "similarity of two answers": lambda: similarities(observation, other),
        },
        rounds,
    )
    curves = medians({"curves": lambda: list(measure_curves(observation, engine, heatmap, classes[0]))}, 1)
    return {**found, "deletion and insertion curves, 32 photos": curves["curves"]}


def measure(rounds: int) -> Tables:
    """All tables of this module."""
    published = Engine(IMAGENET_MANIFEST, move_from_keras(keras.applications.ResNet101(weights=None)))
    return {
        "tabs, bundled weights, 128 px, ms": explanations(load_bundled(), rounds),
        "tabs, ImageNet network, 224 px, ms": explanations(published, rounds),
    }


if __name__ == "__main__":
    main(__doc__, measure)
