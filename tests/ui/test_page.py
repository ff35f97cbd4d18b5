"""The page's handlers, without a browser."""

import json
from pathlib import Path
from urllib.parse import parse_qs

import gradio as gr
import numpy as np
import pytest
from PIL import Image

from resnet.errors import OptionError
from resnet.network.labels import ASSETS
from resnet.service import explorer
from resnet.service.cache import ResultCache
from resnet.service.explorer import Explorer
from resnet.service.provider import EngineProvider
from resnet.service.temporary import remove_old
from resnet.stages import STAGE_NAMES
from resnet.ui.cells import read_point
from resnet.ui.classes import about
from resnet.ui.language import ENGLISH
from resnet.ui.layout import Layout
from resnet.ui.page import Page
from resnet.ui.photo import example_path
from resnet.ui.signed import verify
from resnet.ui.tabs import many

CAT, ROCKET = (str(ASSETS / "examples" / name) for name in ("cat.jpg", "rocket.jpg"))
DRAWING = {"colormap": "turbo", "opacity": 55, "smooth": True, "cut": 0}
VIEW = {"aggregation": "mean", "channel": 0, "scale": "each", **DRAWING}
EVIDENCE = {"method": "hirescam", "scale": "stage", "one": None, "other": None, "chosen": None, "top_k": 5, **DRAWING}
HIDDEN = {
    "source": "hirescam",
    "stage": "C5",
    "target": 0,
    "percent": 20,
    "fill": "blur",
    "drawing": "",
    "against": False,
    "drawn_on": "",
}
BELOW = {"is_open": "", "count": 4, "look": "", "point": "", "path": None}


def build(engine, cache=None):
    page = Page(ENGLISH, Explorer(EngineProvider.serving(engine), cache))
    with gr.Blocks() as demo:
        return Layout(demo, page)


@pytest.fixture(scope="module")
def layout(engine):
    return build(engine)


def explain(layout, path=CAT, framing="crop"):
    """The message about a photo, and what is shown for it."""
    updates = layout.column.explain(path, framing, "server")
    return updates[layout.column.message], updates[layout._page.result]


def test_a_download_is_of_the_result_that_is_shown_also_while_another_photo_waits(layout):
    _, shown = explain(layout)
    explain(layout, ROCKET)  # another visitor, or the next photo
    path = Path(layout.maps.data(shown, 1, **VIEW))
    result = json.loads(path.read_text(encoding="utf-8"))
    assert path.name == "cat.json"
    assert result["image"] == "cat.jpg"
    assert result["predictions"] == json.loads(Path(layout.maps.data(shown, 1, **VIEW)).read_text())["predictions"]


def test_a_result_that_left_the_cache_is_computed_again(engine):
    layout = build(engine, ResultCache(10))
    _, shown = explain(layout, framing="whole")
    passes = engine.passes
    strip, large = layout.maps.restyle(shown, "C1", **BELOW, **VIEW).values()
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
    no_channel = {**VIEW, "channel": None}
    assert layout.maps.restyle(shown, "C5", **BELOW, **{**no_channel, "aggregation": "channel"}) == {}
    assert layout.maps.restyle(shown, "C5", **BELOW, **no_channel) == layout.maps.show(shown, "C5", **VIEW)
    assert layout.blocks.redraw(shown, "C4", None, "mean", None, 16, **DRAWING) == {}
    assert layout.blocks.enlarge(shown, "C4", 1, None, **DRAWING) == {}
    assert layout.hold.hide(shown, about(shown), "", None, **{**HIDDEN, "percent": None}) == {}
    assert layout.compare.compare(shown, None, "rotate", None, 5, **VIEW) == {}


