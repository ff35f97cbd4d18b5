"""The API reference as HTML, from the docstrings: `make docs` writes it to docs/reference/."""

import os
from pathlib import Path

import pdoc

import resnet

MODULES = ("resnet", "resnet.errors", "resnet.maps.observation", "resnet.maps.heatmaps", "resnet.photo.images")
"""The public names, and the modules of what they take and give."""

FOLDER = Path(__file__).parent / "reference"


def main(folder: Path = FOLDER) -> None:
    """Write the pages; a name of the package is loaded on first use, and pdoc sees only loaded ones."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    for name in resnet.__all__:
        setattr(resnet, name, getattr(resnet, name))
    pdoc.render.configure(docformat="google", show_source=False)
    pdoc.pdoc(*MODULES, output_directory=folder)


if __name__ == "__main__":
    main()
