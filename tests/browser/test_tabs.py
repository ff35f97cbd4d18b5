"""Every tab of the page, used in a real browser."""

import csv
import io
import json
import re
import threading
import zipfile

import pytest
from PIL import Image
from playwright.sync_api import expect

from resnet.labels import ASSETS
from resnet.ui.tabs import blocks, evidence
from tests.browser.test_page import changed, clear, pictures, shown, upload

EXAMPLES = ASSETS / "examples"


def open_tab(page, name):
    """Open a tab, also where it stands in a further row."""
    tabs = page.locator("#tabs [role=tab], #tabs .overflow-dropdown button")
    tabs.filter(has_text=re.compile(f"^{re.escape(name)}$")).first.click()


def choose(page, field, text):
    """Choose from a drop-down list by typing part of the name."""
    page.locator(f"{field} input").click()
    page.locator(f"{field} input").fill(text)
    page.get_by_role("option", name=re.compile(text)).first.click()


def slide(page, field, key):
    page.locator(f"{field} input[type=range]").focus()
    page.keyboard.press(key)


@pytest.fixture
def answered(page):
    upload(page, EXAMPLES / "espresso.jpg")
    shown(page, "espresso.jpg")
    return page


def test_tabs_ask_for_a_photo_before_there_is_one(page):
    for tab, panel in (
        ("Blocks and channels", "#grid"),
        ("Evidence", "#matrix"),
        ("Does it hold?", "#hold-result"),
        ("Compare", "#compare-result"),
    ):
        open_tab(page, tab)
        expect(page.locator(f"{panel} .empty")).to_contain_text("Choose a photo first")


def test_blocks_and_channels(answered, engine):
    open_tab(answered, "Blocks and channels")
    expect(answered.locator("#grid figure")).to_have_count(16)
    expect(answered.locator("#grid h2")).to_contain_text("16 of 1024 channels of conv4_block23")
    expect(answered.locator("#changes svg")).to_have_attribute(
        "aria-label", re.compile("each of the 33 residual blocks")
    )
    passes = engine.passes

    slide(answered, "#block-number", "Home")
    expect(answered.locator("#grid h2")).to_contain_text("conv4_block1")
    slide(answered, "#channels-shown", "Home")
    expect(answered.locator("#grid figure")).to_have_count(4)
    answered.locator("#block-stage").get_by_label("C2").check()
    expect(answered.locator("#grid h2")).to_contain_text("4 of 256 channels of conv2_block3")
    answered.locator("#block-stage").get_by_label("C1").check()
    expect(answered.locator("#grid h2")).to_contain_text("4 of 64 channels of pool1")
    assert engine.passes == passes  # all blocks came with one pass

    expect(answered.locator("#blocks-large figcaption")).to_contain_text("C1, block 1, channel")
    button = answered.locator("#grid button").nth(2)
    channel = button.get_attribute("data-choice")
    button.click()
    expect(answered.locator("#blocks-large figcaption")).to_contain_text(f"C1, block 1, channel {channel}")
    expect(answered.locator("#channel-facts")).to_contain_text(re.compile(r"mean [\d.]+, standard deviation [\d.]+"))
    expect(answered.locator("#channel-facts")).to_contain_text(re.compile(r"\d+% of 1024 cells are 0"))
    expect(answered.locator("#channel-facts svg")).to_be_visible()

    # Any channel by its number; one that is not there gets a sentence, and nothing is lost.
    answered.locator("#block-channel input").fill("63")
    answered.keyboard.press("Tab")
    expect(answered.locator("#blocks-large figcaption")).to_contain_text("channel 63")
    answered.locator("#block-channel input").fill("64")
    answered.keyboard.press("Tab")
    expect(answered.get_by_text("The channel must be 0 to 63; received 64.")).to_be_visible()


