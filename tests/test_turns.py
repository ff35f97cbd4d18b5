"""Answers out of turn: the last thing asked for is what stays."""

from types import SimpleNamespace

import gradio as gr
import pytest

from resnet.ui.turns import Turns

GRID, LARGE = SimpleNamespace(_id=1), SimpleNamespace(_id=2)
SKIPPED = gr.skip()


@pytest.fixture
def turns():
    return Turns()


def test_events_that_waited_keep_the_order_in_which_they_came(turns):
    first, second = turns.take(), turns.take()
    turns.note("second", second)
    turns.note("first", first)
    assert turns.of("second") == second > turns.of("first") == first
    assert turns.of(None) > second


def test_a_late_answer_leaves_out_only_what_a_later_event_has_answered(turns):
    shown = {}
    assert turns.still_wanted(("new", "new"), [GRID, LARGE], 5, shown) == ("new", "new")
    assert turns.still_wanted("newest", [GRID], 6, shown) == "newest"
    assert turns.still_wanted(("old", "same event"), [GRID, LARGE], 5, shown) == (SKIPPED, "same event")
    assert turns.still_wanted("old", [GRID], 4, shown) == SKIPPED
    assert turns.still_wanted("next", [GRID], 7, shown) == "next"


def test_what_an_event_leaves_alone_it_has_not_answered(turns):
    shown = {}
    assert turns.still_wanted((SKIPPED, "large"), [GRID, LARGE], 9, shown) == (SKIPPED, "large")
    assert turns.still_wanted("grid", [GRID], 3, shown) == "grid"


def test_no_outputs_and_one_value_for_all_pass_unchanged(turns):
    assert turns.still_wanted(None, [], 1, {}) is None
    assert turns.still_wanted(SKIPPED, [GRID, LARGE], 1, {1: 5}) == SKIPPED
    assert turns.still_wanted(("one",), [GRID], 1, {}) == ("one",)


def test_sessions_have_their_own_order(turns):
    one, other = {}, {}
    turns.still_wanted("new", [GRID], 5, one)
    assert turns.still_wanted("old", [GRID], 4, other) == "old"
