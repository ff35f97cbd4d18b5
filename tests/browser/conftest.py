"""A real Chromium; every page that it opens is watched for errors and requests that leave this machine."""

import os
import shutil

import pytest

ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]


@pytest.fixture(scope="session")
def browser():
    names = ("chromium", "chromium-browser", "google-chrome", "chrome")
    path = os.environ.get("CHROMIUM") or next(filter(None, map(shutil.which, names)), None)
    if path is None:
        pytest.skip("no Chromium found: install it, or name it in CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser, server):
    """Open the page in a window of its own; at the end nothing may have gone wrong in it."""
    contexts, faults = [], []

    def watch(page, address):
        page.on("console", lambda entry: faults.append(entry.text) if entry.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.on(
            "request",
            lambda request: (
                None
                if request.url.startswith((address, "data:", "blob:"))
                else faults.append(f"request to {request.url}")
            ),
        )

    def start(width=1280, height=900, scheme="light", address=server, says="classes", **options):
        context = browser.new_context(viewport={"width": width, "height": height}, color_scheme=scheme, **options)
        context.set_default_timeout(20_000)
        contexts.append(context)
        page = context.new_page()
        watch(page, address)
        page.goto(address, wait_until="load")
        page.locator("#photo input[type=file]").wait_for(state="attached")
        page.wait_for_function("says => document.querySelector('#weights').textContent.includes(says)", arg=says)
        return page

    yield start
    for context in contexts:
        context.close()
    assert faults == []


@pytest.fixture
def page(open_page):
    return open_page()
