"""The tab of evidence for classes."""

import re

from PIL import Image
from playwright.sync_api import expect

from resnet.maps.observation import Observation
from tests.browser.steps import EXAMPLES, Late, choose, click_quickly, open_tab, shown, upload


def test_class_evidence(answered, engine):
    open_tab(answered, "Evidence")
    rows = answered.locator("#matrix tbody tr")
    expect(rows).to_have_count(5)
    expect(rows.first).to_contain_text("espresso")
    expect(rows.first).to_contain_text(re.compile(r"logit -?\d+\.\d\d"))
    expect(answered.locator("#matrix img")).to_have_count(25)
    expect(answered.locator("#evidence-large figcaption")).to_contain_text("espresso in C5")
    expect(answered.locator("#difference h2")).to_contain_text("Why espresso and not ")
    expect(answered.locator("#difference img")).to_have_count(5)
    ends = answered.locator("#difference .scale").first.locator("span").all_inner_texts()
    assert float(ends[0]) == -float(ends[1]) < 0

    # Another method or scale needs no further pass.
    passes = engine.passes
    first = answered.locator("#matrix img").first.get_attribute("src")
    answered.get_by_label("Grad-CAM++").check()
    expect(answered.locator("#matrix img").first).not_to_have_attribute("src", first)
    answered.locator("#evidence-scale").get_by_label("Each map").check()
    expect(answered.locator("#matrix h2")).to_contain_text("Grad-CAM++")
    answered.get_by_role("button", name="What speaks for espresso in C3").click()
    expect(answered.locator("#evidence-large figcaption")).to_contain_text("espresso in C3")
    assert engine.passes == passes

    # Any class by part of one of its names; the new one costs one pass, the others none.
    choose(answered, "#evidence-classes", "boa constrictor")
    expect(rows).to_have_count(6)
    expect(rows.last).to_contain_text("boa constrictor")
    assert engine.passes == passes + 1

    with answered.expect_download() as waiting:
        answered.locator("#save-evidence").click()
    assert waiting.value.suggested_filename == "espresso.evidence.png"
    assert Image.open(waiting.value.path()).format == "PNG"


def test_evidence_follows_the_next_photo_while_the_tab_is_open(answered):
    open_tab(answered, "Evidence")
    expect(answered.locator("#matrix tbody tr")).to_have_count(5)
    answered.get_by_role("button", name="Example photo: a pagoda").click()
    expect(answered.locator("#message")).to_contain_text("pagoda.jpg")
    likeliest = answered.locator(".bars li .name").first
    expect(answered.locator("#matrix tbody tr").first).to_contain_text(likeliest.inner_text())
    expect(answered.locator("#evidence-large img")).to_have_attribute("alt", re.compile("over the photo pagoda.jpg"))


def test_a_method_chosen_while_a_new_photo_is_drawn_is_about_that_photo(answered, monkeypatch):
    open_tab(answered, "Evidence")
    rows = answered.locator("#matrix tbody tr")
    expect(rows.first).to_contain_text("espresso")
    late = Late(Observation.likeliest_indices, 1)
    monkeypatch.setattr(Observation, "likeliest_indices", lambda *given: late(*given))
    upload(answered, EXAMPLES / "alp.jpg")
    shown(answered, "alp.jpg")
    assert late.begun.wait(60)
    answered.get_by_label("LayerCAM").check()
    expect(answered.locator("#matrix h2")).to_contain_text("LayerCAM")
    expect(rows.first).to_contain_text("alp")
    late.go.set()
    answered.wait_for_timeout(1000)
    expect(answered.locator("#matrix h2")).to_contain_text("LayerCAM")
    expect(rows.first).to_contain_text("alp")
    expect(answered.locator("#evidence-classes")).to_contain_text("alp")


def test_classes_can_be_taken_away(answered):
    open_tab(answered, "Evidence")
    rows = answered.locator("#matrix tbody tr")
    expect(rows).to_have_count(5)
    field = answered.locator("#evidence-classes")
    field.locator("input").click()
    answered.keyboard.press("Backspace")
    expect(rows).to_have_count(4)
    answered.keyboard.press("Escape")
    field.locator(".token", has_text="espresso").locator(".token-remove").click()
    expect(rows).to_have_count(3)
    expect(answered.locator("#matrix")).not_to_contain_text("espresso")
    field.locator(".remove-all").click()
    expect(answered.locator("#matrix")).to_contain_text("Choose at least one class.")
    choose(answered, "#evidence-classes", "boa constrictor")
    expect(rows).to_have_count(1)


def test_of_two_quick_clicks_the_last_counts(answered):
    open_tab(answered, "Evidence")
    expect(answered.locator("#matrix img")).to_have_count(25)
    click_quickly(answered, [f'#matrix [data-choice="{choice}"]' for choice in ("1:0", "2:1", "3:2")])
    expect(answered.locator("#evidence-large figcaption")).to_contain_text("in C3")
