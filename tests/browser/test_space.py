"""The page as a Hugging Face Space: in a frame of the Hub's page, behind its proxy."""

import os
import re

import pytest
from playwright.sync_api import expect

from tests import spaces
from tests.browser.conftest import ARGUMENTS, chromium
from tests.browser.steps import EXAMPLES

# What Gradio says on any Space as it puts event loops away, without harm: gradio-app/gradio#12699.
OF_GRADIO = re.compile(r"Exception ignored in: <function BaseEventLoop.__del__[^>]*>:?\n(?:.+\n)*?ValueError: .*: -1\n")


@pytest.mark.slow
def test_a_space_answers_a_photo_in_a_frame_of_another_origin(browser):
    python = os.environ.get("RESNET_SPACE_PYTHON") or pytest.skip("make test-all makes a Space's environment")
    faults = []
    with spaces.app(python, RESNET_WEIGHTS="bundled") as (address, said), spaces.hub(address) as port:
        arguments = [*ARGUMENTS, *spaces.browser_arguments(port)]
        visitor = browser.browser_type.launch(executable_path=chromium(), args=arguments)
        page = visitor.new_page(viewport={"width": 1280, "height": 900})
        page.on("console", lambda entry: faults.append(entry.text) if entry.type == "error" else None)
        page.on("pageerror", lambda error: faults.append(str(error)))
        page.goto(spaces.ADDRESS)
        space = page.frame_locator("iframe")
        expect(space.locator("#message")).to_contain_text("espresso.jpg")
        space.locator("#photo input[type=file]").set_input_files(EXAMPLES / "alp.jpg")
        expect(space.locator("#message")).to_contain_text("alp.jpg")
        maps = space.locator(".strip img[alt*='alp.jpg']")
        expect(maps).to_have_count(5)
        assert all(maps.evaluate_all("images => images.map(image => image.complete && image.naturalWidth > 0)"))
        expect(space.locator("#privacy")).to_contain_text("Deleted from this server when you clear it")
        visitor.close()
        lines = OF_GRADIO.sub("", said()).strip().splitlines()
    assert [line.split(" at ")[0] for line in lines] == ["The page is", "Answering with the weights tiny-imagenet-200."]
    # Gradio's page asks the Hub about its Space, which the page's policy refuses as all that leaves the server.
    assert [fault for fault in faults if "huggingface.co/api/spaces/by-subdomain" not in fault] == []
