"""One of several workers that train a small network together: `python -m tests.worker STRATEGY FOLDER`.

Without dropout and with frozen normalisation nothing depends on how a batch is divided, so that
any number of workers must do the same as one.
"""

import json
import sys
from pathlib import Path

import numpy as np

from resnet.training.machine import make_strategy


def main(name, folder):
    strategy, worker = make_strategy(name)

    import keras

    from resnet.model import build_network
    from resnet.preprocess import InputSpec
    from resnet.training.loop import Loop
    from resnet.training.pictures import Picture, Pictures
    from resnet.training.recipe import Augmentation, Recipe
    from resnet.weights import arrays_of
    from tests.networks import TINY_FILTERS, randomise

    keras.utils.set_random_seed(0)
    with strategy.scope():
        model = build_network((1, 1, 1, 1), TINY_FILTERS, input_shape=(None, None, 3), stem_filters=4, classes=4)
        randomise(model, 0)
        for layer in model.layers:
            if isinstance(layer, keras.layers.Dropout):
                layer.rate = 0
    pixels = np.random.default_rng(0).integers(0, 256, (28, 32, 32, 3), np.uint8)
    pictures = Pictures(pixels, tuple(Picture(row, 0, row % 4, str(row)) for row in range(28)), ())
    recipe = Recipe(
        head_epochs=1, epochs=2, unfreeze="C4", batch_size=8, optimizer="sgd", rate=1e-2, head_rate=1e-2,
        augmentation=Augmentation(colour=0.1), strategy=name,
    )  # fmt: skip
    own = Path(folder) / f"worker{worker}"
    own.mkdir(parents=True, exist_ok=True)
    parts = {"training": np.arange(18), "validation": np.arange(18, 28)}
    loop = Loop(model, recipe, pictures, parts, InputSpec(size=32, detail=32), own, strategy=strategy, quiet=True)
    history = loop.run()
    sums = {key: float(np.abs(values).sum()) for key, values in arrays_of(model).items()}
    (own / "result.json").write_text(json.dumps({"history": history, "sums": sums}))


if __name__ == "__main__":
    main(*sys.argv[1:])
