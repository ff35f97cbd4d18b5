"""The tab of blocks and channels."""

import re

import pytest
from playwright.sync_api import expect

from resnet.ui.panels import blocks
from tests.browser.steps import EXAMPLES, Late, choose, click_quickly, open_tab, settle, shown, slide, upload


def test_blocks_and_channels(page, engine, monkeypatch, subtests):
    grid, number = page.locator("#grid h2"), page.locator("#block-number input[type=range]")
    stage = page.locator("#block-stage")

    with subtests.test("opened with an emptied control, it is drawn once that has a number"):
        opacity = page.locator("#opacity input[type=number]")
        opacity.fill("")
        open_tab(page, "Blocks and channels")
        opacity.fill("70")
        page.keyboard.press("Tab")
        expect(grid).to_contain_text("16 of 1024 channels of conv4_block23")
        expect(page.locator("#grid figure")).to_have_count(16)
        expect(page.locator("#changes h2")).to_contain_text("What each block changes")
        expect(page.locator("#changes svg")).to_have_attribute(
            "aria-label", re.compile("each of the 33 residual blocks")
        )

    with subtests.test("of quick clicks the last counts"):
        channels = [page.locator("#grid button").nth(place).get_attribute("data-choice") for place in (4, 5, 6, 7)]
        click_quickly(page, [f'#grid [data-choice="{one}"]' for one in channels])
        expect(page.locator("#blocks-large figcaption")).to_contain_text(f"channel {channels[-1]}")
        settle(page)
        expect(page.locator("#block-channel input")).to_have_value(channels[-1])

    with subtests.test("the channels are a radio group that follows the field"):
        checked = page.locator("#grid [role=radio][aria-checked=true]")
        expect(checked).to_have_attribute("data-choice", channels[-1])
        assert page.locator("#grid [role=radio][tabindex='0']").count() == 1
        checked.focus()
        page.keyboard.press("ArrowLeft")
        expect(checked).to_have_attribute("data-choice", channels[-2])
        expect(page.locator("#block-channel input")).to_have_value(channels[-2])
        page.locator("#block-channel input").fill(channels[0])
        page.keyboard.press("Tab")
        expect(checked).to_have_attribute("data-choice", channels[0])
        shown_channels = page.locator("#grid button").evaluate_all("all => all.map(one => one.dataset.choice)")
        page.locator("#block-channel input").fill(next(str(n) for n in range(1024) if str(n) not in shown_channels))
        page.keyboard.press("Tab")
        expect(checked).to_have_count(0)
        assert page.locator("#grid [role=radio][tabindex='0']").count() == 1

    with subtests.test("channels by contribution to a class"):
        before = page.locator("#grid").inner_text()
        expect(page.locator("#order-class")).to_be_hidden()
        choose(page, "#order", "by contribution")
        expect(page.locator("#order-class")).to_be_visible()
        page.wait_for_function("before => document.querySelector('#grid').innerText !== before", arg=before)
        before = page.locator("#grid").inner_text()
        choose(page, "#order-class", "goldfish")
        page.wait_for_function("before => document.querySelector('#grid').innerText !== before", arg=before)
        choose(page, "#order", "by mean")
        expect(page.locator("#order-class")).to_be_hidden()

    with subtests.test("any block of any stage, without a further pass"):
        passes = engine.passes
        slide(page, "#block-number", "Home")
        expect(grid).to_contain_text("conv4_block1")
        slide(page, "#channels-shown", "Home")
        expect(page.locator("#grid figure")).to_have_count(4)
        stage.get_by_label("C2").check()
        expect(grid).to_contain_text("4 of 256 channels of conv2_block3")
        stage.get_by_label("C1").check()
        expect(grid).to_contain_text("4 of 64 channels of pool1")
        assert engine.passes == passes

    with subtests.test("a bar chooses its block, in this stage or another"):
        bar = page.locator("#changes [role=radio][aria-checked=true]")
        expect(bar).to_have_count(0)  # the stem has none
        page.locator('#changes [data-choice="C3:2"]').click()
        expect(grid).to_contain_text("of conv3_block2")
        expect(stage.get_by_label("C3")).to_be_checked()
        expect(number).to_have_value("2")
        expect(bar).to_have_attribute("data-choice", "C3:2")
        bar.press("ArrowRight")
        expect(grid).to_contain_text("of conv3_block3")
        expect(number).to_have_value("3")
        slide(page, "#block-number", "Home")
        expect(bar).to_have_attribute("data-choice", "C3:1")
        assert engine.passes == passes

    with subtests.test("a look inside the block, and how one value was computed"):
        steps, large = page.locator("#inside [role=radio]"), page.locator("#inside-large")
        expect(page.locator("#inside-channel")).to_be_hidden()
        page.get_by_role("button", name="Look inside this block").click()
        expect(page.locator("#inside h2")).to_contain_text("Inside conv3_block1")
        expect(steps).to_have_count(9)
        expect(large).to_contain_text("ReLU, the block's output, mean of the channels")
        page.get_by_role("radio", name="3×3 convolution").click()
        expect(large).to_contain_text("3×3 convolution + batch norm, mean of the channels")
        ends = large.locator(".scale span").all_inner_texts()
        assert float(ends[0]) == -float(ends[1]) < 0
        large.locator("button.map").click(position={"x": 150, "y": 60})
        expect(page.locator("#inside-cell")).to_contain_text("Choose a channel to see how this cell was computed.")
        page.locator("#inside-channel input").fill("7")
        page.keyboard.press("Tab")
        worked = page.locator("#inside-cell .worked")
        expect(worked).to_contain_text("1,152 products of an input and a weight")
        found = re.search(r"add up to ([-+\d.e]+), those below to ([-+\d.e]+); with the bias ([-+\d.e]+), .* makes "
                          r"([-+\d.e]+)\.", worked.inner_text())  # fmt: skip
        *parts, value = (float(number) for number in found.groups())
        assert abs(sum(parts) - value) < 0.002 * max(abs(part) for part in parts)
        expect(page.locator("#inside-cell .window td")).to_have_count(9)
        # Another block takes its place, and keeps the channel.
        slide(page, "#block-number", "End")
        expect(page.locator("#inside h2")).to_contain_text("Inside conv3_block4")
        expect(steps).to_have_count(8)
        expect(page.locator("#inside")).to_contain_text("Shortcut: the input itself")
        expect(large).to_contain_text("3×3 convolution + batch norm, channel 7")
        assert engine.passes == passes
        stage.get_by_label("C1").check()
        expect(page.locator("#inside h2")).to_contain_text("Inside pool1")
        expect(steps).to_have_count(4)
        expect(page.locator("#kernels figure")).to_have_count(64)
        page.locator('#kernels [data-choice="9"]').click()
        expect(page.locator("#inside-channel input")).to_have_value("9")
        expect(large).to_contain_text("channel 9")
        page.get_by_role("button", name="Look inside this block").click()
        expect(steps).to_have_count(0)
        expect(page.locator("#inside-channel")).to_be_hidden()

    with subtests.test("one channel enlarged"):
        large = page.locator("#blocks-large figcaption")
        expect(large).to_contain_text("C1, block 1, channel")
        button = page.locator("#grid button").nth(2)
        channel = button.get_attribute("data-choice")
        button.click()
        expect(large).to_contain_text(f"C1, block 1, channel {channel}")
        facts = page.locator("#channel-facts")
        expect(facts).to_contain_text(re.compile(r"mean [\d.]+, standard deviation [\d.]+"))
        expect(facts).to_contain_text(re.compile(r"\d+% of 1024 cells are 0"))
        expect(facts.locator("svg")).to_be_visible()
        # Any channel by its number; one that is not there gets a sentence, and nothing is lost.
        page.locator("#block-channel input").fill("63")
        page.keyboard.press("Tab")
        expect(large).to_contain_text("channel 63")
        settle(page)
        page.locator("#block-channel input").fill("64")
        page.keyboard.press("Tab")
        expect(page.get_by_text("The channel must be 0 to 63; received 64.")).to_be_visible()

    with subtests.test("a flight through the blocks, by button, slider and keyboard"):
        passes = engine.passes
        page.get_by_role("button", name="Fly through all blocks").click()
        seen, slider = page.locator("#flight figure:visible"), page.get_by_role("slider", name="Block", exact=True)
        expect(seen).to_contain_text("C1 · pool1")
        slider.press("ArrowRight")
        expect(seen).to_contain_text("C2 · conv2_block1")
        slider.press("End")
        expect(seen).to_contain_text("C5 · conv5_block3")
        play = page.locator("#flight button")
        play.click()  # from the start again
        expect(play).to_have_attribute("aria-pressed", "true")
        page.wait_for_function(
            "[2, 3, 4, 5, 6, 7, 8, 9].includes(Number(document.querySelector('#flight input').value))"
        )
        play.click()
        expect(play).to_have_attribute("aria-pressed", "false")
        expect(page.get_by_role("button", name="Play", exact=True)).to_be_visible()
        before = seen.locator("img").get_attribute("src")
        choose(page, "#colormap", "magma")
        expect(page.locator("#flight figure img").first).not_to_have_attribute("src", before)
        expect(seen).to_contain_text("C1 · pool1")
        assert engine.passes == passes

    with subtests.test("downloads"):
        for what, name in (("figure", "blocks.png"), ("data", "blocks.json"), ("maps", "blocks.npz"),
                           ("flight", "flight.gif")):  # fmt: skip
            with page.expect_download() as waiting:
                page.locator(f"#save-blocks-{what}").click()
            assert waiting.value.suggested_filename == f"espresso.{name}"
            assert waiting.value.path().stat().st_size > 1000


