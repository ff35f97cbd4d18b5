"""The command line as a person and a script use it."""

import io
import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

import app
from resnet.cli import arguments, main
from resnet.maps.evidence import find_evidence
from resnet.maps.observation import observe
from resnet.maps.occlusion import hide
from resnet.network.labels import ASSETS
from resnet.network.sources import BUNDLED
from resnet.photo.images import read_photo

EXAMPLES = ASSETS / "examples"
ROOT = Path(__file__).resolve().parents[2]


pytestmark = pytest.mark.usefixtures("loaded")


def test_table_names_classes_and_stages(capsys):
    assert main(["classify", str(EXAMPLES / "espresso.jpg"), "--top-k", "2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith(str(EXAMPLES / "espresso.jpg"))
    assert "espresso" in lines[1]
    assert lines[3].strip() == "food 99% › espresso 99%"
    assert [line.split()[0] for line in lines[4:]] == ["C1", "C2", "C3", "C4", "C5"]


def test_json_is_one_object_a_line(capsys):
    photos = [str(EXAMPLES / name) for name in ("cat.jpg", "rocket.jpg")]
    assert main(["classify", *photos, "--json", "--map", "channel:3"]) == 0
    results = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [result["image"] for result in results] == photos
    assert {result["map"] for result in results} == {"channel 3"}
    assert all(len(result["predictions"]) == 5 for result in results)


def test_a_bad_photo_is_reported_and_the_rest_go_on(capsys, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_text("no photo")
    assert main(["classify", str(bad), str(EXAMPLES / "cat.jpg"), "--json"]) == 1
    captured = capsys.readouterr()
    assert json.loads(captured.out)["image"] == str(EXAMPLES / "cat.jpg")
    assert f"resnet: {bad} is text, not a photo" in captured.err
    assert "Traceback" not in captured.err


def test_a_box_is_hidden_against_as_much_of_a_map(tmp_path, capsys, engine):
    photo, figure = str(EXAMPLES / "espresso.jpg"), tmp_path / "hidden.png"
    box = ["--box", "200,100,400,300", "--against", "hirescam"]
    assert main(["hide", photo, *box, "--figure", str(figure)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "espresso.jpg  (tiny-imagenet-200): 25.0% of what the network sees is hidden"
    assert [line.split("  ")[1] for line in lines[1:]] == [
        "before", "without what is drawn", "without as much of hirescam, C5"
    ]  # fmt: skip
    observation = observe(read_photo(photo), engine)
    top = int(observation.probabilities.argmax())
    heatmap = find_evidence(observation, engine, [top]).matrix("hirescam")[0][4]
    expected = hide(observation, engine, heatmap, 25, "blur").probabilities
    assert f"{observation.manifest.labels[top].name} {expected[top]:.1%} " in lines[3]
    with Image.open(figure) as picture:
        assert json.loads(picture.text["Description"])["options"]["drawing"] == [{"box": [200, 100, 400, 300]}]
    assert main(["hide", photo, "--box", "4000,0,5000,9"]) == 2
    assert (
        "The network sees nothing of what is to be hidden: the photo has 600 × 400 pixels." in capsys.readouterr().err
    )
    with pytest.raises(SystemExit):
        main(["hide", photo, "--box", "1,2,3"])
    assert "must be LEFT,TOP,RIGHT,BOTTOM; received '1,2,3'" in capsys.readouterr().err


def test_like_cells_are_listed_and_drawn(tmp_path, capsys):
    photos, figure = [str(EXAMPLES / name) for name in ("espresso.jpg", "rocket.jpg", "cat.jpg")], tmp_path / "like.png"
    assert main(["elsewhere", *photos, "--at", "290,140", "--figure", str(figure)]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "espresso.jpg  (tiny-imagenet-200): C4, row 4, column 5"
    found = [line.split() for line in lines[1:]]
    assert [words[1] for words in found] == ["espresso.jpg"] * 3 + ["cat.jpg"] * 3 + ["rocket.jpg"] * 3
    assert all(0 < float(words[0]) < 1 for words in found)
    with Image.open(figure) as picture:
        assert json.loads(picture.text["Description"])["options"]["others"] == ["cat.jpg", "rocket.jpg"]
    assert main(["elsewhere", photos[0], "--at", "20,150"]) == 2
    assert "The network saw x 100 to 500, y 0 to 400 px; received 20,150." in capsys.readouterr().err
    with pytest.raises(SystemExit):
        main(["elsewhere", photos[0], "--at", "middle"])
    assert "must be X,Y; received 'middle'" in capsys.readouterr().err


def test_heatmaps_are_written(tmp_path, capsys):
    assert main(["classify", str(EXAMPLES / "astronaut.jpg"), "--heatmaps", str(tmp_path / "new" / "folder")]) == 0
    names = sorted(path.name for path in (tmp_path / "new" / "folder").iterdir())
    assert names == [*(f"astronaut.C{stage}.jpg" for stage in range(1, 6)), "astronaut.figure.png"]
    assert Image.open(tmp_path / "new" / "folder" / "astronaut.C5.jpg").size == (340, 512)


@pytest.mark.slow
def test_photos_of_one_name_do_not_overwrite_each_other(tmp_path, make_photo, capsys):
    (tmp_path / "a").mkdir(), (tmp_path / "b").mkdir()
    names = ("a/same.png", "a/same-2.png", "b/same.jpg", "b/SAME.bmp")
    photos = [str(make_photo(name, seed=seed)) for seed, name in enumerate(names)]
    assert main(["classify", *photos, "--heatmaps", str(tmp_path / "out")]) == 0
    assert len(list((tmp_path / "out").iterdir())) == 24
    assert (tmp_path / "out" / "same-2.C1.jpg").exists()


def test_a_folder_means_its_photos(tmp_path, make_photo, capsys):
    for name in "abcd":
        make_photo(f"{name}.png")
    assert main(["classify", str(tmp_path), "--json"]) == 0
    captured = capsys.readouterr()
    assert [json.loads(line)["image"] for line in captured.out.splitlines()] == [
        str(tmp_path / f"{name}.png") for name in "abcd"
    ]
    assert captured.err == ""  # which is no terminal: no progress bar


@pytest.mark.parametrize(
    ("photo", "words", "sentence"),
    [
        ("figures/mine.png", ["figures/mine.png", "--export", "."], "mine.png would be written over figures/mine.png"),
        ("a-2.C2.jpg", ["a.png", "b/a.png", "a-2.C2.jpg", "--heatmaps", "."], "a-2.C2.jpg would be written over"),
        ("figures/mine.PNG", ["figures/mine.PNG", "--export", "."], "mine.png would be written over"),
        ("a.C2.jpg", ["a.C2.jpg", "a.png", "--heatmaps", "."], "a.C2.jpg would be written over a.C2.jpg"),
        ("photos/mine.png", ["photos", "--heatmaps", "photos"], "The result photos would lie inside photos"),
        (
            "photos/mine.png",
            ["photos", "--export", "photos/out"],
            "The result photos/out/figures would lie inside photos",
        ),
    ],
)
def test_no_photo_is_replaced_and_no_picture_becomes_a_photo(
    tmp_path, make_photo, monkeypatch, capsys, photo, words, sentence
):
    (tmp_path / photo).parent.mkdir(exist_ok=True)
    kept = make_photo(photo).read_bytes()
    make_photo("a.png")
    (tmp_path / "b").mkdir()
    make_photo("b/a.png")
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    assert main(["classify", *words]) == 2
    assert sentence in capsys.readouterr().err
    assert sorted(tmp_path.rglob("*")) == before
    assert (tmp_path / photo).read_bytes() == kept


@pytest.mark.parametrize(("error", "status"), [(KeyboardInterrupt, 130), (BrokenPipeError, 0)])
@pytest.mark.slow
def test_what_was_answered_is_exported_though_the_rest_is_not_wanted(tmp_path, make_photo, monkeypatch, error, status):
    photos = [str(make_photo(f"{name}.png", seed=seed)) for seed, name in enumerate("abc")]
    printed = []

    def write(text, file):
        if file is sys.stdout:
            printed.append(text)
        if len(printed) == 2:
            raise error

    monkeypatch.setattr("resnet.cli.classify.tqdm.write", write)
    monkeypatch.setattr("resnet.cli.classify.leave_output", lambda: None)
    out = tmp_path / "out"
    assert main(["classify", *photos, "--json", "--top-k", "1", "--export", str(out)]) == status
    written = [entry["image"] for entry in json.loads((out / "manifest.json").read_text())["photos"]]
    assert written == (photos if error is BrokenPipeError else photos[:2])
    assert len((out / "predictions.csv").read_text().splitlines()) == 1 + len(written)
    assert len(printed) == 2


def test_an_interruption_before_the_first_answer_leaves_an_earlier_export(tmp_path, make_photo, monkeypatch):
    photo, out = str(make_photo()), tmp_path / "out"
    assert main(["classify", photo, "--export", str(out)]) == 0
    kept = (out / "predictions.csv").read_text()

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("resnet.cli.classify.answer_many", interrupted)
    assert main(["classify", photo, "--export", str(out)]) == 130
    assert (out / "predictions.csv").read_text() == kept


def test_links_in_circles_and_long_names_stop_nobody_else(tmp_path, make_photo, capsys):
    make_photo("photos.png")
    (tmp_path / "loop.jpg").symlink_to("loop.jpg")
    given = [str(tmp_path / "loop.jpg"), "a" * 300 + ".jpg", str(tmp_path / "photos.png")]
    assert main(["classify", *given, "--json", "--heatmaps", str(tmp_path / "out")]) == 1
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    assert len(captured.err.splitlines()) == 2
    assert len(list((tmp_path / "out").iterdir())) == 6


def test_a_reader_who_leaves_early_ends_what_only_prints(make_photo, monkeypatch):
    def write(text, file):
        raise BrokenPipeError

    monkeypatch.setattr("resnet.cli.classify.tqdm.write", write)
    monkeypatch.setattr("resnet.cli.leave_output", lambda: None)
    assert main(["classify", str(make_photo())]) == 1


def test_a_photo_that_cannot_be_read_is_status_1_whatever_the_command(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(arguments, "load_engine", None)  # it is looked at before weights are loaded
    assert main(["evidence", str(tmp_path / "none.jpg")]) == 1
    assert "none.jpg" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["evidence", "PHOTO", "--difference"], "--difference is a row of the figure; it needs --figure."),
        (["evidence", "PHOTO", "--difference", "--figure", "x.png", "--class", "espresso", "--class", "espresso"],
         "--difference needs two classes; received espresso."),
        (["export", "--bits", "4", "--out", "x"], "--bits needs --format npz; received savedmodel."),
    ],
)  # fmt: skip
def test_options_that_would_do_nothing_are_refused(tmp_path, monkeypatch, capsys, words, sentence):
    monkeypatch.chdir(tmp_path)
    assert main([str(EXAMPLES / "espresso.jpg") if word == "PHOTO" else word for word in words]) == 2
    assert capsys.readouterr().err == f"resnet: {sentence}\n"
    assert list(tmp_path.iterdir()) == []


def test_a_folder_without_photos_is_said(tmp_path, capsys):
    assert main(["classify", str(tmp_path)]) == 1
    assert "there are no photos" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--top-k", "21"], "must be 1 to 20; received '21'"),
        (["--map", "median"], "must be mean, max, l2, pca or channel:N; received 'median'"),
        (["--map", "channel"], "received 'channel'"),
        (["--map", "mean:3"], "received 'mean:3'"),
        (["--opacity", "2"], "must be 0 to 1; received '2'"),
        (["--cut", "x"], "must be 0 to 1; received 'x'"),
        (["--colormap", "jet"], "invalid choice: 'jet'"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_status_2(capsys, words, sentence):
    with pytest.raises(SystemExit) as stopped:
        main(["classify", "photo.jpg", *words])
    assert stopped.value.code == 2
    assert sentence in capsys.readouterr().err


def test_a_folder_that_cannot_be_made_is_status_2(tmp_path, capsys):
    (tmp_path / "file").write_text("")
    assert main(["classify", str(EXAMPLES / "cat.jpg"), "--heatmaps", str(tmp_path / "file" / "below")]) == 2
    assert "cannot be created" in capsys.readouterr().err


def test_info_shows_stages_costs_and_manifest(capsys):
    assert main(["info", "--weights", "bundled"]) == 0
    out = capsys.readouterr().out
    assert "parameters 44,961,352" in out
    assert all(f"\nC{stage} " in out for stage in range(1, 6))
    manifest = json.loads(out[out.index("{") :])
    assert manifest["classes"] == 200


def test_info_lists_every_block(capsys):
    assert main(["info", "--weights", "bundled", "--all-blocks"]) == 0
    assert sum(line.startswith("conv") for line in capsys.readouterr().out.splitlines()) == 33


def test_missing_weights_are_status_2(capsys):
    assert main(["info", "--weights", "/nowhere"]) == 2
    assert capsys.readouterr().err == "resnet: There are no weights at /nowhere: no such file or directory.\n"


def test_a_path_that_cannot_be_looked_up_does_not_stop_the_rest(capsys):
    assert main(["classify", "a" * 300 + ".jpg", str(EXAMPLES / "cat.jpg"), "--json"]) == 1
    captured = capsys.readouterr()
    assert len(captured.out.splitlines()) == 1
    assert "cannot be read: File name too long" in captured.err


def test_any_terminal_can_show_the_output(tmp_path, monkeypatch):
    """An ASCII terminal, and a name that is no valid UTF-8."""
    odd = tmp_path / os.fsdecode(b"caf\xe9.jpg")
    odd.write_bytes((EXAMPLES / "espresso.jpg").read_bytes())
    terminal = io.TextIOWrapper(io.BytesIO(), encoding="ascii", errors="strict")
    monkeypatch.setattr(sys, "stdout", terminal)
    assert main(["classify", str(odd)]) == 0
    assert main(["classify", str(odd), "--json"]) == 0
    shown = terminal.buffer.getvalue().decode("ascii")
    assert "espresso" in shown
    assert "caf" in shown


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_disk_is_said():
    with Path("/dev/full").open("w") as full:
        answer = subprocess.run(
            [sys.executable, "-m", "resnet", "info", "--weights", "bundled"],
            cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert answer.returncode == 1
    assert answer.stderr.strip() == "resnet: Reading or writing failed: No space left on device."


@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_closed_streams_do_no_harm(closed):
    command = f"{sys.executable} -m resnet info --weights bundled {closed}"
    answer = subprocess.run(command, shell=True, cwd=ROOT, capture_output=True, text=True, check=False)
    assert answer.returncode == 0
    assert answer.stderr == ""


def test_info_of_imagenet_before_it_is_moved_is_of_imagenet(capsys):
    assert main(["info", "--weights", "imagenet"]) == 0
    out = capsys.readouterr().out
    assert "1000 classes" in out
    assert "loaded by Keras when they are first used" in out


def test_info_says_that_weights_are_damaged(tmp_path, capsys):
    for path in BUNDLED.iterdir():
        shutil.copy(path, tmp_path)
    with next(tmp_path.glob("*.npz")).open("ab") as file:
        file.write(b"0")
    assert main(["info", "--weights", str(tmp_path)]) == 2
    assert "are damaged" in capsys.readouterr().err


@pytest.mark.parametrize("port", ["0", "99999", "http"])
def test_a_wrong_port_gets_a_sentence(port, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["app.py", "--port", port])
    with pytest.raises(SystemExit) as stopped:
        app.main()
    assert stopped.value.code == 2
    assert f"must be 1 to 65535; received '{port}'" in capsys.readouterr().err


def test_wrong_weights_are_said_before_the_page_starts(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["app.py", "--weights", "/nowhere"])
    assert app.main() == 2
    assert capsys.readouterr().err == "app.py: There are no weights at /nowhere: no such file or directory.\n"


def test_a_wrong_precision_is_said_before_the_page_starts_and_a_setting_that_is_gone_as_well(
    monkeypatch, capsys, caplog
):
    monkeypatch.setattr(sys, "argv", ["app.py"])
    monkeypatch.setenv("RESNET_PRECISION", "16")
    monkeypatch.setenv("RESNET_RUNTIME", "onnx")
    assert app.main() == 2
    sentence = "RESNET_PRECISION must be one of auto, float32, bfloat16; received '16'."
    assert f"app.py: {sentence}\n" in capsys.readouterr().err
    assert "RESNET_RUNTIME does nothing any more: TensorFlow computes every forward pass." in caplog.messages


@pytest.mark.parametrize(
    ("excluded", "own"),
    [(None, "localhost,127.0.0.1,::1,::"), ("*.example", "*.example,localhost,127.0.0.1,::1,::"), ("*", "*")],
)
def test_the_server_is_reached_without_the_proxy_for_the_world_outside(monkeypatch, excluded, own):
    monkeypatch.setattr(app, "getproxies", lambda: {"http": "http://proxy"} | ({"no": excluded} if excluded else {}))
    for name in ("http_proxy", "no_proxy", "NO_PROXY"):
        monkeypatch.setenv(name, excluded or "")
    app._reach_oneself("[::]")
    assert os.environ["no_proxy"] == os.environ["NO_PROXY"] == own


def test_the_address_to_listen_on_is_taken_over_from_gradios_variable(monkeypatch):
    served = []
    monkeypatch.setattr(app.EngineProvider, "start", lambda provider: None)
    monkeypatch.setattr(
        "resnet.ui.lifetime.serve", lambda provider, folder, host, *rest, **options: served.append(host)
    )
    monkeypatch.setenv("GRADIO_SERVER_NAME", "::")
    monkeypatch.setattr(sys, "argv", ["app.py", "--weights", "bundled"])
    assert app.main() == 0
    assert served == ["::"]
    assert "GRADIO_SERVER_NAME" not in os.environ  # Gradio looks for a free port there, and only by IPv4


def test_a_port_in_use_gets_a_sentence(monkeypatch, capsys):
    monkeypatch.setattr(app.EngineProvider, "start", lambda provider: None)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        monkeypatch.setattr(sys, "argv", ["app.py", "--weights", "bundled", "--host", "127.0.0.1", "--port", port])
        assert app.main() == 2
    assert "The page cannot be served" in capsys.readouterr().err


@pytest.mark.parametrize("encoding", ["cp1252", "cp936", "ascii", "utf-8", "utf-16"])
def test_json_is_valid_whatever_the_console_writes(tmp_path, make_photo, monkeypatch, encoding):
    name = make_photo("猫 é 🐈.png")
    written = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding=encoding))
    assert main(["classify", str(name), "--json"]) == 0
    sys.stdout.flush()
    text = written.getvalue().decode(encoding)
    assert json.loads(text)["image"] == str(name)
    assert ("猫" in text) == encoding.startswith("utf")


def test_no_progress_is_drawn_into_a_file(tmp_path, make_photo, capsys):
    for number in range(5):
        make_photo(f"{number}.png", seed=number)
    assert main(["classify", str(tmp_path), "--json"]) == 0
    assert capsys.readouterr().err == ""
    monkey = pytest.MonkeyPatch()
    with monkey.context() as patch:
        patch.setattr(sys.stderr, "isatty", lambda: True, raising=False)
        assert main(["classify", str(tmp_path), "--json"]) == 0
    assert "5/5" in capsys.readouterr().err
