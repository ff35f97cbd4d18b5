"""What a person does on the page, step by step, as the browser tests share it."""

import json
import re
import threading

from playwright.sync_api import expect

from resnet.network.labels import ASSETS

EXAMPLES = ASSETS / "examples"


def upload(page, path):
    page.set_input_files("#photo input[type=file]", str(path))


def shown(page, name):
    """Wait until the answer for a photo of that name is on the page."""
    expect(page.locator("#message")).to_contain_text(name)
    expect(page.locator(f".strip img[alt*='{name}']")).to_have_count(5)


def pictures(page):
    return page.locator(".strip img").evaluate_all("images => images.map(image => image.src)")


def changed(page, before):
    """Wait until all five pictures differ from those before."""
    page.wait_for_function(
        "before => { const now = [...document.querySelectorAll('.strip img')].map(image => image.src);"
        "return now.length === 5 && now.every((source, index) => source !== before[index]); }",
        arg=before,
    )
    return pictures(page)


def clear(page):
    """Take the photo away, and wait until the page has heard of it."""
    page.locator("#photo").get_by_label(re.compile("clear|remove", re.I)).first.click()
    expect(page.locator("#message")).to_contain_text("Choose a photo to begin.")


def settle(page):
    """Wait until earlier requests are answered: of one page they are answered in order, this one after them."""
    bars = page.locator("#classes li")
    to_one = bars.count() != 1
    slide(page, "#top-k", "Home" if to_one else "End")
    expect(bars).to_have_count(1 if to_one else 20)


def saved(waiting):
    return json.loads(waiting.value.path().read_text(encoding="utf-8"))


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


def drag(page, element, start, end):
    """Draw on an element from one place to another, both as shares of its width and height."""
    element.scroll_into_view_if_needed()
    box = element.bounding_box()
    places = [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in (start, end)]
    page.mouse.move(*places[0])
    page.mouse.down()
    page.mouse.move(*places[1], steps=4)
    page.mouse.up()


def click_quickly(page, selectors):
    """Click one after the other as quickly as a hand can, whatever becomes of the clicks before."""
    page.evaluate(
        """async (selectors) => {
          for (const selector of selectors) {
            document.querySelector(selector).click();
            await new Promise((go_on) => setTimeout(go_on, 100));
          }
        }""",
        selectors,
    )


class Late:
    """Holds back one call of a function, until it is let go; where its test has failed, for a minute at most."""

    def __init__(self, function, number):
        self.begun, self._go, self._ended = threading.Event(), threading.Event(), threading.Event()
        self._function, self._left = function, number

    def __call__(self, *arguments, **options):
        self._left -= 1
        if self._left == 0:
            self.begun.set()
            self._go.wait(60)
            try:
                return self._function(*arguments, **options)
            finally:
                self._ended.set()
        return self._function(*arguments, **options)

    def let_go(self):
        """Let the call go on, and wait for its end."""
        self._go.set()
        assert self._ended.wait(60)