def test_an_answer_that_comes_while_a_number_is_typed_is_shown_whole(layout):
    _, shown = explain(layout, ROCKET)
    classes, *maps = layout._show(shown, None, stage="C5", **{**VIEW, "channel": None, "opacity": None}).values()
    assert classes.count("<li ") == 5
    assert maps == [*layout.maps.show(shown, "C5", **VIEW).values()]
    parts = {part.tab: part for part in layout._page._tabs}
    assert sorted(parts) == ["blocks", "compare", "evidence", "hold"]
    for name, part in parts.items():
        held = layout._page._held
        values = {
            key: verify(component.value) if component in held else component.value
            for key, component in part.inputs.items()
        }
        numbers = {key for key, component in part.inputs.items() if isinstance(component, gr.Number | gr.Slider)}
        emptied = {**values, **dict.fromkeys(numbers)}
        assert emptied != values
        given, whole = (
            [text for text in part.answer(shown=shown, **said).values() if isinstance(text, str)]
            for said in (emptied, values)
        )
        assert given == whole, name
        assert "<img" in str(given), name


def test_the_classes_of_a_link_are_those_of_its_first_photo_alone(layout):
    _, shown = explain(layout)
    evidence, hold, wanted = layout.evidence, layout.hold, layout.wanted
    drawn = evidence.draw(shown, "", ["goldfish"], classes=[], **EVIDENCE)
    goldfish = layout._page.observation(shown).manifest.class_named("goldfish")
    assert drawn[evidence.classes]["value"] == [goldfish]
    made_for = drawn[evidence.made_for]
    # The photo is taken away; it is still to come.
    assert evidence.draw(None, made_for, drawn[wanted], classes=[], **EVIDENCE)[wanted] is None
    assert evidence.draw(None, "", ["goldfish"], classes=[], **EVIDENCE)[wanted] == ["goldfish"]
    hidden = {**HIDDEN, "target": None}
    assert hold.hide(None, made_for, "", ["goldfish"], **hidden)[wanted] is None
    assert hold.hide(None, "", "", ["goldfish"], **hidden)[wanted] == ["goldfish"]


def test_opening_the_blocks_again_keeps_the_channel_that_a_visitor_has_chosen(layout):
    _, shown = explain(layout)
    blocks = layout.blocks
    opened = blocks.open(shown, "", "", 0, "", -1, None, "C4", 23, "contribution", None, 16, **DRAWING)
    likeliest = layout._page.observation(shown).predictions(1)[0].index
    assert opened[blocks.target]["value"] == likeliest
    ranked = ("C4", 23, "contribution", likeliest)
    redrawn = blocks.redraw(shown, *ranked, 16, **DRAWING)
    assert opened[blocks.grid] == redrawn[blocks.grid]
    assert f"Channel {opened[blocks.channel]['value']} of" in opened[blocks.facts]
    # The page tells of the controls that this has set.
    drawn = opened[blocks.drawn]
    assert blocks.redraw_others(drawn, shown, *ranked, 16, "", -1, None, **DRAWING) == {}
    assert blocks.channel in blocks.redraw_others(drawn, shown, *ranked, 32, "", -1, None, **DRAWING)
    again = blocks.open(shown, drawn, "", 5, "", -1, None, *ranked, 16, **DRAWING)
    assert again[blocks.channel] == gr.skip()
    assert "Channel 5 of" in again[blocks.facts]
    wrong = blocks.open(shown, drawn, "", 1024, "", -1, None, *ranked, 16, **DRAWING)  # C4 has 1,024
    assert wrong[blocks.channel]["value"] == redrawn[blocks.channel]


@pytest.mark.parametrize(
    ("classes", "weights", "given", "sentences"),
    [
        (None, "server", [], []),
        (["goldfish", "unicorn"], "server", [],
         ["A part of the link is left out. The weights tiny-imagenet-200 have no class 'unicorn'."]),
        (["espresso"], "nowhere", ["server", "server"], ["The weights must be one of server"]),
    ],
)  # fmt: skip
def test_what_only_its_weights_can_tell_of_a_link_is_said(layout, monkeypatch, classes, weights, given, sentences):
    said = []
    monkeypatch.setattr(layout._page, "warn", said.append)
    assert [*layout.links._check([], classes, weights).values()] == given
    assert len(said) == len(sentences)
    assert all(sentence in one for sentence, one in zip(sentences, said, strict=True))


