"""The page as a person uses it, in a real browser: one window for each way through it."""

import os
import re
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from resnet import __version__
from resnet.errors import WeightsError
from resnet.network import sources
from resnet.ui import photo
from resnet.ui.photo import FIRST_EXAMPLE
from tests.browser.steps import EXAMPLES, Late, changed, choose, clear, open_tab, pictures, saved, shown, slide, upload
from tests.conftest import serve

PHOTOS = Path(__file__).parent.parent / "photo" / "photos"


def test_the_page_opens_with_an_example_that_is_answered(page, subtests):
    with subtests.test("the answer"):
        expect(page.locator("#message")).to_contain_text("espresso.jpg")
        expect(page.locator("#message")).to_contain_text(re.compile(r"forward pass \d+ ms"))
        expect(page.locator("#classes li")).to_have_count(5)
        expect(page.locator("#classes li").first).to_contain_text("espresso")
        expect(page.locator("#classes .levels")).to_have_text(re.compile(r"^food \d+% › espresso \d+%$"))
        captions = page.locator(".strip figcaption").all_inner_texts()
        assert [caption.split()[0] for caption in captions] == ["C1", "C2", "C3", "C4", "C5"]
        expect(page.locator("#weights")).to_contain_text("tiny-imagenet-200) knows 200 classes and is right on 47%")

    with subtests.test("the numbers of a map"):
        page.get_by_text("Details").click()
        details = page.locator("#maps-large details")
        expect(details).to_contain_text(re.compile(r"\d+×\d+×\d+"))
        expect(details).to_contain_text(re.compile(r"stride \d+ px\s*receptive field \d+ px"))
        expect(details).to_contain_text(re.compile(r"min [\d.e-]+, max [\d.e-]+"))

    with subtests.test("no code is loaded that it does not use"):
        loaded = page.evaluate("() => performance.getEntriesByType('resource').map(({ name }) => name)")
        assert len(loaded) > 20
        assert not [name for name in loaded if re.search(r"hls|Video|Gallery|Plot", name)]

    with subtests.test("every image has an alternative text and every control a name"):
        alternatives = page.locator("img:visible").evaluate_all("images => images.map(image => image.alt)")
        assert len(alternatives) >= 7
        assert all(alternatives)
        unnamed = page.locator("button:visible, input:visible, select:visible").evaluate_all(
            "all => all.filter(one => !(one.innerText || one.ariaLabel || one.title || one.labels?.length ||"
            " one.getAttribute('aria-labelledby') || one.querySelector('img[alt]') || one.placeholder))"
            ".map(one => one.outerHTML)"
        )
        assert unnamed == []

    with subtests.test("where the photo stays, and which version this is"):
        expect(page.locator("#privacy")).to_have_text("It stays on this computer. Clearing it deletes the copy.")
        expect(page.locator("#version")).to_have_text(f"resnet {__version__}")

    with subtests.test("about the weights"):
        page.get_by_role("button", name="About it").click()
        expect(page.locator("#model-description")).to_contain_text("Weights: tiny-imagenet-200")

    with subtests.test("each tab stands there once, whichever is open"):
        tabs = page.locator("#tabs [role=tablist] button, #tabs .overflow-dropdown button")
        for width in (1280, 700):
            page.set_viewport_size({"width": width, "height": 900})
            expect(tabs).to_have_count(9)
            names = sorted(tabs.all_inner_texts())
            for name in names:
                open_tab(page, name)
                expect(page.locator("#tabs [role=tab][aria-selected=true]")).to_have_text(name)
                assert sorted(tabs.all_inner_texts()) == names


