"""A real Chromium; every page that it opens is watched for errors and requests that leave this machine."""

import os
import shutil

import pytest

from resnet.ui.photo import FIRST_EXAMPLE
from tests.browser.steps import shown

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update",
             "--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"]  # fmt: skip


def chromium():
    """Path of the browser, its variant without windows first, which takes a tenth less time; None if there is none."""
    names = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")
    return os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)


@pytest.fixture(scope="session")
def browser():
    path = chromium()
    if path is None:
        pytest.skip("no Chromium found: install it, or name it in CHROMIUM")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=40_000)  # a machine that tests several things at once is slow

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def contexts(browser):
    """Browser contexts by their options: windows of one context load the page's files once."""
    found = {}
    yield found
    for context in found.values():
        context.close()


@pytest.fixture
def open_page(browser, contexts, server):
    """Open the page in a window of its own; at the end nothing may have gone wrong in it."""
    pages, faults = [], []

    def note(fault):
        # A page that is left, as by the switch of languages, aborts what it was still waiting for.
        if not any(
            words in fault
            for words in (
                "AbortError",
                "Connection errored out",
                "404: Not Found",
                "network error",
                "INCOMPLETE_CHUNKED",
            )
        ):
            faults.append(fault)

    def watch(page, address):
        page.on("console", lambda entry: note(entry.text) if entry.type == "error" else None)
        page.on("pageerror", lambda error: note(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((address, "data:", "blob:"))
                else faults.append(f"request to {request.url}")
            ),
        )

    def start(width=1280, height=900, scheme="light", address=server, says="classes", query="", first="", **options):
        """Open the page and its view; wait for what it says of the weights and for the example that it opens with."""
        known = tuple(sorted(options.items()))
        if known not in contexts:
            contexts[known] = browser.new_context(**options)
            contexts[known].set_default_timeout(40_000)
        page = contexts[known].new_page()
        pages.append(page)
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=scheme)
        watch(page, address)
        page.goto(f"{address}?{query}" if query else address, wait_until="load")
        page.locator("#photo input[type=file]").wait_for(state="attached")
        page.wait_for_function("says => document.querySelector('#weights')?.textContent.includes(says)", arg=says)
        page.locator("#choices > button").click()
        if says == "classes" and "photo=" not in query:
            shown(page, first or f"{FIRST_EXAMPLE}.jpg")
        return page

    yield start
    for page in pages:
        page.close()
    assert faults == []


@pytest.fixture
def page(open_page):
    return open_page()


@pytest.fixture
def answered(page):
    """The page with the answer that it opens with, for the photo of an espresso."""
    return page
