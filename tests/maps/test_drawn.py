"""What somebody draws on a photo, hidden from the network: against a picture of the drawing, and bad drawings."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from resnet.errors import OptionError
from resnet.maps.drawn import MOST_POINTS, MOST_SHAPES, Drawing, Line, drawn_pixels, hide_drawn, read_drawing
from resnet.maps.observation import observe
from resnet.maps.occlusion import FILLS
from resnet.network.labels import ASSETS
from resnet.photo.images import read_photo

PHOTO = ASSETS / "examples" / "cat.jpg"
SHAPES = [
    {"box": [10, 20, 90.5, 60]},
    {"line": [[40, 300], [200, 180], [330, 260]], "width": 40},
    {"line": [[300, 60]], "width": 50},
]


@pytest.fixture(scope="module", params=["crop", "whole"])
def observation(engine, request):
    return observe(read_photo(PHOTO), engine, request.param)


def painted(shapes, observation):
    """Share of each input pixel that a picture of the drawing covers, painted by Pillow and reduced as a photo is."""
    geometry, scale = observation.geometry, 8
    width, height = geometry.input_size
    canvas = Image.new("L", (width * scale, height * scale))
    pen = ImageDraw.Draw(canvas)

    def place(x, y):
        left, top, _, _ = geometry.to_input((x, y, x, y))
        return left * scale, top * scale

    for shape in shapes:
        if "box" in shape:
            pen.rectangle([place(*shape["box"][:2]), place(*shape["box"][2:])], fill=255)
            continue
        radius = shape["width"] / 2 * geometry.scale[0] * scale
        points = [place(*point) for point in shape["line"]]
        if len(points) > 1:
            pen.line(points, fill=255, width=round(2 * radius))
        for x, y in points:
            pen.ellipse([x - radius, y - radius, x + radius, y + radius], fill=255)
    return np.asarray(canvas.reduce(scale)) / 255


@pytest.mark.parametrize("shapes", [SHAPES[:1], SHAPES[1:2], SHAPES[2:], SHAPES], ids=["box", "line", "dot", "all"])
def test_the_pixels_under_a_drawing_are_hidden_and_no_others(observation, shapes):
    rows, columns = observation.pixels.shape[:2]
    hidden = np.zeros(rows * columns, bool)
    hidden[drawn_pixels(read_drawing(shapes), observation)] = True
    covered = painted(shapes, observation)
    left, top, right, bottom = (round(edge) for edge in observation.geometry.to_input(observation.geometry.seen))
    expected = np.zeros((rows, columns))
    expected[top:bottom, left:right] = covered[top:bottom, left:right]
    hidden = hidden.reshape(rows, columns)
    assert hidden.any()
    assert not hidden[expected < 0.1].any()
    assert hidden[expected > 0.9].all()


@pytest.mark.parametrize("fill", FILLS)
def test_what_is_drawn_is_replaced_and_the_rest_is_seen_as_before(observation, engine, fill):
    found = hide_drawn(observation, engine, read_drawing(SHAPES), fill)
    chosen = drawn_pixels(read_drawing(SHAPES), observation)
    left, top, right, bottom = (round(edge) for edge in observation.geometry.to_input(observation.geometry.seen))
    assert found.share == pytest.approx(len(chosen) / ((right - left) * (bottom - top)))
    assert found.picture.size == (right - left, bottom - top)
    nothing = hide_drawn(observation, engine, Drawing(), fill)
    assert nothing.share == 0
    assert nothing.probabilities == pytest.approx(observation.probabilities, abs=1e-5)
    changed = np.asarray(found.picture, int) != np.asarray(nothing.picture, int)
    drawn = np.zeros(observation.pixels.shape[:2], bool)
    drawn.ravel()[chosen] = True
    assert not changed.any(axis=2)[~drawn[top:bottom, left:right]].any()
    if fill == "mean":
        assert len(np.unique(np.asarray(found.picture)[drawn[top:bottom, left:right]], axis=0)) == 1
    assert not np.allclose(found.probabilities, nothing.probabilities, atol=1e-3)


def test_the_whole_photo_drawn_over_is_all_that_can_be_hidden(observation, engine):
    everything = Drawing(boxes=((-1e6, -1e6, 1e6, 1e6),))
    assert hide_drawn(observation, engine, everything, "mean").share == 1
    beside = Drawing(boxes=((-50, -50, -1, -1),), lines=(Line(((-90, -90), (-40, -40)), 5),))
    assert len(drawn_pixels(beside, observation)) == 0


def test_a_drawing_comes_back_as_it_was_written():
    drawing = read_drawing(SHAPES)
    assert not drawing.is_empty
    assert read_drawing(drawing.shapes()) == drawing
    assert read_drawing([]).is_empty


@pytest.mark.parametrize(
    ("shapes", "said"),
    [
        (None, "A drawing is a list of boxes and lines; received None."),
        ({"box": [1, 2, 3, 4]}, "A drawing is a list"),
        ([[1, 2, 3, 4]], "A shape is"),
        ([{"box": [1, 2, 3]}], "A shape is"),
        ([{"box": [1, 2, 3, 4], "line": [[1, 2]]}], "A shape is"),
        ([{"line": [], "width": 3}], "A shape is"),
        ([{"line": [[1, 2]]}], "A shape is"),
        ([{"line": [[1]], "width": 3}], r"A point of a line is \[x, y\]; received \[1\]."),
        ([{"line": ["ab"], "width": 3}], "A point of a line is"),
        ([{"line": [[1, None]], "width": 3}], "The coordinate must be"),
        ([{"line": [[1, 2]], "width": -3}], "The width of a line must be 0 to"),
        ([{"box": [3, 2, 1, 4]}], "A box is left, top, right, bottom"),
        ([{"box": [1, 2, float("nan"), 4]}], "The coordinate must be"),
        ([{"box": [1, 2, True, 4]}], "The coordinate must be"),
        ([{"box": [0, 0, 1, 1]}] * (MOST_SHAPES + 1), f"at most {MOST_SHAPES} shapes; received {MOST_SHAPES + 1}"),
        ([{"line": [[0, 0]] * (MOST_POINTS // 2 + 1), "width": 1}] * 2, f"at most {MOST_POINTS} points"),
    ],
)
def test_what_is_no_drawing_gets_a_sentence(shapes, said):
    with pytest.raises(OptionError, match=said):
        read_drawing(shapes)
