"""Answers out of turn: the last thing asked for is what stays."""

from types import SimpleNamespace

import gradio as gr
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.testclient import TestClient

from resnet.ui.guard import Guard
from resnet.ui.turns import arrive, still_wanted, take, turn_of

GRID, LARGE = SimpleNamespace(_id=1), SimpleNamespace(_id=2)
SKIPPED = gr.skip()


def asked():
    """A request as an event has it."""
    scope = {"type": "http"}
    arrive(scope)
    return gr.Request(Request(scope))


def test_requests_keep_the_order_in_which_they_came():
    first, second = asked(), asked()
    assert turn_of(second) == turn_of(second) > turn_of(first) == turn_of(first)
    assert turn_of(None) > turn_of(second)
    assert take() > turn_of(second)


def test_a_request_is_given_its_turn_before_all_else():
    turns = []

    async def page(scope, receive, send):
        turns.append(turn_of(gr.Request(Request(dict(scope)))))
        await PlainTextResponse("page")(scope, receive, send)

    client = TestClient(Guard(page, None))
    client.get("/")
    client.get("/")
    assert turns[0] < turns[1] < take()


def test_a_late_answer_leaves_out_only_what_a_later_event_has_answered():
    shown = {}
    assert still_wanted(("new", "new"), [GRID, LARGE], 5, shown) == ("new", "new")
    assert still_wanted("newest", [GRID], 6, shown) == "newest"
    assert still_wanted(("old", "same event"), [GRID, LARGE], 5, shown) == (SKIPPED, "same event")
    assert still_wanted("old", [GRID], 4, shown) == SKIPPED
    assert still_wanted("next", [GRID], 7, shown) == "next"


def test_what_an_event_leaves_alone_it_has_not_answered():
    shown = {}
    assert still_wanted((SKIPPED, "large"), [GRID, LARGE], 9, shown) == (SKIPPED, "large")
    assert still_wanted("grid", [GRID], 3, shown) == "grid"


def test_no_outputs_and_one_value_for_all_pass_unchanged():
    assert still_wanted(None, [], 1, {}) is None
    assert still_wanted(SKIPPED, [GRID, LARGE], 1, {1: 5}) == SKIPPED
    assert still_wanted(("one",), [GRID], 1, {}) == ("one",)


def test_sessions_have_their_own_order():
    one, other = {}, {}
    still_wanted("new", [GRID], 5, one)
    assert still_wanted("old", [GRID], 4, other) == "old"
