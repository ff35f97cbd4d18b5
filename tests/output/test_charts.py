"""Charts as SVG, and pictures."""

import io
import threading
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from resnet.maps.channels import channel_facts
from resnet.maps.comparison import Similarity, similarities
from resnet.maps.curves import Chance, Curve, Curves
from resnet.maps.evidence import find_evidence
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import observe
from resnet.network.labels import ASSETS
from resnet.output.charts import (
    block_diagram,
    changes_chart,
    costs_chart,
    curves_chart,
    draw_similarity,
    histogram,
    similarity_chart,
)
from resnet.output.figures import comparison_figure, evidence_figure
from resnet.output.report import result_figure
from resnet.photo.images import read_photo
from resnet.stages import block_table

BLOCKS = block_table()[1:]
CURVE = Curve(np.linspace(0, 1, 5), np.linspace(1, 0, 5))
CURVES = Curves(CURVE, CURVE, Chance(0.9, 0.1, np.array([0.2, 0.5])), 32, 32)
WORDS = {name: name for name in ("convolution_block", "identity_block", "input", "output", "relu", "add", "shortcut")}
CHARTS = {
    "changes": lambda: changes_chart(np.linspace(0, 1, 33), BLOCKS, 4, "ratio", "AC\\DC <b> & \"c\""),
    "histogram": lambda: histogram(channel_facts(np.ones((3, 3, 1), np.float32), 0), "x", "y", "histogram"),
    "similarity": lambda: similarity_chart(
        [Similarity("C1", 0.5, 0.4, 0.1), Similarity("C2", 0.5, None, None)], ("a", "b", "c"), "similarity"
    ),
    "curves": lambda: curves_chart(
        CURVES, ("map", "random"), "%", ("x", "x"), ("d", "i"), "curves"
    ),
    "costs": lambda: costs_chart(["C1", "C2"], [1.5, 2000.0], "million", "costs"),
    "diagram": lambda: block_diagram((64, 64, 256), 64, 2, WORDS, "diagram"),
}  # fmt: skip


@pytest.mark.parametrize("name", CHARTS)
def test_a_chart_is_one_svg_in_the_pages_colours_with_a_description(name):
    text = CHARTS[name]()
    root = ElementTree.fromstring(text)
    assert root.tag.endswith("svg")
    assert root.attrib["role"] == ("radiogroup" if name == "changes" else "img")
    assert root.attrib["aria-label"]
    assert "currentColor" in text
    assert "#010203" not in text
    assert "<metadata" not in text


def test_each_bar_of_the_changes_can_be_chosen():
    root = ElementTree.fromstring(CHARTS["changes"]())
    radios = [element.attrib for element in root.iter() if element.attrib.get("role") == "radio"]
    assert [radio["data-choice"] for radio in radios] == [
        f"C{stage}:{number}" for stage, count in enumerate((3, 4, 23, 3), start=2) for number in range(1, count + 1)
    ]
    assert [place for place, radio in enumerate(radios) if radio["aria-checked"] == "true"] == [4]
    assert [place for place, radio in enumerate(radios) if radio["tabindex"] == "0"] == [4]
    assert radios[4]["aria-label"] == "conv3_block2: 0.125"


def test_the_legend_of_the_comparison_covers_no_mark():
    figure = Figure(layout="constrained")
    canvas, axes = FigureCanvasAgg(figure), figure.subplots()
    draw_similarity(
        axes, [Similarity(f"C{place}", place / 5, 1 - place / 5, 0.1) for place in range(6)], ("a", "b", "c")
    )
    canvas.draw()
    legend = axes.get_legend().get_window_extent()
    assert legend.y1 <= axes.get_window_extent().y0
    assert legend.y0 >= 0


def test_the_description_is_plain_text():
    assert ElementTree.fromstring(CHARTS["changes"]()).attrib["aria-label"] == 'AC\\DC <b> & "c"'


def test_charts_hold_their_numbers():
    assert "2,000" in CHARTS["costs"]()
    assert "1×1, 64, /2" in CHARTS["diagram"]()


@pytest.fixture(scope="module")
def observation(engine):
    return observe(read_photo(ASSETS / "examples" / "espresso.jpg"), engine)


@pytest.mark.slow
def test_many_threads_draw_the_same_and_leave_the_settings_alone(observation):
    before, expected = dict(mpl.rcParams), {name: draw() for name, draw in CHARTS.items()}
    faults = []

    def work(name):
        for _ in range(4):
            if CHARTS[name]() != expected[name]:
                faults.append(name)

    threads = [threading.Thread(target=work, args=(name,)) for name in CHARTS]
    threads.append(threading.Thread(target=result_figure, args=(observation, ViewOptions(), 3)))
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    assert dict(mpl.rcParams) == before


@pytest.mark.slow
def test_the_matrix_has_a_row_a_class_and_one_for_the_difference(observation, engine):
    evidence = find_evidence(observation, engine, [3, 5, 7])
    without = Image.open(io.BytesIO(evidence_figure(observation, evidence, "gradcam", "stage", ViewOptions(), dpi=50)))
    more = Image.open(
        io.BytesIO(evidence_figure(observation, evidence, "gradcam", "each", ViewOptions(), (0, 2), dpi=50))
    )
    assert without.width == more.width
    assert more.height > without.height


@pytest.mark.parametrize("name", ["_DSC1.jpg", "$x_1$ and 100 %.jpg", "很长的名字" * 20])
def test_the_comparison_names_both_photos_whatever_they_are_called(observation, name, recwarn):
    other = observation.named(name)
    picture = Image.open(
        io.BytesIO(comparison_figure(observation, other, similarities(observation, other), ViewOptions(), dpi=50))
    )
    assert picture.format == "PNG"
    assert not [warning for warning in recwarn if "legend" in str(warning.message)]
