"""Geometry: a spot must be found where it was drawn, for any shape of photo and either framing."""

import numpy as np
import pytest
from PIL import Image

from resnet.errors import OptionError
from resnet.maps.observation import observe
from resnet.photo.images import read_photo
from resnet.photo.preprocess import InputSpec, denormalise, input_geometry, normalise, prepare, reduced_size
from resnet.stages import block_table, stage_table

SIZES = [(640, 427), (427, 640), (101, 303), (333, 97), (224, 224), (1999, 31), (1, 1), (1, 2000)]
IMAGENET = InputSpec(size=224, crop_fraction=224 / 256)


@pytest.mark.parametrize("framing", ["crop", "whole"])
@pytest.mark.parametrize("size", SIZES, ids=str)
def test_geometry_goes_there_and_back(size, framing):
    geometry = input_geometry(size, IMAGENET, framing)
    box = (3.5, 7.25, 41.0, 99.0)
    assert geometry.to_photo(geometry.to_input(box)) == pytest.approx(box)


@pytest.mark.parametrize("size", SIZES, ids=str)
def test_whole_photo_is_seen_whole_with_its_aspect(size):
    geometry = input_geometry(size, IMAGENET, "whole")
    assert geometry.seen == pytest.approx((0, 0, *size))
    assert all(side % 32 == 0 and side >= 32 for side in geometry.input_size)
    inner = [side * scale for side, scale in zip(size, geometry.scale, strict=True)]
    assert all(0 < side <= frame + 1e-6 for side, frame in zip(inner, geometry.input_size, strict=True))
    # The aspect is kept but for rounding each side to a whole pixel, and to no less than one.
    ratio = size[1] / size[0]
    assert abs(inner[0] * ratio - inner[1]) <= (1 + ratio) * (0.51 if min(inner) > 1 else 1)


@pytest.mark.parametrize("size", [(640, 427), (427, 640), (800, 600), (1000, 300)], ids=str)
def test_whole_photo_needs_little_padding(size):
    geometry = input_geometry(size, IMAGENET, "whole")
    inner = np.prod(size) * np.prod(geometry.scale)
    assert inner / np.prod(geometry.input_size) > 0.93


def test_crop_is_the_centre_square():
    geometry = input_geometry((640, 427), InputSpec(size=128))
    assert geometry.seen == pytest.approx((106.5, 0, 533.5, 427))
    geometry = input_geometry((400, 512), IMAGENET)
    assert geometry.seen == pytest.approx((25, 81, 375, 431))


def test_crop_equals_the_usual_resize_and_crop():
    """Against resizing the shorter side to 256 and cutting out 224, as ImageNet networks are used."""
    noise = np.random.default_rng(0).integers(0, 256, (30, 40, 3), np.uint8)
    image = Image.fromarray(noise).resize((1152, 768), Image.Resampling.BICUBIC)
    expected = image.resize((384, 256), Image.Resampling.BILINEAR).crop((80, 16, 304, 240))
    ours = prepare(image, InputSpec(224, 224 / 256, channels="RGB", mean=(0, 0, 0))).pixels
    assert np.abs(ours - np.asarray(expected, np.float32)).max() <= 1  # both round to whole grey values


def test_channels_and_mean_are_those_of_the_manifest():
    image = Image.new("RGB", (64, 64), (200, 100, 50))
    pixels = prepare(image, InputSpec(32, channels="BGR", mean=(1, 2, 3), scale=2)).pixels
    assert pixels[10, 10].tolist() == [98, 196, 394]
    pixels = prepare(image, InputSpec(32, channels="RGB", mean=(1, 2, 3))).pixels
    assert pixels[10, 10].tolist() == [199, 98, 47]


def test_padding_is_zero_after_normalisation():
    ready = prepare(Image.new("RGB", (1000, 300), "white"), IMAGENET, "whole")
    geometry = ready.geometry
    left, top, right, bottom = (round(edge) for edge in geometry.to_input(geometry.seen))
    outside = np.ones(ready.pixels.shape[:2], bool)
    outside[top:bottom, left:right] = False
    assert outside.any()
    assert not ready.pixels[outside].any()
    assert (ready.pixels[~outside] > 100).all()


def test_detail_goes_through_the_small_size():
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (300, 300, 3), np.uint8))
    spec = InputSpec(128, detail=64, channels="RGB", mean=(0, 0, 0))
    small = image.resize((64, 64), Image.Resampling.BILINEAR)
    expected = np.asarray(small.resize((128, 128), Image.Resampling.BILINEAR), np.float32)
    assert np.array_equal(prepare(image, spec).pixels, expected)


