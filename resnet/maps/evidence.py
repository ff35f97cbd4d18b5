"""Class activation maps: where each stage speaks for a class, by four published methods.

All start from the gradient of the class's logit, before softmax, with respect to a stage's output;
one backward pass gives it for all five stages and several classes (`resnet.network.gradients`).

What the maps are: at C5, gradient times activation is what a cell adds to the logit, exactly, since only averaging and
two dense layers follow, whose hidden units that answer stay the same. At C1 to C4 it is a slope: what a small change of
the cell would do, to first order. It is not a share of the score, and does not say what the answer would be without the
cell: `resnet.maps.without` does. Of C2 to C4 only every second row and column is read (`stages.READ_STEPS`); the others
have no influence at all, and the maps leave them out.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from resnet.errors import OptionError
from resnet.maps.heatmaps import Heatmap, HeatmapNote, heatmap_of
from resnet.maps.observation import Observation
from resnet.options import one_of, repr_of
from resnet.stages import READ_STEPS, Block, read_cells

if TYPE_CHECKING:
    from resnet.network.engine import Engine

METHODS = ("gradcam", "gradcam++", "hirescam", "layercam")
METHOD_NAMES = {"gradcam": "Grad-CAM", "gradcam++": "Grad-CAM++", "hirescam": "HiResCAM", "layercam": "LayerCAM"}
LINEAR_METHODS = ("gradcam", "hirescam")
"""In the gradient: the difference of two maps is the map of the logits' difference."""

EVIDENCE_SCALES = ("stage", "each")
MAXIMUM_CLASSES = 10


def grad_cam(activations: NDArray[np.float32], gradients: NDArray[np.float32]) -> NDArray[np.float32]:
    """Channels weighted by their mean gradient.

    Selvaraju et al. 2017, "Grad-CAM: Visual Explanations from Deep Networks via Gradient-based
    Localization" (https://arxiv.org/abs/1610.02391), equations 1 and 2 before its last ReLU.

    Args:
        activations: A stage's output, (height, width, channels) float32.
        gradients: Of a class's logit with respect to it, of the same shape.

    Returns:
        (height, width) float32; negative where the stage speaks against the class.
    """
    return np.asarray(activations @ gradients.mean(axis=(0, 1)))


def grad_cam_plus_plus(activations: NDArray[np.float32], gradients: NDArray[np.float32]) -> NDArray[np.float32]:
    """Channels weighted by their positive gradients, those of small parts more.

    Chattopadhyay et al. 2018, "Grad-CAM++: Improved Visual Explanations for Deep Convolutional
    Networks" (https://arxiv.org/abs/1710.11063), equations 7 and 19, for the score exp(logit): its
    second and third derivatives are then the powers of the logit's gradient, and the factor
    exp(logit), which all cells share, is left out.

    Args and result: as `grad_cam`; at least 0 for a stage after ReLU.
    """
    square = gradients**2
    below = 2 * square + activations.sum(axis=(0, 1)) * gradients * square
    shares = np.divide(square, below, out=np.zeros_like(square), where=np.abs(below) > np.finfo(np.float32).tiny)
    weights = (shares * np.maximum(gradients, 0)).sum(axis=(0, 1))
    return np.asarray(activations @ weights)


def hires_cam(activations: NDArray[np.float32], gradients: NDArray[np.float32]) -> NDArray[np.float32]:
    """Activation times gradient, summed over the channels: at C5 what each cell adds to the logit, before it a slope.

    Draelos and Carin 2020, "Use HiResCAM instead of Grad-CAM for faithful explanations of
    convolutional neural networks" (https://arxiv.org/abs/2011.08891), section 3.3, before ReLU. That the sum is the
    logit (apart from the biases) is shown there for a last convolution before one dense layer.

    Args and result: as `grad_cam`, in units of the logit.
    """
    return np.asarray(np.einsum("hwc,hwc->hw", activations, gradients))


def layer_cam(activations: NDArray[np.float32], gradients: NDArray[np.float32]) -> NDArray[np.float32]:
    """Activation times positive gradient, summed over the channels.

    Jiang et al. 2021, "LayerCAM: Exploring Hierarchical Class Activation Maps for Localization"
    (https://doi.org/10.1109/TIP.2021.3089943), equations 6 and 7. Made for shallow stages as well.

    Args and result: as `grad_cam`; at least 0 for a stage after ReLU.
    """
    return np.asarray(np.einsum("hwc,hwc->hw", activations, np.maximum(gradients, 0)))


_MAPS = {"gradcam": grad_cam, "gradcam++": grad_cam_plus_plus, "hirescam": hires_cam, "layercam": layer_cam}