@pytest.mark.slow
def test_the_browsers_history_and_the_keyboard(page, subtests):
    def opened(name):
        expect(page.locator("#tabs [role=tab][aria-selected=true]")).to_have_text(name)

    with subtests.test("back and forward go from tab to tab"):
        open_tab(page, "Evidence")
        opened("Evidence")
        open_tab(page, "Model")
        opened("Model")
        expect(page.locator("#left")).to_be_hidden()
        page.go_back()
        opened("Evidence")
        expect(page.locator("#left")).to_be_visible()
        page.go_back()
        opened("Maps")
        page.go_forward()
        opened("Evidence")

    with subtests.test("a reload keeps the tab and the example, but names no photo of the visitor's own"):
        page.get_by_role("button", name="Example photo: mountains").click()
        shown(page, "alp.jpg")
        page.reload()
        shown(page, "alp.jpg")
        opened("Evidence")
        page.go_back()
        opened("Maps")
        upload(page, EXAMPLES / "cat.jpg")
        shown(page, "cat.jpg")
        page.wait_for_function("() => !location.search.includes('photo')")

    with subtests.test("the first stop leads past photo and examples to the tabs"):
        page.evaluate("document.activeElement.blur()")
        page.reload()
        shown(page, f"{FIRST_EXAMPLE}.jpg")
        page.keyboard.press("Tab")
        skip = page.get_by_role("button", name="Skip to the maps")
        expect(skip).to_be_focused()
        expect(skip).to_be_in_viewport()
        page.keyboard.press("Enter")
        expect(page.get_by_role("tab", name="Maps")).to_be_focused()

    with subtests.test("a slider shows that it has the focus"):
        page.locator("#choices > button").click()
        page.locator("#top-k input[type=range]").focus()
        page.keyboard.press("ArrowRight")
        outline = page.locator("#top-k input[type=range]").evaluate("one => getComputedStyle(one).outline")
        assert "solid 3px" in outline, outline


def test_another_view_needs_no_new_pass(page, engine, subtests):
    passes = engine.passes
    before = pictures(page)

    with subtests.test("colours, opacity, scale, smoothness"):
        choose(page, "#colormap", "magma")
        before = changed(page, before)
        slide(page, "#opacity", "End")
        before = changed(page, before)
        choose(page, "#map", "L2 norm")
        before = changed(page, before)
        page.get_by_label("Shared").check()
        before = changed(page, before)
        assert len(set(page.locator(".strip .scale").evaluate_all("all => all.map(one => one.innerText)"))) == 1
        page.get_by_label("Smooth between cells").uncheck()
        before = changed(page, before)

    with subtests.test("a cut says what is left, and with which box"):
        slide(page, "#cut", "End")
        words = page.locator("#maps-large .cut")
        # On a scale of all five the largest map alone has something left.
        expect(words).to_contain_text("0% of what the network saw.")
        page.get_by_label("Each map").check()
        expect(words).to_contain_text(re.compile(r"Box of the largest piece: x \d+ to \d+, y \d+ to \d+ px\."))
        slide(page, "#cut", "Home")
        expect(words).to_have_count(0)
        before = pictures(page)

    with subtests.test("the number of classes"):
        slide(page, "#top-k", "End")
        expect(page.locator("#classes li")).to_have_count(20)
        slide(page, "#top-k", "Home")
        expect(page.locator("#classes li")).to_have_count(1)

    with subtests.test("a map is enlarged by click and by keyboard"):
        large, stage = page.locator("#maps-large figcaption"), lambda name: page.get_by_role("radio", name=name)
        expect(large).to_contain_text("C5")
        stage("C2").click()
        expect(large).to_contain_text("C2 · textures")
        expect(stage("C2")).to_be_checked()
        expect(stage("C5")).not_to_be_checked()
        page.keyboard.press("ArrowRight")
        expect(large).to_contain_text("C3")
        expect(stage("C3")).to_be_focused()
        for _ in range(3):  # beyond the last one the first follows
            page.keyboard.press("ArrowRight")
        expect(large).to_contain_text("C1")
        # One stop of the keyboard for all five, and another view leaves the choice as it is.
        assert page.locator("#stages [role=radio][tabindex='0']").count() == 1
        before = pictures(page)
        choose(page, "#colormap", "viridis")
        before = changed(page, before)
        expect(stage("C1")).to_be_checked()

    with subtests.test("files are of the view that is shown, also the second one"):
        with page.expect_download() as waiting:
            page.locator("#save-maps-figure").click()
        assert waiting.value.suggested_filename == "espresso.figure.png"
        figure = Image.open(waiting.value.path())
        assert (figure.format, figure.width) == ("PNG", 1950)
        page.locator("#figure-format").get_by_label("SVG").check()
        with page.expect_download() as waiting:
            page.locator("#save-maps-figure").click()
        assert waiting.value.suggested_filename == "espresso.figure.svg"
        assert "<svg" in waiting.value.path().read_text(encoding="utf-8")[:500]
        for key, count in (("Home", 1), ("End", 20)):
            slide(page, "#top-k", key)
            expect(page.locator("#classes li")).to_have_count(count)
            with page.expect_download() as waiting:
                page.locator("#save-maps-data").click()
            assert waiting.value.suggested_filename == "espresso.json"
            answer = saved(waiting)
            predictions = answer["predictions"]
            assert answer["about"]["photo"] == {"name": "espresso.jpg", "width": 600, "height": 400}
            assert (predictions[0]["label"], len(predictions)) == ("espresso", count)

    with subtests.test("the raw maps"):
        with page.expect_download() as waiting:
            page.locator("#save-maps-maps").click()
        assert waiting.value.suggested_filename == "espresso.maps.npz"
        with np.load(waiting.value.path()) as stored:
            assert stored["C5"].shape == (4, 4, 2048)

    with subtests.test("a list closes when the keyboard leaves it"):
        lists = page.get_by_role("listbox")
        page.locator("#map input").focus()
        expect(lists).to_be_visible()
        page.keyboard.press("Tab")
        expect(page.locator("#scale input:focus")).to_have_count(1)
        expect(page.locator("#map input")).to_have_attribute("aria-expanded", "false")
        expect(lists).to_have_count(0)
        choose(page, "#map", "Maximum")
        expect(page.locator("#map input")).to_have_value("Maximum of channels")
        expect(lists).to_have_count(0)
        before = changed(page, before)

    with subtests.test("one channel"):
        expect(page.locator("#channel")).to_be_hidden()
        choose(page, "#map", "One channel")
        before = changed(page, before)
        page.locator("#channel input").fill("100")
        page.keyboard.press("Tab")
        before = changed(page, before)
        expect(page.locator(".strip figcaption").first).to_contain_text("this stage has no such channel")
        expect(page.locator(".strip figcaption").nth(1).locator(".scale")).to_be_visible()

    with subtests.test("principal components say how much they explain"):
        choose(page, "#map", "Principal components")
        changed(page, before)
        expect(page.locator(".strip figcaption").first).to_contain_text("% of the variance")
        for useless in ("#scale", "#channel"):
            expect(page.locator(useless)).to_be_hidden()

    assert engine.passes == passes


