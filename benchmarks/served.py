"""The page in a process of its own, for measurements from outside."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from prometheus_client.parser import text_string_to_metric_families

ROOT = Path(__file__).resolve().parent.parent


def start_server(folder: Path, log: Path) -> tuple[subprocess.Popen[bytes], str]:
    """`python app.py` with the bundled weights on a free port: the process and its address.

    Args:
        folder: For its temporary files.
        log: Where its output goes.
    """
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    # One precision from the first answer on, as in what is measured within a process.
    environment = {"RESNET_PRECISION": "float32", **os.environ, "GRADIO_TEMP_DIR": str(folder), "TMPDIR": str(folder)}
    command = [sys.executable, "app.py", "--weights", "bundled", "--port", str(port)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
    return process, f"http://127.0.0.1:{port}"


def numbers(metrics: str) -> dict[str, float]:
    """Return the values of `/metrics` by name and labels."""
    return {
        " ".join([sample.name, *sample.labels.values()]): sample.value
        for family in text_string_to_metric_families(metrics)
        for sample in family.samples
    }


def page_events(config: dict[str, Any]) -> dict[str, int]:
    """Numbers of the English page's events: a new photo ("explain"), what follows ("answer"), another view ("show")."""
    names = {part["id"]: part["props"].get("elem_id") for part in config["components"]}
    inputs = [[names[part] for part in event["inputs"]] for event in config["dependencies"]]
    outputs = [[names[part] for part in event["outputs"]] for event in config["dependencies"]]
    everything = range(len(outputs))
    explain = next(place for place in everything if inputs[place][:1] == ["photo"] and outputs[place][0] == "message")
    later = everything[explain + 1 :]
    return {
        "explain": explain,
        "answer": next(place for place in later if outputs[place][:2] == ["classes", "stages"]),
        "show": next(place for place in everything if outputs[place][:1] == ["stages"]),
    }


def first_choice(config: dict[str, Any]) -> str:
    """Return the page's initial value for the visitor's weights, which only its server can sign."""
    explain = config["dependencies"][page_events(config)["explain"]]
    value: str = next(part["props"]["value"] for part in config["components"] if part["id"] == explain["inputs"][2])
    return value