def test_channels_by_contribution_to_a_class(answered):
    open_tab(answered, "Blocks and channels")
    expect(answered.locator("#grid figure")).to_have_count(16)
    before = answered.locator("#grid").inner_text()
    expect(answered.locator("#order-class")).to_be_hidden()
    choose(answered, "#order", "by contribution")
    expect(answered.locator("#order-class")).to_be_visible()
    answered.wait_for_function("before => document.querySelector('#grid').innerText !== before", arg=before)
    before = answered.locator("#grid").inner_text()
    choose(answered, "#order-class", "goldfish")
    answered.wait_for_function("before => document.querySelector('#grid').innerText !== before", arg=before)


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
    answered.get_by_role("button", name="Example photo: pagoda").click()
    expect(answered.locator("#message")).to_contain_text("pagoda.jpg")
    likeliest = answered.locator(".bars li .name").first
    expect(answered.locator("#matrix tbody tr").first).to_contain_text(likeliest.inner_text())
    expect(answered.locator("#evidence-large img")).to_have_attribute("alt", re.compile("over the photo pagoda.jpg"))


def test_a_cell_can_be_asked_by_click_and_by_keyboard(answered):
    large = answered.locator("#maps-large .map")
    large.click(position={"x": 300, "y": 200})
    facts = answered.locator("#maps-cell")
    expect(facts).to_contain_text(re.compile(r"C5: row \d of 4, column \d of 4"))
    expect(facts).to_contain_text(re.compile(r"Value of the map \(mean of the channels\): [\d.]+"))
    expect(facts).to_contain_text(re.compile(r"Strongest channels here: \d+ at [\d.]+ \(mean [\d.]+\)"))
    expect(facts).to_contain_text(re.compile(r"to the logit [\d.]+ of “espresso” \(HiResCAM\): [\d.]+%"))
    expect(answered.locator("#maps-large rect.cell")).to_have_count(1)
    expect(answered.locator("#maps-large rect.field")).to_have_count(1)

    # The drawn cell lies around the place that was clicked.
    box, cell = large.locator("img").bounding_box(), answered.locator("#maps-large rect.cell").bounding_box()
    assert cell["x"] - 3 <= box["x"] + 300 <= cell["x"] + cell["width"] + 3
    assert cell["y"] - 3 <= box["y"] + 200 <= cell["y"] + cell["height"] + 3

    column = int(re.search(r"column (\d)", facts.inner_text()).group(1))
    large.focus()
    answered.keyboard.press("ArrowLeft")
    expect(facts).to_contain_text(f"column {column - 1} of 4")
    answered.keyboard.press("ArrowRight")
    expect(facts).to_contain_text(f"column {column} of 4")

    # The same place of the photo in another stage; its cells are smaller.
    answered.get_by_role("radio", name="C3").check()
    expect(facts).to_contain_text(re.compile(r"C3: row \d+ of 16"))
    expect(answered.locator("#maps-large rect.cell")).to_have_count(1)


def test_a_place_that_the_network_did_not_see_is_said(answered):
    answered.locator("#maps-large .map").click(position={"x": 5, "y": 200})
    expect(answered.locator("#maps-cell")).to_contain_text("The network did not see this part of the photo")


def test_what_is_hidden_changes_the_answer(answered):
    open_tab(answered, "Does it hold?")
    result = answered.locator("#hold-result")
    expect(result).to_contain_text(re.compile(r"“espresso”: [\d.]+% before, [\d.]+% with 20% hidden"))
    expect(result.locator(".bars")).to_have_count(2)
    slide(answered, "#hold-percent", "Home")
    expect(result).to_contain_text("with 0% hidden")
    before, after = re.search(r"([\d.]+)% before, ([\d.]+)% with", result.inner_text()).groups()
    assert before == after
    choose(answered, "#hold-class", "goldfish")
    expect(result).to_contain_text("“goldfish”")
    choose(answered, "#hold-class", "espresso")
    expect(result).to_contain_text("“espresso”")

    answered.get_by_role("button", name="Measure deletion and insertion curves").click()
    curves = answered.locator("#curves")
    expect(curves.locator("svg")).to_be_visible(timeout=60_000)
    expect(curves).to_contain_text("Area under", timeout=60_000)
    expect(curves).to_contain_text(re.compile(r"deletion curve: 0\.\d+, random regions 0\.\d+"))
    expect(curves).to_contain_text(re.compile("The map (holds|does not hold)"))


