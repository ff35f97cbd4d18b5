"""Very many photos: the result of `classify`, as Parquet, by several processes, and on from where it was."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from resnet.cli import main
from resnet.errors import DataError, OptionError
from resnet.output import batch as batch_module
from resnet.output import portions
from resnet.output.batch import Classifier, count_rows, result_schema, run_batch
from resnet.output.portions import BatchOptions, find_portions
from resnet.photo.folders import Found
from resnet.photo.images import read_photo
from resnet.photo.preprocess import prepare
from resnet.text import printable

ROOT = Path(__file__).resolve().parents[2]
ODD_NAME = os.fsdecode(b"caf\xe9.png")  # no UTF-8


@pytest.fixture
def photos(tmp_path, make_photo):
    (tmp_path / "photos/deep").mkdir(parents=True)
    for number in range(5):
        make_photo(f"photos/{number}.png", size=(80 + 9 * number, 70), seed=number)
    make_photo("photos/deep/last.png", seed=9).rename(tmp_path / "photos/deep" / ODD_NAME)
    (tmp_path / "photos/bad.jpg").write_text("no photo")
    return tmp_path / "photos"


def rows_of(out):
    return {row["path"]: row for row in pq.read_table(out).to_pylist()}


@pytest.fixture
def local(monkeypatch, engine):
    """Portions answered in this process, with the session's network, and counted."""
    done = []

    def write(_, portion, target, weights, options):
        worker = Classifier.__new__(Classifier)
        worker._engine, worker._options = engine, options
        table = worker({"path": np.array(portion.photos, object)})
        target.mkdir()
        pq.write_table(table, target / "rows.parquet")
        done.append(target.name)

    monkeypatch.setattr(batch_module, "_write_portion", write)
    monkeypatch.setattr(batch_module, "_start_ray", lambda *_: None)
    return done


@pytest.mark.slow
def test_two_workers_give_the_result_of_classify(photos, tmp_path, engine, capsys):
    table = pa.table({
        "path": ["one", "two", "three"],
        "image": [*((photos / f"{number}.png").read_bytes() for number in range(2)), b"no photo"],
    })  # fmt: skip
    pq.write_table(table, tmp_path / "more.parquet")
    out = tmp_path / "out"
    given = ["batch", str(photos), str(tmp_path / "more.parquet"), "--out", str(out), "--weights", "bundled"]
    assert main([*given, "--workers", "2", "--batch-size", "3", "--portion", "8"]) == 1  # two are no photos
    found = rows_of(out)
    printed = capsys.readouterr()
    assert f"wrote {out}: 10 photos" in printed.out
    assert "2 of them could not be read; the column error says why." in printed.err
    assert len(list(out.glob("part-*"))) == 2  # the folder and the file

    assert main(["classify", str(photos), "--json", "--weights", "bundled"]) == 1
    answers = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert len(answers) == 6
    paths = {printable(str(path)): path for path in photos.rglob("*")}
    for answer in answers:
        row = found[answer["image"]]
        assert row["labels"] == [prediction["label"] for prediction in answer["predictions"]]
        assert row["wnids"] == [prediction["wnid"] for prediction in answer["predictions"]]
        np.testing.assert_allclose(
            row["probabilities"], [prediction["probability"] for prediction in answer["predictions"]], atol=1e-5
        )
        photo = read_photo(paths[answer["image"]])
        pixels = prepare(photo.image, engine.manifest.input, "crop", photo.size).pixels
        features = engine.run(pixels[None]).maps["C5"][0].mean(axis=(0, 1))
        np.testing.assert_allclose(row["features"], features, atol=1e-4)
    assert found["one"]["labels"] == found[str(photos / "0.png")]["labels"]
    assert found["three"]["error"].startswith("three is text, not a photo")
    assert found[str(photos / "bad.jpg")]["error"].startswith("bad.jpg is text, not a photo")
    assert found[str(photos / "bad.jpg")]["labels"] == []


@pytest.mark.slow
def test_a_run_of_rays_that_was_killed_is_finished_and_its_parts_stay(photos, tmp_path, engine, capsys):
    out = tmp_path / "out"
    command = ["batch", str(photos), "--out", str(out), "--weights", "bundled", "--workers", "1", "--portion", "3"]
    process = subprocess.Popen([sys.executable, "-m", "resnet", *command], cwd=ROOT, start_new_session=True)
    try:
        while not (first := out / "part-00000").exists():
            assert process.poll() is None
            time.sleep(0.02)
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    written = {path: path.stat().st_mtime_ns for path in first.iterdir()}
    assert len(list(out.glob("part-*"))) < 3
    assert main(command) == 1  # one is no photo
    assert f"wrote {out}: 7 photos" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in first.iterdir()} == written
    found = rows_of(out)
    assert len(found) == count_rows(out)[0] == 7
    for number in range(5):
        photo = read_photo(photos / f"{number}.png")
        pixels = prepare(photo.image, engine.manifest.input, "crop", photo.size).pixels
        expected = np.sort(engine.run(pixels[None]).probabilities[0])[::-1][:5]
        np.testing.assert_allclose(found[str(photos / f"{number}.png")]["probabilities"], expected, atol=1e-5)


