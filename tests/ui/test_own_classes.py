"""A network of one's own classes, which have no WordNet ids and may be named as anything."""

from dataclasses import replace

import pytest

from resnet.ui.classes import about
from resnet.ui.language import LANGUAGES
from tests.ui.test_page import DRAWING, EVIDENCE, HIDDEN, VIEW, build, explain

OWN = "<b>own</b> {0} 我的"


class Renamed:
    """The session's network under other names of its classes."""

    def __init__(self, engine, manifest):
        self._engine, self.manifest, self.identity = engine, manifest, manifest.identity

    def __getattr__(self, name):
        return getattr(self._engine, name)


@pytest.fixture(scope="module")
def layout(engine, tmp_path_factory):
    folder = tmp_path_factory.mktemp("own")
    (folder / "classes.txt").write_text("".join(f"{OWN} {number}\n" for number in range(200)), encoding="utf-8")
    return build(Renamed(engine, replace(engine.manifest, class_file="classes.txt", folder=folder)))


def test_every_tab_names_ones_own_classes_and_takes_them_for_no_markup(layout):
    _, shown = explain(layout)
    observation = layout._page.observation(shown)
    (first,) = observation.likeliest_indices(1)
    name = f"&lt;b&gt;own&lt;/b&gt; {{0}} 我的 {first}"
    classes = layout.column.classes(shown, 5)
    assert name in classes
    assert 'class="levels"' not in classes  # WordNet knows nothing of them
    evidence = layout.evidence.draw(shown, about(shown), None, classes=[first, (first + 1) % 200], **EVIDENCE)
    hidden = layout.hold.hide(shown, about(shown), "", None, **{**HIDDEN, "target": first})
    compared = layout.compare.compare(shown, None, "grey", 100, 5, **VIEW)
    blocks = layout.blocks.open(shown, "", "", 0, "", -1, None, "C5", 3, "contribution", first, 16, **DRAWING)
    for part in (
        evidence[layout.evidence.matrix],
        hidden[layout.hold.result],
        compared[layout.compare.result],
        layout.model._classes(observation.manifest),
    ):
        assert name in part
        assert "<b>own" not in part
    assert "16 of 2048 channels" in blocks[layout.blocks.grid]
    assert (f"{OWN} {first}", first) in blocks[layout.blocks.target]["choices"]


def test_another_language_keeps_their_names():
    assert LANGUAGES[1].named("", f"{OWN} 3") == f"{OWN} 3"
