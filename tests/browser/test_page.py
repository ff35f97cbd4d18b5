"""The page as a person uses it, in a real browser."""

import re
import threading
from pathlib import Path

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from resnet.errors import WeightsError
from tests.browser.steps import EXAMPLES, changed, choose, clear, pictures, saved, shown, upload
from tests.conftest import serve


def test_the_page_opens_with_an_example_that_is_answered(page):
    expect(page.locator("#message")).to_contain_text("espresso.jpg")
    expect(page.locator("#classes li").first).to_contain_text("espresso")
    expect(page.locator("#classes .levels")).to_have_text(re.compile(r"^food \d+% › espresso \d+%$"))
    expect(page.locator("#stages img")).to_have_count(5)
    expect(page.locator("#weights")).to_contain_text("tiny-imagenet-200) knows 200 classes and is right on 47%")
    page.get_by_role("button", name="About it").click()
    expect(page.locator("#model-description")).to_contain_text("Weights: tiny-imagenet-200")


def test_an_empty_page_says_what_to_do_and_has_no_control_that_needs_a_result(page):
    expect(page.locator("#save-figure")).to_be_visible()
    clear(page)
    expect(page.locator("#message")).to_contain_text("Choose a photo to begin")
    expect(page.locator("#classes")).to_contain_text("the classes appear here")
    for control in ("#save-figure", "#view", "#share"):
        expect(page.locator(control)).to_be_hidden()


def test_an_answer_that_is_not_sure_says_so(page):
    page.get_by_role("button", name="Example photo: a cat, of which it is not sure").click()
    shown(page, "cat.jpg")
    expect(page.locator("#classes .levels")).to_contain_text("Not sure: of its 200 classes none fits well.")


def test_the_page_loads_no_code_that_it_does_not_use(page):
    loaded = page.evaluate("() => performance.getEntriesByType('resource').map(({ name }) => name)")
    assert len(loaded) > 20
    assert not [name for name in loaded if re.search(r"hls|Video|Gallery|Plot", name)]


def test_the_page_answers_before_the_weights_are_ready(open_page, engine):
    ready = threading.Event()

    def load():
        ready.wait(60)
        return engine

    with serve(load) as address:
        page = open_page(address=address, says="Loading the weights")
        moving = page.locator("#weights .moving")
        expect(moving).to_be_visible()
        expect(moving).to_have_css("background-image", re.compile("linear-gradient"))
        upload(page, EXAMPLES / "alp.jpg")
        page.locator("#top-k input[type=range]").focus()
        page.keyboard.press("Home")
        expect(page.locator(".strip img")).to_have_count(0)
        ready.set()
        shown(page, "alp.jpg")
        expect(page.locator(".bars li")).to_have_count(1)
        expect(page.locator("#weights")).to_contain_text("200 classes")
        page.close()


def test_weights_that_do_not_load_are_said(open_page):
    def load():
        raise WeightsError("The weights are damaged.")

    with serve(load) as address:
        page = open_page(address=address, says="could not be loaded")
        expect(page.locator("#weights [role=alert]")).to_contain_text("The weights are damaged.")
        upload(page, EXAMPLES / "alp.jpg")
        expect(page.locator("#message [role=alert]")).to_contain_text("The weights are damaged.")
        page.close()


def test_a_file_of_another_kind_gets_a_sentence(page, tmp_path):
    notes = tmp_path / "notes.txt"
    notes.write_text("no photo")
    upload(page, notes)
    expect(page.get_by_text("Invalid file type: notes.txt").first).to_be_visible()
    upload(page, EXAMPLES / "cat.jpg")
    shown(page, "cat.jpg")


def test_upload_gives_bars_and_five_overlays(answered):
    expect(answered.locator(".bars li")).to_have_count(5)
    expect(answered.locator(".bars li").first).to_contain_text("espresso")
    captions = answered.locator(".strip figcaption").all_inner_texts()
    assert [caption.split()[0] for caption in captions] == ["C1", "C2", "C3", "C4", "C5"]
    answered.get_by_text("Details").click()
    details = answered.locator("#maps-large details")
    expect(details).to_contain_text(re.compile(r"\d+×\d+×\d+"))
    expect(details).to_contain_text(re.compile(r"stride \d+ px\s*receptive field \d+ px"))
    expect(details).to_contain_text(re.compile(r"min [\d.e-]+, max [\d.e-]+"))
    expect(answered.locator("#message")).to_contain_text(re.compile(r"forward pass \d+ ms"))


def test_every_image_has_alternative_text_and_every_control_a_name(answered):
    alternatives = answered.locator("img:visible").evaluate_all("images => images.map(image => image.alt)")
    assert len(alternatives) >= 7
    assert all(alternatives)
    unnamed = answered.locator("button:visible, input:visible, select:visible").evaluate_all(
        "all => all.filter(one => !(one.innerText || one.ariaLabel || one.title || one.labels?.length ||"
        " one.getAttribute('aria-labelledby') || one.querySelector('img[alt]') || one.placeholder))"
        ".map(one => one.outerHTML)"
    )
    assert unnamed == []


