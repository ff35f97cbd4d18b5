"""The strong part of a map: its area, its outline and its box, against a dense picture of the map."""

import numpy as np
import pytest

from resnet.maps.cuts import cut_map
from resnet.maps.heatmaps import ViewOptions, cut_level, heatmap_of, make_heatmaps
from resnet.maps.observation import observe
from resnet.maps.overlays import project
from resnet.photo.images import read_photo
from resnet.photo.preprocess import InputSpec, input_geometry
from resnet.stages import block_table, stage_table

SPEC = InputSpec(size=128)
SIZE = (300, 200)


BESIDE = [(1, 0), (-1, 0), (0, 1), (0, -1)]
AT_CORNERS = [*BESIDE, (1, 1), (1, -1), (-1, 1), (-1, -1)]


def pieces(mask, neighbours):
    """The connected pieces of a mask, each as rows and columns."""
    left, found = {tuple(place) for place in np.argwhere(mask)}, []
    while left:
        waiting, piece = [left.pop()], []
        while waiting:
            row, column = waiting.pop()
            piece.append((row, column))
            for down, right in neighbours:
                place = (row + down, column + right)
                if place in left:
                    left.remove(place)
                    waiting.append(place)
        found.append(np.array(piece))
    return found


def hills(generator, shape):
    """A few round hills, which hardly ever touch just at a corner."""
    rows, columns = np.indices(shape)
    tops = generator.random((3, 2)) * shape
    distances = [((rows - row) ** 2 + (columns - column) ** 2) / max(shape) for row, column in tops]
    return np.maximum.reduce([np.exp(-distance) for distance in distances]).astype(np.float32)


@pytest.mark.parametrize("framing", ["crop", "whole"])
@pytest.mark.parametrize("smooth", [True, False])
@pytest.mark.parametrize("signed", [False, True])
def test_area_and_box_are_those_of_the_map_as_it_is_drawn(framing, smooth, signed):
    geometry = input_geometry(SIZE, SPEC, framing)
    columns, rows = geometry.input_size
    generator = np.random.default_rng(0)
    for block in stage_table(block_table(50, (rows, columns))):
        values = hills(generator, block.shape[:2]) - (0.4 if signed else 0)
        largest = float(np.abs(values).max())
        heatmap = heatmap_of(block, values, -largest if signed else 0.1, largest)
        for share in (0.2, 0.5, 0.9):
            cut = cut_map(heatmap, geometry, share, smooth=smooth)
            level = share * largest if signed else 0.1 + share * (largest - 0.1)
            dense = project(values, block, geometry, SIZE, smooth=smooth)
            left, top, right, bottom = (round(edge) for edge in geometry.seen)
            mask = np.zeros(dense.shape, bool)
            mask[top:bottom, left:right] = (np.abs(dense) >= level)[top:bottom, left:right]
            assert cut.area == pytest.approx(mask.sum() / ((right - left) * (bottom - top)), abs=0.02)
            assert any(  # blocks that touch at a corner may count as one piece
                np.abs(np.subtract(cut.box, (*piece.min(axis=0)[::-1], *(piece.max(axis=0)[::-1] + 1)))).max() <= 2
                for neighbours in (BESIDE, AT_CORNERS)
                for side in (dense > 0, dense < 0)
                for piece in pieces(mask & side, neighbours)
            ), (block.name, share)


def test_the_box_is_that_of_the_largest_piece_and_holes_do_not_count():
    geometry = input_geometry((64, 64), InputSpec(size=64), "crop")
    block = block_table(50, (64, 64))[0]
    values = np.zeros(block.shape[:2], np.float32)
    values[1:6, 1:6] = 1
    values[3, 3] = 0
    values[10:12, 9:15] = 2
    cut = cut_map(heatmap_of(block, values), geometry, 0.25, smooth=False)
    ring = cut_map(heatmap_of(block, np.where(values == 1, values, 0)), geometry, 0.25, smooth=False)
    assert cut.box == pytest.approx(ring.box)
    assert cut.box[2] - cut.box[0] == pytest.approx(5 * block.stride, rel=1e-3)
    assert ring.area == pytest.approx(24 / 256, rel=1e-3)
    assert cut.area == pytest.approx((24 + 12) / 256, rel=1e-3)
    assert len(ring.outlines) == 2


def test_nothing_is_cut_without_a_share_or_without_a_map():
    block = block_table(50, (64, 64))[0]
    flat = heatmap_of(block, np.ones(block.shape[:2], np.float32))
    assert cut_level(flat, 0.5) is None
    ramp = np.arange(np.prod(block.shape[:2]), dtype=np.float32).reshape(block.shape[:2])
    assert cut_level(heatmap_of(block, ramp), 0) is None
    assert cut_level(heatmap_of(block, ramp + 1), 0.5) == 1 + ramp.max() / 2
    assert cut_level(heatmap_of(block, ramp, -1000, 1000), 0.5) == 500
    nothing = cut_map(heatmap_of(block, ramp, 0, 1000), input_geometry((64, 64), InputSpec(size=64)), 0.5)
    assert (nothing.area, nothing.box, nothing.outlines) == (0, None, ())
    noise = np.random.default_rng(0).random(block.shape).astype(np.float32)
    (colours,) = make_heatmaps([noise], [block], ViewOptions("pca", cut=0.5))
    assert cut_level(colours, 0.5) is None


def test_below_the_cut_the_photo_is_left_as_it_is(engine, make_photo):
    observation = observe(read_photo(make_photo(size=(200, 200))), engine)
    heatmap = observation.heatmaps(ViewOptions())[4]
    plain, whole, cut = (
        np.asarray(observation.overlay(heatmap, ViewOptions(opacity=opacity, cut=share), 200), int)
        for opacity, share in ((0, 0), (0.5, 0), (0.5, 0.8))
    )
    found = observation.cut(heatmap, ViewOptions(cut=0.8))
    sizes = project(heatmap.values, heatmap.block, observation.geometry, (200, 200), smooth=True)
    drawn = np.abs(cut - plain).sum(axis=-1) > 0
    far_below, far_above = sizes < found.level * 0.9, sizes > found.level * 1.1
    assert 0 < found.area < 0.6
    assert not drawn[far_below & ~near_box(found.box, drawn.shape)].any()
    inside = far_above & ~near_box(found.box, drawn.shape)
    assert np.array_equal(cut[inside], whole[inside])


def near_box(box, shape, margin=4):
    """Pixels near the lines of a box."""
    left, top, right, bottom = box
    rows, columns = np.indices(shape)
    outside = (rows < top - margin) | (rows > bottom + margin) | (columns < left - margin) | (columns > right + margin)
    inside = (rows > top + margin) & (rows < bottom - margin) & (columns > left + margin) & (columns < right - margin)
    return ~outside & ~inside