def test_a_photo_is_compared_with_itself_after_a_change(answered):
    open_tab(answered, "Compare")
    result = answered.locator("#compare-result")
    expect(result).to_contain_text("after: Rotate, 30 °")
    expect(result.locator("table.data").first.locator("img")).to_have_count(10)
    expect(result.locator("svg.chart")).to_be_visible()
    choose(answered, "#change", "Remove colour")
    expect(result).to_contain_text("after: Remove colour, 100 % of the colour removed")
    expect(answered.locator("#amount input[type=number]")).to_have_value("100")
    slide(answered, "#amount", "Home")
    expect(result).to_contain_text("after: Remove colour, 0 %")
    similarities = result.locator("table.data").last.locator("tbody tr").all_inner_texts()
    assert len(similarities) == 5
    for row in similarities:
        assert row.split()[1:3] == ["1.000", "1.000"]

    with answered.expect_download() as waiting:
        answered.locator("#save-comparison").click()
    assert waiting.value.suggested_filename == "espresso.comparison.png"


def test_two_photos_are_compared(answered):
    open_tab(answered, "Compare")
    result = answered.locator("#compare-result")
    expect(result).to_contain_text("after: Rotate")
    answered.set_input_files("#other-photo input[type=file]", str(EXAMPLES / "cat.jpg"))
    expect(result).to_contain_text("cat.jpg")
    expect(result.locator("h3")).to_have_text(["espresso.jpg", "cat.jpg"])
    for stage in range(5):
        ends = (
            result.locator("table.data")
            .first.locator("tr")
            .evaluate_all(
                "(rows, stage) => rows.slice(1).map(row => row.children[stage + 1].querySelector('.scale').innerText)",
                stage,
            )
        )
        assert ends[0] == ends[1]


