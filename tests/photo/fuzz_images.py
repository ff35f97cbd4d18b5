"""Coverage-guided fuzzing of the decoder and the preprocessing, by hand; pytest does not run it.

In an environment of its own:

    python3 -m venv fuzz && fuzz/bin/pip install "pillow>=12.0,<13" "numpy>=2,<3" atheris
    fuzz/bin/python -m tests.photo.fuzz_images --seeds seeds  # writes the small hostile files, and ends
    nice -n 15 fuzz/bin/python -m tests.photo.fuzz_images seeds -max_total_time=1200 -timeout=10 -rss_limit_mb=1500

Options with one dash are libFuzzer's. Whatever is no `ImageError`, takes more than 10 s or more memory than
that ends the run and leaves the file as `crash-…`, `timeout-…` or `oom-…`: it belongs into `tests/photo/hostile.py`.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["resnet", "PIL"]):
    import numpy as np
    from PIL import Image

    from resnet.errors import ImageError
    from resnet.photo import images
    from resnet.photo.preprocess import FRAMINGS, InputSpec, prepare

    Image.init()  # loads the decoders of all formats

LARGEST_SEED = 20_000
SPEC = InputSpec(size=64, detail=32)


def write_seeds(folder: Path) -> None:
    from tests.photo import hostile

    folder.mkdir(parents=True, exist_ok=True)
    for _, content in (*hostile.valid().items(), *hostile.corpus()):
        if len(content) <= LARGEST_SEED:
            (folder / hashlib.sha256(content).hexdigest()[:16]).write_bytes(content)


def decode(content: bytes) -> None:
    try:
        photo = images.read_photo(bytes(content), "fuzz")
    except ImageError as error:
        if not (str(error).startswith("fuzz ") and str(error).isprintable()):
            raise AssertionError(str(error)) from error
        return
    assert photo.image.mode == "RGB"
    for framing in FRAMINGS:
        assert np.isfinite(prepare(photo.image, SPEC, framing, photo.size).pixels).all()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--seeds"]:
        write_seeds(Path(sys.argv[2]))
    else:
        # Large pictures take the same ways as small ones, only longer.
        images.MAXIMUM_PIXELS = 4_000_000
        atheris.Setup(sys.argv, decode)
        atheris.Fuzz()
