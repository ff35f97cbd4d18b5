"""The page's handlers, without a browser."""

import json
from pathlib import Path

import gradio as gr
import pytest

from resnet.explain import ObservationCache
from resnet.labels import ASSETS
from resnet.provider import EngineProvider
from resnet.ui.handlers import Handlers

CAT, ROCKET = (str(ASSETS / "examples" / name) for name in ("cat.jpg", "rocket.jpg"))
VIEW = ("mean", 0, "turbo", "each", 55, True)


class Ready(EngineProvider):
    """A provider whose engine is there already."""

    def __init__(self, engine):
        super().__init__("bundled")
        self.ready = engine

    def engine(self, timeout=0):
        return self.ready


@pytest.fixture
def handlers(engine):
    return Handlers(Ready(engine), ObservationCache())


def test_a_download_is_of_the_result_that_is_shown_also_while_another_photo_waits(handlers):
    _, shown = handlers.explain(CAT, "crop")
    handlers.explain(ROCKET, "crop")  # another visitor, or the next photo
    path = Path(handlers.data(shown, 1, *VIEW))
    result = json.loads(path.read_text(encoding="utf-8"))
    assert path.name == "cat.json"
    assert result["image"] == "cat.jpg"
    assert result["predictions"] == json.loads(Path(handlers.data(shown, 1, *VIEW)).read_text())["predictions"]


def test_a_result_that_left_the_cache_is_computed_again(engine):
    handlers = Handlers(Ready(engine), ObservationCache(10))
    _, shown = handlers.explain(CAT, "whole")
    passes = engine.passes
    strip, large = handlers.restyle(shown, "C1", *VIEW)
    assert engine.passes == passes + 1
    assert strip.count("<img") == 5
    assert "C1" in large


def test_emptied_fields_wait_for_a_number(handlers):
    _, shown = handlers.explain(CAT, "crop")
    assert handlers.recount(shown, None) == gr.skip()
    assert handlers.restyle(shown, "C5", "mean", None, "turbo", "each", 55, True) == (gr.skip(), gr.skip())


@pytest.mark.parametrize(
    ("view", "sentence"),
    [
        (("mean", 0, "turbo", "each", 101, True), "opacity in percent must be 0 to 100; received 101"),
        (("mean", 0, "turbo", "each", "x", True), "opacity in percent must be 0 to 100; received"),
        (("channel", 4000, "turbo", "each", 55, True), "channel must be 0 to 2047; received 4000"),
        (("median", 0, "turbo", "each", 55, True), "map must be one of"),
    ],
    ids=str,
)
def test_wrong_values_get_a_sentence(handlers, view, sentence):
    _, shown = handlers.explain(CAT, "crop")
    with pytest.raises(gr.Error, match=sentence):
        handlers.restyle(shown, "C5", *view)


def test_nothing_to_save_is_said(handlers):
    with pytest.raises(gr.Error, match="no result to download yet"):
        handlers.figure(None, 5, *VIEW)


def test_a_photo_that_is_gone_is_said(handlers, tmp_path):
    message, shown = handlers.explain(str(tmp_path / "gone.jpg"), "crop")
    assert shown is None
    assert "gone.jpg cannot be read" in message
    assert 'role="alert"' in message
