"""What the server remembers of visitors: only what is theirs, and nobody who waits is forgotten."""

import asyncio
import json
from types import SimpleNamespace

import gradio as gr
import gradio.routes
import httpx
import pytest
from anyio.from_thread import start_blocking_portal
from fastapi import HTTPException
from gradio.state_holder import StateHolder
from gradio_client.utils import ServerMessage

from benchmarks.served import page_events
from resnet.labels import ASSETS
from resnet.provider import EngineProvider
from resnet.ui import sessions
from resnet.ui.layout import build_demo
from resnet.ui.server import REST
from resnet.ui.sessions import LightSession, Mailboxes
from tests.conftest import serve

ESPRESSO = ASSETS / "examples" / "espresso.jpg"


@pytest.fixture
def session():
    with gr.Blocks() as page:
        state, words = gr.State({"photo": None}), gr.HTML()
    holder = StateHolder()
    holder.set_blocks(page)
    return holder["a visitor"], state, words


def test_a_session_keeps_its_state_and_what_an_event_changed(session):
    held, state, words = session
    assert isinstance(held, LightSession)
    held[state._id] = {"photo": "cat.jpg"}
    held[words._id] = gr.HTML("changed", render=False)
    assert held[state._id] == {"photo": "cat.jpg"}
    assert held[words._id].value == "changed"


def test_two_sessions_share_no_state(session):
    held, state, _ = session
    holder = StateHolder()
    holder.set_blocks(SimpleNamespace(default_config=held.blocks_config, state_session_capacity=10))
    holder["one"][state._id]["photo"] = "cat.jpg"
    assert holder["other"][state._id] == {"photo": None}


def test_a_session_keeps_no_settings_and_no_answers(session):
    held, state, words = session
    held._update_value_in_config(words._id, "an answer")
    held._update_config(words._id)
    held[state._id] = 1
    held[words._id] = gr.HTML("an answer", render=False)
    assert list(held.components) == []


def test_the_visitor_who_was_away_longest_is_forgotten_with_his_events(monkeypatch):
    monkeypatch.setattr(sessions, "MOST_MAILBOXES", 2)
    queue = SimpleNamespace(pending_event_ids_session={"first": {"1"}, "second": {"2"}, "third": {"3"}})
    mailboxes = Mailboxes(queue)
    mailboxes["first"] = "mail"
    mailboxes["second"] = "mail"
    assert mailboxes["first"] == "mail"
    mailboxes["third"] = "mail"
    assert ("first" in mailboxes, "second" in mailboxes, "third" in mailboxes) == (True, False, True)
    assert set(queue.pending_event_ids_session) == {"first", "third"}


def test_a_visitor_who_leaves_takes_the_names_of_his_events_with_him():
    queue = SimpleNamespace(pending_event_ids_session={"first": {"1"}, "second": {"2"}})
    mailboxes = Mailboxes(queue)
    mailboxes["first"] = mailboxes["second"] = "mail"
    del mailboxes["first"]
    assert set(queue.pending_event_ids_session) == {"second"}


def test_of_too_many_unread_answers_those_of_who_leaves_most_go_first(monkeypatch):
    monkeypatch.setattr(sessions, "MOST_UNREAD_TOGETHER", 6)
    mailboxes = Mailboxes(SimpleNamespace(pending_event_ids_session={}))
    for name, answers, others in (("waits", 0, 0), ("reads", 1, 9), ("hoards", 4, 0), ("calls", 1, 9)):
        mailboxes[name] = asyncio.Queue()
        for kind in [ServerMessage.process_completed] * answers + [ServerMessage.estimation] * others:
            mailboxes[name].put_nowait(SimpleNamespace(msg=kind))
    mailboxes.make_room()
    assert list(mailboxes) == ["waits", "reads", "hoards", "calls"]
    mailboxes["calls"].put_nowait(SimpleNamespace(msg=ServerMessage.process_completed))
    mailboxes.make_room()
    assert list(mailboxes) == ["waits", "reads", "calls"]


