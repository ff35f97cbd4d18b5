"""The maps enlarged, and what one place of them says."""

import re

import pytest
from playwright.sync_api import expect

from tests.browser.steps import EXAMPLES, changed, choose, open_tab, pictures, saved, slide, upload


def frame_lies_around(page, x, y):
    """Wait until the frame of the asked cell lies around a place of the enlarged map."""
    page.wait_for_function(
        """([x, y]) => {
          const map = document.querySelector("#maps-large .map img")?.getBoundingClientRect();
          const cells = document.querySelectorAll("#maps-large rect.cell");
          if (!map || cells.length !== 1) return false;
          const cell = cells[0].getBoundingClientRect(), near = (at, start, end) => start - 3 <= at && at <= end + 3;
          return near(map.x + x, cell.left, cell.right) && near(map.y + y, cell.top, cell.bottom);
        }""",
        arg=[x, y],
    )


def test_a_cell_can_be_asked_by_click_and_by_keyboard(answered):
    large = answered.locator("#maps-large .map")
    large.click(position={"x": 5, "y": 200})
    expect(answered.locator("#maps-cell")).to_contain_text("The network did not see this part of the photo")
    large.click(position={"x": 300, "y": 200})
    facts = answered.locator("#maps-cell")
    expect(facts).to_contain_text(re.compile(r"C5: row \d of 4, column \d of 4"))
    expect(facts).to_contain_text(re.compile(r"Value of the map \(mean of the channels\): [\d.]+"))
    expect(facts).to_contain_text(re.compile(r"Strongest channels here: \d+ at [\d.]+ \(mean [\d.]+\)"))
    expect(facts).to_contain_text(re.compile(r"to the logit [\d.]+ of “espresso” \(HiResCAM\): [\d.]+%"))
    expect(facts).to_contain_text(re.compile(r"Without this cell .* “espresso” would have [\d.]+% instead of [\d.]+%"))
    expect(answered.locator("#maps-large rect.cell")).to_have_count(1)
    expect(answered.locator("#maps-large rect.field")).to_have_count(1)

    # The drawn cell lies around the place that was clicked, also the second time.
    frame_lies_around(answered, 300, 200)
    former = facts.inner_text()
    large.click(position={"x": 270, "y": 120})
    expect(facts).not_to_have_text(former)
    frame_lies_around(answered, 270, 120)

    column = int(re.search(r"column (\d)", facts.inner_text()).group(1))
    large.focus()
    answered.keyboard.press("ArrowLeft")
    expect(facts).to_contain_text(f"column {column - 1} of 4")
    answered.keyboard.press("ArrowRight")
    expect(facts).to_contain_text(f"column {column} of 4")

    # The same place of the photo in another stage; its cells are smaller.
    answered.get_by_role("radio", name="C3").check()
    expect(facts).to_contain_text(re.compile(r"C3: row \d+ of 16"))
    expect(answered.locator("#maps-large rect.cell")).to_have_count(1)

    # No key leads out of the map.
    for _ in range(20):
        large.press("ArrowUp")
    expect(facts).to_contain_text("C3: row 1 of 16")

    # Of C3 every second row and column is read.
    for _ in range(2):
        column = int(re.search(r"column (\d+)", facts.inner_text()).group(1))
        said = "Slope for the logit of “espresso”" if column % 2 else "Nothing reads this cell"
        expect(facts).to_contain_text(said)
        large.press("ArrowLeft")
        expect(facts).to_contain_text(f"column {column - 1} of 16")


def test_the_same_is_found_elsewhere(page, engine, monkeypatch):
    panel, large = page.locator("#elsewhere"), page.locator("#maps-large .map")
    page.get_by_role("button", name="Find the same elsewhere").click()
    expect(panel).to_contain_text("Click the map above to ask a cell.")
    page.get_by_role("radio", name="C4").check()
    expect(page.locator("#maps-large figcaption")).to_contain_text("C4")
    large.click(position={"x": 300, "y": 150})
    figures = panel.locator("figure")
    expect(figures).to_have_count(len(list(EXAMPLES.glob("*.jpg"))))
    expect(figures.first).to_contain_text(re.compile(r"this photo\s*most similar: 0\.\d\d"))
    cell = re.search(r"row \d, column \d", panel.inner_text())[0]
    expect(page.locator("#maps-cell")).to_contain_text(re.sub(r"(\d)", r"\1 of 8", cell))
    shown = [float(best) for best in re.findall(r"most similar: ([\d.]+)", panel.inner_text())]
    assert shown[1:] == sorted(shown[1:], reverse=True)
    # Another cell, stage or view has no photo answered anew.
    asked, run = [], engine.run
    monkeypatch.setattr(engine, "run", lambda pixels: asked.append(len(pixels)) or run(pixels))
    large.press("ArrowLeft")
    expect(panel).not_to_contain_text(cell)
    page.get_by_role("radio", name="C5").check()
    expect(panel).to_contain_text("channels in C5")
    before = figures.first.locator("img").get_attribute("src")
    choose(page, "#colormap", "magma")
    expect(figures.first.locator("img")).not_to_have_attribute("src", before)
    assert asked == []
    page.set_input_files("#elsewhere-photo input[type=file]", str(EXAMPLES / "cat.jpg"))
    expect(figures).to_have_count(2)
    expect(figures.last).to_contain_text("cat.jpg")
    with page.expect_download() as waiting:
        page.locator("#save-elsewhere-data").click()
    assert waiting.value.suggested_filename == "espresso.elsewhere.json"
    assert [photo["image"] for photo in saved(waiting)["photos"]] == ["espresso.jpg", "cat.jpg"]
    with page.expect_download() as waiting:
        page.locator("#save-elsewhere-figure").click()
    assert waiting.value.suggested_filename == "espresso.elsewhere.png"
    # The cell is asked anew of another photo.
    upload(page, EXAMPLES / "rocket.jpg")
    expect(page.locator("#message")).to_contain_text("rocket.jpg")
    expect(figures.first.locator("img")).to_have_attribute("alt", re.compile("rocket.jpg"))
    page.get_by_role("button", name="Find the same elsewhere").click()
    expect(panel).to_be_hidden()