def test_a_run_that_was_ended_goes_on_with_what_is_missing(photos, tmp_path, local, monkeypatch):
    out, options = tmp_path / "out", BatchOptions("bundled", portion=2)
    steps = run_batch([photos], out, options)
    assert [next(steps) for _ in range(3)] == [(0, 4), (1, 4), (2, 4)]
    steps.close()
    (out / "_pending").mkdir()  # what a process leaves that ends while it writes
    (out / "_pending" / "half.parquet").write_bytes(b"PAR1")
    assert list(run_batch([photos], out, options)) == [(2, 4), (3, 4), (4, 4)]
    assert local == ["part-00000", "part-00001", "part-00002", "part-00003"]
    assert list(run_batch([photos], out, options)) == [(4, 4)]
    assert count_rows(out) == (7, 1)


@pytest.mark.parametrize(
    ("change", "key"), [({"top_k": 3}, "top_k"), ({"framing": "whole"}, "framing"), ({"portion": 3}, "portions")]
)
def test_a_result_is_not_mixed_with_other_work(photos, tmp_path, local, change, key):
    list(run_batch([photos], tmp_path / "out", BatchOptions("bundled", portion=2)))
    with pytest.raises(OptionError, match=f"holds the result of other work, which differs in '{key}'"):
        list(run_batch([photos], tmp_path / "out", BatchOptions("bundled", **{"portion": 2, **change})))


def test_a_folder_that_cannot_be_read_is_named(photos, monkeypatch):
    monkeypatch.setattr(portions, "find_pictures", lambda folder: Found(unreadable=["It cannot."]))
    with pytest.raises(DataError, match=r"It cannot\."):
        find_portions([photos], 8)


def test_what_a_worker_says_is_said_without_what_ray_says_around_it():
    inner, outer = DataError("The weights are gone."), RuntimeError("To change retry attempts\n configure DataContext")
    middle = RuntimeError("Ray's own")
    middle.cause = inner
    outer.__cause__ = middle
    assert batch_module._reason(outer) == "The weights are gone."
    assert batch_module._reason(RuntimeError()) == "RuntimeError"


def test_a_new_photo_makes_it_other_work(photos, tmp_path, local, make_photo):
    list(run_batch([photos], tmp_path / "out", BatchOptions("bundled")))
    make_photo("photos/new.png")
    with pytest.raises(OptionError, match="which differs in 'input'"):
        list(run_batch([photos], tmp_path / "out", BatchOptions("bundled")))


def test_a_folder_of_something_else_is_left_alone(photos, tmp_path, local):
    (tmp_path / "out").mkdir()
    (tmp_path / "out/mine.txt").write_text("")
    with pytest.raises(OptionError, match="needs a new folder"):
        list(run_batch([photos], tmp_path / "out", BatchOptions("bundled")))


def test_photos_of_several_shapes_are_answered_in_order(photos, engine):
    worker = Classifier.__new__(Classifier)
    worker._engine, worker._options = engine, BatchOptions(framing="whole", batch_size=2)
    names = [str(photos / f"{number}.png") for number in (4, 0, 3)]
    table = worker({"path": np.array(names, object)})
    assert table.schema == result_schema()
    assert table["path"].to_pylist() == names
    assert {len(row) for row in table["features"].to_pylist()} == {2048}


@pytest.mark.parametrize(
    ("sources", "sentence"),
    [(["none"], "There is no folder or file"), (["empty"], "holds neither photos nor Parquet files")],
)
def test_sources_without_photos_are_named(tmp_path, sources, sentence):
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=sentence):
        find_portions([tmp_path / source for source in sources], 10)


def test_a_cell_may_hold_bytes_a_structure_or_nothing(photos, engine):
    worker = Classifier.__new__(Classifier)
    worker._engine, worker._options = engine, BatchOptions()
    content = (photos / "0.png").read_bytes()
    cells = np.array([content, {"bytes": content, "path": "x"}, None, {"path": "x"}], object)
    table = worker({"path": np.array(["a", "b", "c", "d"], object), "content": cells})
    first, second, third, fourth = table.to_pylist()
    assert first["labels"] == second["labels"] != []
    assert [third["error"], fourth["error"]] == ["c has no content.", "d has no content."]


def test_a_result_inside_its_own_source_is_refused(photos):
    with pytest.raises(OptionError, match="would lie inside"):
        list(run_batch([photos], photos / "out", BatchOptions("bundled")))


def test_a_missing_ray_is_said_with_the_way_to_get_it(photos, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "ray", None)
    with pytest.raises(OptionError, match="Many photos at once need Ray: python -m pip install"):
        list(run_batch([photos], tmp_path / "out", BatchOptions("bundled")))


def test_parquet_without_the_column_is_named(tmp_path):
    pq.write_table(pa.table({"file": [b"x"]}), tmp_path / "a.parquet")
    portion = portions.Portion(parquet=str(tmp_path / "a.parquet"))
    with pytest.raises(DataError, match=r"has no column 'image'; it has file"):
        batch_module._read(None, portion, BatchOptions())
    pq.write_table(pa.table({"image": [b"x"]}), tmp_path / "c.parquet")
    with pytest.raises(DataError, match=r"has no column 'path'; it has image"):
        batch_module._read(None, portions.Portion(parquet=str(tmp_path / "c.parquet")), BatchOptions())
    (tmp_path / "b.parquet").write_bytes(b"nothing")
    with pytest.raises(DataError, match="cannot be read as Parquet"):
        batch_module._read(None, portions.Portion(parquet=str(tmp_path / "b.parquet")), BatchOptions())
