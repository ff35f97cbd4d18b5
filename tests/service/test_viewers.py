"""Photos that are cleared: what goes at once, and what others still look at."""

from resnet.network.labels import ASSETS
from resnet.service.explorer import Explorer, Source
from resnet.service.viewers import Viewers


class Provider:
    def __init__(self, engine):
        self._engine = engine

    def engine(self, weights):
        return self._engine


def test_a_photo_at_which_somebody_else_looks_stays():
    viewers = Viewers()
    viewers.look("one", "a.jpg", "1")
    viewers.look("two", "a.jpg", "1")
    viewers.look("three", "b.jpg")
    assert viewers.leave("one") is None
    assert viewers.leave("one") is None
    assert viewers.leave("two") == ("a.jpg", "1")
    assert viewers.leave("three") == ("b.jpg", None)


def test_who_has_gone_on_to_another_photo_keeps_nobody_from_the_former_one():
    viewers = Viewers()
    viewers.look("one", "a.jpg")
    viewers.look("one", "b.jpg")
    viewers.look("two", "a.jpg")
    assert viewers.leave("two") == ("a.jpg", None)


def test_clearing_takes_the_file_and_what_was_found_out_about_it(engine, tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    explorer = Explorer(Provider(engine))
    kept, cleared = tmp_path / "kept.jpg", tmp_path / "cleared.jpg"
    for place, name in ((kept, "cat"), (cleared, "alp")):
        place.write_bytes((ASSETS / "examples" / f"{name}.jpg").read_bytes())
        explorer.viewers.look(name, str(place))
        shown, _ = explorer.observe(Source(str(place)))
        explorer.viewers.look(name, str(place), shown.key[0])
        held = explorer.cache.held_bytes
        explorer.observe(Source(str(place), change=("rotate", 30)))
    before = explorer.cache.held_bytes
    explorer.clear("alp")
    assert (kept.exists(), cleared.exists()) == (True, False)
    assert before > held > explorer.cache.held_bytes > 0
    passes = engine.passes
    explorer.observe(Source(str(kept)))
    assert engine.passes == passes
    explorer.clear("alp")  # again: there is nothing any more


def test_no_file_outside_the_temporary_folder_is_deleted(engine, tmp_path, monkeypatch):
    (tmp_path / "served").mkdir()
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path / "served"))
    explorer, outside = Explorer(Provider(engine)), tmp_path / "photo.jpg"
    outside.write_bytes(b"photo")
    for path in (str(outside), str(tmp_path / "served" / ".." / "photo.jpg")):
        explorer.viewers.look("one", path)
        explorer.clear("one")
    assert outside.exists()
