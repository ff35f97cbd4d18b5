"""Accuracy, confusion and calibration against plain loops, and the report that shows them."""

import io
import json
import os
import re
import shutil
import sys

import numpy as np
import pytest
from PIL import Image

from resnet.errors import DataError
from resnet.network.labels import label_classes
from resnet.network.manifest import Manifest
from resnet.photo.preprocess import InputSpec
from resnet.training.evaluate import MISTAKES, Evaluation, Mistake, _Mistakes
from resnet.training.measures import (
    calibration,
    confusion_matrix,
    expected_calibration_error,
    measure_classes,
    most_confused,
    ranks,
    wilson_interval,
)
from resnet.training.report import write_report


@pytest.fixture(scope="module")
def answers():
    generator = np.random.default_rng(0)
    probabilities = generator.dirichlet(np.full(7, 0.4), 300).astype(np.float32)
    truth = np.where(generator.random(300) < 0.5, probabilities.argmax(axis=1), generator.integers(0, 6, 300))
    return probabilities, truth


def test_confusion_recall_and_precision_equal_counting(answers):
    probabilities, truth = answers
    answered = probabilities.argmax(axis=1)
    confusion = confusion_matrix(truth, answered, 7)
    measures = measure_classes(confusion, truth, ranks(probabilities, truth))
    for index, measure in enumerate(measures):
        own = [place for place in range(300) if truth[place] == index]
        called = [place for place in range(300) if answered[place] == index]
        both = [place for place in own if answered[place] == index]
        among = [place for place in own if truth[place] in np.argsort(-probabilities[place])[:5]]
        assert measure.images == len(own)
        assert measure.recall == (pytest.approx(len(both) / len(own)) if own else None)
        assert measure.precision == (pytest.approx(len(both) / len(called)) if called else None)
        assert measure.top5 == (pytest.approx(len(among) / len(own)) if own else None)
        for other in range(7):
            assert confusion[index, other] == sum(answered[place] == other for place in own)


def test_a_class_without_pictures_has_no_recall(answers):
    confusion = confusion_matrix(np.array([0, 0]), np.array([0, 1]), 3)
    first, second, third = measure_classes(confusion, np.array([0, 0]), np.array([0, 1]))
    assert (first.recall, first.precision) == (0.5, 1.0)
    assert (second.images, second.recall, second.precision) == (0, None, 0.0)
    assert (third.recall, third.precision, third.top5) == (None, None, None)


def test_calibration_equals_sorting_into_bins_one_by_one(answers):
    probabilities, truth = answers
    confidence, right = probabilities.max(axis=1), probabilities.argmax(axis=1) == truth
    bins = calibration(confidence, right, 10)
    error = 0.0
    for one in bins:
        inside = [place for place in range(300) if one.low < confidence[place] <= one.high]
        assert one.images == len(inside)
        if inside:
            accuracy, mean = np.mean(right[inside]), np.mean(confidence[inside])
            assert one.accuracy == pytest.approx(accuracy)
            assert one.confidence == pytest.approx(mean)
            error += len(inside) / 300 * abs(accuracy - mean)
    assert expected_calibration_error(bins) == pytest.approx(error)


@pytest.mark.parametrize(("share", "error"), [(0.75, 0.0), (0.5, 0.25)])
def test_calibration_error_of_a_known_case(share, error):
    right = np.arange(100) < 100 * share
    assert expected_calibration_error(calibration(np.full(100, 0.75, np.float32), right)) == pytest.approx(error)


def test_the_most_frequent_mistakes_come_first():
    confusion = np.array([[9, 2, 0], [5, 1, 0], [0, 3, 4]])
    assert most_confused(confusion) == [(1, 0, 5), (2, 1, 3), (0, 1, 2)]
    assert most_confused(confusion, 1) == [(1, 0, 5)]
    assert most_confused(np.eye(3, dtype=int)) == []


def test_the_most_confident_mistakes_are_kept():
    generator = np.random.default_rng(0)
    sure = generator.random(200)
    kept = _Mistakes()
    for number, probability in enumerate(sure.tolist()):
        kept.add(Image.new("RGB", (300, 100)), str(number), 0, number % 2, probability)
    wrong = sorted((probability for number, probability in enumerate(sure) if number % 2), reverse=True)
    assert [mistake.probability for mistake in kept.sorted()] == wrong[:MISTAKES]
    assert kept.sorted()[0].thumbnail.size == (128, 43)


def evaluation_of(labels, seed=0):
    generator = np.random.default_rng(seed)
    count = len(labels)
    truth, answered = generator.integers(0, count, 80), generator.integers(0, count, 80)
    mistake = Mistake("<b>a&b</b>.jpg", 0, 1, 0.93, Image.new("RGB", (20, 10), "red"))
    return Evaluation(
        labels, truth, answered, generator.random(80).astype(np.float32), (truth != answered).astype(np.int64),
        (mistake,), ("x.jpg is text.",), 2.0,
    )  # fmt: skip


HISTORY = [
    {"phase": phase, "name": f"phase {phase}", "epoch": 1, "images": 100 * (phase + 1), "seconds": 60.0, "rate": 0.1,
     "loss": 1.0, "top1": 0.5, "val_loss": 1.0, "val_top1": 0.5, "val_top5": 1.0}
    for phase in range(2)
]  # fmt: skip


