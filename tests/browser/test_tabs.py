"""What all tabs have in common."""

import pytest
from playwright.sync_api import expect

from tests.browser.steps import EXAMPLES, open_tab, shown, upload


def test_tabs_ask_for_a_photo_before_there_is_one(page):
    for tab, panel in (
        ("Blocks and channels", "#grid"),
        ("Evidence", "#matrix"),
        ("Does it hold?", "#hold-result"),
        ("Compare", "#compare-result"),
    ):
        open_tab(page, tab)
        expect(page.locator(f"{panel} .empty")).to_contain_text("Choose a photo first")


@pytest.mark.parametrize("width", [1280, 700])
def test_each_tab_stands_there_once_whichever_is_open(open_page, width):
    page = open_page(width)
    tabs = page.locator("#tabs [role=tablist] button, #tabs .overflow-dropdown button")
    names = sorted(tabs.all_inner_texts())
    assert len(names) == 8
    for name in names:
        open_tab(page, name)
        expect(page.locator("#tabs [role=tab][aria-selected=true]")).to_have_text(name)
        assert sorted(tabs.all_inner_texts()) == names


def test_tabs_in_further_rows_are_tabs_for_the_keyboard_too(open_page):
    page = open_page(360, 800)
    tabs = page.get_by_role("tab")
    expect(tabs).to_have_count(8)
    for name in ("Learn", "Model", "Evidence"):
        page.get_by_role("tab", name=name).focus()
        page.keyboard.press("Enter")
        chosen = page.get_by_role("tab", name=name)
        expect(chosen).to_have_attribute("aria-selected", "true")
        expect(chosen).to_be_focused()
        expect(page.locator("#tabs [role=tab][aria-selected=true]")).to_have_count(1)


def test_a_list_closes_when_the_keyboard_leaves_it(page):
    lists = page.get_by_role("listbox")
    page.locator("#map input").focus()
    expect(lists).to_be_visible()
    page.keyboard.press("Tab")
    page.wait_for_timeout(1000)  # Gradio opens it again
    expect(lists).to_have_count(0)
    expect(page.locator("#scale input:focus")).to_have_count(1)
    page.locator("#map input").click()
    page.get_by_role("option", name="Maximum").click()
    expect(page.locator("#map input")).to_have_value("Maximum of channels")
    expect(lists).to_have_count(0)


def test_a_number_that_is_being_typed_keeps_nothing_of_a_former_photo(answered):
    open_tab(answered, "Does it hold?")
    result = answered.locator("#hold-result")
    expect(result).to_contain_text("“espresso”")
    answered.locator("#hold-percent input[type=number]").fill("")
    upload(answered, EXAMPLES / "rocket.jpg")
    shown(answered, "rocket.jpg")
    expect(result).not_to_contain_text("“espresso”")
    expect(result).to_contain_text("with 20% hidden")


def test_tabs_fit_on_a_phone(open_page):
    page = open_page(360, 800)
    upload(page, EXAMPLES / "astronaut.jpg")
    shown(page, "astronaut.jpg")
    for tab, seen in (
        ("Blocks and channels", "#grid figure"),
        ("Evidence", "#matrix tbody tr"),
        ("Does it hold?", "#hold-result .bars"),
        ("Compare", "#compare-result svg"),
        ("Many photos", "#many-files"),
        ("Model", "#class-list tbody tr"),
        ("Learn", "#learn svg"),
    ):
        open_tab(page, tab)
        expect(page.locator(seen).first).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") <= 360, tab


def test_tabs_opened_with_an_emptied_control_are_drawn_once_it_has_a_number(answered):
    opacity = answered.locator("#opacity input[type=number]")
    for tab, parts in (
        ("Evidence", {"#matrix tbody tr:first-child": "espresso", "#evidence-classes": "espresso"}),
        ("Blocks and channels", {"#grid h2": "conv4_block23", "#changes h2": "What each block changes"}),
    ):
        opacity.fill("")
        open_tab(answered, tab)
        opacity.fill("70")
        answered.keyboard.press("Tab")
        for part, words in parts.items():
            expect(answered.locator(part)).to_contain_text(words)
