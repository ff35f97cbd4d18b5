"""The tab that compares two photos."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.steps import EXAMPLES, choose, open_tab, settle, slide


def test_two_answers_are_compared(page, tmp_path, subtests):
    open_tab(page, "Compare")
    result, amount = page.locator("#compare-result"), page.locator("#amount input[type=number]")

    with subtests.test("the same photo after a change"):
        expect(result).to_contain_text("after: Rotate, 30 °")
        expect(result.locator("table.data").first.locator("img")).to_have_count(10)
        expect(result.locator("svg.chart")).to_be_visible()

    with subtests.test("a look at the changes leaves the amount"):
        slide(page, "#amount", "End")
        expect(result).to_contain_text("after: Rotate, 180 °")
        page.locator("#change input").click()
        page.keyboard.press("Escape")
        settle(page)
        expect(amount).to_have_value("180")
        choose(page, "#change", "Blur")
        expect(result).to_contain_text("after: Blur")
        choose(page, "#change", "Rotate")
        expect(result).to_contain_text("after: Rotate, 30 °")

    with subtests.test("no change at all is no difference"):
        choose(page, "#change", "Remove colour")
        expect(result).to_contain_text("after: Remove colour, 100 % of the colour removed")
        expect(amount).to_have_value("100")
        slide(page, "#amount", "Home")
        expect(result).to_contain_text("after: Remove colour, 0 %")
        similarities = result.locator("table.data").last.locator("tbody tr").all_inner_texts()
        assert len(similarities) == 5
        for row in similarities:
            assert row.split()[1:3] == ["1.000", "1.000"]

    with subtests.test("the figure"):
        with page.expect_download() as waiting:
            page.locator("#save-comparison-figure").click()
        assert waiting.value.suggested_filename == "espresso.comparison.png"

    with subtests.test("another photo, on one scale for each stage"):
        page.set_input_files("#other-photo input[type=file]", str(EXAMPLES / "cat.jpg"))
        expect(result.locator("h3")).to_have_text(["espresso.jpg", "cat.jpg"])
        for stage in range(5):
            ends = (
                result.locator("table.data")
                .first.locator("tr")
                .evaluate_all(
                    "(rows, stage) =>"
                    " rows.slice(1).map(row => row.children[stage + 1].querySelector('.scale').innerText)",
                    stage,
                )
            )
            assert ends[0] == ends[1]

    with subtests.test("a bad one gets a sentence"):
        bad = tmp_path / "bad.jpg"
        bad.write_text("this is no photo")
        page.locator("#other-photo").get_by_label(re.compile("clear|remove", re.I)).first.click()
        expect(result).to_contain_text("after: Remove colour")
        page.set_input_files("#other-photo input[type=file]", str(bad))
        expect(result.locator("[role=alert]")).to_contain_text("bad.jpg is text, not a photo")


@pytest.mark.slow
def test_a_link_opens_the_tab_in_either_language(open_page, subtests):
    page = open_page(query="photo=alp&top_k=3&tab=compare")
    expect(page.locator("#message")).to_contain_text("alp.jpg")

    with subtests.test("the amount is what the slider shows after each change"):
        result = page.locator("#compare-result")
        expect(result).to_contain_text("after: Rotate, 30")
        choose(page, "#change", "Blur")
        expect(result).to_contain_text(re.compile("after: Blur, [0-9]"))
        choose(page, "#change", "Remove colour")
        expect(page.locator("#amount input[type=number]")).to_have_value("100")
        expect(result).to_contain_text("after: Remove colour, 100 % of the colour removed")

    with subtests.test("the switch of languages keeps the view of the link"):
        page.get_by_role("link", name="中文").click()
        expect(page.locator("h1")).to_have_text("ResNet101 看到了什么")
        expect(page.locator("#message")).to_contain_text("alp.jpg")
        expect(page.locator("#classes li")).to_have_count(3)
        page.get_by_role("link", name="English").click()  # this browser remembers it for the next test
        expect(page.locator("h1")).to_have_text("What a ResNet101 sees")
