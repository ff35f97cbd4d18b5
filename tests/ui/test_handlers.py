"""What stands between an event and its handler: values, faults, and the order of answers."""

import errno
import threading
from concurrent.futures import ThreadPoolExecutor

import gradio as gr
import pytest

from resnet.errors import ImageError, OptionError
from resnet.service.explorer import Shown, Source
from resnet.ui.handlers import LastChoice, checked, faults_counted
from resnet.ui.signed import sign, verify

SKIP = gr.skip()


def test_what_was_asked_for_last_stays_whichever_answer_comes_last():
    last, (first, second) = LastChoice(), (gr.HTML(), gr.HTML())
    assert last.filter("one", 2, {first: "late", second: SKIP}) == {first: "late"}
    assert last.filter("one", 1, {first: "early", second: "early"}) == {second: "early"}
    assert last.filter("one", 3, {first: "later", second: "later"}) == {first: "later", second: "later"}
    assert last.filter("one", 2, {second: "late"}) == {}


def test_a_drawing_leaves_alone_what_a_later_one_is_about_to_draw():
    last, (first, second) = LastChoice(), (gr.HTML(), gr.HTML())
    begun, go_on = threading.Event(), threading.Event()
    drawn = {}

    def earlier():
        with last.turn("one", 1, [first, second], alone=True):
            begun.set()
            assert go_on.wait(60)
            drawn[1] = last.filter("one", 1, {first: "early", second: "early"})

    def later():
        with last.turn("one", 2, [second], alone=True):
            drawn[2] = last.filter("one", 2, {second: "late"})

    with ThreadPoolExecutor(2) as pool:
        ends = [pool.submit(earlier)]
        assert begun.wait(60)
        ends.append(pool.submit(later))
        while len(last._turns["one"][1]) < 2:
            assert not ends[1].done()
        assert last.filter("another", 1, {second: "a"}) == {second: "a"}
        go_on.set()
        for end in ends:
            end.result(60)
    assert drawn == {1: {first: "early"}, 2: {second: "late"}}
    # One that may take long, as it may run the network, lets others draw meanwhile.
    with last.turn("one", 3, [first], alone=False), last.turn("one", 5, [first], alone=True):
        assert last.filter("one", 3, {first: "early"}) == {}
    # One that drew nothing after all keeps nobody else from it.
    with last.turn("one", 6, [second], alone=True):
        assert last.filter("one", 6, {}) == {}
    assert last.filter("one", 3, {second: "slow"}) == {second: "slow"}


def test_visitors_do_not_take_each_others_turns():
    last, part = LastChoice(), gr.HTML()
    assert last.filter("one", 5, {part: "a"}) == {part: "a"}
    assert last.filter("another", 1, {part: "b"}) == {part: "b"}


def test_an_event_without_a_number_comes_last():
    last, part = LastChoice(), gr.HTML()
    for number, shown in ((5, True), (None, True), (4, False), (None, True), (6, True)):
        assert last.filter("one", number, {part: "a"}) == ({part: "a"} if shown else {}), number


@pytest.mark.parametrize(
    ("field", "values", "others"),
    [
        (gr.Slider(0, 10, label="x"), (3, 3.5, 99, None), (True, "3", [3], float("nan"), float("inf"))),
        (gr.Number(label="x"), (3, -3.5, None), (True, "3", {}, float("nan"))),
        (gr.Checkbox(label="x"), (True, False, None), (1, "true", [])),
        (gr.Textbox(label="x"), ("", "text", None), (1, ["a"], {"path": "/etc/passwd"})),
        (gr.Radio(["a", "b"], label="x"), ("a", "b", None), ("c", {"path": "a"}, ["c"], True, 5)),
        (gr.Dropdown(["a"], label="x"), ("a", None), ("c", 17, [17, "c"], {}, True, [[1]])),
        (gr.Dropdown([], multiselect=True, label="x"), (17, [17, 18], None), ("c", [17, "c"], {}, True, [[1]])),
    ],
    ids=lambda value: type(value).__name__,
)
def test_values_are_of_the_kind_that_a_handler_expects(field, values, others):
    for value in values:
        assert checked(field, value) == value
    for value in others:
        with pytest.raises(OptionError, match="“x” cannot be"):
            checked(field, value)


def test_files_become_paths_and_only_those_of_visitors_are_taken(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"x")
    assert checked(gr.Image(), None) is None
    assert checked(gr.Image(), {"path": str(photo), "url": "http://localhost/x"}) == str(photo)
    assert checked(gr.File(), None) == []
    assert checked(gr.File(), [{"path": str(photo)}]) == [str(photo)]
    # One that is gone is refused by whoever reads it: only then can its former answer be taken away.
    assert checked(gr.Image(), {"path": str(tmp_path / "gone.png")}) == str(tmp_path / "gone.png")
    (tmp_path / "link.png").symlink_to("/etc/passwd")
    with pytest.raises(ImageError, match="no longer on the server"):
        checked(gr.Image(), {"path": str(tmp_path / "link.png")})
    for value in ({"path": "/etc/passwd"}, {"path": f"{tmp_path}/../x"}, {"path": "x\0y"}):
        with pytest.raises(ImageError, match="no longer on the server"):
            checked(gr.Image(), value)
    for value in (17, [], {}, {"path": 5}, {"url": "https://x"}, "photo.png", "https://example.com/x.png"):
        with pytest.raises(OptionError, match="uploaded file or a data URL"):
            checked(gr.Image(), value)


def test_errors_become_messages_and_faults_stay_faults():
    def say(error):
        return gr.Error(str(error))

    with pytest.raises(gr.Error, match="no photo"), faults_counted(say):
        raise ImageError("no photo")
    full = OSError(errno.ENOSPC, "No space left on device")
    with pytest.raises(gr.Error, match="cannot store files now: No space left on device"), faults_counted(say):
        raise full
    with pytest.raises(KeyError), faults_counted(say):
        raise KeyError("defect")


def test_what_the_browser_holds_comes_back_as_it_was(tmp_path, monkeypatch):
    monkeypatch.setenv("GRADIO_TEMP_DIR", str(tmp_path))
    photo = tmp_path / "photo.png"
    photo.write_bytes(b"x")
    for change in (None, ("rotate", 30.0)):
        shown = Shown(("digest", "crop", "identity"), Source(str(photo), "crop", "server", change))
        assert verify(sign(shown)) == shown
    for value in (None, "maps", ["a", "b"], 3):
        assert verify(sign(value)) == value
    assert verify("") is verify(None) is None


def test_what_the_browser_holds_is_taken_only_as_it_was_given(tmp_path, monkeypatch):
    """A forged value could name a file of the server, or an answer that was given to somebody else."""
    shown = sign(Shown(("digest", "crop", "identity"), Source("/tmp/photo.png")))
    signature, _, text = shown.partition(" ")
    other = sign(Shown(("another", "crop", "identity"), Source("/tmp/photo.png")))
    for forged in (
        text,
        f"{signature} {text.replace('photo', 'other')}",
        f"{other.partition(' ')[0]} {text}",
        '[{"path": "app.py", "meta": {"_type": "gradio.FileData"}}]',
        "/etc/passwd",
        "\ud800",
    ):
        with pytest.raises(OptionError, match="older than the server"):
            verify(forged)
