"""Many photos and the files that leave the program."""

import csv
import json
import zipfile

import numpy as np
import pytest

from resnet.errors import OptionError
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import observe
from resnet.network.labels import ASSETS
from resnet.output.export import Export, answer_many, unused_stem, write_all, zip_folder
from resnet.output.tables import unguarded, write_table
from resnet.photo.images import read_photo

EXAMPLES = sorted((ASSETS / "examples").glob("*.jpg"))[:3]


@pytest.fixture
def sources(tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_text("no photo")
    return [(path, path.name) for path in (EXAMPLES[0], bad, *EXAMPLES[1:])]


def test_answers_come_in_order_and_are_those_of_single_photos(engine, sources):
    answers = list(answer_many(sources, engine))
    assert [answer.name for answer in answers] == [name for _, name in sources]
    assert "bad.jpg is text, not a photo" in str(answers[1].error)
    for answer, (path, _) in zip(answers, sources, strict=True):
        if answer.observation is not None:
            alone = observe(read_photo(path), engine)
            np.testing.assert_allclose(answer.observation.probabilities, alone.probabilities, atol=1e-5)
            for found, expected in zip(answer.observation.maps, alone.maps, strict=True):
                assert np.abs(found - expected).max() <= 1e-4 * expected.max()


def test_photos_of_equal_size_share_a_pass(engine):
    before = engine.passes
    assert len(list(answer_many([(path, path.name) for path in EXAMPLES], engine))) == 3
    assert engine.passes == before + 1


def test_photos_of_different_shapes_are_answered_too(engine):
    answers = list(answer_many([(path, path.name) for path in EXAMPLES], engine, "whole"))
    shapes = [answer.observation.pixels.shape for answer in answers]
    assert len(set(shapes)) > 1
    for answer, path in zip(answers, EXAMPLES, strict=True):
        alone = observe(read_photo(path), engine, "whole")
        np.testing.assert_allclose(answer.observation.probabilities, alone.probabilities, atol=1e-5)


def test_the_folder_holds_what_was_answered(engine, sources, tmp_path):
    folder = tmp_path / "out"
    view = ViewOptions("max", colormap="magma")
    export = Export(folder, engine.manifest, view, top_k=2)
    answers = list(write_all(answer_many(sources, engine), export))
    with (folder / "predictions.csv").open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 3 + 1
    first = answers[0].observation.predictions(2)
    for row, expected in zip(rows, first, strict=False):
        assert (row["photo"], row["rank"], row["label"]) == (sources[0][1], str(expected.rank), expected.label)
        assert float(row["probability"]) == pytest.approx(expected.probability)
    assert [row["error"] for row in rows if row["photo"] == "bad.jpg"] == [str(answers[1].error)]

    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert manifest["weights"]["sha256"] == engine.manifest.sha256
    assert manifest["preprocessing"]["size"] == 128
    assert manifest["options"]["aggregation"] == "max"
    assert manifest["options"]["top_k"] == 2
    assert [photo["image"] for photo in manifest["photos"]] == [name for _, name in sources]
    for photo, answer in zip(manifest["photos"], answers, strict=True):
        if answer.observation is None:
            assert photo["error"] == str(answer.error)
            continue
        with np.load(folder / photo["files"]["maps"]) as stored:
            assert sorted(stored.files) == ["C1", "C2", "C3", "C4", "C5", "about", "probabilities"]
            assert np.array_equal(stored["C3"], answer.observation.maps[2])
            assert np.array_equal(stored["probabilities"], answer.observation.probabilities)
        assert (folder / photo["files"]["figure"]).read_bytes().startswith(b"\x89PNG")


def test_figures_and_maps_can_be_left_out(engine, tmp_path):
    export = Export(tmp_path / "out", engine.manifest, ViewOptions(), maps=False, figures=False)
    list(write_all(answer_many([(EXAMPLES[0], "a.jpg")], engine), export))
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == ["manifest.json", "predictions.csv"]


def test_photos_of_one_name_get_files_of_their_own():
    used = set()
    assert [unused_stem(name, used) for name in ("a/x.jpg", "b/x.png", "X.gif")] == ["x", "x-2", "X-3"]


def test_a_zip_holds_the_folder(tmp_path):
    (tmp_path / "in" / "maps").mkdir(parents=True)
    (tmp_path / "in" / "maps" / "a.npz").write_bytes(b"1")
    (tmp_path / "in" / "manifest.json").write_text("{}")
    with zipfile.ZipFile(zip_folder(tmp_path / "in", tmp_path / "all.zip")) as packed:
        assert sorted(name for name in packed.namelist() if not name.endswith("/")) == ["manifest.json", "maps/a.npz"]


def test_a_folder_that_cannot_be_made_is_named(engine, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OptionError, match="file/out cannot be created"):
        Export(tmp_path / "file" / "out", engine.manifest, ViewOptions())


def test_a_wrong_number_of_classes_is_named_before_anything_is_written(engine, tmp_path):
    with pytest.raises(OptionError, match="number of classes must be 1 to 20; received 0"):
        Export(tmp_path / "out", engine.manifest, ViewOptions(), top_k=0)
    assert not (tmp_path / "out").exists()


def test_no_cell_is_taken_for_a_formula(engine, tmp_path):
    export = Export(tmp_path / "out", engine.manifest, ViewOptions(), maps=False, figures=False)
    list(write_all(answer_many([(EXAMPLES[0], "=1+1.jpg"), (tmp_path / "gone", "@x")], engine), export))
    with (tmp_path / "out" / "predictions.csv").open(encoding="utf-8-sig", newline="") as file:
        assert {row["photo"] for row in csv.DictReader(file)} == {"'=1+1.jpg", "'@x"}


FORMULAS = ["=1", "+1", "-1", "@a", " =1", "\N{FULLWIDTH EQUALS SIGN}1",
            "\N{FULLWIDTH COMMERCIAL AT}a", "\N{IDEOGRAPHIC SPACE}=1", "\N{NO-BREAK SPACE}-1"]  # fmt: skip
TEXTS = ["cat", 'a "quoted" cat', "it's", "'", "", "中文", "1,5"]

INSIDE = [
    "a;=cmd|' /C calc'!A0",
    "a\n=1",
    "\t=1",
    "\r\n=1",
    "a; \t=1",
    'a;"=1+1;x',
    'a;"\N{NO-BREAK SPACE}=1;',
    "a;'=1",
    "=1;=2",
]


@pytest.mark.parametrize("separator", [",", ";"])
def test_a_spreadsheet_sees_no_formula_whichever_separator_it_takes(tmp_path, separator):
    texts = [*FORMULAS, *TEXTS, *INSIDE]
    write_table(tmp_path / "t.csv", ["a", "b"], [{"a": text, "b": text, "c": "left out"} for text in texts])
    content = (tmp_path / "t.csv").read_bytes()
    assert content.startswith(b"\xef\xbb\xbf")  # by which Excel knows UTF-8
    with (tmp_path / "t.csv").open(encoding="utf-8-sig", newline="") as file:
        text = file.read()
    cells = [cell for row in csv.reader(text.splitlines(keepends=True), delimiter=separator) for cell in row]
    assert not any(cell.lstrip().startswith(tuple("=+-@＝＋－＠")) for cell in cells)
    if separator == ",":
        assert cells[2 : 2 + 2 * len(FORMULAS) : 2] == [f"'{text}" for text in FORMULAS]
        assert cells[2 + 2 * len(FORMULAS) : -2 * len(INSIDE) : 2] == TEXTS
        assert [unguarded(cell) for cell in cells[3::2]] == texts


def test_a_name_that_is_no_text_does_not_spoil_the_export(engine, tmp_path):
    export = Export(tmp_path / "out", engine.manifest, ViewOptions(), maps=False, figures=False)
    (answer,) = write_all(answer_many([(EXAMPLES[0], "bad\udcff.jpg")], engine), export)
    assert answer.name == "bad\N{REPLACEMENT CHARACTER}.jpg"
    assert answer.name in (tmp_path / "out" / "predictions.csv").read_text(encoding="utf-8")


def test_a_photo_whose_file_cannot_be_written_stays_in_the_manifest(engine, tmp_path):
    (tmp_path / "out" / "figures" / "cat.png").mkdir(parents=True)
    export = Export(tmp_path / "out", engine.manifest, ViewOptions())
    (answer,) = answer_many([(EXAMPLES[0], "cat.jpg")], engine)
    with pytest.raises(OptionError, match=r"The files of cat\.jpg cannot be written"):
        export.add(answer)
    export.finish()
    (photo,) = json.loads((tmp_path / "out" / "manifest.json").read_text(encoding="utf-8"))["photos"]
    assert "cannot be written" in photo["error"]
    assert photo["files"] == {"maps": "maps/cat.npz"}
    assert photo["predictions"]


def test_a_wrong_framing_is_named_before_anything_is_written(engine, tmp_path):
    with pytest.raises(OptionError, match="framing must be one of crop, whole"):
        Export(tmp_path / "out", engine.manifest, ViewOptions(), framing="tile")
    assert not (tmp_path / "out").exists()