def test_of_uploads_that_nobody_watches_no_more_are_remembered_than_of_sessions(monkeypatch):
    monkeypatch.setattr(sessions, "MOST_MAILBOXES", 2)
    progress = sessions.LightProgress()
    with start_blocking_portal() as portal:
        for upload in ("first", "second", "third"):
            portal.call(progress.append, upload, "cat.jpg", b"bytes")
            portal.call(progress.set_done, upload)
        assert portal.call(progress.is_tracked, "third")
    assert (len(progress._statuses), len(progress._signals)) == (2, 2)
    assert progress.is_done("third")
    assert progress.pop("third").chunk_size == 5
    assert isinstance(gradio.routes.file_upload_statuses, sessions.LightProgress)


def test_a_page_remembers_no_names_of_files(engine):
    demo = build_demo(EngineProvider.serving(engine))
    demo.upload_file_set.update(["one.jpg"])
    for block in demo.blocks.values():
        block.temp_files.add("two.jpg")
    assert not any([demo.upload_file_set, *demo.temp_file_sets, *(block.temp_files for block in demo.blocks.values())])


def answer_of(address, session_hash):
    with httpx.stream("GET", f"{address}gradio_api/queue/data?session_hash={session_hash}", timeout=60) as stream:
        for line in stream.iter_lines():
            message = json.loads(line[6:]) if line.startswith("data: ") else {}
            if message.get("msg") == "process_completed":
                return message["output"]["data"]
    return None


def test_a_visitor_who_came_first_gets_his_answer_however_many_come_while_he_waits(engine, monkeypatch):
    monkeypatch.setattr(sessions, "MOST_MAILBOXES", 4)
    with serve(lambda: engine) as address:
        explain = page_events(httpx.get(f"{address}config").json())["explain"]
        with ESPRESSO.open("rb") as file:
            path = httpx.post(f"{address}gradio_api/upload", files={"files": file}).json()[0]
        photo = {"path": path, "meta": {"_type": "gradio.FileData"}}

        def ask(session_hash):
            body = {"data": [photo, "crop", None], "fn_index": explain, "session_hash": session_hash}
            assert httpx.post(f"{address}gradio_api/queue/join", json=body, timeout=60).status_code == 200

        ask("first")
        assert "espresso.jpg" in answer_of(address, "first")[0]
        for number in range(3):
            ask(f"other{number}")
        ask("first")
        ask("one too many")
        assert "espresso.jpg" in answer_of(address, "first")[0]


def test_a_call_of_a_program_leaves_no_session_and_a_visit_does(engine, monkeypatch):
    holders = []
    set_blocks = StateHolder.set_blocks
    monkeypatch.setattr(StateHolder, "set_blocks", lambda *given: (holders.append(given[0]), set_blocks(*given))[1])
    with serve(lambda: engine) as address:
        body = {"data": [None, 5, "crop", "server"]}
        event = httpx.post(f"{address}gradio_api/call/classify", json=body).json()["event_id"]
        assert "A photo is needed; received none." in httpx.get(f"{address}gradio_api/call/classify/{event}").text
        assert event not in holders[-1].session_data
        explain = page_events(httpx.get(f"{address}config").json())["explain"]
        body = {"data": [None, "crop", None], "fn_index": explain, "session_hash": "visitor"}
        httpx.post(f"{address}gradio_api/queue/join", json=body)
        assert "Choose a photo to begin." in answer_of(address, "visitor")[0]
        assert "visitor" in holders[-1].session_data


def test_a_queue_that_nobody_asks_rests(engine):
    queue = build_demo(EngineProvider.serving(engine))._queue
    assert queue.sleep_when_free == REST
    # In a thread of its own: a browser test of the same process may have a loop running in this one.
    with start_blocking_portal() as portal, pytest.raises(HTTPException):
        portal.call(queue.push, SimpleNamespace(session_hash="x" * 65), None, None)
    assert 0 < queue.sleep_when_free < REST  # whoever comes, whatever becomes of it
    queue.asked -= 60
    assert queue.sleep_when_free == REST