def test_photos_of_many_kinds_and_what_is_none(page, engine, monkeypatch, make_photo, tmp_path, subtests):
    with subtests.test("a file of another kind"):
        notes = tmp_path / "notes.txt"
        notes.write_text("no photo")
        upload(page, notes)
        expect(page.get_by_text("Invalid file type: notes.txt").first).to_be_visible()

    with subtests.test("an example by a click, and an answer that is not sure"):
        page.get_by_role("button", name="Example photo: a cat, of which it is not sure").click()
        shown(page, "cat.jpg")
        expect(page.locator("#classes .levels")).to_contain_text("Not sure: none of its 200 classes fits well.")

    with subtests.test("a bad file, and then a good one"):
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

    with subtests.test("formats that browsers do not show"):
        upload(page, make_photo("scan.tiff"))
        shown(page, "scan.tiff")
        expect(page.locator("#message")).to_contain_text("browsers do not show this format")
        upload(page, PHOTOS / "quarters.heic")
        shown(page, "quarters.heic")
        expect(page.locator("#message")).to_contain_text("quarters.heic, 64×48 px")

    with subtests.test("a picture from the clipboard"):
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

    with subtests.test("the whole photo takes one pass"):
        upload(page, make_photo("fresh.png", size=(600, 400), seed=99))
        shown(page, "fresh.png")
        passes, before = engine.passes, pictures(page)
        page.get_by_label("Whole photo").check()
        changed(page, before)
        assert engine.passes == passes + 1
        expect(page.locator("#message")).to_contain_text("seen at 192×128 px")

    with subtests.test("controls that are changed during a pass count when it ends"):
        run, running, go_on = engine.run, threading.Event(), threading.Event()

        def slow(pixels):
            running.set()
            go_on.wait(20)
            return run(pixels)

        monkeypatch.setattr(engine, "run", slow)
        upload(page, make_photo("slow.png", size=(300, 200), seed=7))
        assert running.wait(10)
        slide(page, "#top-k", "End")
        page.get_by_label("Shared").check()
        page.get_by_role("radio", name="C2").check()
        go_on.set()
        shown(page, "slow.png")
        expect(page.locator("#classes li")).to_have_count(20)
        expect(page.locator(".large figcaption")).to_contain_text("C2")
        assert len(set(page.locator(".strip .scale").evaluate_all("all => all.map(one => one.innerText)"))) == 1

    with subtests.test("a photo of one's own is not part of a link"):
        page.get_by_role("button", name="Copy a link to this view").click()
        expect(page.get_by_text("The link restores the view, but not your photo")).to_be_visible()
        page.wait_for_url("**/?*tab=maps*")
        assert "photo=" not in page.url

    with subtests.test("an empty page says what to do, and has no control that needs a result"):
        expect(page.locator("#save-maps-figure")).to_be_visible()
        name, folder = "slow.png", Path(os.environ["GRADIO_TEMP_DIR"])
        assert list(folder.rglob(name))
        clear(page)
        assert not list(folder.rglob(name))
        expect(page.locator("#classes")).to_contain_text("the classes appear here")
        expect(page.locator(".strip img")).to_have_count(0)
        for control in ("#save-maps-figure", "#view", "#share"):
            expect(page.locator(control)).to_be_hidden()
        for tab, panel in (
            ("Blocks and channels", "#grid"),
            ("Evidence", "#matrix"),
            ("Does it hold?", "#hold-result"),
            ("Compare", "#compare-result"),
        ):
            open_tab(page, tab)
            expect(page.locator(f"{panel} .empty")).to_contain_text("Choose a photo first")


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
        page.locator("#photo img").wait_for()
        upload(page, EXAMPLES / "alp.jpg")
        slide(page, "#top-k", "Home")
        expect(page.locator(".strip img")).to_have_count(0)
        ready.set()
        shown(page, "alp.jpg")
        expect(page.locator("#classes li")).to_have_count(1)
        expect(page.locator("#weights")).to_contain_text("200 classes")
        page.close()


