"""Cells that resemble an asked one, against angles computed one by one, and planted cells that are found again."""

from dataclasses import replace

import numpy as np
import pytest

from resnet.errors import OptionError
from resnet.maps.elsewhere import MOST_MATCHES, cosines, find_elsewhere
from resnet.maps.observation import observe
from resnet.network.labels import ASSETS
from resnet.photo.images import read_photo
from resnet.stages import STAGE_NAMES

EXAMPLES = ASSETS / "examples"


@pytest.fixture(scope="module")
def espresso(engine):
    return observe(read_photo(EXAMPLES / "espresso.jpg"), engine)


@pytest.fixture(scope="module")
def cat(engine):
    return observe(read_photo(EXAMPLES / "cat.jpg"), engine, "whole")


def angle(one, other):
    """The angle between two vectors in degrees, by the third side of the triangle of their directions."""
    one, other = (values / np.sqrt(np.square(values).sum()) for values in map(np.float64, (one, other)))
    return 2 * np.degrees(np.arcsin(min(1.0, np.sqrt(np.square(one - other).sum()) / 2)))


@pytest.mark.parametrize("stage", range(5), ids=STAGE_NAMES)
def test_a_map_holds_the_cosine_of_the_angle_to_each_cell(espresso, cat, stage):
    rows, columns = espresso.maps[stage].shape[:2]
    row, column = rows // 3, columns // 2
    for one in find_elsewhere(espresso, stage, row, column, [cat]):
        values = one.observation.maps[stage]
        for place in [(0, 0), (values.shape[0] - 1, 1), (values.shape[0] // 2, values.shape[1] - 1)]:
            if values[place].any():
                expected = np.cos(np.radians(angle(espresso.maps[stage][row, column], values[place])))
                assert one.heatmap.values[place] == pytest.approx(expected, abs=2e-4)
        best = one.matches[0]
        assert best.cosine == pytest.approx(float(one.heatmap.values[best.row, best.column]))
        assert best.box == one.observation.geometry.cell_box(one.observation.blocks[stage], best.row, best.column)
    itself = find_elsewhere(espresso, stage, row, column, [])[0]
    assert itself.heatmap.values[row, column] == pytest.approx(1, abs=1e-5)
    assert (row, column) not in [(match.row, match.column) for match in itself.matches]
    assert len(itself.matches) == MOST_MATCHES


def test_a_planted_cell_is_found_and_its_photo_comes_first(espresso, cat):
    asked, planted = espresso.maps[3][2, 5], [values.copy() for values in cat.maps]
    planted[3][1, 4] = 0.25 * asked  # a cosine does not see how strong a cell is
    other = replace(cat, maps=tuple(planted), photo_name="planted.jpg")
    found = find_elsewhere(espresso, 3, 2, 5, [cat, other])
    assert [one.observation.photo_name for one in found] == ["espresso.jpg", "planted.jpg", "cat.jpg"]
    best = found[1].matches[0]
    assert (best.row, best.column) == (1, 4)
    assert best.cosine == pytest.approx(1, abs=1e-6)
    assert {one.heatmap.high for one in found} == {1.0}
    assert len({one.heatmap.low for one in found}) == 1


def test_cells_of_zeros_resemble_nothing(espresso):
    silent = [values.copy() for values in espresso.maps]
    silent[4][0, 0] = 0
    photo = replace(espresso, maps=tuple(silent))
    assert find_elsewhere(photo, 4, 1, 1, [])[0].heatmap.values[0, 0] == 0
    with pytest.raises(OptionError, match="All channels of this cell of C5 are 0"):
        find_elsewhere(photo, 4, 0, 0, [])


def test_other_networks_are_refused(espresso):
    other = replace(espresso, maps=tuple(values[..., :7] for values in espresso.maps))
    with pytest.raises(OptionError, match="same network"):
        find_elsewhere(espresso, 2, 0, 0, [other])


def test_a_map_of_one_cell_has_no_other():
    one = np.ones((1, 1, 4), np.float32)
    assert cosines(one[0, 0], one) == pytest.approx(1)
