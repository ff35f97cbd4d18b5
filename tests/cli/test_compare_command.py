"""`compare`, of two photos and of one."""

import re

import numpy as np
import pytest

from resnet.cli import main
from resnet.maps.observation import observe
from resnet.network.labels import ASSETS
from resnet.photo.images import read_photo
from resnet.stages import STAGE_NAMES

CAT, ROCKET = (ASSETS / "examples" / name for name in ("cat.jpg", "rocket.jpg"))


def test_two_photos_are_compared_stage_by_stage(engine, loaded, make_photo, capsys):
    paths = [make_photo(f"{name}.png", seed=seed) for seed, name in enumerate(("one", "other"))]
    assert main(["compare", *map(str, paths)]) == 0
    printed = capsys.readouterr().out
    one, other = (observe(read_photo(path), engine) for path in paths)
    assert printed.startswith("one.png and other.png  (tiny-imagenet-200)")
    for found in (one, other):
        first = found.predictions(1)[0]
        assert re.search(rf"{first.probability:.1%}  {re.escape(first.label)} +{found.photo_name}", printed)
    rows = dict(re.findall(r"^  (C\d) +(-?[\d.]+) ", printed, re.MULTILINE))
    assert list(rows) == list(STAGE_NAMES)
    for stage, left, right in list(zip(STAGE_NAMES, one.maps, other.maps, strict=True))[2:]:  # the larger are reduced
        flat = left.ravel().astype(np.float64), right.ravel().astype(np.float64)
        cosine = flat[0] @ flat[1] / (np.linalg.norm(flat[0]) * np.linalg.norm(flat[1]))
        assert float(rows[stage]) == pytest.approx(cosine, abs=1e-3)


def test_a_photo_and_a_change_at_once_are_refused(capsys):
    assert main(["compare", str(CAT), str(ROCKET), "--change", "rotate:30"]) == 2
    assert "Give another photo, or --change, to compare with; not both." in capsys.readouterr().err
