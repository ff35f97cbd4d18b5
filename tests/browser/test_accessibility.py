"""What axe-core (https://github.com/dequelabs/axe-core) finds on any tab, light and dark, in both languages."""

import pytest
from axe_playwright_python.sync_playwright import Axe

from tests.browser.steps import settle

ABOUT_THE_PHOTO = ("maps", "blocks", "evidence", "hold", "compare")
OTHERS = ("many", "model", "learn")
AT_REST = """() => !document.querySelector(".pending, .generating")
  && document.getAnimations().every(({ playState }) => playState === "finished")"""
"""While something is under way, Gradio shows it pale."""


@pytest.mark.slow
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_nobody_is_shut_out(open_page, scheme, locale, subtests):
    says = "classes" if locale == "en-US" else "个类别"
    page = open_page(scheme=scheme, locale=locale, says=says, first="espresso.jpg")
    axe = Axe()
    for tab in (*ABOUT_THE_PHOTO, *OTHERS):
        with subtests.test(tab):
            page.locator(f"#tab-{tab}-button").click()
            if tab in ABOUT_THE_PHOTO:
                settle(page)
            if tab == "blocks":
                page.locator("#look-inside").click()
                page.locator("#inside-large img").wait_for()
            page.wait_for_function(AT_REST)
            found = axe.run(page).response
            assert len(found["passes"]) > 10
            assert [
                (fault["id"], node["target"], node["html"][:200])
                for fault in found["violations"]
                if fault["impact"] in ("serious", "critical", "moderate")
                for node in fault["nodes"]
            ] == []
