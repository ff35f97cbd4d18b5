"""The tab that compares two photos."""

import re

from playwright.sync_api import expect

from tests.browser.steps import EXAMPLES, choose, open_tab, slide


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


def test_the_amount_is_what_the_slider_shows_after_each_change(open_page):
    page = open_page(query="photo=cat&tab=compare")
    result = page.locator("#compare-result")
    expect(result).to_contain_text("after: Rotate, 30")
    choose(page, "#change", "Blur")
    expect(result).to_contain_text(re.compile("after: Blur, [0-9]"))
    choose(page, "#change", "Remove colour")
    expect(page.locator("#amount input[type=number]")).to_have_value("100")
    expect(result).to_contain_text("after: Remove colour, 100 % of the colour removed")


def test_a_look_at_the_changes_leaves_the_amount(answered):
    open_tab(answered, "Compare")
    result = answered.locator("#compare-result")
    expect(result).to_contain_text("after: Rotate, 30 °")
    slide(answered, "#amount", "End")
    expect(result).to_contain_text("after: Rotate, 180 °")
    answered.locator("#change input").click()
    answered.keyboard.press("Escape")
    answered.locator("#top-k input[type=number]").focus()
    answered.wait_for_timeout(1000)
    expect(answered.locator("#amount input[type=number]")).to_have_value("180")
    choose(answered, "#change", "Blur")
    expect(result).to_contain_text("after: Blur")
    choose(answered, "#change", "Rotate")
    expect(result).to_contain_text("after: Rotate, 30 °")
