"""What the documents say, tried."""

import csv
import re
import shutil
from pathlib import Path

import gradio
import pytest
import yaml

import resnet
from docs import reference
from resnet.network.labels import ASSETS
from resnet.network.manifest import read_manifest
from resnet.network.sources import BUNDLED

ROOT = Path(__file__).resolve().parent.parent
ENGLISH = (ROOT / "README.md").read_text(encoding="utf-8")
CHINESE = (ROOT / "README.zh-CN.md").read_text(encoding="utf-8")
DOCUMENTS = {path: path.read_text(encoding="utf-8") for path in sorted((ROOT / "docs").glob("*.md"))}


def blocks(text):
    return re.findall(r"^```\w*\n(.*?)^```$", text, re.S | re.M)


def block_with(words):
    (found,) = [block for text in (ENGLISH, *DOCUMENTS.values()) for block in blocks(text) if words in block]
    return found


def test_front_matter_is_what_a_space_needs():
    front = yaml.safe_load(ENGLISH.split("---")[1])
    assert front["sdk"] == "gradio"
    assert (ROOT / front["app_file"]).is_file()
    assert isinstance(front["python_version"], str)
    assert len(front["short_description"]) <= 60
    # The SDK's version is installed on top of requirements.txt, so that range must admit it.
    low, high = re.search(
        r"^gradio\[mcp\]>=([\d.]+),<([\d.]+)$", (ROOT / "requirements.txt").read_text(), re.M
    ).groups()
    numbers = [[int(part) for part in version.split(".")] for version in (low, front["sdk_version"], high)]
    assert numbers[0] <= numbers[1] < numbers[2]
    assert gradio.__version__.split(".")[0] == front["sdk_version"].split(".")[0]


def test_both_languages_hold_the_same_commands_pictures_and_links():
    assert blocks(CHINESE) == blocks(ENGLISH)
    assert CHINESE.count("\n## ") == ENGLISH.count("\n## ")
    links = re.compile(r"\]\((?!README)([^)]+)\)")
    assert links.findall(CHINESE) == links.findall(ENGLISH)


def test_measured_figures_stand_in_one_document_alone():
    body = ENGLISH.split("---", 2)[2]
    assert re.findall(r"\d+\.\d+ %|\d+(?:\.\d+)? ms|\d+\.\d+ MB", body + CHINESE) == []


def test_every_file_that_a_document_links_to_exists():
    for path, text in {ROOT / "README.md": ENGLISH, ROOT / "README.zh-CN.md": CHINESE, **DOCUMENTS}.items():
        for name in re.findall(r"\]\((?!http)([^)#]+)\)", text):
            assert (path.parent / name).exists(), (path.name, name)
    for name in re.findall(r"`(assets/[\w/.-]+)`", ENGLISH):
        assert (ROOT / name).exists(), name


def test_every_room_and_module_is_listed_once():
    listing = block_with("app.py              the Space's entry")
    room = None
    named = set()
    for indent, names in re.findall(r"^(  |    )((?:[\w.]+/?(?:, )?)+)", listing, re.M):
        if indent == "  ":
            room = names if names.endswith("/") else None
            named.add(names)
        else:
            named |= {f"{room}{name}" for name in names.split(", ")}
    rooms = {f"{path.name}/" for path in (ROOT / "resnet").iterdir() if (path / "__init__.py").is_file()}
    modules = {path.name for path in (ROOT / "resnet").glob("*.py")}
    spelled = {"photo/", "network/", "maps/", "output/", "service/"}
    modules |= {f"{room}{path.stem}" for room in spelled for path in (ROOT / "resnet" / room).glob("*.py")}
    modules = {name for name in modules if "__" not in name}
    assert named == rooms | modules | {"ui/tabs/", "ui/panels/", "ui/api/"}


def test_accuracy_in_the_readme_is_the_manifests():
    (accuracy,) = read_manifest(BUNDLED).accuracy.values()
    sentence = f"{accuracy['top1'] * 100:.2f} % top-1, {accuracy['top5'] * 100:.2f} % top-5"
    assert sentence in DOCUMENTS[ROOT / "docs" / "weights.md"]
    assert f"right on {accuracy['top1'] * 100:.0f} of 100" in ENGLISH
    assert sentence in (BUNDLED / "README.md").read_text(encoding="utf-8")


@pytest.fixture
def beside_a_cat(tmp_path, monkeypatch):
    shutil.copy(ASSETS / "examples" / "cat.jpg", tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_library_example_runs(beside_a_cat, engine, monkeypatch, capsys):
    monkeypatch.setattr("resnet.network.sources.load_engine", lambda choice: engine)
    exec(block_with("resnet.observe("), {})
    assert "Prediction(rank=1" in capsys.readouterr().out
    assert len(list(beside_a_cat.glob("cat.C*.png"))) == 5


def test_client_example_runs(beside_a_cat, server, capsys):
    exec(block_with("from gradio_client import").replace("http://127.0.0.1:7860", server), {})
    assert "'rank': 1" in capsys.readouterr().out


@pytest.mark.slow
def test_command_line_examples_are_accepted(beside_a_cat, engine, monkeypatch, capsys):
    from resnet import cli

    monkeypatch.setattr(cli.arguments, "load_engine", lambda choice: engine)
    (beside_a_cat / "holiday").mkdir()
    shutil.copy("cat.jpg", "holiday")
    commands = re.findall(
        r"^python -m resnet (classify|evidence|hide|elsewhere|compare|info)(.*?)(?:#|$)",
        block_with("classify cat.jpg holiday/"),
        re.M,
    )
    assert len(commands) == 13
    for command, words in commands:
        assert cli.main([command, *words.split()]) == 0


def test_every_example_photo_has_a_licence():
    text = (ASSETS / "examples" / "README.md").read_text(encoding="utf-8")
    photos = sorted(path.name for path in (ASSETS / "examples").glob("*.jpg"))
    assert len(photos) >= 6
    assert re.findall(r"^\| `([^`]+)` \|", text, re.M) == photos


def test_label_file_is_plain_csv():
    with (ASSETS / "labels" / "imagenet.csv").open(encoding="utf-8", newline="") as file:
        assert next(csv.reader(file)) == ["wnid", "name", "synonyms"]


def test_the_reference_shows_the_public_names_with_what_they_take_and_raise(tmp_path):
    reference.main(tmp_path)
    page = (tmp_path / "resnet.html").read_text(encoding="utf-8")
    assert re.findall(r'<section id="(\w+)"', page) == resnet.__all__
    for name in ("read_photo", "load_engine", "observe"):
        assert re.search(rf'<section id="{name}">.*?Arguments:.*?Raises:.*?</section>', page, re.S), name
    assert "probabilities" in (tmp_path / "resnet" / "maps" / "observation.html").read_text(encoding="utf-8")


def test_the_citation_names_this_version():
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["version"] == resnet.__version__
    assert citation["license"] == "Apache-2.0"
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
