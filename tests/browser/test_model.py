"""The tabs of the model and of what there is to learn."""

import json
import re

from playwright.sync_api import expect

from resnet.network.labels import ASSETS
from tests.browser.steps import EXAMPLES, Late, open_tab, shown, upload


def test_the_model_and_its_classes(page):
    open_tab(page, "Model")
    description = page.locator("#model-description")
    (measured,) = json.loads((ASSETS / "weights/manifest.json").read_text())["accuracy"].values()
    words = f"{measured['top1']:.2%} top-1, {measured['top5']:.2%} top-5 on the {measured['images']:,} images"
    expect(description).to_contain_text(words)
    expect(description.locator("table.data tbody tr")).to_have_count(7)
    expect(description).to_contain_text("44,961,352")
    expect(description.locator("svg.chart")).to_be_visible()
    expect(description).to_contain_text(re.compile(r"holds [\d.]+ of at most 384 MB"))
    rows = page.locator("#class-list tbody tr:visible")
    expect(rows).to_have_count(200)
    page.get_by_label("Search the classes").fill("carassius")
    expect(rows).to_have_count(1)
    expect(rows).to_contain_text("goldfish")
    expect(page.locator("#class-list output")).to_have_text("1")


def test_weights_that_cannot_be_had_leave_those_of_before(page, monkeypatch):
    from resnet.errors import WeightsError
    from resnet.network import sources

    def load():
        raise WeightsError("The ImageNet weights are not on this machine, or only in part.")

    monkeypatch.setattr(sources, "load_imagenet", load)
    open_tab(page, "Model")
    page.locator("#weights-choice").get_by_label(re.compile("ImageNet")).click()
    expect(page.locator("#model-message [role=alert]")).to_contain_text("The ImageNet weights are not on this machine")
    expect(page.locator("#weights-choice").get_by_label("The server's choice")).to_be_checked()


def test_other_weights_answer_the_visitor_who_chose_them(open_page, engine, monkeypatch):
    """The same arrays under another name, so that the answer tells who gave it."""
    from dataclasses import replace

    from resnet.network import sources

    class Other:
        manifest = replace(engine.manifest, name="other-weights", sha256="0" * 64)

        def __getattr__(self, name):
            return getattr(engine, name)

    monkeypatch.setattr(sources, "load_imagenet", Other)
    first, second = open_page(), open_page()
    for page in (first, second):
        upload(page, EXAMPLES / "cat.jpg")
        shown(page, "cat.jpg")
    open_tab(first, "Model")
    first.locator("#weights-choice").get_by_label(re.compile("ImageNet")).check()
    expect(first.locator("#message")).to_contain_text("other-weights")
    expect(first.locator("#model-description")).to_contain_text("Weights: other-weights")
    second.get_by_label("Whole photo").check()
    expect(second.locator("#message")).to_contain_text("seen at 192×128 px")
    expect(second.locator("#message")).to_contain_text("tiny-imagenet-200")


def test_another_choice_of_weights_counts_while_one_is_being_had(page, monkeypatch):
    from resnet.errors import WeightsError
    from resnet.service.provider import EngineProvider

    def fail():
        raise WeightsError("The ImageNet weights are not on this machine, or only in part.")

    late, engine_of_choice = Late(fail, 1), EngineProvider.engine
    monkeypatch.setattr(
        EngineProvider,
        "engine",
        lambda self, choice="server", *more: late() if choice == "imagenet" else engine_of_choice(self, choice, *more),
    )
    open_tab(page, "Model")
    choices = page.locator("#weights-choice")
    choices.get_by_label(re.compile("ImageNet")).click()
    assert late.begun.wait(60)
    choices.get_by_label(re.compile("Bundled")).click()
    expect(page.locator("#model-description")).to_contain_text("tiny-imagenet-200")
    late.go.set()
    expect(page.get_by_text("The ImageNet weights are not on this machine, or only in part.")).to_be_visible()
    page.wait_for_timeout(1000)
    expect(choices.get_by_label(re.compile("Bundled"))).to_be_checked()
    open_tab(page, "Maps")
    page.get_by_label("Whole photo").check()
    upload(page, EXAMPLES / "cat.jpg")
    shown(page, "cat.jpg")
    page.locator("#share").click()
    page.wait_for_url("**weights=bundled**")


def test_learn_explains_with_a_diagram(page):
    open_tab(page, "Learn")
    learn = page.locator("#learn")
    expect(learn.locator("h2")).to_have_count(5)
    expect(learn.locator("svg.chart")).to_contain_text("1×1, 128, /2")
    expect(learn.locator("table.data tbody tr")).to_have_count(5)
    assert learn.locator("a[href^='https://']").count() >= 8
