"""Figures as files that say how to make them again."""

import io
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from resnet.cli import main
from resnet.cli.arguments import format_of
from resnet.errors import OptionError
from resnet.maps.channels import trace_blocks
from resnet.maps.comparison import similarities
from resnet.maps.curves import measure_curves
from resnet.maps.evidence import METHODS, find_evidence
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import observe
from resnet.maps.occlusion import hide
from resnet.network.labels import ASSETS
from resnet.output.blocks import block_file, channels_dictionary, channels_figure
from resnet.output.figures import comparison_figure, evidence_figure
from resnet.output.hiding import Trial
from resnet.output.report import result_figure
from resnet.output.saving import FORMATS, evidence_file, maps_file
from resnet.photo.images import read_photo
from resnet.stages import STAGE_NAMES

PHOTO = ASSETS / "examples" / "cat.jpg"
VIEW = ViewOptions("max", colormap="magma", opacity=0.4)
DUBLIN_CORE = "{http://purl.org/dc/elements/1.1/}"


@pytest.fixture(scope="module")
def observation(engine):
    return observe(read_photo(PHOTO), engine)


@pytest.fixture(scope="module")
def trial(observation, engine):
    heatmap, target = observation.heatmaps(VIEW)[4], int(observation.probabilities.argmax())
    *_, curves = measure_curves(observation, engine, heatmap, target, "mean")
    return Trial(observation, "max", heatmap, target, "mean", hide(observation, engine, heatmap, 25, "mean"), curves)


@pytest.fixture(scope="module")
def figures(observation, engine, trial):
    evidence = find_evidence(observation, engine, (3, 5))
    found = similarities(observation, observation)
    trace = trace_blocks(observation, engine)
    return {
        "result": lambda kind: result_figure(observation, VIEW, 4, kind),
        "evidence": lambda kind: evidence_figure(observation, evidence, "hirescam", "each", VIEW, (0, 1), kind),
        "blocks": lambda kind: channels_figure(observation, trace, 31, (3, 5, 7), "max", VIEW, kind),
        "hold": trial.figure,
        "comparison": lambda kind: comparison_figure(observation, observation, found, VIEW, kind),
    }


def read_png(content):
    picture = Image.open(io.BytesIO(content))
    picture.load()
    assert picture.info["dpi"] == pytest.approx((300, 300), abs=0.1)
    return picture.info["Software"], picture.info["Description"]


def read_svg(content):
    root = ElementTree.fromstring(content)
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    return next(root.iter(f"{DUBLIN_CORE}creator"))[0][0].text, next(root.iter(f"{DUBLIN_CORE}description")).text


def read_pdf(content):
    assert content.startswith(b"%PDF-")
    assert content.rstrip().endswith(b"%%EOF")
    assert b"/Type /Page" in content or any(
        b"/Type /Page" in zlib.decompress(part) for part in re.findall(rb"stream\n(.*?)endstream", content, re.DOTALL)
    )
    values = re.search(rb"/Creator \((.*?)\).*?/Subject \((.*)\)", content, re.DOTALL).groups()
    return [re.sub(r"\\(.)", r"\1", value.decode()) for value in values]


@pytest.mark.parametrize(
    "name",
    ["result", *(pytest.param(name, marks=pytest.mark.slow) for name in ("evidence", "comparison", "blocks", "hold"))],
)
def test_a_figure_of_any_format_says_how_to_make_it_again(figures, observation, name):
    for kind, read in zip(FORMATS, (read_png, read_svg, read_pdf), strict=True):
        program, text = read(figures[name](kind))
        about = json.loads(text)
        assert program == about["program"] == "resnet 0.1.0", kind
        assert about["weights"] == {"name": "tiny-imagenet-200", "sha256": observation.manifest.sha256}
        assert len(about["weights"]["sha256"]) == 64
        assert about["photo"] == {"name": "cat.jpg", "width": 451, "height": 300}
        assert about["framing"] == "crop"
        options = about["options"]
        if name != "hold":  # which draws no map
            assert (options["aggregation"], options["colormap"], options["opacity"]) == ("max", "magma", 0.4)
        more = {
            "result": {"top_k": 4},
            "evidence": {"method": "hirescam", "scale": "each"},
            "comparison": {"other": "cat.jpg"},
            "blocks": {"block": "conv5_block1", "order": "max", "channels": [3, 5, 7]},
            "hold": {"map": "max", "stage": "C5", "class": "potter's wheel", "fill": "mean"},
        }
        assert {**options, **more[name]} == options


