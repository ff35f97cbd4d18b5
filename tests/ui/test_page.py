"""The page's handlers, without a browser."""

import json
from pathlib import Path

import gradio as gr
import pytest

from resnet.network.labels import ASSETS
from resnet.service.cache import ResultCache
from resnet.service.explorer import Explorer
from resnet.service.provider import EngineProvider
from resnet.service.temporary import remove_old
from resnet.ui.classes import about
from resnet.ui.language import ENGLISH
from resnet.ui.layout import Layout
from resnet.ui.page import Page
from resnet.ui.photo import example_path
from resnet.ui.signed import verify
from resnet.ui.tabs import many

CAT, ROCKET = (str(ASSETS / "examples" / name) for name in ("cat.jpg", "rocket.jpg"))
VIEW = ("mean", 0, "turbo", "each", 55, True)
DRAWING = ("turbo", 55, True)


def build(engine, cache=None):
    page = Page(ENGLISH, Explorer(EngineProvider.serving(engine), cache))
    with gr.Blocks() as demo:
        return Layout(demo, page)


@pytest.fixture(scope="module")
def layout(engine):
    return build(engine)


def explain(layout, path=CAT, framing="crop"):
    return layout.column.explain(path, framing, "server")


def test_a_download_is_of_the_result_that_is_shown_also_while_another_photo_waits(layout):
    _, shown = explain(layout)
    explain(layout, ROCKET)  # another visitor, or the next photo
    path = Path(layout.maps.data(shown, 1, *VIEW))
    result = json.loads(path.read_text(encoding="utf-8"))
    assert path.name == "cat.json"
    assert result["image"] == "cat.jpg"
    assert result["predictions"] == json.loads(Path(layout.maps.data(shown, 1, *VIEW)).read_text())["predictions"]


def test_a_result_that_left_the_cache_is_computed_again(engine):
    layout = build(engine, ResultCache(10))
    _, shown = explain(layout, framing="whole")
    passes = engine.passes
    strip, large = layout.maps.restyle(shown, "C1", *VIEW)
    assert engine.passes == passes + 1
    assert strip.count("<img") == 5
    assert "C1" in large


def test_a_visitors_state_is_small(layout):
    import pickle

    _, shown = explain(layout)
    assert len(pickle.dumps(shown)) < 1000


def test_emptied_fields_wait_for_a_number(layout):
    _, shown = explain(layout)
    assert layout.column.classes(shown, None) == gr.skip()
    assert layout.maps.restyle(shown, "C5", "channel", None, "turbo", "each", 55, True) == (gr.skip(), gr.skip())
    assert layout.maps.restyle(shown, "C5", "mean", None, *VIEW[2:]) == layout.maps.show(shown, "C5", *VIEW)
    assert layout.blocks.redraw(shown, "C4", None, "mean", None, 16, *DRAWING) == (gr.skip(),) * 3
    assert layout.blocks.enlarge(shown, "C4", 1, None, *DRAWING) == (gr.skip(),) * 2
    assert layout.hold.hide(shown, about(shown), "", None, "hirescam", "C5", 0, None, "blur") == (gr.skip(),) * 6
    assert layout.compare.compare(shown, None, "rotate", None, 5, *VIEW) == gr.skip()


def test_an_answer_that_comes_while_a_number_is_typed_is_shown_whole(layout):
    _, shown = explain(layout, ROCKET)
    classes, strip, large = layout._show(None, shown, "C5", "mean", None, "turbo", "each", None, True)
    assert classes.count("<li ") == 5
    assert (strip, large) == layout.maps.show(shown, "C5", *VIEW)
    parts = {part.tab: part for part in layout._page._tabs}
    assert sorted(parts) == ["blocks", "compare", "evidence", "hold"]
    for name, part in parts.items():
        held = layout._page._held
        values = [verify(component.value) if component in held else component.value for component in part.inputs]
        emptied = [
            None if isinstance(component, gr.Number | gr.Slider) else value
            for component, value in zip(part.inputs, values, strict=True)
        ]
        assert emptied != values
        answers = [part.answer(shown, *said) for said in (emptied, values)]
        given, whole = (
            [text for text in (answer if isinstance(answer, tuple) else [answer]) if isinstance(text, str)]
            for answer in answers
        )
        assert given == whole, name
        assert "<img" in str(given), name