@pytest.mark.parametrize("count", [2, 40, 130], ids=["numbered", "named", "coloured"])
def test_a_report_is_one_page_with_everything_inside(tmp_path, count):
    labels = label_classes(["<script>alert(1)</script>", "$x$ 猫", *map(str, range(count - 2))])
    evaluation = evaluation_of(labels)
    manifest = Manifest("my <weights>", 50, count, "same", InputSpec(64), "x.npz", "abc")
    page = write_report(tmp_path / "new", manifest, "photos & more", evaluation, HISTORY).read_text()
    assert not re.search(r'(?:src|href)="(?!data:)', page)
    assert "<script" not in page
    assert "my &lt;weights&gt;" in page
    assert "&lt;b&gt;a&amp;b&lt;/b&gt;.jpg" in page
    assert page.count("data:image/png") == 3
    content = json.loads((tmp_path / "new/evaluation.json").read_text())
    assert content["top1"] == evaluation.top1
    assert len(content["classes"]) == count
    for name in ("confusion.png", "calibration.png", "curves.png"):
        with Image.open(tmp_path / "new" / name) as picture:
            assert picture.format == "PNG"
            assert min(picture.size) > 300


def test_a_report_that_cannot_be_written_says_so(tmp_path):
    (tmp_path / "file").write_text("")
    manifest = Manifest("own", 50, 3, "same", InputSpec(64), "x.npz", "abc")
    with pytest.raises(DataError, match=r"The report cannot be written to .*file: File exists"):
        write_report(tmp_path / "file", manifest, "photos", evaluation_of(label_classes("abc")))


class Gone(io.StringIO):
    """An output that nobody reads any more."""

    def write(self, text):
        raise BrokenPipeError


@pytest.mark.slow
def test_evaluate_writes_a_report_and_records_the_accuracy(tmp_path, make_photo, capsys, monkeypatch):
    from resnet.cli import main
    from resnet.network.formats import write_compact
    from resnet.network.manifest import read_manifest
    from resnet.network.sources import read_weights

    write_compact(*read_weights("bundled"), tmp_path / "own")
    for number, name in enumerate(("n02123394", "n07920052")):
        (tmp_path / "data" / name).mkdir(parents=True)
        odd = tmp_path / f"data/{name}" / os.fsdecode(b"caf\xe9.png")  # no UTF-8
        make_photo(f"data/{name}/{number}.png", seed=number).rename(odd)
    given = ["evaluate", str(tmp_path / "data"), "--weights", str(tmp_path / "own")]
    assert main([*given, "--record", "--report", str(tmp_path / "report")]) == 0
    printed = capsys.readouterr().out
    content = json.loads((tmp_path / "report/evaluation.json").read_text())
    assert read_manifest(tmp_path / "own").accuracy == {
        "data": {"images": 2, "top1": content["top1"], "top5": content["top5"]}
    }
    assert f"calibration  {content['calibration_error']:.2%} expected error" in printed
    assert "caf\N{REPLACEMENT CHARACTER}.png" in {mistake["picture"] for mistake in content["mistakes"]}

    shutil.rmtree(tmp_path / "report")
    with monkeypatch.context() as patch:
        patch.setattr(sys, "stdout", Gone())
        assert main([*given, "--report", str(tmp_path / "report")]) == 1
    assert (tmp_path / "report/report.html").exists()
    for wrong, sentence in (
        (["--record", "--limit", "1"], "leave out --limit"),
        (["--record", "--size", "160"], "leave out --size"),
        (
            ["--report", str(tmp_path / "report/report.html")],
            "report.html cannot be created",
        ),  # and nothing is measured
        (["--size", "16"], "The size must be 96 to 1024; received 16"),
    ):
        assert main([*given, *wrong]) == 2
        assert sentence in capsys.readouterr().err
    assert main(["evaluate", str(tmp_path / "data"), "--record", "--weights", "bundled"]) == 2
    assert "--record needs --weights with a path; received bundled" in capsys.readouterr().err


@pytest.mark.parametrize(("right", "images"), [(0, 10), (10, 10), (50, 100), (4744, 10_000), (1, 1)])
def test_intervals_are_wilsons(right, images):
    """At its bounds the share that was found is 1.96 standard errors away from the true one."""
    low, high = wilson_interval(right, images)
    share = right / images
    assert 0 <= low <= share + 1e-9
    assert share - 1e-9 <= high <= 1
    for bound in (low, high):
        error = (bound * (1 - bound) / images) ** 0.5
        assert abs(right / images - bound) == pytest.approx(1.959964 * error, rel=1e-3, abs=1e-6)


def test_ties_count_as_argmax_decides():
    uniform = np.full((10, 5), 0.2, np.float32)
    truth = np.arange(10) % 5
    assert (ranks(uniform, truth) == truth).all()
    assert ((ranks(uniform, truth) < 1) == (uniform.argmax(axis=1) == truth)).all()
    random = np.random.default_rng(0).integers(0, 3, (200, 6)).astype(np.float32)
    truth = np.random.default_rng(1).integers(0, 6, 200)
    assert ((ranks(random, truth) == 0) == (random.argmax(axis=1) == truth)).all()
    assert (ranks(np.full((2, 4), np.nan, np.float32), np.array([0, 3])) == 4).all()
