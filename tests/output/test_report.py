"""JSON and figure."""

import dataclasses
import io
import json
import warnings

import pytest
from PIL import Image

from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import observe
from resnet.output.report import as_dictionary, result_figure, safe_stem
from resnet.photo.images import read_photo


@pytest.fixture(scope="module")
def observation(engine):
    return observe(read_photo(Image.linear_gradient("L"), "a $\\frac{photo}$ 猫.jpg"), engine)


def test_json_holds_what_is_promised(observation):
    result = json.loads(json.dumps(as_dictionary(observation, ViewOptions("l2"), 3)))
    assert result["image"] == observation.photo_name
    assert result["weights"] == {"name": observation.manifest.name, "sha256": observation.manifest.sha256}
    assert [sorted(one) for one in result["predictions"]] == [["label", "probability", "rank", "wnid"]] * 3
    assert [one["rank"] for one in result["predictions"]] == [1, 2, 3]
    assert [stage["name"] for stage in result["stages"]] == ["C1", "C2", "C3", "C4", "C5"]
    for stage, values in zip(result["stages"], observation.maps, strict=True):
        norms = (values.astype(float) ** 2).sum(axis=-1) ** 0.5
        assert stage["shape"] == list(values.shape)
        assert (stage["min"], stage["max"], stage["mean"]) == pytest.approx((norms.min(), norms.max(), norms.mean()))
        assert {"stride", "receptive_field", "note"} <= stage.keys()
    assert [stage["stride"] for stage in result["stages"]] == [4, 4, 8, 16, 32]
    assert [stage["receptive_field"] for stage in result["stages"]] == [11, 35, 99, 835, 1027]
    assert result["milliseconds"] > 0
    assert result["precision"] == "float32"
    quick = dataclasses.replace(observation, precision="bfloat16")
    assert as_dictionary(quick, ViewOptions(), 1)["precision"] == "bfloat16"
    assert result["map"] == "L2 norm of the channels"


@pytest.mark.parametrize(
    ("aggregation", "size"), [("mean", (300, 60)), ("pca", (60, 300)), ("channel", (100, 100))], ids=str
)
def test_figure_is_drawn_for_every_shape_and_map(engine, aggregation, size):
    observation = observe(read_photo(Image.linear_gradient("L").resize(size), "photo"), engine)
    content = result_figure(observation, ViewOptions(aggregation, channel=300), 20, dpi=50)
    picture = Image.open(io.BytesIO(content))
    assert picture.format == "PNG"
    assert picture.width == 650
    assert picture.height < 1000


def test_a_name_is_never_markup(observation):
    manifest = dataclasses.replace(observation.manifest, name="my $\\frac$ net")
    observation = dataclasses.replace(observation, manifest=manifest)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph")  # no Chinese font on this machine
        assert result_figure(observation, ViewOptions(), 1, dpi=40)


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("cat.jpg", "cat"),
        ("../../etc/passwd", "passwd"),
        ("a:b*c?.png", "a_b_c_"),
        ("<img onerror=1>.jpg", "_img onerror_1_"),
        ("猫.jpg", "猫"),
        (" . ", "photo"),
        ("x" * 300 + ".png", "x" * 80),
        ("\N{CJK UNIFIED IDEOGRAPH-20000}" * 300 + ".png", "\N{CJK UNIFIED IDEOGRAPH-20000}" * 50),
        ("x" * 79 + ". y.png", "x" * 79),
        ("CON.jpg", "_CON"),
        ("com1.tar.gz", "_com1.tar"),
        ("COM¹.jpg", "_COM¹"),
        ("lpt³ .jpg", "_lpt³"),
        ("console.jpg", "console"),
    ],
)
def test_file_names_are_safe(name, stem):
    assert safe_stem(name) == stem