@pytest.mark.parametrize(("kind", "has"), [("channel", True), ("mean", False)])
def test_a_link_names_what_is_shown_and_the_weights_know(layout, monkeypatch, kind, has):
    monkeypatch.setattr(gr, "Info", lambda *_, **__: None)
    _, shown = explain(layout)
    classes = [5, len(layout._page.observation(shown).manifest.labels)]  # as from larger weights before
    query = layout.links._link(shown, "evidence", "server", classes, None, map=kind, channel=7)
    found = parse_qs(query.removeprefix("?"))
    assert ("channel" in found) == has
    assert found["class"] == [layout._page.observation(shown).manifest.labels[5].wnid]
    assert found["photo"] == ["cat"]


def test_an_emptied_channel_is_not_taken_for_the_first_one(layout):
    _, shown = explain(layout)
    with pytest.raises(gr.Error, match="channel must be 0 to 2047; received None"):
        layout.maps.data(shown, 1, **{**VIEW, "aggregation": "channel", "channel": None})


def test_a_slider_whose_range_has_changed_meanwhile_gives_what_it_shows(layout):
    _, shown = explain(layout)
    for wrong in (lambda: layout.column.classes(shown, 21),
                  lambda: layout.maps.restyle(shown, "C5", **BELOW, **{**VIEW, "opacity": -5}),
                  lambda: layout.blocks.redraw(shown, "C4", 0, "mean", None, 16, **DRAWING),
                  lambda: layout.blocks.redraw(shown, "C4", 3, "mean", None, 65, **DRAWING)):  # fmt: skip
        with pytest.raises(gr.Error, match=r"must be .*; received"):
            wrong()
    updates = layout.hold.hide(shown, about(shown), "", [], **{**HIDDEN, "percent": 101})
    assert "must be 0 to 100; received 101" in updates[layout.hold.result]
    assert layout.hold.curves not in updates


def test_classes_of_other_weights_are_refused_with_a_sentence(layout):
    _, shown = explain(layout)
    with pytest.raises(gr.Error, match="class"):
        layout.blocks.redraw(shown, "C4", 3, "contribution", 900, 16, **DRAWING)
    with pytest.raises(gr.Error, match="class"):
        layout.evidence.enlarge(shown, [3, 900], "hirescam", "stage", None, **DRAWING)


@pytest.mark.parametrize(
    ("view", "sentence"),
    [
        ({"opacity": 101}, "opacity in percent must be 0 to 100; received 101"),
        ({"opacity": "x"}, "opacity in percent must be 0 to 100; received"),
        ({"aggregation": "channel", "channel": 4000}, "channel must be 0 to 2047; received 4000"),
        ({"aggregation": "median"}, "map must be one of"),
    ],
    ids=str,
)
def test_wrong_values_get_a_sentence(layout, view, sentence):
    _, shown = explain(layout)
    with pytest.raises(gr.Error, match=sentence):
        layout.maps.restyle(shown, "C5", **BELOW, **{**VIEW, **view})


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
    looks = list(layout.many.run("session", photos, "server", "crop", 1, False, False, **VIEW))
    counts = [look[layout.many.table].count("<tr>") - 1 for look in looks]
    assert counts == [1, 2, 3, 4, 12]


def test_without_classes_there_is_no_evidence(layout):
    _, shown = explain(layout)
    evidence = layout.evidence
    updates = evidence.draw(shown, about(shown), None, classes=[], **EVIDENCE)
    assert "Choose at least one class." in updates.pop(evidence.matrix)
    assert updates.pop(evidence.one)["choices"] == updates.pop(evidence.other)["choices"] == []
    assert updates == {evidence.drawn: "", evidence.difference: "", evidence.cell.large: ""}


