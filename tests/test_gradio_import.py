"""Gradio is imported without its upkeep of type stubs, and is the same otherwise."""

import json
import subprocess
import sys

import pytest

from tests.test_imports import ROOT

PROGRAM = """
import inspect, json, sys
opened = []
sys.addaudithook(lambda event, values: opened.append(str(values[0])) if event == "open" else None)
import {module}, gradio
components = {{
    name: [sorted(event.event_name for event in part.EVENTS), sorted(dir(part))]
    for name, part in sorted(vars(gradio.components).items())
    if isinstance(part, type) and issubclass(part, gradio.components.Component)
}}
print(json.dumps([
    [path for path in opened if path.endswith(".pyi")], components, inspect.getfile(gradio.Image), str(gradio.__file__)
]))
"""


def imported(module):
    ended = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(module=module)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return json.loads(ended.stdout)


@pytest.mark.slow
def test_gradio_is_the_same_without_its_upkeep_of_type_stubs():
    plain, ours = imported("gradio"), imported("resnet.ui.layout")
    assert plain[0]  # what this package spares
    assert not ours[0]
    assert len(ours[1]) > 40
    assert ours[1:] == plain[1:]
