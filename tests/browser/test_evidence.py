"""The tab of evidence for classes."""

import re

import pytest
from PIL import Image
from playwright.sync_api import expect

from resnet.maps.observation import Observation
from tests.browser.steps import EXAMPLES, Late, choose, click_quickly, open_tab, settle, shown, upload


def test_evidence_for_classes(page, engine, subtests):
    rows, large = page.locator("#matrix tbody tr"), page.locator("#evidence-large figcaption")
    method = page.locator("#matrix h2")

    with subtests.test("opened with an emptied control, it is drawn once that has a number"):
        opacity = page.locator("#opacity input[type=number]")
        opacity.fill("")
        open_tab(page, "Evidence")
        opacity.fill("70")
        page.keyboard.press("Tab")
        expect(rows.first).to_contain_text("espresso")
        expect(page.locator("#evidence-classes")).to_contain_text("espresso")

    with subtests.test("the matrix, the likeliest class at C5, and what tells two classes apart"):
        expect(rows).to_have_count(5)
        expect(rows.first).to_contain_text(re.compile(r"logit -?\d+\.\d\d"))
        expect(page.locator("#matrix img")).to_have_count(25)
        expect(large).to_contain_text("espresso in C5")
        expect(page.locator("#difference h2")).to_contain_text("Why espresso and not ")
        expect(page.locator("#difference img")).to_have_count(5)
        ends = page.locator("#difference .scale").first.locator("span").all_inner_texts()
        assert float(ends[0]) == -float(ends[1]) < 0

    with subtests.test("another method, scale or map needs no further pass"):
        passes = engine.passes
        last = "document.querySelector('#matrix tr:last-child img').src"
        before = page.evaluate(last)
        page.get_by_label("Grad-CAM++").check()
        page.wait_for_function(f"before => {last} !== before", arg=before)
        expect(method).to_contain_text("Grad-CAM++")
        before = page.evaluate(last)
        page.locator("#evidence-scale").get_by_label("Each map").check()
        page.wait_for_function(f"before => {last} !== before", arg=before)
        page.get_by_role("radio", name="What speaks for espresso in C3").click()
        expect(large).to_contain_text("espresso in C3")
        assert engine.passes == passes

    with subtests.test("the maps are one stop of the keyboard, whose arrow keys go along rows and columns"):
        checked = page.locator("#matrix [role=radio][aria-checked=true]")
        expect(checked).to_have_attribute("data-choice", "0:2")
        assert page.locator("#matrix [role=radio][tabindex='0']").count() == 1
        checked.focus()
        for key, choice in (("ArrowRight", "0:3"), ("ArrowDown", "1:3"), ("ArrowLeft", "1:2"), ("ArrowUp", "0:2")):
            page.keyboard.press(key)
            expect(page.locator(":focus")).to_have_attribute("data-choice", choice)
            expect(checked).to_have_attribute("data-choice", choice)
        expect(large).to_contain_text("espresso in C3")
        expect(checked).to_have_attribute("data-choice", "0:2")

    with subtests.test("any class by part of one of its names, for one pass"):
        choose(page, "#evidence-classes", "boa constrictor")
        expect(rows).to_have_count(6)
        expect(rows.last).to_contain_text("boa constrictor")
        assert engine.passes == passes + 1

    with subtests.test("the figure"):
        with page.expect_download() as waiting:
            page.locator("#save-evidence-figure").click()
        assert waiting.value.suggested_filename == "espresso.evidence.png"
        assert Image.open(waiting.value.path()).format == "PNG"

    with subtests.test("of quick clicks the last counts"):
        click_quickly(page, [f'#matrix [data-choice="{choice}"]' for choice in ("1:0", "2:1", "3:3")])
        expect(large).to_contain_text("in C4")

    with subtests.test("the next photo"):
        page.get_by_role("button", name="Example photo: a pagoda").click()
        shown(page, "pagoda.jpg")
        likeliest = page.locator("#classes .bars li .name").first
        expect(rows.first).to_contain_text(likeliest.inner_text())
        expect(rows).to_have_count(5)
        expect(page.locator("#evidence-large img")).to_have_attribute("alt", re.compile("over the photo pagoda.jpg"))

    with subtests.test("classes can be taken away"):
        upload(page, EXAMPLES / "alp.jpg")
        expect(rows.first).to_contain_text("alp")
        expect(rows).to_have_count(5)
        field = page.locator("#evidence-classes")
        field.locator("input").click()
        page.keyboard.press("Backspace")
        expect(rows).to_have_count(4)
        page.keyboard.press("Escape")
        field.locator(".token", has_text="alp").locator(".token-remove").click()
        expect(rows).to_have_count(3)
        expect(page.locator("#matrix tbody")).not_to_contain_text("alp")
        field.locator(".remove-all").click()
        expect(page.locator("#matrix")).to_contain_text("Choose at least one class.")
        choose(page, "#evidence-classes", "boa constrictor")
        expect(rows).to_have_count(1)


@pytest.mark.slow
def test_a_method_that_is_chosen_while_a_new_photo_is_drawn_is_about_that_photo(page, monkeypatch):
    rows, method = page.locator("#matrix tbody tr"), page.locator("#matrix h2")
    open_tab(page, "Evidence")
    expect(rows).to_have_count(5)
    settle(page)  # what is still to be drawn must not be what is held back
    usual = Observation.likeliest_indices
    late = Late(usual, 1)
    with monkeypatch.context() as patch:
        patch.setattr(
            Observation,
            "likeliest_indices",
            lambda self, count: (late if self.photo_name == "alp.jpg" else usual)(self, count),
        )
        upload(page, EXAMPLES / "alp.jpg")
        shown(page, "alp.jpg")
        assert late.begun.wait(60)
        page.get_by_label("LayerCAM").check()
        expect(method).to_contain_text("LayerCAM")
        expect(rows.first).to_contain_text("alp")
        late.let_go()
    settle(page)
    expect(method).to_contain_text("LayerCAM")
    expect(rows.first).to_contain_text("alp")
    expect(page.locator("#evidence-classes")).to_contain_text("alp")