def test_evidence_is_drawn_once_for_an_answer(layout):
    _, shown = explain(layout)
    evidence = layout.evidence
    first = evidence.draw(shown, "", None, classes=None, **EVIDENCE)
    classes = first[evidence.classes]["value"]
    options = {"made_for": first[evidence.made_for], "wanted": None, **EVIDENCE}
    assert evidence.draw_others(first[evidence.drawn], shown, classes, **options) == {}
    other = evidence.draw_others(first[evidence.drawn], shown, classes[:3], **options)
    assert other[evidence.matrix].count("<tr>") == 3 + 1
    gone = evidence.draw_others(other[evidence.drawn], shown, [], **options)
    assert "Choose at least one class." in gone[evidence.matrix]
    assert evidence.draw_others(gone[evidence.drawn], shown, classes[:3], **options) == other


def test_a_map_without_differences_cannot_be_tested(layout):
    _, shown = explain(layout)
    observation = layout.maps._page.observation(shown)
    for values in observation.maps:
        values[:] = 0
    observation.latest.clear()
    hold = layout.hold
    updates = hold.hide(shown, about(shown), "", None, **{**HIDDEN, "source": "mean", "stage": "C3"})
    assert updates[hold.made_for] == about(shown)
    assert "This map of C3 is flat" in updates[hold.result]
    with pytest.raises(OptionError, match="This map of C3 is flat"):
        list(hold.measure("session", shown, updates[hold.answer], "mean", "C3", 0, "blur"))
    layout.maps._page.explorer.cache.clear()


def test_every_tab_with_maps_gives_its_numbers_and_says_how_they_were_made(layout):
    _, shown = explain(layout)
    evidence = json.loads(Path(layout.evidence.data(shown, [3, 5], "hirescam", "stage")).read_text(encoding="utf-8"))
    assert [len(row["stages"]) for row in evidence["classes"]] == [5, 5]
    compared = json.loads(Path(layout.compare.data(shown, None, "rotate", 30, 4)).read_text(encoding="utf-8"))
    assert [stage["name"] for stage in compared["stages"]] == list(STAGE_NAMES)
    assert len(compared["other_predictions"]) == 4
    for answer in (evidence, compared):
        assert answer["about"]["photo"]["name"] == Path(shown.source.path).name
        assert len(answer["about"]["weights"]["sha256"]) == 64
    one = layout.maps._page.observation(shown)
    with np.load(layout.compare.raw(shown, None, "rotate", 30, 4)) as stored:
        np.testing.assert_array_equal(stored["one_C5"], one.maps[4])
        assert stored["other_C5"].shape == stored["one_C5"].shape
        assert np.abs(stored["other_C5"] - stored["one_C5"]).max() > 0
    with np.load(layout.evidence.raw(shown, [3, 5])) as stored:
        assert stored["layercam_C2"].shape[0] == 2


@pytest.mark.slow
def test_the_figure_of_the_evidence_has_the_row_of_the_difference_that_the_tab_shows(layout):
    _, shown = explain(layout)

    def height(method, one, other):
        return Image.open(layout.evidence.figure(shown, [0, 1], method, "stage", one, other, "PNG", **DRAWING)).height

    without = height("gradcam", 0, 0)
    assert height("gradcam", 0, 1) > 1.3 * without
    assert height("gradcam", 0, 7) == height("gradcam++", 0, 1) == without


def test_nothing_to_save_is_said(layout):
    with pytest.raises(gr.Error, match="no result to download yet"):
        layout.maps.figure(None, 5, "PNG", **VIEW)
    with pytest.raises(gr.Error, match="no result to download yet"):
        layout.evidence.figure(None, [], "gradcam", "stage", None, None, "PNG", **DRAWING)
    with pytest.raises(gr.Error, match="no result to download yet"):
        layout.compare.figure(None, None, "rotate", 30, 5, "PNG", **VIEW)
    with pytest.raises(gr.Error, match="no result to download yet"):
        layout.blocks.data(None, stage="C4", block=1, order="mean", target=None, count=16, **DRAWING)
    with pytest.raises(gr.Error, match="no result to download yet"):
        layout.hold.raw(None, source="mean", stage="C5", target=None, fill="blur", percent=20)


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
        *layout.maps.show(shown, "C5", **VIEW).values(),
        *layout.compare.compare(shown, str(good), "grey", 1, 5, **VIEW).values(),
    ]
    assert not any("<img src=x" in piece for piece in pieces)