@dataclass(frozen=True)
class Evidence:
    """Evidence of each stage for and against some classes, for one photo.

    Attributes:
        classes: Indices of the network's outputs, in the order asked.
        logits: (all classes,) float32.
        blocks: The stages C1 to C5, of C2 to C4 the grid of the cells that are read.
        maps: Method → per class → per stage (height, width) float32, signed where the method is.
        contributions: Per block, the stem first: the sum over cells of gradient times activation,
            (classes, channels) float32 in units of the logit.
    """

    classes: tuple[int, ...]
    logits: NDArray[np.float32]
    blocks: tuple[Block, ...]
    maps: dict[str, tuple[tuple[NDArray[np.float32], ...], ...]]
    contributions: tuple[NDArray[np.float32], ...]

    @property
    def byte_count(self) -> int:
        """Memory that the evidence holds."""
        maps = sum(values.nbytes for rows in self.maps.values() for row in rows for values in row)
        return maps + self.logits.nbytes + sum(part.nbytes for part in self.contributions)

    def only(self, place: int) -> Evidence:
        """The part that is about one class.

        Args:
            place: Of the class in `classes`, from 0.
        """
        return Evidence(
            (self.classes[place],),
            self.logits,
            self.blocks,
            {method: (rows[place],) for method, rows in self.maps.items()},
            tuple(part[place : place + 1].copy() for part in self.contributions),
        )

    @classmethod
    def join(cls, parts: Sequence[Evidence]) -> Evidence:
        """Evidence about several classes of the same photo as one.

        Args:
            parts: At least one.
        """
        first = parts[0]
        return cls(
            tuple(index for part in parts for index in part.classes),
            first.logits,
            first.blocks,
            {method: tuple(row for part in parts for row in part.maps[method]) for method in first.maps},
            tuple(np.concatenate(same) for same in zip(*(part.contributions for part in parts), strict=True)),
        )

    def matrix(self, method: str, scale: str = "stage") -> tuple[tuple[Heatmap, ...], ...]:
        """Per class the five stages' maps of what speaks for it (negative parts are 0, as in the papers).

        Args:
            method: One of `METHODS`.
            scale: "stage" for one colour scale per stage, so that classes can be compared; "each"
                for every map's own. Both start at 0.

        Raises:
            OptionError: An unknown method or scale.
        """
        one_of("method", method, METHODS)
        one_of("scale", scale, EVIDENCE_SCALES)
        rows = [[np.maximum(values, 0) for values in row] for row in self.maps[method]]
        highest = [max(float(row[stage].max()) for row in rows) for stage in range(len(self.blocks))]
        return tuple(
            tuple(
                _speaking_for(block, values, highest[stage] if scale == "stage" else None, signed)
                for stage, (block, values, signed) in enumerate(zip(self.blocks, row, whole, strict=True))
            )
            for row, whole in zip(rows, self.maps[method], strict=True)
        )

    def difference(self, method: str, one: int, other: int) -> tuple[Heatmap, ...]:
        """Per stage what speaks for one class minus what speaks for another, centred on 0.

        For Grad-CAM and HiResCAM, which are linear in the gradient, this is the map of the
        difference of the two logits; for other methods it would be that of nothing.

        Args:
            method: One of `LINEAR_METHODS`.
            one: Place in `classes`, from 0, of the class with positive values.
            other: Place of the class with negative values.

        Raises:
            OptionError: The method is not linear.
        """
        if method not in LINEAR_METHODS:
            raise OptionError("The difference is that of Grad-CAM or HiResCAM; received {}.", repr_of(method))
        rows = self.maps[method]
        differences = [first - second for first, second in zip(rows[one], rows[other], strict=True)]
        reach = [float(np.abs(values).max()) for values in differences]
        return tuple(
            heatmap_of(block, values, -most, most)
            for block, values, most in zip(self.blocks, differences, reach, strict=True)
        )


def find_evidence(observation: Observation, engine: Engine, classes: Sequence[int]) -> Evidence:
    """One forward and one backward pass for some classes; all methods' maps.

    Args:
        observation: Of the photo, made by the same engine.
        engine: The network.
        classes: 1 to 10 different indices of the network's outputs.

    Raises:
        OptionError: Too few or too many classes, or one that the network does not have.
    """
    chosen = check_classes(classes, observation.manifest.classes)
    found = engine.gradients(observation.maps[0], chosen)
    stages = list(zip(READ_STEPS, observation.maps, found.stages, strict=True))
    maps = {
        method: tuple(
            # By the papers' formulas over all cells; then without those that nothing reads.
            tuple(make(values, gradients[place])[::step, ::step] for step, values, gradients in stages)
            for place in range(len(chosen))
        )
        for method, make in _MAPS.items()
    }
    blocks = tuple(read_cells(block, step) for step, block in zip(READ_STEPS, observation.blocks, strict=True))
    return Evidence(chosen, found.logits, blocks, maps, found.contributions)


def _speaking_for(
    block: Block, values: NDArray[np.float32], high: float | None, signed: NDArray[np.float32]
) -> Heatmap:
    """A map without its negative parts, which knows them."""
    found = heatmap_of(block, values, 0.0, float(values.max()) if high is None else high)
    note: HeatmapNote = "against" if found.note == "zero" and signed.any() else found.note
    return replace(found, note=note, signed=signed)


def check_classes(classes: Sequence[int], known: int) -> tuple[int, ...]:
    """Different classes in the order given.

    Raises:
        OptionError: Fewer than 1 or more than 10, or one outside 0 to `known` - 1.
    """
    chosen = tuple(dict.fromkeys(int(index) for index in classes))
    if not 1 <= len(chosen) <= MAXIMUM_CLASSES:
        raise OptionError("Evidence takes 1 to {} classes; received {}.", MAXIMUM_CLASSES, len(chosen))
    for index in chosen:
        if not 0 <= index < known:
            raise OptionError("The class must be 0 to {}; received {}.", known - 1, index)
    return chosen