@pytest.mark.slow
def test_a_block_that_is_chosen_while_something_is_drawn_stays(page, monkeypatch, subtests):
    grid, number = page.locator("#grid h2"), page.locator("#block-number input[type=range]")
    stage = page.locator("#block-stage")
    open_tab(page, "Blocks and channels")
    expect(grid).to_contain_text("of conv4_block23")
    page.get_by_role("button", name="Fly through all blocks").click()
    expect(page.locator("#flight figure")).to_have_count(34)

    with subtests.test("a block stays that is chosen while the grid of another stage is drawn"):
        settle(page)  # what is still to be drawn must not be what is held back
        late = Late(blocks.changes_chart, 1)
        with monkeypatch.context() as patch:
            patch.setattr(blocks, "changes_chart", late)
            stage.get_by_label("C3").check()
            assert late.begun.wait(60)
            stage.get_by_label("C2").check()
            expect(number).to_have_value("3")
            slide(page, "#block-number", "Home")
            expect(grid).to_contain_text("conv2_block1")
            late.let_go()
        settle(page)
        expect(grid).to_contain_text("conv2_block1")
        expect(number).to_have_value("1")

    with subtests.test("so does one that is chosen while the grid of a new photo is drawn"):
        stage.get_by_label("C4").check()
        expect(grid).to_contain_text("of conv4_block23")
        settle(page)
        late = Late(blocks.changes_chart, 1)
        with monkeypatch.context() as patch:
            patch.setattr(blocks, "changes_chart", late)
            upload(page, EXAMPLES / "alp.jpg")
            shown(page, "alp.jpg")
            expect(page.locator("#flight figure")).to_have_count(34)  # until the grid is drawn
            assert late.begun.wait(60)
            slide(page, "#block-number", "Home")
            expect(grid).to_contain_text("of conv4_block1E")
            late.let_go()
        settle(page)
        expect(grid).to_contain_text("of conv4_block1E")
        expect(number).to_have_value("1")
    expect(page.locator("#flight figure")).to_have_count(0)
