"""Arithmetic of the network's stages: shapes, strides, receptive fields and costs, without TensorFlow.

The receptive fields follow Araujo, Norris and Sim, "Computing Receptive Fields of Convolutional
Neural Networks", Distill 2019 (https://distill.pub/2019/computing-receptive-fields).
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from resnet.errors import OptionError

DEPTHS: dict[int, tuple[int, ...]] = {50: (3, 4, 6, 3), 101: (3, 4, 23, 3), 152: (3, 8, 36, 3)}
"""Blocks per stage C2 to C5 of each depth (He et al. 2015, table 1)."""

STEM_FILTERS = 64
STAGE_FILTERS: tuple[tuple[int, int, int], ...] = (
    (64, 64, 256),
    (128, 128, 512),
    (256, 256, 1024),
    (512, 512, 2048),
)
HIDDEN_UNITS = 1024
DROPOUT = 0.5
STAGE_NAMES = ("C1", "C2", "C3", "C4", "C5")
STEM_POOLS = ("same", "centered")
MINIMUM_SIDE = 32


@dataclass(frozen=True)
class Block:
    """One output of the network's body: the stem (C1) or a residual block.

    Attributes:
        name: Layer name without its last part: `pool1` for the stem, else `conv4_block7`.
        stage: `C1` to `C5`.
        shape: (height, width, channels) of the output in cells.
        stride: Distance of neighbouring cells in input pixels.
        receptive_field: Side of the square of input pixels that a cell can see.
        centre: (y, x) where the receptive field of cell (0, 0) has its centre, in input pixels;
            pixel p covers the interval from p to p + 1.
        multiply_accumulates: Multiplications with an addition in the block's convolutions.
        parameters: Numbers of the block's convolutions and batch normalisations.
    """

    name: str
    stage: str
    shape: tuple[int, int, int]
    stride: int
    receptive_field: int
    centre: tuple[float, float]
    multiply_accumulates: int
    parameters: int


def blocks_of_depth(depth: int) -> tuple[int, ...]:
    """Blocks per stage C2 to C5.

    Raises:
        OptionError: `depth` is none of 50, 101 and 152.
    """
    if depth not in DEPTHS:
        known = ", ".join(map(str, DEPTHS))
        raise OptionError("The depth must be one of {}; received {!r}.", known, depth)
    return DEPTHS[depth]


def check_stem_pool(stem_pool: str) -> None:
    """Raise OptionError unless `stem_pool` is "same" or "centered"."""
    if stem_pool not in STEM_POOLS:
        raise OptionError("stem_pool must be one of {}; received {!r}.", ", ".join(STEM_POOLS), stem_pool)


def _halved(length: int) -> int:
    return -(-length // 2)


def _pool_padding_before(length: int, stem_pool: str) -> int:
    """Rows that the 3x3/2 pooling adds before the first of `length` rows.

    "same" needs one row in all for an even length and puts it behind; "centered" pads one on
    each side, as Keras' own ResNets do.
    """
    return 1 if stem_pool == "centered" or length % 2 else 0


def block_table(
    depth: int = 101,
    input_shape: tuple[int, int] = (224, 224),
    stem_pool: str = "same",
    *,
    blocks: Sequence[int] | None = None,
    filters: Sequence[tuple[int, int, int]] = STAGE_FILTERS,
    stem_filters: int = STEM_FILTERS,
) -> tuple[Block, ...]:
    """The stem and every residual block in order, for one input size.

    Args:
        depth: 50, 101 or 152.
        input_shape: (height, width) of the network's input in pixels, each at least 32.
        stem_pool: "same" or "centered", see `resnet.network.model.build_resnet`.
        blocks: Blocks per stage, instead of those of `depth`.
        filters: Filters of the three convolutions of a block, per stage.
        stem_filters: Filters of the first convolution.

    Raises:
        OptionError: An unknown depth or pooling, or an input below 32 pixels.
    """
    check_stem_pool(stem_pool)
    if min(input_shape) < MINIMUM_SIDE:
        raise OptionError(
            "The input must be at least {} x {} pixels; received {}.", MINIMUM_SIDE, MINIMUM_SIDE, input_shape
        )
    counts = tuple(blocks) if blocks is not None else blocks_of_depth(depth)
    return tuple(_walk(counts, input_shape, stem_pool, filters, stem_filters))


def _walk(
    counts: Sequence[int],
    input_shape: tuple[int, int],
    stem_pool: str,
    filters: Sequence[tuple[int, int, int]],
    stem_filters: int,
) -> Iterator[Block]:
    height, width = (_halved(side) for side in input_shape)
    kernels = 7 * 7 * 3 * stem_filters
    cost = height * width * kernels
    # Convolution cell i looks at pixels 2i-3 .. 2i+3, so its centre is the middle of pixel 2i.
    first_y, first_x = (2 * (1 - _pool_padding_before(cells, stem_pool)) + 0.5 for cells in (height, width))
    height, width = _halved(height), _halved(width)
    stride, field, channels = 4, 7 + 2 * 2, stem_filters
    numbers = kernels + 5 * stem_filters
    yield Block("pool1", "C1", (height, width, channels), stride, field, (first_y, first_x), cost, numbers)

    for stage, (count, (first, middle, last)) in enumerate(zip(counts, filters, strict=True), start=2):
        for block in range(1, count + 1):
            kernels = 9 * first * middle + middle * last + channels * first
            outputs = first + middle + last
            if block == 1:
                if stage > 2:
                    # The strided 1x1 convolution keeps every second cell: the first stays first,
                    # so the centre of cell (0, 0) never moves.
                    height, width, stride = _halved(height), _halved(width), stride * 2
                kernels += channels * last
                outputs += last
            field += 2 * stride
            channels = last
            yield Block(
                name=f"conv{stage}_block{block}",
                stage=f"C{stage}",
                shape=(height, width, channels),
                stride=stride,
                receptive_field=field,
                centre=(first_y, first_x),
                multiply_accumulates=height * width * kernels,
                parameters=kernels + 5 * outputs,  # a bias and four numbers of normalisation each
            )


def stage_table(table: Sequence[Block]) -> tuple[Block, ...]:
    """The last block of each stage, C1 to C5: what the page shows."""
    last = {block.stage: block for block in table}
    return tuple(last[name] for name in STAGE_NAMES)


READ_STEPS = (1, 2, 2, 2, 1)
"""Of C1 to C5: which rows and columns what comes behind them reads. The two 1x1 convolutions at the entry of C3, C4 and
C5 have stride 2, so of C2, C3 and C4 they take every second one, from the first, and nothing else looks at these maps.
"""


def read_cells(block: Block, step: int) -> Block:
    """Return the grid of the cells that are read: every `step`-th row and column, from the first.

    Args:
        block: The last block of a stage.
        step: Of `READ_STEPS`.
    """
    height, width, channels = block.shape
    return replace(block, shape=(-(-height // step), -(-width // step), channels), stride=block.stride * step)


def is_read(stage: int, row: int, column: int) -> bool:
    """Tell whether anything behind a stage looks at a cell of it.

    Args:
        stage: 0 for C1 to 4 for C5.
        row: Of the cell, from 0.
        column: Of the cell, from 0.
    """
    return row % READ_STEPS[stage] == 0 and column % READ_STEPS[stage] == 0


def head_parameters(classes: int, features: int = STAGE_FILTERS[-1][-1]) -> int:
    """Numbers of the two dense layers behind the fifth stage, biases included."""
    return (features + 1) * HIDDEN_UNITS + (HIDDEN_UNITS + 1) * classes


def head_multiply_accumulates(classes: int, features: int = STAGE_FILTERS[-1][-1]) -> int:
    """Multiplications with an addition in the two dense layers."""
    return features * HIDDEN_UNITS + HIDDEN_UNITS * classes
