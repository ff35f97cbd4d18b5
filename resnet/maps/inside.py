"""Inside a block: the values after each of its steps, and how one of them was computed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from resnet.maps.channels import BlockTrace
from resnet.maps.heatmaps import DIVERGING, Heatmap, ViewOptions, heatmap_of
from resnet.maps.observation import Observation
from resnet.options import one_of, whole_number
from resnet.stages import Block

if TYPE_CHECKING:
    from resnet.network.engine import Engine

MEAN = -1
"""In place of a channel's number: the mean of all channels."""

MOST_TERMS = 5
"""Products that are named of a convolution, the largest ones."""

Kind = Literal["input", "convolution", "relu", "addition", "pooling"]


@dataclass(frozen=True)
class Step:
    """One step of a block.

    Attributes:
        name: "input", "1_conv", "1_relu", "2_conv", "2_relu", "3_conv", "0_conv" (the shortcut's convolution), "add" or
            "out"; of the stem "input", "conv", "relu" and "out".
        kind: Of the computation; batch normalisation is part of a convolution.
        block: Where the values lie on the network's input.
        values: (height, width, channels) float32. Before ReLU they have a sign.
        before: Names of the steps that it is computed from.
        size: Side of the convolution's or the pooling's window in cells, else 0.
        stride: Of the window.
        first: Row and column where the first window begins, in cells of the step before; negative in the padding.
        layer: The network's layer that holds a convolution's weights, else empty.
    """

    name: str
    kind: Kind
    block: Block
    values: NDArray[np.float32]
    before: tuple[str, ...] = ()
    size: int = 0
    stride: int = 1
    first: tuple[int, int] = (0, 0)
    layer: str = ""

    @property
    def is_signed(self) -> bool:
        """Return True if values below 0 are possible."""
        return self.kind in ("convolution", "addition") or bool(self.values.min() < 0)

    @property
    def zeros(self) -> float:
        """Share of the values that are 0, 0 to 1."""
        return float((self.values == 0).mean())

    def heatmap(self, channel: int = MEAN) -> Heatmap:
        """One channel, or the mean of all; with a sign on a scale that is centred on 0.

        Args:
            channel: From 0, or `MEAN`.

        Raises:
            OptionError: There is no such channel.
        """
        channel = whole_number("channel", channel, MEAN, self.values.shape[-1] - 1)
        values = self.values.mean(axis=-1) if channel == MEAN else self.values[..., channel]
        if not self.is_signed:
            return heatmap_of(self.block, values)
        size = float(np.abs(values).max())
        return heatmap_of(self.block, values, -size, size)

    def view(self, view: ViewOptions) -> ViewOptions:
        """Return the view in which the step is drawn: values with a sign in colours that have one, too."""
        return replace(view, colormap=DIVERGING) if self.is_signed else view


@dataclass(frozen=True)
class BlockInside:
    """All steps of a block for one photo, by name, in the order in which they are computed."""

    block: Block
    steps: Mapping[str, Step]

    @property
    def byte_count(self) -> int:
        """Memory that the steps hold."""
        return sum(step.values.nbytes for step in self.steps.values())

    def step(self, name: str) -> Step:
        """Return a step.

        Raises:
            OptionError: The block has no such step.
        """
        return self.steps[one_of("step", name, tuple(self.steps))]


