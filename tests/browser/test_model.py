"""The tabs of the model and of what there is to learn."""

import json
import re

from playwright.sync_api import expect

from resnet.errors import WeightsError
from resnet.network import sources
from resnet.network.labels import ASSETS
from resnet.service.provider import EngineProvider
from tests.browser.steps import EXAMPLES, Late, open_tab, shown, upload


def unavailable():
    raise WeightsError("The ImageNet weights are not on this machine, or only in part.")


def test_the_model_and_what_there_is_to_learn(page, monkeypatch, subtests):
    open_tab(page, "Model")
    choices = page.locator("#weights-choice")

    with subtests.test("the weights"):
        description = page.locator("#model-description")
        (measured,) = json.loads((ASSETS / "weights/manifest.json").read_text())["accuracy"].values()
        words = f"{measured['top1']:.2%} top-1, {measured['top5']:.2%} top-5 on the {measured['images']:,} images"
        expect(description).to_contain_text(words)
        expect(description.locator("table.data tbody tr")).to_have_count(7)
        expect(description).to_contain_text("44,961,352")
        expect(description.locator("svg.chart")).to_be_visible()
        expect(description).to_contain_text(re.compile(r"holds [\d.]+ of at most 384 MB"))

    with subtests.test("the classes"):
        rows = page.locator("#class-list tbody tr:visible")
        expect(rows).to_have_count(200)
        page.get_by_label("Search the classes").fill("carassius")
        expect(rows).to_have_count(1)
        expect(rows).to_contain_text("goldfish")
        expect(page.locator("#class-list output")).to_have_text("1")

    with subtests.test("weights that are not available leave those of before"):
        monkeypatch.setattr(sources, "load_imagenet", unavailable)
        choices.get_by_label(re.compile("ImageNet")).click()
        alert = page.locator("#model-message [role=alert]")
        expect(alert).to_contain_text("The ImageNet weights are not on this machine")
        expect(choices.get_by_label("The server's choice")).to_be_checked()

    with subtests.test("another choice counts while one is being had"):
        late, engine_of = Late(unavailable, 1), EngineProvider.engine
        with monkeypatch.context() as patch:
            patch.setattr(
                EngineProvider,
                "engine",
                lambda self, choice="server", *more: late() if choice == "imagenet" else engine_of(self, choice, *more),
            )
            choices.get_by_label(re.compile("ImageNet")).click()
            assert late.begun.wait(60)
            choices.get_by_label(re.compile("Bundled")).click()
            expect(page.locator("#model-message [role=alert]")).to_have_count(0)
            with_message = page.get_by_text("The ImageNet weights are not on this machine, or only in part.")
            late.let_go()
            expect(with_message.first).to_be_visible()
        open_tab(page, "Maps")
        page.get_by_label("Whole photo").check()
        upload(page, EXAMPLES / "cat.jpg")
        shown(page, "cat.jpg")
        expect(choices.get_by_label(re.compile("Bundled"))).to_be_checked()
        page.locator("#share").click()
        page.wait_for_url("**weights=bundled**")

    with subtests.test("learn explains with a diagram"):
        open_tab(page, "Learn")
        learn = page.locator("#learn")
        expect(learn.locator("h2")).to_have_count(5)
        expect(learn.locator("svg.chart")).to_contain_text("1×1, 128, /2")
        expect(learn.locator("table.data tbody tr")).to_have_count(5)
        assert learn.locator("a[href^='https://']").count() >= 8