def test_a_bad_second_photo_gets_a_sentence(answered, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_text("this is no photo")
    open_tab(answered, "Compare")
    answered.set_input_files("#other-photo input[type=file]", str(bad))
    expect(answered.locator("#compare-result [role=alert]")).to_contain_text("bad.jpg is text, not a photo")


def test_many_photos_become_a_table_and_a_zip(page, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_text("this is no photo")
    open_tab(page, "Many photos")
    page.set_input_files(
        "#many-files input[type=file]", [str(EXAMPLES / "espresso.jpg"), str(bad), str(EXAMPLES / "cat.jpg")]
    )
    page.get_by_label("Raw maps (NPZ)").check()
    page.get_by_label("Figures (PNG)").check()
    expect(page.locator("#many-files")).to_contain_text(re.compile(r"cat\s*\.jpg"))
    page.get_by_role("button", name="Classify all").click()
    rows = page.locator("#many-table tbody tr")
    expect(page.locator("#many-download")).to_be_visible(timeout=60_000)
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("espresso.jpg")
    expect(rows.nth(1)).to_contain_text("bad.jpg is text, not a photo")
    expect(page.locator("#many-progress")).to_contain_text("3 of 3 photos")

    page.locator("#many-table thead button").first.click()
    expect(rows.locator("th")).to_have_text(["bad.jpg", "cat.jpg", "espresso.jpg"])
    page.locator("#many-table thead button").first.click()
    expect(rows.locator("th")).to_have_text(["espresso.jpg", "cat.jpg", "bad.jpg"])

    with page.expect_download() as waiting:
        page.locator("#many-download").click()
    with zipfile.ZipFile(waiting.value.path()) as packed:
        names = sorted(name for name in packed.namelist() if not name.endswith("/"))
        assert names == [
            "figures/cat.png", "figures/espresso.png", "manifest.json", "maps/cat.npz", "maps/espresso.npz",
            "predictions.csv",
        ]  # fmt: skip
        table = list(csv.DictReader(io.StringIO(packed.read("predictions.csv").decode())))
        assert [row["photo"] for row in table] == ["espresso.jpg"] * 5 + ["bad.jpg"] + ["cat.jpg"] * 5
        assert len(json.loads(packed.read("manifest.json"))["photos"]) == 3


def test_a_batch_can_be_stopped_and_gives_what_it_has(page, engine, monkeypatch, make_photo):
    run, go_on, passes = engine.run, threading.Event(), []

    def slow(pixels):
        passes.append(len(pixels))
        if len(passes) == 2:
            go_on.wait(20)
        return run(pixels)

    monkeypatch.setattr(engine, "run", slow)
    photos = [str(make_photo(f"{number}.png", size=(60, 40), seed=number)) for number in range(24)]
    open_tab(page, "Many photos")
    page.set_input_files("#many-files input[type=file]", photos)
    expect(page.locator("#many-files")).to_contain_text(re.compile(r"23\s*\.png"))
    page.get_by_role("button", name="Classify all").click()
    expect(page.locator("#many-table tbody tr")).to_have_count(8)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#many-progress")).to_contain_text("The photos in hand are finished first.")
    go_on.set()
    # The pass in hand has eight, and one more was read to see that the eight are full.
    expect(page.locator("#many-progress")).to_contain_text("Stopped after 17 of 24 photos")
    expect(page.locator("#many-table tbody tr")).to_have_count(17)
    with page.expect_download() as waiting:
        page.locator("#many-download").click()
    with zipfile.ZipFile(waiting.value.path()) as packed:
        table = list(csv.DictReader(io.StringIO(packed.read("predictions.csv").decode())))
        assert {row["photo"] for row in table} == {f"{number}.png" for number in range(17)}
    assert sum(passes) < 24

    upload(page, EXAMPLES / "dahlia.jpg")
    expect(page.locator("#message")).to_contain_text("dahlia.jpg")
    page.get_by_role("button", name="Classify all").click()
    expect(page.locator("#many-progress")).to_contain_text("24 of 24 photos")
    expect(page.locator("#many-table tbody tr")).to_have_count(24)


def test_a_batch_needs_photos(page):
    open_tab(page, "Many photos")
    page.get_by_role("button", name="Classify all").click()
    expect(page.get_by_text("Choose some photos first.")).to_be_visible()


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
    from resnet import sources
    from resnet.errors import WeightsError

    def load():
        raise WeightsError("The ImageNet weights are not on this machine, or only in part.")

    monkeypatch.setattr(sources, "load_imagenet", load)
    open_tab(page, "Model")
    page.locator("#weights-choice").get_by_label(re.compile("ImageNet")).click()
    expect(page.get_by_text("The ImageNet weights are not on this machine, or only in part.")).to_be_visible()
    expect(page.locator("#weights-choice").get_by_label("The server's choice")).to_be_checked()


def test_other_weights_answer_the_visitor_who_chose_them(open_page, engine, monkeypatch):
    """The same arrays under another name, so that the answer tells who gave it."""
    from dataclasses import replace

    from resnet import sources

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


def test_learn_explains_with_a_diagram(page):
    open_tab(page, "Learn")
    learn = page.locator("#learn")
    expect(learn.locator("h2")).to_have_count(4)
    expect(learn.locator("svg.chart")).to_contain_text("1×1, 128, /2")
    expect(learn.locator("table.data tbody tr")).to_have_count(5)
    assert learn.locator("a[href^='https://']").count() >= 8


def test_a_link_restores_the_view(answered, open_page):
    before = pictures(answered)
    answered.locator("#map input").click()
    answered.get_by_role("option", name="Maximum").click()
    changed(answered, before)
    answered.locator("#colormap input").click()
    answered.get_by_role("option", name="magma").click()
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


def test_a_link_restores_a_tab_and_its_classes(open_page):
    page = open_page(query="photo=cat&tab=evidence&class=n01443537;espresso&method=layercam&framing=whole")
    rows = page.locator("#matrix tbody tr")
    expect(rows).to_have_count(2)
    expect(rows.nth(0)).to_contain_text("goldfish")
    expect(rows.nth(1)).to_contain_text("espresso")
    expect(page.locator("#matrix h2")).to_contain_text("LayerCAM")
    expect(page.get_by_label("Whole photo")).to_be_checked()


def test_a_wrong_link_is_said_and_the_page_works(open_page):
    page = open_page(query="photo=../secret&tab=nowhere&colormap=magma")
    expect(page.get_by_text(re.compile("part of the link is left out. The photo must be one of"))).to_be_visible()
    expect(page.get_by_text(re.compile("part of the link is left out. The tab must be one of"))).to_be_visible()
    expect(page.locator("#colormap input")).to_have_value("magma")
    upload(page, EXAMPLES / "cat.jpg")
    shown(page, "cat.jpg")


def test_a_tab_opened_before_the_page_knows_its_link_stays_open(open_page):
    page = open_page(query="colormap=magma")
    held = []
    page.route("**/queue/join*", lambda route: held.append(route))  # where the page asks what its link says
    page.reload(wait_until="load")
    open_tab(page, "Many photos")
    expect(page.locator("#many-files")).to_be_visible()
    assert held
    for route in held[:]:
        route.continue_()
    expect(page.locator("#colormap input")).to_have_value("magma")
    page.wait_for_timeout(200)
    expect(page.locator("#many-files")).to_be_visible()


def test_a_photo_of_ones_own_is_not_part_of_a_link(page, make_photo):
    upload(page, make_photo("mine.png"))
    shown(page, "mine.png")
    page.get_by_role("button", name="Copy a link to this view").click()
    expect(page.get_by_text("The link restores the view, but not your photo")).to_be_visible()
    page.wait_for_url("**/?*tab=maps*")
    assert "photo=" not in page.url


def test_a_chinese_browser_gets_the_chinese_page(open_page, tmp_path):
    page = open_page(locale="zh-CN", says="个类别")
    expect(page.locator("h1")).to_have_text("ResNet101 看到了什么")
    assert page.evaluate("document.documentElement.lang") == "zh"
    upload(page, EXAMPLES / "espresso.jpg")
    shown(page, "espresso.jpg")
    expect(page.locator("#stages")).to_contain_text("感受野")
    open_tab(page, "类别证据")
    expect(page.locator("#matrix h2")).to_contain_text("越亮，对该类别的支持越强")
    open_tab(page, "残差块与通道")
    expect(page.locator("#changes svg")).to_contain_text("分支 ÷ 捷径")
    page.locator("#block-channel input").fill("4000")
    page.keyboard.press("Tab")
    expect(page.get_by_text("通道必须在 0 到 1023 之间；收到 4000。")).to_be_visible()
    bad = tmp_path / "bad.jpg"
    bad.write_text("this is no photo")
    upload(page, bad)
    expect(page.locator("#message [role=alert]")).to_contain_text("bad.jpg 是文本，不是照片")


def test_no_english_is_left_on_the_chinese_page(open_page):
    """Names of methods, classes, files and units may be Latin; sentences may not."""
    page = open_page(locale="zh-CN", says="个类别")
    upload(page, EXAMPLES / "espresso.jpg")
    shown(page, "espresso.jpg")
    for tab in ("残差块与通道", "类别证据", "是否可靠？", "比较", "模型", "学习"):
        open_tab(page, tab)
        page.wait_for_timeout(700)
    words = page.locator("#left, #right").evaluate_all(
        """parts => parts.flatMap(part => [...part.querySelectorAll("label span, h2, h3, small, p, figcaption, button")]
          .filter(one => !one.closest("#learn, #class-list, [data-testid], .overflow-menu"))
          .map(one => one.innerText))"""
    )
    english = [text for text in words if re.search(r"\\b(the|of|and|choose|click|each|map|photo|class)\\b", text, re.I)]
    assert english == []


def test_the_switch_of_languages_is_remembered(open_page):
    page = open_page(locale="zh-CN", says="个类别")
    page.get_by_role("link", name="English").click()
    expect(page.locator("h1")).to_have_text("What a ResNet101 sees")
    page.reload(wait_until="load")
    expect(page.locator("h1")).to_have_text("What a ResNet101 sees")
    page.get_by_role("link", name="中文").click()
    expect(page.locator("h1")).to_have_text("ResNet101 看到了什么")


@pytest.mark.parametrize("name", ["own photo 100%.jpg", "own.tif"])
def test_the_switch_of_languages_takes_the_photo_and_the_link_along(open_page, make_photo, name):
    page = open_page(query="photo=dahlia&top_k=3")
    shown(page, "dahlia.jpg")
    clear(page)
    upload(page, make_photo(name))
    shown(page, name.split(" ")[0])
    page.get_by_role("link", name="中文").click()
    expect(page.locator("h1")).to_have_text("ResNet101 看到了什么")
    shown(page, name.split(" ")[0])
    expect(page.locator(".bars li")).to_have_count(3)
    page.reload(wait_until="load")
    expect(page.locator("#message")).to_contain_text("请选择一张照片开始")
    page.get_by_role("link", name="English").click()  # this browser remembers it for the next test
    expect(page.locator("#message")).to_contain_text("Choose a photo to begin.")


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


FOLLOWING = """() => window.gradio_config.dependencies.reduce((most, one) =>
  (one.show_progress_on?.length ?? 0) > (most.show_progress_on?.length ?? 0) ? one : most).id"""
"""The event by which the open tab follows a new answer: it alone shows progress on the panels of all tabs."""


@pytest.fixture
def held(page):
    """Requests by which the open tab follows a new answer, held back until `continue_` is called."""
    found, following = [], page.evaluate(FOLLOWING)
    page.route(
        "**/queue/join*",
        lambda route: (
            found.append(route) if route.request.post_data_json["fn_index"] == following else route.continue_()
        ),
    )
    return found


class Late:
    """Holds back one call of a function, until it is let go."""

    def __init__(self, function, number):
        self.begun, self.go = threading.Event(), threading.Event()
        self._function, self._left = function, number

    def __call__(self, *arguments, **options):
        self._left -= 1
        if self._left == 0:
            self.begun.set()
            assert self.go.wait(60)
        return self._function(*arguments, **options)


def test_what_was_chosen_meanwhile_outlasts_a_late_answer(page, held, monkeypatch):
    late = Late(blocks.changes_chart, 2)
    monkeypatch.setattr(blocks, "changes_chart", late)
    upload(page, EXAMPLES / "espresso.jpg")
    shown(page, "espresso.jpg")
    open_tab(page, "Blocks and channels")
    expect(page.locator("#grid h2")).to_contain_text("of conv4_block23")
    held.pop().continue_()
    assert late.begun.wait(60)
    slide(page, "#block-number", "Home")
    expect(page.locator("#grid h2")).to_contain_text("of conv4_block1E")
    late.go.set()
    page.wait_for_timeout(1000)
    expect(page.locator("#grid h2")).to_contain_text("of conv4_block1E")
    expect(page.locator("#block-number input[type=range]")).to_have_value("1")


def test_a_method_chosen_while_a_new_photo_is_drawn_is_about_that_photo(answered, monkeypatch):
    open_tab(answered, "Evidence")
    rows = answered.locator("#matrix tbody tr")
    expect(rows.first).to_contain_text("espresso")
    late = Late(evidence.likeliest_indices, 1)
    monkeypatch.setattr(evidence, "likeliest_indices", late)
    upload(answered, EXAMPLES / "dahlia.jpg")
    shown(answered, "dahlia.jpg")
    assert late.begun.wait(60)
    answered.get_by_label("LayerCAM").check()
    expect(answered.locator("#matrix h2")).to_contain_text("LayerCAM")
    expect(rows.first).to_contain_text("jellyfish")
    late.go.set()
    answered.wait_for_timeout(1000)
    expect(answered.locator("#matrix h2")).to_contain_text("LayerCAM")
    expect(rows.first).to_contain_text("jellyfish")
    expect(answered.locator("#evidence-classes")).to_contain_text("jellyfish")


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
