"""The live camera, with the browser's own fake one: a green picture in which something turns."""

import os
import re
from pathlib import Path

from playwright.sync_api import expect

from tests.browser.steps import choose, open_tab


def stored():
    return {path for path in Path(os.environ["GRADIO_TEMP_DIR"]).rglob("*") if path.is_file()}


def test_the_camera_is_answered_frame_by_frame_and_nothing_is_stored(open_page, engine):
    page = open_page(permissions=("camera",))
    open_tab(page, "Live camera")
    answer = page.locator("#camera-answer")
    expect(answer).to_contain_text("Start the camera: each frame gets its class and its five maps.")
    files, sent = stored(), []
    page.on("request", lambda request: sent.append(request.url) if "/stream/" in request.url else None)
    page.get_by_text("Click to Access Webcam").click()
    passes = engine.passes
    page.locator("#camera .capture-button").click()
    expect(answer.locator(".frames img")).to_have_count(5)
    expect(answer.locator(".bars li")).to_have_count(3)
    expect(answer).to_contain_text(re.compile(r"\d+\.\d frames a second, forward pass \d+ ms"))
    before = answer.locator(".frames img").last.get_attribute("src")
    expect(answer.locator(".frames img").last).not_to_have_attribute("src", before)  # another frame
    assert engine.passes > passes
    # Where the tab is left, no more frames are sent.
    open_tab(page, "Maps")
    expect(page.locator("#camera video")).to_have_count(0)
    choose(page, "#colormap", "magma")  # a step of its own, after which all that was sent has come
    count = len(sent)
    choose(page, "#colormap", "gray")
    assert len(sent) == count > 0
    assert stored() == files
    # And it can be started again.
    open_tab(page, "Live camera")
    expect(answer).to_contain_text("Start the camera")
    page.get_by_text("Click to Access Webcam").click()
    page.locator("#camera .capture-button").click()
    expect(answer.locator(".frames img")).to_have_count(5)