def test_weights_that_cannot_be_loaded_are_refused_where_they_are_chosen(layout, monkeypatch):
    monkeypatch.setattr("resnet.network.imagenet.getproxies", dict)
    weights, chosen, said = layout.model.choose("imagenet", "server").values()
    assert weights == chosen == "server"
    assert "ImageNet weights cannot be downloaded" in said
    assert 'role="alert"' in said
    assert [*layout.model.choose("bundled", "server").values()] == ["bundled", "bundled", ""]


def test_what_the_browser_notes_of_a_click_is_read_and_anything_else_is_no_click():
    assert read_point("[0.25, 0.5]") == (0.25, 0.5)
    assert read_point("[-3, 7]") == (0.0, 1.0)
    for text in (
        None,
        "",
        "[0.5]",
        "[1, 2, 3]",
        "[NaN, 0]",
        f"[1{'0' * 400}, 0]",
        '["a", "b"]',
        "{}",
        "7",
        "[null, 0]",
        "[[0], 1]",
        "[" * 10_000,
        "undefined",
    ):
        assert read_point(text) is None, text


ELSEWHERE = {"look": "open", "point": "[0.5, 0.5]"}


def test_a_second_photo_that_cannot_be_read_stops_no_other_part_of_the_tab(layout, tmp_path):
    _, shown = explain(layout)
    bad = tmp_path / "bad.jpg"
    bad.write_text("no photo")
    updates = layout.maps.restyle(shown, "C5", **{**BELOW, **ELSEWHERE, "path": str(bad)}, **VIEW)
    assert "bad.jpg is text, not a photo" in updates[layout.maps.elsewhere.outputs[0]]
    assert updates[layout.maps.strip] == layout.maps.show(shown, "C5", **VIEW)[layout.maps.strip]


def test_examples_that_are_held_are_not_read_again(layout, engine, monkeypatch):
    _, shown = explain(layout)
    asked = {**BELOW, **ELSEWHERE}
    panel = layout.maps.elsewhere.outputs[0]
    first = layout.maps.restyle(shown, "C4", **asked, **VIEW)[panel]
    assert first.count("<figure>") == 8
    passes = engine.passes
    monkeypatch.setattr(explorer, "read_photo", None)
    again = layout.maps.restyle(shown, "C4", **asked, **{**VIEW, "colormap": "gray"})[panel]
    assert again.count("<figure>") == 8
    assert again != first
    assert engine.passes == passes


def test_a_drawing_is_judged_by_a_class_of_the_weights_that_answer(layout):
    _, shown = explain(layout)
    drawing = json.dumps({"of": shown.key[0], "shapes": [{"box": [0, 0, 150, 300]}]})
    values = {"drawing": drawing, "against": True, "source": "hirescam", "stage": "C5", "fill": "blur"}
    drawn = layout.hold.drawn
    likeliest = drawn._answer(shown, **values, made_for="other", target=3)
    assert "without what you drew" in likeliest
    for made_for, target in (("other", 900), (about(shown), 900), (about(shown), -5), (about(shown), None)):
        assert drawn._answer(shown, **values, made_for=made_for, target=target) == likeliest
    assert drawn._answer(shown, **values, made_for=about(shown), target=3) != likeliest


@pytest.mark.parametrize("text", ["{", "7", '{"of": "HERE", "shapes": [1]}', '{"of": "HERE"}', "[" * 9999])
def test_what_is_no_drawing_is_said_and_leaves_the_photo_to_draw_on(layout, text):
    _, shown = explain(layout)
    text = text.replace("HERE", shown.key[0])
    updates = layout.hold.hide(shown, about(shown), "", None, **{**HIDDEN, "drawing": text})
    surface, drawn_on, result = (updates[part] for part in layout.hold.drawn.outputs)
    assert 'data-shapes="[]"' in surface
    assert drawn_on == " ".join(shown.key)
    assert 'role="alert"' in result