def test_a_request_that_was_overtaken_on_its_way_turns_nothing_back(answered):
    held = []

    def hold_the_first(route):
        if held or "magma" not in route.request.post_data:
            route.continue_()
        else:
            held.append(route)

    answered.route("**/queue/join*", hold_the_first)
    choose(answered, "#colormap", "magma")
    answered.get_by_role("radio", name="C3").check()
    caption = answered.locator("#maps-large figcaption")
    expect(caption).to_contain_text("C3")
    answered.evaluate(
        """() => {
          const large = document.querySelector("#maps-large");
          const said = () => large.querySelector("figcaption")?.innerText;
          window.captions = [];
          new MutationObserver(() => captions.push(said())).observe(large, { subtree: true, childList: true });
        }"""
    )
    before = pictures(answered)
    held[0].continue_()
    choose(answered, "#colormap", "viridis")  # asked for when the answer to the former choice has come
    changed(answered, before)
    expect(caption).to_contain_text("C3")
    assert all(said.startswith("C3") for said in answered.evaluate("captions") if said)


@pytest.mark.slow
def test_a_channel_number_that_cannot_be_keeps_nothing_else_from_a_new_photo(answered):
    choose(answered, "#map", "One channel")
    number = answered.locator("#channel input")
    number.fill("3000")
    expect(answered.get_by_text("The channel must be 0 to 2047; received 3000.")).to_be_visible()
    classes = answered.locator("#classes").inner_text()
    upload(answered, EXAMPLES / "pagoda.jpg")
    expect(answered.locator("#message")).to_contain_text("pagoda.jpg")
    expect(answered.locator("#stages [role=alert]")).to_have_text("The channel must be 0 to 2047; received 3000.")
    expect(answered.locator("#classes")).not_to_have_text(classes)
    open_tab(answered, "Evidence")
    expect(answered.locator("#evidence-large img")).to_have_attribute("alt", re.compile("over the photo pagoda.jpg"))
    open_tab(answered, "Maps")

    # A number that is not to be seen counts for nothing.
    for wrong in ("3000", ""):
        choose(answered, "#map", "One channel")
        number.fill(wrong)
        choose(answered, "#map", "Mean of channels")
        expect(answered.locator("#stages img")).to_have_count(5)
        before = pictures(answered)
        choose(answered, "#colormap", "magma" if wrong else "viridis")
        changed(answered, before)


def test_a_stage_is_split_into_parts(page, engine):
    passes, parts = engine.passes, page.locator("#parts")
    expect(page.locator("#part-count")).to_be_hidden()
    page.get_by_role("button", name="Split this stage into parts").click()
    expect(parts.locator("h2")).to_contain_text("C5 as a sum of 4 parts")
    expect(parts.locator("li")).to_have_count(4)
    expect(parts.locator("li").first).to_contain_text(re.compile(r"the head calls it: espresso \d+%"))
    slide(page, "#part-count", "Home")
    expect(parts.locator("li")).to_have_count(2)
    page.get_by_role("radio", name="Enlarge C3").click()
    expect(parts.locator("h2")).to_contain_text("C3 as a sum of 2 parts")
    expect(parts).not_to_contain_text("the head calls it")
    assert engine.passes == passes
    for what, suffix in (("figure", "png"), ("data", "json")):
        with page.expect_download() as waiting:
            page.locator(f"#save-parts-{what}").click()
        assert waiting.value.suggested_filename == f"espresso.parts.{suffix}"
    assert len(saved(waiting)["parts"]) == 2
    page.get_by_role("button", name="Example photo: a pagoda").click()
    expect(parts.locator("img")).to_have_attribute("alt", re.compile("pagoda.jpg"))
    page.get_by_role("button", name="Split this stage into parts").click()
    expect(parts).to_be_hidden()
