"""The page on a phone, in the dark."""

import numpy as np
from playwright.sync_api import expect

from tests.browser.steps import EXAMPLES, open_tab, shown, upload


def luminance(colour):
    parts = [value / 255 for value in colour]
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))


def test_a_phone_in_the_dark(open_page, subtests):
    page = open_page(360, 800, scheme="dark")
    upload(page, EXAMPLES / "astronaut.jpg")
    shown(page, "astronaut.jpg")

    with subtests.test("text is readable"):
        colours = page.evaluate(
            """() => {
              const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
              const rgb = (colour) => {
                canvas.clearRect(0, 0, 1, 1); canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1);
                return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3);
              };
              const text = getComputedStyle(document.querySelector(".bars .name")).color;
              const ground = getComputedStyle(document.querySelector(".panel")).backgroundColor;
              return [rgb(text), rgb(ground)];
            }"""
        )
        text, ground = map(luminance, colours)
        assert ground < text
        assert (text + 0.05) / (ground + 0.05) >= 4.5  # WCAG 2.1, contrast (minimum)

    with subtests.test("nothing is wider than the screen, nor one caption runs into the next"):
        for width in (360, 768, 1000):  # phone, tablet, small laptop
            page.set_viewport_size({"width": width, "height": 800})
            page.wait_for_function("width => document.documentElement.scrollWidth <= width", arg=width)
            page.wait_for_function(
                "() => [...document.querySelectorAll('.strip figcaption')]"
                ".every(one => one.scrollWidth <= one.clientWidth)"
            )
        page.set_viewport_size({"width": 360, "height": 800})

    with subtests.test("all tabs fit"):
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

    with subtests.test("tabs in further rows are tabs for the keyboard too"):
        expect(page.get_by_role("tab")).to_have_count(9)
        for name in ("Learn", "Model", "Evidence"):
            chosen = page.get_by_role("tab", name=name)
            chosen.focus()
            page.keyboard.press("Enter")
            expect(chosen).to_have_attribute("aria-selected", "true")
            expect(chosen).to_be_focused()
            expect(page.locator("#tabs [role=tab][aria-selected=true]")).to_have_count(1)