def test_an_example_is_answered_by_a_click(page):
    page.get_by_role("button", name="Example photo: a cat").click()
    shown(page, "cat.jpg")


def test_view_controls_change_the_pictures_without_a_new_pass(answered, engine):
    passes = engine.passes
    before = pictures(answered)

    answered.locator("#colormap input").click()
    answered.get_by_role("option", name="magma").click()
    before = changed(answered, before)

    answered.locator("#opacity input[type=range]").focus()
    answered.keyboard.press("End")
    before = changed(answered, before)

    answered.locator("#map input").click()
    answered.get_by_role("option", name="L2 norm").click()
    before = changed(answered, before)

    answered.get_by_label("Shared").check()
    before = changed(answered, before)
    assert len(set(answered.locator(".strip .scale").evaluate_all("all => all.map(one => one.innerText)"))) == 1

    answered.get_by_label("Smooth between cells").uncheck()
    changed(answered, before)
    assert engine.passes == passes


def test_k_changes_the_bars_without_a_new_pass(answered, engine):
    passes = engine.passes
    slider = answered.locator("#top-k input[type=range]")
    slider.focus()
    answered.keyboard.press("End")
    expect(answered.locator(".bars li")).to_have_count(20)
    answered.keyboard.press("Home")
    expect(answered.locator(".bars li")).to_have_count(1)
    assert engine.passes == passes


def test_one_channel_can_be_chosen(answered):
    expect(answered.locator("#channel")).to_be_hidden()
    before = pictures(answered)
    answered.locator("#map input").click()
    answered.get_by_role("option", name="One channel").click()
    before = changed(answered, before)
    answered.locator("#channel input").fill("100")
    answered.keyboard.press("Tab")
    changed(answered, before)
    expect(answered.locator(".strip figcaption").first).to_contain_text("this stage has no such channel")
    expect(answered.locator(".strip figcaption").nth(1).locator(".scale")).to_be_visible()


def test_principal_components_say_how_much_they_explain(answered):
    before = pictures(answered)
    answered.locator("#map input").click()
    answered.get_by_role("option", name="Principal components").click()
    changed(answered, before)
    expect(answered.locator(".strip figcaption").first).to_contain_text("% of the variance")
    for useless in ("#scale", "#channel"):
        expect(answered.locator(useless)).to_be_hidden()


def test_whole_photo_runs_the_network_once(page, engine, make_photo):
    upload(page, make_photo("fresh.png", size=(600, 400), seed=99))
    shown(page, "fresh.png")
    passes, before = engine.passes, pictures(page)
    page.get_by_label("Whole photo").check()
    changed(page, before)
    assert engine.passes == passes + 1
    expect(page.locator("#message")).to_contain_text("seen at 192×128 px")


def test_a_map_is_enlarged_by_click_and_by_keyboard(answered):
    large, stage = answered.locator("#maps-large figcaption"), lambda name: answered.get_by_role("radio", name=name)
    expect(large).to_contain_text("C5")
    stage("C2").click()
    expect(large).to_contain_text("C2 · textures")
    expect(stage("C2")).to_be_checked()
    expect(stage("C5")).not_to_be_checked()
    answered.keyboard.press("ArrowRight")
    expect(large).to_contain_text("C3")
    expect(stage("C3")).to_be_focused()
    for _ in range(3):  # beyond the last one the first follows
        answered.keyboard.press("ArrowRight")
    expect(large).to_contain_text("C1")
    # One stop of the keyboard for all five, and another view leaves the choice as it is.
    assert answered.locator("#stages [role=radio][tabindex='0']").count() == 1
    before = pictures(answered)
    choose(answered, "#colormap", "magma")
    changed(answered, before)
    expect(stage("C1")).to_be_checked()


def test_controls_changed_during_a_pass_count_when_it_ends(page, engine, monkeypatch, make_photo):
    """The page never contradicts its controls, also when the pass takes long."""
    run, running, go_on = engine.run, threading.Event(), threading.Event()

    def slow(pixels):
        running.set()
        go_on.wait(20)
        return run(pixels)

    monkeypatch.setattr(engine, "run", slow)
    upload(page, make_photo("slow.png", size=(300, 200), seed=7))
    assert running.wait(10)
    page.locator("#top-k input[type=range]").focus()
    page.keyboard.press("End")
    page.get_by_label("Shared").check()
    page.get_by_role("radio", name="C2").check()
    go_on.set()
    shown(page, "slow.png")
    expect(page.locator(".bars li")).to_have_count(20)
    expect(page.locator(".large figcaption")).to_contain_text("C2")
    assert len(set(page.locator(".strip .scale").evaluate_all("all => all.map(one => one.innerText)"))) == 1


