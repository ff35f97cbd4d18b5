"""No line of the log or the terminal can be forged from outside."""

import io
import json
import logging
import os
import subprocess
import sys
from pathlib import Path

import pytest

from resnet.cli import main
from resnet.logs import SafeFormatter, without_greetings
from resnet.network.manifest import read_manifest
from resnet.network.sources import BUNDLED
from resnet.text import is_printable
from tests.network.test_archives import ESCAPE

ROOT = Path(__file__).resolve().parent.parent


def test_tensorflow_greets_nobody_and_nothing_else_is_lost(capfd):
    with without_greetings():
        os.write(2, b"WARNING: All log messages before absl::InitializeLog() is called are written to STDERR\n")
        os.write(2, b"E0000 00:00:1700000000.000001  17 cuda.cc:52] failed call to cuInit: UNKNOWN ERROR (303)\n")
        os.write(2, b"I am no greeting\n")
    os.write(2, b"at last\n")
    assert capfd.readouterr().err == "I am no greeting\nat last\n"


def test_a_message_of_any_library_is_one_line():
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(SafeFormatter("%(name)s: %(message)s"))
    log = logging.Logger("elsewhere")
    log.addHandler(handler)
    log.warning("asked for %s", ESCAPE)
    assert stream.getvalue() == "elsewhere: asked for evil\\x1b[2J\\nresnet: forged\n"
    try:
        raise ValueError(ESCAPE)
    except ValueError:
        log.exception("it failed")
    lines = stream.getvalue().splitlines()
    assert all(map(is_printable, lines))
    assert "Traceback (most recent call last):" in lines


def test_what_a_manifest_says_is_printed_in_one_piece(tmp_path, capsys):
    content = read_manifest(BUNDLED).to_json()
    content["accuracy"] = {"\x9b31m\u2028\u202e": {"images": 1, "top1": 1, "top5": 1}}
    content["training"] = {"note": "\x9d0;title\x07"}
    for name in (content["file"], content["class_file"]):
        (tmp_path / name).symlink_to(BUNDLED / name)
    (tmp_path / "manifest.json").write_text(json.dumps(content))
    assert main(["info", "--weights", str(tmp_path)]) == 0
    lines = capsys.readouterr().out.split("\n")
    assert all(map(is_printable, lines))
    assert any("\\x9b31m" in line for line in lines)


@pytest.mark.parametrize("stream", ["stderr"])
def test_the_command_names_a_file_that_it_cannot_write_in_one_line(tmp_path, stream):
    code = (
        "import sys; from resnet import cli; from resnet.cli import info\n"
        f"def run(options): raise PermissionError(13, 'Permission denied', {ESCAPE!r})\n"
        "info._info = run\n"
        "parser = cli._parser; sys.exit(cli.main(['info', '--weights', 'bundled']))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert all(map(is_printable, getattr(ran, stream).splitlines()))