def test_the_classes_of_a_link_are_those_of_its_first_photo_alone(layout):
    _, shown = explain(layout)
    controls = (5, [], "hirescam", "stage", None, None, None, *DRAWING)
    made_for, _, wanted, classes, *_ = layout.evidence.draw(shown, "", ["goldfish"], *controls)
    assert classes["value"] == [layout._page.observation(shown).manifest.class_named("goldfish")]
    assert layout.evidence.draw(None, made_for, wanted, *controls)[2] is None  # the photo is taken away
    assert layout.evidence.draw(None, "", ["goldfish"], *controls)[2] == ["goldfish"]  # it is still to come
    hidden = ("hirescam", "C5", None, 20, "blur")
    assert layout.hold.hide(None, made_for, "", ["goldfish"], *hidden)[2] is None
    assert layout.hold.hide(None, "", "", ["goldfish"], *hidden)[2] == ["goldfish"]


def test_opening_the_blocks_again_keeps_the_channel_that_a_visitor_has_chosen(layout):
    _, shown = explain(layout)
    options = ("C4", 23, "contribution", None, 16, *DRAWING)
    drawn, target, _, _, grid, channel, facts, _ = layout.blocks.open(shown, "", 0, *options)
    likeliest = layout._page.observation(shown).predictions(1)[0].index
    assert target["value"] == likeliest
    ranked = ("C4", 23, "contribution", likeliest)
    assert grid == layout.blocks.redraw(shown, *ranked, 16, *DRAWING)[1]
    assert f"Channel {channel['value']} of" in facts
    # The page tells of the controls that this has set.
    assert layout.blocks.redraw_others(drawn, shown, *ranked, 16, *DRAWING) == (gr.skip(),) * 4
    assert layout.blocks.redraw_others(drawn, shown, *ranked, 32, *DRAWING)[3] != gr.skip()
    again = layout.blocks.open(shown, drawn, 5, *ranked, 16, *DRAWING)
    assert again[5] == gr.skip()
    assert "Channel 5 of" in again[6]
    wrong = layout.blocks.open(shown, drawn, 1024, *ranked, 16, *DRAWING)  # C4 has 1,024
    assert wrong[5]["value"] == layout.blocks.redraw(shown, *ranked, 16, *DRAWING)[2]


@pytest.mark.parametrize(
    ("classes", "weights", "given", "sentences"),
    [
        (None, "server", (gr.skip(),) * 2, []),
        (["goldfish", "unicorn"], "server", (gr.skip(),) * 2,
         ["A part of the link is left out. The weights tiny-imagenet-200 know no class 'unicorn'."]),
        (["espresso"], "nowhere", ("server", "server"), ["The weights must be one of server"]),
    ],
)  # fmt: skip
def test_what_only_its_weights_can_tell_of_a_link_is_said(layout, monkeypatch, classes, weights, given, sentences):
    said = []
    monkeypatch.setattr(layout._page, "warn", said.append)
    assert layout.links._check([], classes, weights) == given
    assert len(said) == len(sentences)
    assert all(sentence in one for sentence, one in zip(sentences, said, strict=True))


def test_an_emptied_channel_is_not_taken_for_the_first_one(layout):
    _, shown = explain(layout)
    with pytest.raises(gr.Error, match="channel must be 0 to 2047; received None"):
        layout.maps.data(shown, 1, "channel", None, *VIEW[2:])


def test_a_slider_whose_range_has_changed_meanwhile_gives_what_it_shows(layout):
    _, shown = explain(layout)
    for wrong in (lambda: layout.column.classes(shown, 21),
                  lambda: layout.maps.restyle(shown, "C5", *VIEW[:4], -5, True),
                  lambda: layout.blocks.redraw(shown, "C4", 0, "mean", None, 16, *DRAWING),
                  lambda: layout.blocks.redraw(shown, "C4", 3, "mean", None, 65, *DRAWING)):  # fmt: skip
        with pytest.raises(gr.Error, match=r"must be .*; received"):
            wrong()
    *_, result, curves = layout.hold.hide(shown, about(shown), "", [], "hirescam", "C5", 0, 101, "blur")
    assert "must be 0 to 100; received 101" in result
    assert curves == gr.skip()


def test_classes_of_other_weights_are_refused_with_a_sentence(layout):
    _, shown = explain(layout)
    with pytest.raises(gr.Error, match="class"):
        layout.blocks.redraw(shown, "C4", 3, "contribution", 900, 16, *DRAWING)
    with pytest.raises(gr.Error, match="class"):
        layout.evidence.enlarge(shown, [3, 900], "hirescam", "stage", None, *DRAWING)


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
def test_wrong_values_get_a_sentence(layout, view, sentence):
    _, shown = explain(layout)
    with pytest.raises(gr.Error, match=sentence):
        layout.maps.restyle(shown, "C5", *view)


