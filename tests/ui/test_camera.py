"""Frames of a camera without a browser: pictures, things that are none, and where the tab is left out."""

import base64
from types import SimpleNamespace

import gradio as gr
import pytest

from resnet.errors import ImageError
from resnet.network.labels import ASSETS
from resnet.service.explorer import Explorer
from resnet.service.provider import EngineProvider
from resnet.ui.language import LANGUAGES
from resnet.ui.layout import Layout
from resnet.ui.page import Page
from resnet.ui.tabs import camera
from resnet.ui.tabs.camera import CameraTab, frame_bytes

PICTURE = (ASSETS / "examples" / "espresso.jpg").read_bytes()
FRAME = {"url": "data:image/jpeg;base64," + base64.b64encode(PICTURE).decode()}
VIEW = {
    "aggregation": "mean", "channel": 0, "scale": "each", "colormap": "turbo", "opacity": 55, "cut": 0, "smooth": True
}  # fmt: skip


@pytest.fixture(scope="module")
def explorer(engine):
    return Explorer(EngineProvider.serving(engine))


@pytest.fixture(scope="module")
def tab(explorer):
    with gr.Blocks():
        page = Page(LANGUAGES[0], explorer)
        page.active, framing = gr.Textbox("maps"), gr.Radio(["crop", "whole"])
        return CameraTab(page, {}, framing)


def test_a_frame_is_answered_round_the_cache(tab, explorer, engine):
    passes, held = engine.passes, explorer.cache.held_bytes
    said = tab.see("first", FRAME, "server", "crop", **VIEW)
    assert "espresso" in said
    assert said.count('<img alt="Feature map C') == 5
    assert said.count("data:image/jpeg;base64,") == 5
    assert "frames a second" not in said  # of one frame there is no rate
    assert (engine.passes, explorer.cache.held_bytes) == (passes + 1, held)


def test_the_rate_is_that_of_the_last_frames(tab, monkeypatch):
    times = iter([10.0, 10.5, 11.0, 11.5, 100.0, 100.25])
    tab._times.clear()
    monkeypatch.setattr(camera, "time", SimpleNamespace(monotonic=lambda: next(times)))  # others need the real one
    rates = [tab._rate("one") for _ in range(6)]
    assert rates == [None, 2.0, 2.0, 2.0, None, 4.0]  # a pause begins anew
    assert tab._times.keys() == {"one"}


@pytest.mark.parametrize(
    "frame",
    [
        "data:image/jpeg;base64,AAAA", {"url": None}, {"url": 3}, {"path": "/etc/passwd"}, {"url": "/etc/passwd"},
        {"url": "http://127.0.0.1/"}, {"url": "data:text/html;base64,AAAA"}, {"url": "data:image/png;base64,é"},
        {"url": "data:image/png,AAAA"}, [], 7,
    ],
    ids=str,
)  # fmt: skip
def test_what_is_no_picture_gets_a_sentence_and_the_next_frame_is_answered(tab, frame):
    with pytest.raises(ImageError, match="The camera has sent no picture"):
        frame_bytes(frame)
    assert "The camera has sent no picture." in tab.see("session", frame, "server", "crop", **VIEW)
    assert "espresso" in tab.see("session", FRAME, "server", "crop", **VIEW)


def test_a_picture_that_cannot_be_decoded_gets_a_sentence(tab):
    broken = {"url": "data:image/jpeg;base64," + base64.b64encode(PICTURE[:300]).decode()}
    assert 'role="alert"' in tab.see("session", broken, "server", "crop", **VIEW)


def test_it_is_left_out_where_it_is_not_wanted(explorer):
    with gr.Blocks() as demo:
        layout = Layout(demo, Page(LANGUAGES[0], explorer, local=False, camera=False))
    assert layout.camera is None
    names = {str(part["props"].get("elem_id")) for part in demo.get_config_file()["components"]}
    assert not [name for name in names if "camera" in name]
    assert "tab-many" in names
