"""Maps over photos: colours, interpolation and position, against slow oracles."""

import itertools

import matplotlib
import numpy as np
import pytest
from PIL import Image

from resnet.maps.heatmaps import COLORMAPS, Heatmap, ViewOptions, make_heatmaps
from resnet.maps.overlays import colour_table, fitted_size, make_canvas, overlay, project, unit_values
from resnet.photo.preprocess import InputSpec, input_geometry
from resnet.stages import block_table, stage_table

SPEC = InputSpec(size=64)


def stages(geometry, stem_pool="same"):
    width, height = geometry.input_size
    return stage_table(block_table(101, (height, width), stem_pool))


@pytest.mark.parametrize("name", COLORMAPS)
def test_colours_are_matplotlibs(name):
    colormap = matplotlib.colormaps[name]
    for index in (0, 100, 255):
        assert colour_table(name)[index] == pytest.approx(np.array(colormap(index / 255)[:3]) * 255, abs=1)


def nearest_two(position, count):
    """Cells and weights for a linear interpolation that goes on beyond the outer cells' centres."""
    position = min(max(position, 0), count - 1)
    before = min(int(position), count - 1)
    after = min(before + 1, count - 1)
    return [(before, 1 - (position - before)), (after, position - before)]


@pytest.mark.parametrize("stem_pool", ["same", "centered"])
@pytest.mark.parametrize("framing", ["crop", "whole"])
@pytest.mark.parametrize("size", [(90, 61), (57, 120)], ids=str)
def test_projection_equals_a_loop_over_pixels(size, framing, stem_pool):
    geometry = input_geometry(size, SPEC, framing)
    for stage in stages(geometry, stem_pool):
        rows, columns, _ = stage.shape
        values = np.random.default_rng(0).random((rows, columns), np.float32)
        spread = project(values, stage, geometry, size, smooth=True)
        blocks = project(values, stage, geometry, size, smooth=False)
        for x, y in itertools.product(range(0, size[0], 13), range(0, size[1], 11)):
            left, top, *_ = geometry.to_input((x + 0.5, y + 0.5, 0, 0))
            row = (top - stage.centre[0]) / stage.stride
            column = (left - stage.centre[1]) / stage.stride
            expected = sum(
                values[r, c] * by_row * by_column
                for r, by_row in nearest_two(row, rows)
                for c, by_column in nearest_two(column, columns)
            )
            assert spread[y, x] == pytest.approx(expected, abs=1e-5)
            whole_row, whole_column = (
                min(max(int(np.floor(p + 0.5)), 0), n - 1) for p, n in ((row, rows), (column, columns))
            )
            assert blocks[y, x] == values[whole_row, whole_column]


@pytest.mark.parametrize("framing", ["crop", "whole"])
def test_a_single_hot_cell_is_drawn_in_its_box(framing):
    size = (301, 203)
    geometry = input_geometry(size, InputSpec(size=224), framing)
    for stage in stages(geometry)[:4]:
        row, column = stage.shape[0] // 2, stage.shape[1] // 2 + 1
        values = np.zeros(stage.shape[:2], np.float32)
        values[row, column] = 1
        heatmap = Heatmap(stage, values, 0, 1, 0, 0, 1)
        view = ViewOptions(colormap="gray", opacity=1, smooth=False)
        picture = np.asarray(overlay(make_canvas(Image.new("RGB", size), geometry, 1000), heatmap, view))[..., 0]
        rows, columns = np.flatnonzero(picture.any(axis=1)), np.flatnonzero(picture.any(axis=0))
        drawn = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        assert drawn == pytest.approx(geometry.cell_box(stage, row, column), abs=0.51)


def test_opacity_blends_and_what_was_not_seen_is_dimmed():
    size = (100, 50)
    geometry = input_geometry(size, SPEC)
    stage = stages(geometry)[0]
    (heatmap,) = make_heatmaps([np.random.default_rng(0).random(stage.shape, np.float32)], [stage], ViewOptions())
    photo = Image.new("RGB", size, (200, 100, 0))
    canvas = make_canvas(photo, geometry, 100)
    bare = overlay(canvas, heatmap, ViewOptions(opacity=0))
    assert bare.size == size
    assert bare.getpixel((50, 25)) == (200, 100, 0)
    assert bare.getpixel((10, 25)) == (60, 30, 0)
    full = overlay(canvas, heatmap, ViewOptions(opacity=1, colormap="gray")).getpixel((50, 25))
    half = overlay(canvas, heatmap, ViewOptions(opacity=0.5, colormap="gray")).getpixel((50, 25))
    assert half == pytest.approx([(a + b) / 2 for a, b in zip(full, (200, 100, 0), strict=True)], abs=1)


@pytest.mark.parametrize("value", [0.0, 3.0])
def test_a_flat_map_leaves_the_photo_as_it_is(value):
    geometry = input_geometry((64, 64), SPEC)
    stage = stages(geometry)[2]
    (heatmap,) = make_heatmaps([np.full(stage.shape, value, np.float32)], [stage], ViewOptions())
    photo = Image.new("RGB", (64, 64), (10, 20, 30))
    assert overlay(make_canvas(photo, geometry, 64), heatmap, ViewOptions(opacity=1)).tobytes() == photo.tobytes()


def test_scale_ends_are_the_tables_ends():
    stage = stages(input_geometry((64, 64), SPEC))[0]
    values = np.array([[-1.0, 0.0], [1.0, 5.0]], np.float32)
    heatmap = Heatmap(stage, values, -1, 5, 1.25, low=0, high=4)
    assert unit_values(heatmap).tolist() == [[0, 0], [0.25, 1]]


def test_principal_components_are_drawn_in_colour():
    geometry = input_geometry((64, 64), SPEC)
    stage = stages(geometry)[1]
    values = np.random.default_rng(0).random(stage.shape, np.float32)
    (heatmap,) = make_heatmaps([values], [stage], ViewOptions("pca"))
    picture = np.asarray(
        overlay(make_canvas(Image.new("RGB", (64, 64)), geometry, 64), heatmap, ViewOptions("pca", opacity=1))
    ).astype(int)
    assert np.abs(picture[..., 0] - picture[..., 1]).max() > 20


@pytest.mark.parametrize(
    ("size", "side", "expected"), [((100, 50), 40, (40, 20)), ((30, 20), 99, (30, 20)), ((1, 9999), 100, (1, 100))]
)
def test_pictures_fit_and_are_never_enlarged(size, side, expected):
    assert fitted_size(size, side) == expected


def test_callers_photo_is_not_changed():
    geometry = input_geometry((64, 40), SPEC)
    stage = stages(geometry)[0]
    (heatmap,) = make_heatmaps([np.random.default_rng(0).random(stage.shape, np.float32)], [stage], ViewOptions())
    photo = Image.new("RGB", (64, 40), "red")
    before = photo.tobytes(), heatmap.values.copy()
    overlay(make_canvas(photo, geometry, 64), heatmap, ViewOptions())
    assert photo.tobytes() == before[0]
    assert np.array_equal(heatmap.values, before[1])
