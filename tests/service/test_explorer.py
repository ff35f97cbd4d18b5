"""Questions about a photo, each answered by the network once."""

import shutil
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from resnet.errors import ImageError, OptionError, WeightsError
from resnet.maps.heatmaps import ViewOptions
from resnet.network.labels import ASSETS
from resnet.service.cache import ResultCache
from resnet.service.explorer import Explorer, Source
from resnet.service.provider import EngineProvider

CAT, ROCKET = (str(ASSETS / "examples" / name) for name in ("cat.jpg", "rocket.jpg"))


@pytest.fixture
def explorer(engine):
    return Explorer(EngineProvider.serving(engine))


def test_equal_photos_run_the_network_once(explorer, engine, tmp_path):
    copy = tmp_path / "another name.jpg"
    shutil.copy(CAT, copy)
    before = engine.passes
    shown, first = explorer.observe(Source(CAT))
    same, again = explorer.observe(Source(str(copy)))
    assert engine.passes == before + 1
    assert shown.key == same.key
    assert again.maps is first.maps
    assert (first.photo_name, again.photo_name) == ("cat.jpg", "another name.jpg")
    assert explorer.observation(same).photo_name == "another name.jpg"
    other, _ = explorer.observe(Source(CAT, "whole"))
    assert engine.passes == before + 2
    assert other.key != shown.key


def test_each_question_runs_the_network_once(explorer, engine, monkeypatch):
    shown, observation = explorer.observe(Source(CAT))
    heatmap = observation.heatmaps(ViewOptions())[4]
    questions = [
        lambda: explorer.blocks(shown),
        lambda: explorer.evidence(shown, [3, 5]),
        lambda: explorer.hidden(shown, heatmap, 20, "blur"),
        lambda: list(explorer.curves(shown, heatmap, 3, "blur")),
        lambda: explorer.observe(Source(CAT, change=("rotate", 30))),
    ]
    for ask in questions:
        before = engine.passes
        ask()
        once = engine.passes
        assert once > before
        ask()
        assert engine.passes == once


def test_classes_that_were_asked_before_are_still_known(explorer, engine):
    shown, _ = explorer.observe(Source(CAT))
    explorer.evidence(shown, [3, 5])
    before = engine.passes
    assert explorer.evidence(shown, [5]).classes == (5,)
    assert explorer.evidence(shown, [5, 3]).classes == (5, 3)
    assert engine.passes == before
    assert explorer.evidence(shown, [8, 5]).classes == (8, 5)
    assert engine.passes == before + 1


def test_who_asks_for_the_same_classes_at_the_same_time_shares_a_pass(explorer, engine):
    shown, _ = explorer.observe(Source(CAT))
    before = engine.passes
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: explorer.evidence(shown, [11, 12]), range(4)))
    assert engine.passes == before + 1
    assert all(np.array_equal(one.logits, found[0].logits) for one in found)


def test_what_left_the_cache_is_computed_again(engine):
    explorer = Explorer(EngineProvider.serving(engine), ResultCache(10))
    shown, first = explorer.observe(Source(CAT, change=("blur", 3)))
    before = engine.passes
    assert (explorer.observation(shown).probabilities == first.probabilities).all()
    assert engine.passes == before + 1


def test_another_part_hidden_is_another_question(explorer, engine):
    shown, observation = explorer.observe(Source(CAT))
    heatmap = observation.heatmaps(ViewOptions())[4]
    before = engine.passes
    found = [explorer.hidden(shown, heatmap, percent, "blur").share for percent in (10, 30)]
    assert found == pytest.approx([0.1, 0.3], abs=1e-4)
    assert engine.passes == before + 2


@pytest.mark.parametrize(
    ("source", "error", "sentence"),
    [
        (Source("/nowhere/x.jpg"), ImageError, "x.jpg cannot be read"),
        (Source(CAT, "tile"), OptionError, "framing must be one of crop, whole"),
        (Source(CAT, weights="other"), OptionError, "weights must be one of server, bundled, imagenet"),
        (Source(CAT, change=("melt", 1)), OptionError, "change must be one of rotate"),
    ],
    ids=["photo", "framing", "weights", "change"],
)
def test_what_is_wrong_is_named(explorer, source, error, sentence):
    with pytest.raises(error, match=sentence):
        explorer.observe(source)


def test_an_answer_is_never_mixed_with_other_weights(explorer, engine):
    """The server's weights change while an answer is shown, and the answer has left the cache."""
    from dataclasses import replace

    from resnet.service.provider import Status

    class Other:
        manifest = replace(engine.manifest, name="other", sha256="1" * 64)
        identity = "other"

        def __getattr__(self, name):
            raise AssertionError("the wrong weights were asked")

    shown, _ = explorer.observe(Source(CAT))
    explorer.provider._set(Status("ready", "auto-imagenet", Other.manifest), Other())
    explorer.cache.clear()
    assert explorer.observation(shown).manifest.sha256 == engine.manifest.sha256
    assert explorer.evidence(shown, [5]).classes == (5,)
    changed, other = explorer.observe(Source(CAT, change=("rotate", 30)), like=shown)
    assert (other.manifest.sha256, changed.key[2]) == (engine.manifest.sha256, shown.key[2])
    explorer.provider._chosen.clear()
    explorer.cache.clear()
    with pytest.raises(WeightsError, match="no longer loaded; choose the photo again"):
        explorer.observation(shown)


def test_weights_of_one_file_that_want_other_pictures_or_name_other_classes_give_answers_of_their_own(
    explorer, engine, tmp_path
):
    from dataclasses import replace

    classes = tmp_path / "classes.txt"
    classes.write_text("".join(f"class {number}\n" for number in range(200)))
    renamed = replace(engine.manifest, class_file="classes.txt", folder=tmp_path)
    larger = replace(engine.manifest, input=replace(engine.manifest.input, size=160))
    same = replace(engine.manifest, accuracy={})
    assert len({engine.manifest.identity, renamed.identity, larger.identity}) == 3
    assert same.identity == engine.manifest.identity

    class Renamed:
        manifest, identity = renamed, renamed.identity

        def __getattr__(self, name):
            return getattr(engine, name)

    explorer.observe(Source(CAT))
    explorer.provider._chosen["imagenet"] = Renamed()
    _, found = explorer.observe(Source(CAT, weights="imagenet"))
    assert found.predictions(1)[0].label.startswith("class ")
