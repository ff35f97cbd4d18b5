"""The page in Chinese, and the switch of languages."""

import re

from playwright.sync_api import expect

from tests.browser.steps import EXAMPLES, open_tab, shown, upload


def test_a_chinese_browser_gets_the_chinese_page(open_page, tmp_path):
    page = open_page(locale="zh-CN", says="个类别")
    expect(page.locator("h1")).to_have_text("ResNet101 看到了什么")
    assert page.evaluate("document.documentElement.lang") == "zh"
    expect(page).to_have_title("ResNet101 看到了什么")
    upload(page, EXAMPLES / "espresso.jpg")
    shown(page, "espresso.jpg")
    expect(page.locator("#maps-large")).to_contain_text("感受野")
    open_tab(page, "类别证据")
    expect(page.locator("#matrix h2")).to_contain_text("在色标上越高，对该类别的支持越强")
    open_tab(page, "残差块与通道")
    expect(page.locator("#changes svg")).to_contain_text("分支 ÷ 捷径")
    page.locator("#block-channel input").fill("4000")
    page.keyboard.press("Tab")
    # At once, as the message goes away by itself.
    said = ["通道必须在 0 到 1023 之间；收到 4000。", "错误"]
    page.wait_for_function("said => said.every((text) => document.body.innerText.includes(text))", arg=said)
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
    english = [text for text in words if re.search(r"\b(the|of|and|choose|click|each|map|photo|class)\b", text, re.I)]
    assert english == []


def test_the_switch_of_languages_is_remembered(open_page):
    page = open_page(locale="zh-CN", says="个类别")
    page.get_by_role("link", name="English").click()
    expect(page.locator("h1")).to_have_text("What a ResNet101 sees")
    page.reload(wait_until="load")
    expect(page.locator("h1")).to_have_text("What a ResNet101 sees")
    page.get_by_role("link", name="中文").click()
    expect(page.locator("h1")).to_have_text("ResNet101 看到了什么")


def test_the_switch_of_languages_keeps_the_view_of_the_link(open_page):
    page = open_page(query="photo=alp&top_k=3")
    shown(page, "alp.jpg")
    page.get_by_role("link", name="中文").click()
    expect(page.locator("h1")).to_have_text("ResNet101 看到了什么")
    shown(page, "alp.jpg")
    expect(page.locator(".bars li")).to_have_count(3)
    page.get_by_role("link", name="English").click()  # this browser remembers it for the next test
    expect(page.locator("h1")).to_have_text("What a ResNet101 sees")