def look_inside(observation: Observation, trace: BlockTrace, place: int, engine: Engine) -> BlockInside:
    """Compute every step of a block, which costs as much as the block does in a pass.

    Args:
        observation: Of the photo, made by the same engine.
        trace: Of the same photo.
        place: Of the block in the trace; 0 is the stem.
        engine: The network.
    """
    block = trace.blocks[place]
    inputs = trace.outputs[place - 1] if place else observation.pixels
    values = engine.inside(place, inputs)
    if not place:
        return BlockInside(block, _stem(block, inputs, values))
    before, channels = trace.blocks[place - 1], {name: part.shape[-1] for name, part in values.items()}
    stride = block.stride // before.stride
    narrow = replace(block, receptive_field=before.receptive_field)

    def convolution(name: str, source: str, where: Block, size: int, step: int) -> Step:
        layer = f"{block.name}_{name}"
        shape = (*block.shape[:2], channels[name])
        placed = replace(where, name=layer, shape=shape)
        return Step(name, "convolution", placed, values[name], (source,), size, step, (-(size // 2),) * 2, layer)

    def relu(name: str, source: str, where: Block) -> Step:
        placed = replace(where, name=f"{block.name}_{name}", shape=(*block.shape[:2], channels[name]))
        return Step(name, "relu", placed, values[name], (source,))

    steps = [
        Step("input", "input", before, inputs),
        convolution("1_conv", "input", narrow, 1, stride),
        relu("1_relu", "1_conv", narrow),
        convolution("2_conv", "1_relu", block, 3, 1),
        relu("2_relu", "2_conv", block),
        convolution("3_conv", "2_relu", block, 1, 1),
    ]
    if "0_conv" in values:
        steps.append(convolution("0_conv", "input", narrow, 1, stride))
    shortcut = steps[-1].name if "0_conv" in values else "input"
    added = replace(block, name=f"{block.name}_add")
    steps.append(Step("add", "addition", added, values["add"], ("3_conv", shortcut)))
    steps.append(Step("out", "relu", block, values["out"], ("add",)))
    return BlockInside(block, {step.name: step for step in steps})


def _stem(block: Block, pixels: NDArray[np.float32], values: Mapping[str, NDArray[np.float32]]) -> dict[str, Step]:
    rows, columns, channels = pixels.shape
    image = replace(
        block, name="image", shape=(rows, columns, channels), stride=1, receptive_field=1, centre=(0.5, 0.5)
    )
    wide = replace(block, shape=values["conv"].shape, stride=2, receptive_field=7, centre=(0.5, 0.5))
    # The pooling's first window begins one cell before the first one that it is centred on.
    first = tuple(round((centre - 0.5) / 2) - 1 for centre in block.centre)
    steps = (
        Step("input", "input", image, pixels),
        Step("conv", "convolution", replace(wide, name="conv1_conv"), values["conv"], ("input",), 7, 2, (-3, -3),
             "conv1_conv"),
        Step("relu", "relu", replace(wide, name="conv1_relu"), values["relu"], ("conv",)),
        Step("out", "pooling", block, values["out"], ("relu",), 3, 2, (first[0], first[1])),
    )  # fmt: skip
    return {step.name: step for step in steps}


def kernel_pictures(engine: Engine, side: int) -> tuple[Image.Image, ...]:
    """Draw the kernels of the first convolution as squares: grey is a weight of 0, each kernel on its own scale.

    Args:
        engine: The network.
        side: Of the pictures in pixels.

    Returns:
        RGB pictures, one a channel of the first convolution. A colour is that to which the kernel answers most.
    """
    kernels, _ = engine.convolution("conv1_conv")
    ordered = kernels[:, :, ::-1] if engine.manifest.input.channels == "BGR" else kernels
    unit = 0.5 + 0.5 * ordered / np.abs(ordered).max(axis=(0, 1, 2))
    pixels = np.rint(unit * 255).astype(np.uint8)
    return tuple(
        Image.fromarray(np.ascontiguousarray(pixels[..., channel])).resize((side, side), Image.Resampling.NEAREST)
        for channel in range(pixels.shape[-1])
    )


@dataclass(frozen=True)
class Term:
    """One product of a convolution.

    Attributes:
        channel: Of the step before, from 0.
        row, column: In the window, from 0.
        value, weight: The two factors.
    """

    channel: int
    row: int
    column: int
    value: float
    weight: float

    @property
    def product(self) -> float:
        """Value times weight."""
        return self.value * self.weight


@dataclass(frozen=True)
class Worked:
    """The way to one value.

    Attributes:
        step: The step that it belongs to.
        value: As the network computed it.
        parts: What adds up to it. Of a convolution the sum of all products above 0, of those below, and the bias with
            the batch normalisation; of an addition the branch and the shortcut; of ReLU and pooling the value that is
            kept, or 0; of an input nothing.
        products: Of a convolution the number of its products.
        terms: Its largest products, the largest first.
        window: (size, size) float64: of a convolution the sum of the products at each place; of a pooling the values,
            NaN in the padding; else empty.
        inner: How the value before ReLU was computed.
    """

    step: Step
    value: float
    parts: tuple[float, ...]
    products: int = 0
    terms: tuple[Term, ...] = ()
    window: NDArray[np.float64] | None = None
    inner: Worked | None = None


def work_out(inside: BlockInside, name: str, row: int, column: int, channel: int, engine: Engine) -> Worked:
    """Show how one value of a step was computed.

    Args:
        inside: The block.
        name: Of the step.
        row: Of the cell, from 0.
        column: Of the cell, from 0.
        channel: From 0.
        engine: The network, for its weights.

    Raises:
        OptionError: There is no such step, cell or channel.
    """
    step = inside.step(name)
    rows, columns, channels = step.values.shape
    row = whole_number("row", row, 0, rows - 1)
    column = whole_number("column", column, 0, columns - 1)
    channel = whole_number("channel", channel, 0, channels - 1)
    value = float(step.values[row, column, channel])
    sources = [inside.steps[source] for source in step.before]
    match step.kind:
        case "input":
            return Worked(step, value, ())
        case "relu":
            inner = work_out(inside, step.before[0], row, column, channel, engine)
            return Worked(step, value, (max(inner.value, 0.0),), inner=inner)
        case "addition":
            return Worked(step, value, tuple(float(source.values[row, column, channel]) for source in sources))
        case "pooling":
            patch = _patch(step, sources[0].values[..., channel : channel + 1], row, column)[..., 0]
            return Worked(step, value, (float(np.nanmax(patch)),), window=patch)
    kernel, bias = engine.convolution(step.layer)
    patch = np.nan_to_num(_patch(step, sources[0].values, row, column))
    weights = kernel[..., channel].astype(np.float64)
    products = patch * weights
    largest = np.argsort(-np.abs(products), axis=None, kind="stable")[:MOST_TERMS]
    places = zip(*np.unravel_index(largest, products.shape), strict=True)
    terms = tuple(
        Term(int(source), int(y), int(x), float(patch[y, x, source]), float(weights[y, x, source]))
        for y, x, source in places
    )
    above, below = float(products[products > 0].sum()), float(products[products < 0].sum())
    parts = (above, below, float(bias[channel]))
    return Worked(step, value, parts, products.size, terms, products.sum(axis=-1))


def _patch(step: Step, values: NDArray[np.float32], row: int, column: int) -> NDArray[np.float64]:
    """Return what a window sees of the step before, (size, size, channels) float64, NaN in the padding."""
    top, left = (first + place * step.stride for first, place in zip(step.first, (row, column), strict=True))
    padded = np.full((step.size, step.size, values.shape[-1]), np.nan)
    rows, columns = (
        slice(max(start, 0), min(start + step.size, side))
        for start, side in zip((top, left), values.shape[:2], strict=True)
    )
    part = values[rows, columns]
    y, x = rows.start - top, columns.start - left
    padded[y : y + part.shape[0], x : x + part.shape[1]] = part
    return padded