@pytest.mark.parametrize("size", [(64, 64), (96, 60), (96, 96)], ids=str)
def test_a_picture_of_no_more_detail_goes_straight_to_the_input(size):
    image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (size[1], size[0], 3), np.uint8))
    spec = InputSpec(128, detail=96, channels="RGB", mean=(0, 0, 0))
    straight = InputSpec(128, channels="RGB", mean=(0, 0, 0))
    for framing in ("crop", "whole") if size[0] == size[1] else ("crop",):
        assert np.array_equal(prepare(image, spec, framing).pixels, prepare(image, straight, framing).pixels)
        assert reduced_size(input_geometry(size, spec, framing), spec) is None
    larger = image.resize((97, 97))
    assert reduced_size(input_geometry((97, 97), spec, "crop"), spec) == (96, 96)
    assert reduced_size(input_geometry((600, 300), spec, "whole"), spec) == (192, 96)
    assert reduced_size(input_geometry((97, 97), straight, "crop"), straight) is None
    assert not np.array_equal(prepare(larger, spec).pixels, prepare(larger, straight).pixels)


@pytest.mark.parametrize("channels", ["RGB", "BGR"])
def test_denormalise_is_the_reverse_of_normalise(channels):
    picture = np.random.default_rng(0).integers(0, 256, (8, 9, 3), np.uint8)
    spec = InputSpec(64, channels=channels, scale=0.0175)
    assert np.array_equal(np.asarray(denormalise(normalise(picture, spec), spec)), picture)


def test_callers_image_is_not_changed():
    image = Image.new("RGB", (50, 40), "red")
    before = image.tobytes()
    prepare(image, IMAGENET)
    assert image.tobytes() == before


@pytest.mark.parametrize("stem_pool", ["same", "centered"])
def test_cells_of_a_stage_touch_and_lie_a_stride_apart(stem_pool):
    geometry = input_geometry((640, 427), IMAGENET)
    for stage in stage_table(block_table(101, (224, 224), stem_pool)):
        here, right = geometry.cell_box(stage, 1, 1), geometry.cell_box(stage, 1, 2)
        below = geometry.cell_box(stage, 2, 1)
        assert here[2] == pytest.approx(right[0])
        assert here[3] == pytest.approx(below[1])
        assert (here[2] - here[0]) * geometry.scale[0] == pytest.approx(stage.stride)
        field = geometry.receptive_box(stage, 1, 1)
        assert (field[2] - field[0]) * geometry.scale[0] == pytest.approx(stage.receptive_field)


def test_unknown_framing_and_cell_are_refused():
    with pytest.raises(OptionError, match="framing must be one of crop, whole; received 'tile'"):
        input_geometry((10, 10), IMAGENET, "tile")
    stage = stage_table(block_table())[4]
    with pytest.raises(OptionError, match="C5 has 7 x 7 cells; received row 7, column 0"):
        input_geometry((10, 10), IMAGENET).cell_box(stage, 7, 0)


@pytest.mark.parametrize("framing", ["crop", "whole"])
@pytest.mark.parametrize("orientation", [1, 6, 8], ids=lambda value: f"orientation {value}")
@pytest.mark.parametrize("size", [(517, 391), (391, 517), (603, 341)], ids=str)
def test_the_brightest_cell_leads_back_to_a_bright_square(engine, tmp_path, size, orientation, framing):
    """One square on a flat ground in a photo of odd size, stored turned: found where it was drawn."""
    middle = (size[0] // 2 + 47, size[1] // 2 - 38)
    side = 9
    left, top = middle[0] - side // 2, middle[1] - side // 2
    image = Image.new("RGB", size, (90, 90, 90))
    image.paste((255, 255, 255), (left, top, left + side, top + side))
    turned = {6: Image.Transpose.ROTATE_90, 8: Image.Transpose.ROTATE_270}.get(orientation)
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "square.png"
    (image if turned is None else image.transpose(turned)).save(path, exif=exif)

    observation = observe(read_photo(path), engine, framing)
    assert observation.geometry.photo_size == size
    # The flat ground is no signal: what differs from it is. Borders see the padding, so they are left out.
    for stage, activations in list(zip(observation.blocks, observation.maps, strict=True))[:2]:
        ground = np.median(activations, axis=(0, 1))
        answer = np.linalg.norm(activations - ground, axis=-1)
        inner = np.zeros_like(answer)
        inner[4:-4, 4:-4] = answer[4:-4, 4:-4]
        row, column = np.unravel_index(inner.argmax(), inner.shape)
        field = observation.geometry.receptive_box(stage, int(row), int(column))
        assert field[0] <= left
        assert field[1] <= top
        assert field[2] >= left + side
        assert field[3] >= top + side
        # The answer is a ring around the square; its centre of mass is the square's centre.
        around = inner.copy()
        around[np.abs(np.arange(len(inner)) - row) > 5] = 0
        around[:, np.abs(np.arange(inner.shape[1]) - column) > 5] = 0
        rows, columns = np.indices(around.shape)
        mass = around**2
        y, x = ((mass * cells).sum() / mass.sum() for cells in (rows, columns))
        first = observation.geometry.cell_box(stage, 0, 0)
        one = stage.stride / observation.geometry.scale[0]
        assert (first[0] + first[2]) / 2 + x * one == pytest.approx(middle[0], abs=0.75 * one)
        assert (first[1] + first[3]) / 2 + y * one == pytest.approx(middle[1], abs=0.75 * one)
