"""From photos of one's own classes to a page that offers a network for them: training, `--offer`, the tab Model."""

import json

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

from resnet.cli import main
from resnet.network.manifest import read_manifest
from resnet.network.sources import BUNDLED
from resnet.network.weights import read_arrays
from tests.browser.steps import open_tab, shown, upload
from tests.conftest import running_app


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two classes of twelve photos: stripes from left to right, and from top to bottom."""
    root = tmp_path_factory.mktemp("data") / "stripes"
    generator = np.random.default_rng(0)
    for name in ("lying", "standing"):
        (root / name).mkdir(parents=True)
        for number in range(12):
            waves = 127 + 90 * np.sin(np.arange(64) / generator.uniform(1, 3) + generator.uniform(0, 6))
            picture = np.repeat(np.broadcast_to(waves, (64, 64))[..., None], 3, axis=2)
            picture = picture + generator.normal(0, 10, picture.shape)
            picture = picture if name == "standing" else picture.transpose(1, 0, 2)
            Image.fromarray(picture.clip(0, 255).astype(np.uint8)).save(root / name / f"{number}.png")
    return root


@pytest.mark.slow
def test_a_network_that_learns_from_the_bundled_one_answers_on_the_page_that_offers_it(
    photos, tmp_path, capsys, open_page
):
    mine, empty = tmp_path / "mine", tmp_path / "files"
    empty.mkdir()
    schedule = ["--head-epochs", "2", "--epochs", "1", "--batch-size", "6", "--size", "64"]
    assert (
        main(
            ["train", str(photos), "--out", str(mine), "--weights", "bundled", *schedule, "--detail", "0", "--no-flip"]
        )
        == 0
    )
    manifest = read_manifest(mine)
    assert (manifest.depth, [label.name for label in manifest.labels]) == (101, ["lying", "standing"])
    history = json.loads((mine / "history.json").read_text())
    assert [row["epoch"] for row in history] == [1, 2, 1]
    (measured,) = manifest.accuracy.values()
    assert measured["top1"] == 1  # guessing would give that to one run of sixteen
    before, after = read_arrays(read_manifest(BUNDLED)), read_arrays(manifest)
    # The head learns, then C5 as well; the best epoch is kept.
    best = min(history, key=lambda row: row["val_loss"])
    learnt = ("dense_1024", "predictions", *(["conv5"] if best["phase"] else []))
    for name, values in after.items():
        learns = name.startswith(learnt) and "_bn/" not in name
        assert np.array_equal(values, before.get(name, np.zeros_like(values))) != learns, name

    with running_app(empty, "--offer", mine) as (_, address):
        page = open_page(address=address)
        open_tab(page, "Model")
        page.locator("#weights-choice").get_by_label("mine").check()
        expect(page.locator("#model-description")).to_contain_text("mine")
        open_tab(page, "Maps")
        upload(page, photos / "standing" / "3.png")
        shown(page, "3.png")
        expect(page.locator("#message")).to_contain_text("mine")
        expect(page.locator("#classes li")).to_have_count(2)
        expect(page.locator("#classes li").first).to_contain_text("standing")
        open_tab(page, "Evidence")
        expect(page.locator("#evidence-classes")).to_contain_text("standing")