def test_raw_maps_say_how_they_were_made(observation, engine):
    with np.load(io.BytesIO(maps_file(observation, ViewOptions("max"), 4))) as stored:
        assert set(stored) == {*STAGE_NAMES, "probabilities", "about"}
        for stage, values in zip(STAGE_NAMES, observation.maps, strict=True):
            np.testing.assert_array_equal(stored[stage], values)
        np.testing.assert_array_equal(stored["probabilities"], observation.probabilities)
        about = json.loads(str(stored["about"]))
    assert about["weights"]["sha256"] == observation.manifest.sha256
    assert about["photo"] == {"name": "cat.jpg", "width": 451, "height": 300}
    assert about["options"]["top_k"] == 4

    evidence = find_evidence(observation, engine, [3, 5])
    with np.load(io.BytesIO(evidence_file(observation, evidence))) as stored:
        assert set(stored) == {
            "about", "classes", "logits", "probabilities",
            *(f"{method}_{stage}" for method in METHODS for stage in STAGE_NAMES),
        }  # fmt: skip
        assert stored["classes"].tolist() == [3, 5]
        for place in range(2):
            np.testing.assert_array_equal(stored["hirescam_C4"][place], evidence.maps["hirescam"][place][3])
        names = json.loads(str(stored["about"]))["options"]["classes"]
    assert names == [observation.manifest.labels[index].name for index in (3, 5)]


def test_a_block_and_a_trial_are_stored_as_they_are(observation, engine, trial):
    trace = trace_blocks(observation, engine)
    with np.load(io.BytesIO(block_file(observation, trace, 31))) as stored:
        np.testing.assert_array_equal(stored["activations"], trace.outputs[31])
        assert stored["changes"].shape == (33,)
        assert json.loads(str(stored["about"]))["options"]["block"] == "conv5_block1"
    listed = channels_dictionary(trace, 31, [7, 3])
    assert [one["channel"] for one in listed["channels"]] == [7, 3]
    assert listed["channels"][1]["mean"] == pytest.approx(float(trace.outputs[31][..., 3].mean()), rel=1e-5)
    assert listed["blocks"][30]["branch_to_shortcut"] == float(trace.changes[30])

    with np.load(io.BytesIO(trial.file())) as stored:
        np.testing.assert_array_equal(stored["map"], observation.maps[4].max(-1))
        np.testing.assert_array_equal(stored["before"], observation.probabilities)
        np.testing.assert_array_equal(stored["after"], trial.hidden.probabilities)
        assert stored["picture"].dtype == np.uint8
        assert stored["deletion_probabilities"][0] == pytest.approx(observation.probabilities.max(), abs=1e-4)
        assert stored["moved_copies"].shape == (20,)
        assert json.loads(str(stored["about"]))["options"]["share"] == pytest.approx(0.25, abs=0.01)
    numbers = trial.dictionary()
    assert numbers["probability_after"] == float(trial.hidden.probabilities[trial.target])
    assert numbers["deletion"]["area"] == trial.curves.deletion.area
    assert "deletion" not in replace(trial, curves=None).dictionary()


def test_the_name_of_a_file_chooses_its_format(loaded, tmp_path, capsys):
    assert [format_of(Path(name)) for name in ("a.png", "b.SVG", "c.d.pdf")] == ["png", "svg", "pdf"]
    for name in ("figure", "figure.jpeg", "png"):
        with pytest.raises(OptionError, match=re.escape("must end in .png, .svg or .pdf; received")):
            format_of(Path(name))
    for command in (["compare", str(PHOTO), "--change", "flip:1"], ["evidence", str(PHOTO)]):
        assert main([*command, "--figure", str(tmp_path / "figure.gif")]) == 2
        assert "must end in .png, .svg or .pdf" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
    assert main(["evidence", str(PHOTO), "--top-k", "1", "--figure", str(tmp_path / "figure.svg")]) == 0
    assert read_svg((tmp_path / "figure.svg").read_bytes())[0] == "resnet 0.1.0"
