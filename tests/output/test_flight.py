"""A flight through the blocks, compared with the network's own maps."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from resnet.cli import main
from resnet.maps.channels import trace_blocks
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import observe
from resnet.network.labels import ASSETS
from resnet.output.flight import FRAME_SIDE, MILLISECONDS, fly_through, gif
from resnet.photo.images import read_photo
from resnet.stages import STAGE_NAMES

PHOTO = ASSETS / "examples" / "cat.jpg"


@pytest.fixture(scope="module")
def observation(engine):
    return observe(read_photo(PHOTO), engine)


@pytest.fixture(scope="module")
def frames(observation, engine):
    return fly_through(observation, trace_blocks(observation, engine), ViewOptions())


def test_every_block_has_its_frame_and_the_last_of_a_stage_is_the_stages_map(observation, frames):
    assert [frame.heatmap.block.stage for frame in frames] == ["C1"] + ["C2"] * 3 + ["C3"] * 4 + ["C4"] * 23 + [
        "C5"
    ] * 3
    last = {frame.heatmap.block.stage: frame.heatmap.values for frame in frames}
    for stage, values in zip(STAGE_NAMES, observation.maps, strict=True):
        np.testing.assert_allclose(last[stage], values.mean(axis=-1), rtol=1e-3, atol=1e-4)


def test_frames_are_the_map_over_the_photo(observation, frames):
    place = 9
    expected = observation.overlay(frames[place].heatmap, ViewOptions(), FRAME_SIDE)
    np.testing.assert_array_equal(np.asarray(frames[place].picture), np.asarray(expected))
    assert max(expected.size) == FRAME_SIDE
    assert frames[place].caption == "C4 · conv4_block2 · 8×8×1024"


def test_the_gif_has_a_frame_a_block_in_its_colours(frames):
    with Image.open(io.BytesIO(gif(frames))) as picture:
        assert (picture.format, picture.n_frames, picture.info["loop"]) == ("GIF", len(frames), 0)
        for place in (0, 12, 33):
            picture.seek(place)
            assert picture.info["duration"] == MILLISECONDS * (3 if place == 33 else 1)
            shown = np.asarray(picture.convert("RGB"))[: frames[place].picture.height].astype(float)
            assert np.abs(shown - np.asarray(frames[place].picture, float)).mean() < 12


def test_the_command_line_writes_it_and_the_inside_of_a_block(loaded, tmp_path, capsys):
    assert main(["classify", str(PHOTO), "--flight"]) == 2
    assert "--flight needs --heatmaps" in capsys.readouterr().err
    assert main(["classify", str(PHOTO), "--inside", "C4:7"]) == 2
    assert "--inside needs --heatmaps" in capsys.readouterr().err
    assert (
        main(["classify", str(PHOTO), "--heatmaps", str(tmp_path), "--flight", "--inside", "C3:1", "--parts", "C5:3"])
        == 0
    )
    with Image.open(tmp_path / "cat.inside.png") as picture:
        assert picture.width == 1560
        about = json.loads(picture.text["Description"])
        assert about["options"]["block"] == "conv3_block1"
    with Image.open(tmp_path / "cat.parts.png") as picture:
        assert json.loads(picture.text["Description"])["options"]["parts"] == 3
    assert main(["classify", str(PHOTO), "--heatmaps", str(tmp_path), "--inside", "C3:9"]) == 1
    assert "The block must be 1 to 4; received 9." in capsys.readouterr().err
    with Image.open(tmp_path / "cat.flight.gif") as picture:
        assert picture.n_frames == 34