def test_a_bad_file_gets_a_sentence_and_a_good_one_works(page, tmp_path):
    bad = tmp_path / "<b>bad.jpg"
    bad.write_text("this is no photo")
    upload(page, bad)
    alert = page.locator("#message [role=alert]")
    expect(alert).to_contain_text("is text, not a photo; please use JPEG, PNG")
    expect(alert.locator("b")).to_have_count(0)
    clear(page)
    upload(page, EXAMPLES / "rocket.jpg")
    shown(page, "rocket.jpg")
    expect(page.locator("#message [role=alert]")).to_have_count(0)
    expect(page.locator("#message")).to_contain_text("first reduced to 96×96 px")  # which is what the weights know


def test_a_tiff_is_answered_though_browsers_do_not_show_it(page, make_photo):
    upload(page, make_photo("scan.tiff"))
    shown(page, "scan.tiff")
    expect(page.locator("#message")).to_contain_text("browsers do not show this format")


def test_a_photo_taken_away_leaves_an_empty_page(answered):
    clear(answered)
    expect(answered.locator("#message")).to_contain_text("Choose a photo to begin")
    expect(answered.locator(".strip img")).to_have_count(0)


def test_the_result_can_be_downloaded(answered, tmp_path):
    with answered.expect_download() as waiting:
        answered.locator("#save-figure").click()
    assert waiting.value.suggested_filename == "espresso.figure.png"
    figure = Image.open(waiting.value.path())
    assert (figure.format, figure.width) == ("PNG", 1950)

    with answered.expect_download() as waiting:
        answered.locator("#save-data").click()
    assert waiting.value.suggested_filename == "espresso.json"
    assert saved(waiting)["predictions"][0]["label"] == "espresso"

    # The second file is of the second view, not a copy of the first.
    answered.locator("#top-k input[type=range]").focus()
    answered.keyboard.press("Home")
    expect(answered.locator(".bars li")).to_have_count(1)
    with answered.expect_download() as waiting:
        answered.locator("#save-data").click()
    assert len(saved(waiting)["predictions"]) == 1


def test_narrow_screens_need_no_sideways_scrolling(open_page):
    page = open_page(360, 800)
    upload(page, EXAMPLES / "astronaut.jpg")
    shown(page, "astronaut.jpg")
    for width in (360, 768, 1000):  # phone, tablet, small laptop
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_timeout(300)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # Nor does one caption run into the next.
        overflowing = page.locator(".strip figcaption").evaluate_all(
            "all => all.filter(one => one.scrollWidth > one.clientWidth)"
        )
        assert overflowing == [], width


def test_text_is_readable_in_the_dark(open_page):
    page = open_page(scheme="dark")
    upload(page, EXAMPLES / "cat.jpg")
    shown(page, "cat.jpg")
    colours = page.evaluate(
        """() => {
          const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
          const rgb = (colour) => {
            canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
            return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
          };
          const text = getComputedStyle(document.querySelector(".bars .name")).color;
          const ground = getComputedStyle(document.querySelector(".panel")).backgroundColor;
          return [rgb(text), rgb(ground)];
        }"""
    )

    def luminance(colour):
        parts = [value / 255 for value in colour]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))

    text, ground = map(luminance, colours)
    assert (max(text, ground) + 0.05) / (min(text, ground) + 0.05) >= 4.5  # WCAG 2.1, contrast (minimum)


def test_two_visitors_see_their_own_photos(open_page):
    first, second = open_page(), open_page()
    upload(first, EXAMPLES / "cat.jpg")
    upload(second, EXAMPLES / "raccoon.jpg")
    shown(first, "cat.jpg"), shown(second, "raccoon.jpg")
    first.get_by_role("radio", name="C1").check()
    expect(first.locator(".large img")).to_have_attribute("alt", re.compile("C1 .* cat.jpg"))
    expect(second.locator(".large img")).to_have_attribute("alt", re.compile("C5 .* raccoon.jpg"))


def test_a_photo_that_browsers_do_not_know_is_taken(page):
    upload(page, Path(__file__).parent.parent / "photo" / "photos" / "quarters.heic")
    expect(page.locator("#message")).to_contain_text("quarters.heic, 64×48 px")
    expect(page.locator("#message")).to_contain_text("many browsers do not show this format")
    expect(page.locator(".strip img")).to_have_count(5)


def test_a_picture_is_pasted_from_the_clipboard(page):
    paste = """(name) => fetch(document.querySelector(`[data-choice="${name}"] img`).src).then(async (answer) => {
      const data = new DataTransfer();
      data.items.add(new File([await answer.blob()], "image.png", { type: "image/png" }));
      const where = document.activeElement ?? document.body;
      where.dispatchEvent(new ClipboardEvent("paste", { clipboardData: data, bubbles: true, cancelable: true }));
    })"""
    page.locator("#top-k input[type=number]").focus()
    page.evaluate(paste, "cat")  # into a text: nothing of the photo's
    page.locator("#top-k input[type=number]").blur()
    page.evaluate(paste, "espresso")
    shown(page, "image.png")
    first = pictures(page)
    page.evaluate(paste, "cat")
    changed(page, first)
