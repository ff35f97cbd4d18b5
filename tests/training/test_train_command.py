"""`python -m resnet train`: from a folder of photos to weights that answer, whatever happens in between."""

import csv
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from resnet.cli import main
from resnet.network.manifest import file_sha256, read_manifest
from resnet.photo.images import read_photo
from resnet.training.pictures import digest_of

ROOT = Path(__file__).resolve().parents[2]
SMALL = ["--from-scratch", "--depth", "50", "--size", "32", "--batch-size", "8", "--patience", "0"]


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two classes of eight photos, red and blue, one file that is none, and a copy."""
    root = tmp_path_factory.mktemp("data") / "colours"
    generator = np.random.default_rng(0)
    for name, colour in (("red", (200, 40, 40)), ("blue", (40, 40, 200))):
        (root / name).mkdir(parents=True)
        for number in range(8):
            noise = generator.integers(-30, 30, (40, 60, 3))
            Image.fromarray((np.array(colour) + noise).astype(np.uint8)).save(root / name / f"{number}.png")
    (root / "red" / "broken.jpg").write_text("no photo")
    (root / "red" / "copy.png").write_bytes((root / "red" / "3.png").read_bytes())
    return root


def start(*arguments, **options):
    command = [sys.executable, "-m", "resnet", "train", *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options)


def write_soft_labels(path, photos, confidence):
    """Answers of a classifier that is right about every picture, blue first."""
    classes = [(index, file) for index, name in enumerate(("blue", "red")) for file in (photos / name).glob("*.png")]
    answers = [[confidence, 1 - confidence] if index == 0 else [1 - confidence, confidence] for index, _ in classes]
    digests = [digest_of(read_photo(file).image) for _, file in classes]
    np.savez(path, digest=np.array(digests), probability=np.array(answers))


@pytest.fixture(scope="module")
def trained(photos, tmp_path_factory):
    """A run that was killed and resumed, and what it printed at its end."""
    out = tmp_path_factory.mktemp("result") / "mine"
    soft = out.parent / "soft.npz"
    write_soft_labels(soft, photos, 0.875)
    arguments = [photos, "--out", out, *SMALL, "--epochs", "5", "--steps-per-epoch", "2", "--soft-labels", soft]
    process = start(*arguments)
    deadline = time.monotonic() + 240
    progress = out / "state" / "progress.json"
    while not progress.exists():
        assert process.poll() is None, process.communicate()[1][-2000:]
        assert time.monotonic() < deadline
        time.sleep(0.02)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate()
    done = len(json.loads(progress.read_text())["history"])
    assert not (out / "manifest.json").exists()
    kept = soft.read_bytes()
    write_soft_labels(soft, photos, 0.75)
    _, errors = (changed := start(photos, "--out", out, "--resume")).communicate(timeout=300)
    assert (changed.returncode, "began with other soft labels than those of" in errors) == (2, True)
    soft.write_bytes(kept)
    resumed = start(photos, "--out", out, "--resume")
    printed, errors = resumed.communicate(timeout=300)
    assert resumed.returncode == 1, errors[-2000:]  # 1 because of the file that is no photo
    return out, printed, errors, done


@pytest.mark.slow
def test_a_killed_run_is_finished_by_the_same_schedule(trained):
    out, printed, _, done = trained
    history = json.loads((out / "history.json").read_text())
    assert 1 <= done < 5
    assert [row["epoch"] for row in history] == list(range(1, 6))
    assert [row["images"] for row in history] == [16 * number for number in range(1, 6)]
    rates = [row["rate"] for row in history]
    assert rates[-1] == pytest.approx(0, abs=1e-9)
    assert rates == sorted(rates, reverse=True)
    seconds = [row["seconds"] for row in history]
    assert seconds == sorted(seconds)
    assert f"python app.py --weights {out}" in printed


@pytest.mark.slow
def test_its_folder_holds_what_the_page_and_a_reader_need(trained):
    out, *_ = trained
    assert sorted(path.name for path in out.iterdir()) == [
        "calibration.png", "classes.txt", "confusion.png", "curves.png", "evaluation.json", "history.json", "logs",
        "manifest.json", "model.weights.h5", "report.html", "run.json", "validation.csv",
    ]  # fmt: skip
    manifest = read_manifest(out)
    assert [label.name for label in manifest.labels] == ["blue", "red"]
    assert (manifest.depth, manifest.input.size, manifest.name) == (50, 32, "mine")
    assert manifest.training["data"]["training"] == {"blue": 6, "red": 6}
    assert manifest.training["data"]["validation"] == {"blue": 2, "red": 2}
    assert manifest.training["options"]["epochs"] == 5
    assert manifest.training["data"]["soft_labels"] == file_sha256(out.parent / "soft.npz")
    assert str(out.parent) not in (out / "manifest.json").read_text()
    accuracy = manifest.accuracy["colours, validation, which chose the epoch"]
    content = json.loads((out / "evaluation.json").read_text())
    assert accuracy["images"] == content["images"] == sum(map(sum, content["confusion"])) == 4
    assert accuracy["top1"] == content["top1"]
    assert "top5" not in accuracy
    with (out / "validation.csv").open(encoding="utf-8-sig", newline="") as file:
        assert sorted(row["label"] for row in csv.DictReader(file)) == ["blue", "blue", "red", "red"]


@pytest.mark.slow
def test_what_was_left_out_is_said(trained):
    _, _, errors, _ = trained
    assert "broken.jpg is text, not a photo" in errors
    assert "copy.png (red, training) shows the same as 3.png (red, training) and is left out." in errors


@pytest.mark.slow
def test_the_result_answers_and_can_be_measured_again(trained, photos, capsys):
    out, *_ = trained
    assert main(["classify", str(photos / "red/1.png"), "--weights", str(out), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {prediction["label"] for prediction in answer["predictions"]} == {"red", "blue"}
    recorded = json.loads((out / "evaluation.json").read_text())
    assert main(["evaluate", str(out / "validation.csv"), "--outside", "--weights", str(out), "--json"]) == 0
    again = json.loads(capsys.readouterr().out)
    assert again["confusion"] == recorded["confusion"]
    assert again["calibration_error"] == pytest.approx(recorded["calibration_error"], abs=1e-5)


def refused(arguments, capsys):
    assert main(["train", *map(str, arguments)]) == 2
    (line,) = [one for one in capsys.readouterr().err.splitlines() if one.startswith("resnet:")]
    return line


@pytest.mark.slow
def test_a_finished_run_cannot_go_on_and_is_not_overwritten(trained, photos, capsys):
    out, *_ = trained
    assert "is complete, or its checkpoints are gone" in refused([photos, "--out", out, "--resume"], capsys)
    assert "already holds a run; resume it with --resume" in refused([photos, "--out", out, *SMALL], capsys)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["{photos}", "--out", "{tmp}/none", "--resume"], "holds no run to resume; start one without --resume"),
        (["{tmp}/missing", "--out", "{tmp}/out", *SMALL], "The data set must be a folder"),
        (["{photos}/red", "--out", "{tmp}/out", *SMALL], "holds 10 pictures without a folder"),
        (["{photos}", "--out", "{tmp}/file", *SMALL], "The result needs a folder; .*file is a file"),
        (["{photos}", "--out", "{tmp}/full", *SMALL], "The result needs a new folder; .*full exists and is not empty"),
        (["{photos}", "--out", "{photos}/out", *SMALL], "would lie inside .*colours; please choose a folder elsewhere"),
        (["{photos}", "--out", "{tmp}/foreign", "--resume"], "was not written by this version of the program"),
        (["{photos}", "--out", "{tmp}/out", "--depth", "50"], "--depth 50 needs --from-scratch"),
        (["{tmp}/unreadable", "--out", "{tmp}/out", *SMALL], "No picture of the data set could be read"),
        (["{photos}", "--out", "{tmp}/file/deep", *SMALL], "cannot be created: Not a directory"),
        (["{photos}", "--out", "{tmp}/out", "--size", "8"], "The size must be 32 to 1024"),
        (["{photos}", "--out", "{tmp}/out", "--rate", "0"], "The rate must be"),
        (["{photos}", "--out", "{tmp}/out", "--weights", "{tmp}/missing"], "There are no weights at"),
        (["{photos}", "--out", "{tmp}/out", "--soft-labels", "{tmp}/none.npz"], "The soft labels .* cannot be read"),
        (["{photos}", "--out", "{tmp}/out", "--soft-share", "2"], "The share of the soft labels must be 0 to 1"),
        (
            ["{photos}", "--out", "{tmp}/out", "--strategy", "multiworker"],
            "--strategy multiworker is gone",
        ),
        (["{photos}", "--out", "{tmp}/out", "--strategy", "all"], "strategy must be one of one, mirrored"),
        (["{photos}", "--out", "{tmp}/out", "--checkpoint-minutes", "5"], "is gone: a run is kept after every epoch"),
    ],
)
def test_a_mistake_is_one_sentence_and_leaves_no_run(photos, tmp_path, capsys, arguments, sentence):
    (tmp_path / "file").write_text("")
    for name in ("full", "foreign", "unreadable/a", "unreadable/b"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "mine.png").write_text("mine")
    (tmp_path / "foreign/run.json").write_text('{"a": 1}')
    given = [argument.format(photos=photos, tmp=tmp_path) for argument in arguments]
    assert re.search(sentence, refused(given, capsys))
    assert not (tmp_path / "out").exists()
    assert (tmp_path / "full/mine.png").exists()


def test_every_option_states_its_default(capsys):
    with pytest.raises(SystemExit):
        main(["train", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    for option in ("--epochs", "--rate", "--batch-size", "--seed", "--precision", "--strategy", "--unfreeze"):
        assert option in text
    assert text.count("(default:") >= 20


@pytest.mark.slow
def test_a_folder_that_a_former_version_wrote_still_answers(tmp_path, photos, capsys):
    from resnet.network.model import build_network
    from resnet.stages import blocks_of_depth

    folder = shutil.copytree(Path(__file__).parent / "former_run", tmp_path / "former")
    network = build_network(blocks_of_depth(50), input_shape=(None, None, 3), classes=2)
    network.save_weights(str(folder / "model.weights.h5"))
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["sha256"] = file_sha256(folder / "model.weights.h5")  # the weights are too large to be kept
    (folder / "manifest.json").write_text(json.dumps(manifest))
    assert main(["classify", str(photos / "red/1.png"), "--weights", str(folder), "--json"]) == 0
    answer = json.loads(capsys.readouterr().out)
    assert {prediction["label"] for prediction in answer["predictions"]} == {"red", "blue"}
    assert answer["levels"] == []
    assert "was not written by this version of the program" in refused([photos, "--out", folder, "--resume"], capsys)