def test_a_photo_that_is_being_chosen_when_the_first_example_comes_is_answered(open_page, engine, monkeypatch):
    example = Late(photo.example_path, 1)
    monkeypatch.setattr(photo, "example_path", example)
    with serve(lambda: engine) as address:
        page = open_page(address=address, says="200 classes")
        assert example.begun.wait(40)
        with page.expect_file_chooser() as chooser:
            page.locator("#photo button").first.click()
        with page.expect_response(lambda response: f"{FIRST_EXAMPLE}.jpg" in response.text()):
            example.let_go()
        page.evaluate("() => new Promise((go_on) => requestAnimationFrame(() => requestAnimationFrame(go_on)))")
        chooser.value.set_files(EXAMPLES / "alp.jpg")
        shown(page, "alp.jpg")
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


@pytest.mark.slow
def test_two_visitors_see_their_own_photos_by_their_own_weights(open_page, engine, monkeypatch):
    """The other weights are the same arrays under another name, so that the answer tells who gave it."""

    class Other:
        manifest = replace(engine.manifest, name="other-weights", sha256="0" * 64)
        identity = manifest.identity

        def __getattr__(self, name):
            return getattr(engine, name)

    monkeypatch.setattr(sources, "load_imagenet", Other)
    with serve(lambda: engine) as address:  # of its own, as it keeps the other weights
        first, second = open_page(address=address), open_page(address=address)
        upload(first, EXAMPLES / "cat.jpg")
        upload(second, EXAMPLES / "raccoon.jpg")
        shown(first, "cat.jpg"), shown(second, "raccoon.jpg")
        first.get_by_role("radio", name="C1").check()
        expect(first.locator(".large img")).to_have_attribute("alt", re.compile("C1 .* cat.jpg"))
        expect(second.locator(".large img")).to_have_attribute("alt", re.compile("C5 .* raccoon.jpg"))

        open_tab(first, "Model")
        first.locator("#weights-choice").get_by_label(re.compile("ImageNet")).check()
        expect(first.locator("#message")).to_contain_text("other-weights")
        expect(first.locator("#model-description")).to_contain_text("Weights: other-weights")
        second.get_by_label("Whole photo").check()
        expect(second.locator("#message")).to_contain_text(re.compile(r"seen at \d+×128 px|seen at 128×\d+ px"))
        expect(second.locator("#message")).to_contain_text("tiny-imagenet-200")
        first.close(), second.close()
