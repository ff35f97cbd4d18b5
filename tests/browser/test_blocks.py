"""The tab of blocks and channels."""

import re

from playwright.sync_api import expect

from resnet.ui.tabs import blocks
from tests.browser.steps import EXAMPLES, Late, choose, click_quickly, open_tab, shown, slide, upload


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


def test_what_was_chosen_meanwhile_outlasts_a_late_answer(page, monkeypatch):
    late = Late(blocks.changes_chart, 1)
    monkeypatch.setattr(blocks, "changes_chart", late)
    open_tab(page, "Blocks and channels")
    upload(page, EXAMPLES / "espresso.jpg")
    shown(page, "espresso.jpg")
    assert late.begun.wait(60)
    slide(page, "#block-number", "Home")
    expect(page.locator("#grid h2")).to_contain_text("of conv4_block1E")
    late.go.set()
    page.wait_for_timeout(1000)
    expect(page.locator("#grid h2")).to_contain_text("of conv4_block1E")
    expect(page.locator("#block-number input[type=range]")).to_have_value("1")


def test_of_two_quick_clicks_the_last_counts(answered):
    open_tab(answered, "Blocks and channels")
    expect(answered.locator("#grid figure")).to_have_count(16)
    channels = [answered.locator("#grid button").nth(place).get_attribute("data-choice") for place in (4, 5, 6, 7)]
    click_quickly(answered, [f'#grid [data-choice="{one}"]' for one in channels])
    channel = channels[-1]
    expect(answered.locator("#blocks-large figcaption")).to_contain_text(f"channel {channel}")
    answered.wait_for_timeout(500)
    expect(answered.locator("#block-channel input")).to_have_value(channel)


def test_a_block_stays_that_is_chosen_while_the_grid_of_another_stage_is_drawn(answered, monkeypatch):
    open_tab(answered, "Blocks and channels")
    expect(answered.locator("#grid figure")).to_have_count(16)
    late = Late(blocks.changes_chart, 1)
    monkeypatch.setattr(blocks, "changes_chart", late)
    answered.locator("#block-stage").get_by_label("C3").check()
    assert late.begun.wait(60)
    answered.locator("#block-stage").get_by_label("C2").check()
    expect(answered.locator("#grid h2")).to_contain_text("conv2_block3")
    expect(answered.locator("#block-number input[type=range]")).to_have_value("3")
    slide(answered, "#block-number", "Home")
    expect(answered.locator("#grid h2")).to_contain_text("conv2_block1")
    late.go.set()
    answered.wait_for_timeout(1500)
    expect(answered.locator("#grid h2")).to_contain_text("conv2_block1")
    expect(answered.locator("#block-number input[type=range]")).to_have_value("1")
