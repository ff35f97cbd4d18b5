"""Options of a training run with their defaults, and the phases that follow from them."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from resnet.errors import OptionError
from resnet.network.precision import PRECISIONS
from resnet.options import number, one_of, whole_number
from resnet.stages import DROPOUT, STAGE_NAMES, blocks_of_depth

OPTIMIZERS = ("adamw", "sgd")
STRATEGIES = ("one", "mirrored")
BATCH_NORMS = ("frozen", "trained")


@dataclass(frozen=True)
class Augmentation:
    """Random variations of the pictures during training.

    Attributes:
        smallest_crop: Least share of the square's area that a crop has, above 0; 1 for no crop.
        aspect: Greatest ratio of a crop's sides.
        flip: Whether half of the pictures are mirrored.
        colour: How far brightness and contrast vary: 0.2 for 20 % up or down.
    """

    smallest_crop: float = 0.5
    aspect: float = 4 / 3
    flip: bool = True
    colour: float = 0.2


@dataclass(frozen=True)
class Recipe:
    """Options of a training run.

    Attributes:
        from_scratch: Whether to start from random weights instead of trained ones.
        depth: Of the network: 50, 101 or 152.
        train_size: Side of the images while the network learns in pixels; 0 for that of the input.
        validation_share: Share of each class's pictures set aside, where the data has no part for that.
        validation_images: Of these, how many are looked at after each epoch; 0 for all. The end uses all.
        head_epochs: Passes over the data for the new head alone, the rest frozen.
        epochs: Passes over the data from the stage `unfreeze` on.
        unfreeze: First stage that learns in the second phase: "C1" to "C5", or "head".
        batch_norm: "frozen" keeps the statistics and factors of batch normalisation as they came.
        steps_per_epoch: Steps between two validations; 0 for the whole batches of a pass over the data.
        batch_size: Images per step, of all devices together.
        optimizer: "adamw" or "sgd" (with Nesterov momentum 0.9).
        head_rate: Highest learning rate of the first phase.
        rate: Highest learning rate of the second phase.
        dropout: Share of the head's inputs and hidden units left out of a step (Srivastava et al.
            2014, https://jmlr.org/papers/v15/srivastava14a.html).
        weight_decay: Per step, times the rate, on kernels only.
        average_steps: Steps that the averaged weights reach back, which are measured and kept in place of the
            last ones (Polyak, Juditsky 1992, https://doi.org/10.1137/0330046), at most a fifth of a phase; 0 for
            no average.
        smoothing: Share of the target probability spread over all classes (Szegedy et al. 2015,
            https://arxiv.org/abs/1512.00567, section 7).
        soft_share: Share of the target probability that soft labels say, where there are any.
        class_weights: Whether a picture of a rare class counts more, so that all classes count the same.
        patience: Epochs without a lower validation loss after which a phase ends; 0 for never.
        augmentation: How pictures vary.
        precision: "float32", "bfloat16" for products in 16 bits, or "auto" for what is faster here.
        strategy: "one" device, or "mirrored" on all of this machine.
        deterministic: Whether the same seed gives the same bits, which is slower.
        seed: Of everything random.
    """

    from_scratch: bool = False
    depth: int = 101
    train_size: int = 0
    validation_share: float = 0.2
    validation_images: int = 0
    head_epochs: int = 12
    epochs: int = 8
    unfreeze: str = "C5"
    batch_norm: str = "frozen"
    steps_per_epoch: int = 0
    batch_size: int = 32
    optimizer: str = "adamw"
    head_rate: float = 1e-3
    rate: float = 1e-4
    dropout: float = DROPOUT
    weight_decay: float = 1e-2
    average_steps: int = 0
    smoothing: float = 0.1
    soft_share: float = 0.7
    class_weights: bool = True
    patience: int = 5
    augmentation: Augmentation = Augmentation()
    precision: str = "auto"
    strategy: str = "one"
    deterministic: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        """Check every option.

        Raises:
            OptionError: One is unknown or outside its range.
        """
        blocks_of_depth(self.depth)
        number("share of the validation", self.validation_share, 0.01, 0.9)
        for name, value in (("head epochs", self.head_epochs), ("epochs", self.epochs), ("patience", self.patience)):
            whole_number(name, value, 0, 10_000)
        if not self.epochs and not (self.head_epochs and not self.from_scratch):
            raise OptionError("Nothing would be trained: there are 0 epochs.")
        if self.train_size:
            whole_number("size of training", self.train_size, 32, 1024)
        whole_number("steps per epoch", self.steps_per_epoch, 0, 10**9)
        whole_number("images of the validation", self.validation_images, 0, 10**9)
        whole_number("steps of the average", self.average_steps, 0, 10**6)
        whole_number("batch size", self.batch_size, 1, 8192)
        whole_number("seed", self.seed, 0, 2**31 - 1)
        number("rate of the head", self.head_rate, 1e-8, 10.0)
        number("rate", self.rate, 1e-8, 10.0)
        number("weight decay", self.weight_decay, 0.0, 1.0)
        number("dropout", self.dropout, 0.0, 0.9)
        number("label smoothing", self.smoothing, 0.0, 0.9)
        number("share of the soft labels", self.soft_share, 0.0, 1.0)
        number("smallest crop", self.augmentation.smallest_crop, 0.01, 1.0)
        number("variation of colours", self.augmentation.colour, 0.0, 0.9)
        one_of("first stage to train", self.unfreeze, ("head", *STAGE_NAMES))
        one_of("batch normalisation", self.batch_norm, BATCH_NORMS)
        one_of("optimizer", self.optimizer, OPTIMIZERS)
        one_of("precision", self.precision, PRECISIONS)
        one_of("strategy", self.strategy, STRATEGIES)

    def phases(self) -> tuple[Phase, ...]:
        """Return the phases in their order."""
        if self.from_scratch:
            return (Phase("whole network", "C1", False, self.epochs, self.rate),)
        frozen = self.batch_norm == "frozen"
        upper = "head" if self.unfreeze == "head" else f"{self.unfreeze} and above"
        both = (
            Phase("head", "head", True, self.head_epochs, self.head_rate),
            Phase(upper, self.unfreeze, frozen, self.epochs, self.rate),
        )
        return tuple(phase for phase in both if phase.epochs)

    def to_json(self) -> dict[str, Any]:
        """All options by name."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: dict[str, Any]) -> Recipe:
        """Return the recipe that `to_json` wrote."""
        return cls(**{**content, "augmentation": Augmentation(**content["augmentation"])})


@dataclass(frozen=True)
class Phase:
    """A part of a run with the same layers learning.

    Attributes:
        name: For people.
        learns_from: First stage that learns, or "head".
        frozen_norms: Whether batch normalisation stays as it is even where layers learn.
        epochs: At most.
        rate: Highest learning rate.
    """

    name: str
    learns_from: str
    frozen_norms: bool
    epochs: int
    rate: float
