"""The tab of many photos."""

import csv
import io
import json
import re
import threading
import zipfile

import pytest
from playwright.sync_api import expect

from tests.browser.steps import EXAMPLES, open_tab, shown, upload


def test_many_photos_become_a_table_and_a_zip(page, tmp_path):
    bad = tmp_path / "bad.jpg"
    bad.write_text("this is no photo")
    open_tab(page, "Many photos")
    page.get_by_role("button", name="Classify all").click()
    expect(page.get_by_text("Choose some photos first.")).to_be_visible()
    expect(page.locator("#many-stop")).to_be_disabled()
    page.set_input_files(
        "#many-files input[type=file]", [str(EXAMPLES / "espresso.jpg"), str(bad), str(EXAMPLES / "cat.jpg")]
    )
    page.get_by_label("Raw maps (NPZ)").check()
    page.get_by_label("Figures (PNG)").check()
    expect(page.locator("#many-files")).to_contain_text(re.compile(r"cat\s*\.jpg"))
    page.get_by_role("button", name="Classify all").click()
    rows = page.locator("#many-table tbody tr")
    expect(page.locator("#many-download")).to_be_visible(timeout=60_000)
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("espresso.jpg")
    expect(rows.nth(1)).to_contain_text("bad.jpg is text, not a photo")
    expect(page.locator("#many-progress")).to_contain_text("3 of 3 photos")

    page.locator("#many-table thead button").first.click()
    expect(rows.locator("th")).to_have_text(["bad.jpg", "cat.jpg", "espresso.jpg"])
    page.locator("#many-table thead button").first.click()
    expect(rows.locator("th")).to_have_text(["espresso.jpg", "cat.jpg", "bad.jpg"])
    # By what the photo that could not be read has not.
    page.locator("#many-table thead button", has_text="Probability").click()
    expect(rows.locator("th")).to_have_text(["bad.jpg", "cat.jpg", "espresso.jpg"])
    page.locator("#many-table thead button", has_text="Further classes").click()
    expect(rows.locator("th").first).to_have_text("bad.jpg")

    summary = page.locator("#many-table .bars li")
    expect(summary).to_have_count(2)
    expect(summary.first).to_have_text(re.compile("espresso\\s*1"))
    expect(page.locator("#many-table")).to_contain_text(
        re.compile(r"2 answered, 1 refused. The likeliest class has \d+% in the median, \d+% to \d+%. Not sure of 1.")
    )

    with page.expect_download() as waiting:
        page.locator("#many-download").click()
    with zipfile.ZipFile(waiting.value.path()) as packed:
        names = sorted(name for name in packed.namelist() if not name.endswith("/"))
        assert names == [
            "figures/cat.png", "figures/espresso.png", "manifest.json", "maps/cat.npz", "maps/espresso.npz",
            "predictions.csv",
        ]  # fmt: skip
        table = list(csv.DictReader(io.StringIO(packed.read("predictions.csv").decode("utf-8-sig"))))
        assert [row["photo"] for row in table] == ["espresso.jpg"] * 5 + ["bad.jpg"] + ["cat.jpg"] * 5
        assert len(json.loads(packed.read("manifest.json"))["photos"]) == 3

    # A photo's name opens it in the tab of maps, whatever the order of the rows.
    page.get_by_role("button", name="cat.jpg").click()
    shown(page, "cat.jpg")
    expect(page.get_by_role("tab", name="Maps")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#maps-large img")).to_be_visible()


@pytest.mark.slow
def test_a_batch_can_be_stopped_and_gives_what_it_has(page, engine, monkeypatch, make_photo):
    run, go_on, passes = engine.run, threading.Event(), []

    def slow(pixels):
        passes.append(len(pixels))
        if len(passes) == 2:
            go_on.wait(20)
        return run(pixels)

    monkeypatch.setattr(engine, "run", slow)
    photos = [str(make_photo(f"{number}.png", size=(60, 40), seed=number)) for number in range(24)]
    open_tab(page, "Many photos")
    page.set_input_files("#many-files input[type=file]", photos)
    expect(page.locator("#many-files")).to_contain_text(re.compile(r"23\s*\.png"))
    page.get_by_role("button", name="Classify all").click()
    expect(page.locator("#many-table tbody tr")).to_have_count(8)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator("#many-progress")).to_contain_text("Photos that are being processed are finished first.")
    go_on.set()
    # The pass in hand has eight, and one more was read to see that the eight are full.
    expect(page.locator("#many-progress")).to_contain_text("Stopped after 17 of 24 photos")
    expect(page.locator("#many-table tbody tr")).to_have_count(17)
    with page.expect_download() as waiting:
        page.locator("#many-download").click()
    with zipfile.ZipFile(waiting.value.path()) as packed:
        table = list(csv.DictReader(io.StringIO(packed.read("predictions.csv").decode("utf-8-sig"))))
        assert {row["photo"] for row in table} == {f"{number}.png" for number in range(17)}
    assert sum(passes) < 24

    upload(page, EXAMPLES / "alp.jpg")
    expect(page.locator("#message")).to_contain_text("alp.jpg")
    page.get_by_role("button", name="Classify all").click()
    expect(page.locator("#many-progress")).to_contain_text("24 of 24 photos")
    expect(page.locator("#many-table tbody tr")).to_have_count(24)
