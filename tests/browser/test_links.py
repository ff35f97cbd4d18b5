"""Links that restore a view."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.steps import EXAMPLES, changed, choose, open_tab, pictures, settle, shown, upload


def test_a_link_restores_the_view(answered, open_page):
    before = pictures(answered)
    choose(answered, "#map", "Maximum")
    changed(answered, before)
    choose(answered, "#colormap", "magma")
    answered.get_by_role("radio", name="C2").check()
    expect(answered.locator("#maps-large figcaption")).to_contain_text("C2")
    answered.get_by_role("button", name="Copy a link to this view").click()
    expect(answered.get_by_text("The link is in the address bar")).to_be_visible()
    answered.wait_for_url("**/?*photo=espresso*")

    page = open_page(query=answered.url.partition("?")[2])
    shown(page, "espresso.jpg")
    expect(page.locator("#maps-large figcaption")).to_contain_text("C2")
    expect(page.locator("#maps-large img")).to_have_attribute("alt", re.compile("maximum of the channels"))
    expect(page.locator("#colormap input")).to_have_value("magma")


def test_a_link_restores_a_tab_and_those_of_its_classes_that_the_weights_know(open_page):
    page = open_page(query="photo=cat&tab=evidence&class=n01443537;espresso;unicorn&method=layercam&framing=whole")
    said = page.get_by_text("A part of the link is left out. The weights tiny-imagenet-200 have no class 'unicorn'.")
    expect(said).to_be_visible()
    rows = page.locator("#matrix tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("goldfish")
    expect(rows.nth(1)).to_contain_text("espresso")
    expect(page.locator("#matrix h2")).to_contain_text("LayerCAM")
    expect(page.get_by_label("Whole photo")).to_be_checked()
    settle(page)  # after which another would be there, too
    expect(said).to_have_count(1)


@pytest.mark.slow
def test_a_wrong_link_is_said_and_the_page_works(open_page, subtests):
    page = open_page(query="photo=../secret&tab=nowhere&colormap=magma")

    with subtests.test("what is wrong is said, the rest restored"):
        expect(page.get_by_text(re.compile("part of the link is left out. The photo must be one of"))).to_be_visible()
        expect(page.get_by_text(re.compile("part of the link is left out. The tab must be one of"))).to_be_visible()
        expect(page.locator("#colormap input")).to_have_value("magma")
        upload(page, EXAMPLES / "cat.jpg")
        shown(page, "cat.jpg")

    with subtests.test("a tab opened before the page knows its link stays open"):
        held = []
        page.route("**/run/predict*", lambda route: held.append(route))  # where the page asks what its link says
        page.reload(wait_until="load")
        open_tab(page, "Many photos")
        expect(page.locator("#many-files")).to_be_visible()
        assert held
        for route in held[:]:
            route.continue_()
        page.locator("#choices > button").click()
        expect(page.locator("#colormap input")).to_have_value("magma")
        expect(page.locator("#many-files")).to_be_visible()