def test_an_example_is_a_new_file_so_that_it_is_not_removed_as_old(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    copy = Path(example_path("cat"))
    assert copy.is_relative_to(tmp_path)
    assert copy.name == "cat.jpg"
    assert copy.read_bytes() == Path(CAT).read_bytes()
    remove_old(tmp_path)
    assert copy.exists()
    assert example_path("nothing") is None


def test_a_long_table_is_sent_now_and_then(layout, make_photo, monkeypatch):
    monkeypatch.setattr(many, "BETWEEN_LOOKS", 1e9)
    monkeypatch.setattr(many, "SHORT", 4)
    photos = [str(make_photo(f"{number}.png", size=(60, 40), seed=number)) for number in range(12)]
    looks = list(layout.many.run("session", photos, "server", "crop", 1, False, False, *VIEW))
    counts = [look[1].count("<tr>") - 1 for look in looks]
    assert counts == [1, 2, 3, 4, 12]


def test_without_classes_there_is_no_evidence(layout):
    _, shown = explain(layout)
    *left, one, other, matrix, difference, large = layout.evidence.draw(
        shown, about(shown), None, 5, [], "gradcam", "stage", None, None, None, *DRAWING
    )
    assert left == [gr.skip(), "", *[gr.skip()] * 2]
    assert "Choose at least one class." in matrix
    assert (difference, large) == ("", "")
    assert one["choices"] == other["choices"] == []


def test_evidence_is_drawn_once_for_an_answer(layout):
    _, shown = explain(layout)
    controls = ("gradcam", "stage", None, None, None, *DRAWING)
    made_for, drawn, _, classes, *_ = layout.evidence.draw(shown, "", None, 5, None, *controls)
    again = layout.evidence.draw_others(drawn, shown, made_for, None, 5, classes["value"], *controls)
    assert again == (gr.skip(),) * 9
    other = layout.evidence.draw_others(drawn, shown, made_for, None, 5, classes["value"][:3], *controls)
    assert other[6].count("<tr>") == 3 + 1
    gone = layout.evidence.draw_others(other[1], shown, made_for, None, 5, [], *controls)
    assert "Choose at least one class." in gone[6]
    assert layout.evidence.draw_others(gone[1], shown, made_for, None, 5, classes["value"][:3], *controls) == other


def test_a_map_without_differences_cannot_be_tested(layout):
    _, shown = explain(layout)
    observation = layout.maps._page.observation(shown)
    for values in observation.maps:
        values[:] = 0
    observation.latest.clear()
    of_photo, answer, *_, result, _ = layout.hold.hide(shown, about(shown), "", None, "mean", "C3", 0, 20, "blur")
    assert of_photo == about(shown)
    assert "This map of C3 is flat" in result
    with pytest.raises(gr.Error, match="This map of C3 is flat"):
        layout.hold.measure(shown, answer, "mean", "C3", 0, "blur", gr.Progress())
    layout.maps._page.explorer.cache.clear()


def test_nothing_to_save_is_said(layout):
    with pytest.raises(gr.Error, match="no result to download yet"):
        layout.maps.figure(None, 5, *VIEW)
    with pytest.raises(gr.Error, match="no result to download yet"):
        layout.evidence.figure(None, [], "gradcam", "stage", *DRAWING)
    with pytest.raises(gr.Error, match="no result to download yet"):
        layout.compare.figure(None, None, "rotate", 30, *VIEW)


def test_a_photo_that_is_gone_is_said(layout, tmp_path):
    message, shown = explain(layout, str(tmp_path / "gone.jpg"))
    assert shown is None
    assert "gone.jpg cannot be read" in message
    assert 'role="alert"' in message


def test_a_name_is_never_markup(layout, tmp_path):
    bad = tmp_path / "<img src=x>{0}.jpg"
    bad.write_text("no photo")
    message, _ = explain(layout, str(bad))
    assert "&lt;img src=x&gt;{0}.jpg is text" in message
    good = tmp_path / "<img src=x>.jpg"
    good.write_bytes(Path(CAT).read_bytes())
    message, shown = explain(layout, str(good))
    pieces = [
        message,
        *layout.maps.show(shown, "C5", *VIEW),
        layout.compare.compare(shown, str(good), "grey", 1, 5, *VIEW),
    ]
    assert not any("<img src=x" in piece for piece in pieces)


def test_weights_that_cannot_be_loaded_are_refused_where_they_are_chosen(layout, monkeypatch):
    monkeypatch.setattr("resnet.network.imagenet.getproxies", dict)
    weights, chosen, said = layout.model.choose("imagenet", "server")
    assert weights == chosen == "server"
    assert "ImageNet weights cannot be downloaded" in said
    assert 'role="alert"' in said
    assert layout.model.choose("bundled", "server") == ("bundled", "bundled", "")
