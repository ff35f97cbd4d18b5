"""The page in Chinese, and the switch of languages."""

import re

from playwright.sync_api import expect

from tests.browser.steps import choose, open_tab, shown, upload


def test_a_chinese_browser_gets_the_chinese_page(open_page, tmp_path, subtests):
    page = open_page(locale="zh-CN", says="个类别")
    shown(page, "espresso.jpg")

    with subtests.test("its words"):
        expect(page.locator("h1")).to_have_text("ResNet101 看到了什么")
        assert page.evaluate("document.documentElement.lang") == "zh"
        expect(page).to_have_title("ResNet101 看到了什么")
        expect(page.locator("#maps-large")).to_contain_text("感受野")

    with subtests.test("no English is left"):
        # Names of methods, classes, files and units may be Latin; sentences may not.
        for tab, seen in (
            ("残差块与通道", "#channel-facts svg"),
            ("类别证据", "#difference img"),
            ("是否可靠？", "#hold-result .bars"),
            ("比较", "#compare-result svg"),
            ("模型", "#class-list tbody tr"),
            ("学习", "#learn svg"),
        ):
            open_tab(page, tab)
            expect(page.locator(seen).first).to_be_visible()
        words = page.locator("#left, #right").evaluate_all(
            """parts => parts.flatMap(part =>
              [...part.querySelectorAll("label span, h2, h3, small, p, figcaption, button")]
              .filter(one => !one.closest("#learn, #class-list, [data-testid], .overflow-menu"))
              .map(one => one.innerText))"""
        )
        assert len(words) > 100
        sentence = re.compile(r"\b(the|of|and|choose|click|each|map|photo|class)\b", re.I)
        assert [text for text in words if sentence.search(text)] == []

    with subtests.test("classes and kinds have Chinese names"):
        expect(page.locator("#classes .levels b").last).to_have_text("浓缩咖啡")
        open_tab(page, "是否可靠？")
        expect(page.locator("#hold-result")).to_contain_text("“浓缩咖啡”")
        names = page.locator(".bars .name, .levels b, #matrix tbody th, #matrix tbody td:first-child").all_inner_texts()
        assert len(names) > 20
        assert [name for name in names if not re.search(r"[\u4e00-\u9fff]|^iPod", name)] == []
        open_tab(page, "类别证据")
        choose(page, "#evidence-classes", "金鱼")
        expect(page.locator("#matrix tbody tr").last).to_contain_text("金鱼")

    with subtests.test("what comes later"):
        open_tab(page, "类别证据")
        expect(page.locator("#matrix h2")).to_contain_text("在色标上越高，对该类别的支持越强")
        open_tab(page, "残差块与通道")
        expect(page.locator("#changes svg")).to_contain_text("分支 ÷ 捷径")
        expect(page.locator("#channel-facts svg")).to_be_visible()  # comes after the number, which it would replace
        page.locator("#block-channel input").fill("4000")
        page.keyboard.press("Tab")
        # At once, as the message goes away by itself.
        said = ["通道必须在 0 到 1023 之间；收到 4000。", "错误"]
        page.wait_for_function("said => said.every((text) => document.body.innerText.includes(text))", arg=said)
        bad = tmp_path / "bad.jpg"
        bad.write_text("this is no photo")
        upload(page, bad)
        expect(page.locator("#message [role=alert]")).to_contain_text("bad.jpg 是文本，不是照片")

    with subtests.test("the switch of languages is remembered"):
        page.get_by_role("link", name="English").click()
        expect(page.locator("h1")).to_have_text("What a ResNet101 sees")
        page.reload(wait_until="load")
        expect(page.locator("h1")).to_have_text("What a ResNet101 sees")
        page.get_by_role("link", name="中文").click()
        expect(page.locator("h1")).to_have_text("ResNet101 看到了什么")
