"""A figure as a file: PNG, SVG or PDF, with what is needed to make it again inside."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from matplotlib.figure import Figure

from resnet import __version__
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import Observation

FORMATS = ("png", "svg", "pdf")
PRINTED_DPI = 300
"""Pixels per inch that a PNG says it has, so that a page shows it at the width of a text."""


def origin(observation: Observation, view: ViewOptions, **options: object) -> dict[str, Any]:
    """Return what a figure's metadata say of it: program, weights, photo, framing and options.

    Args:
        observation: What the figure shows.
        view: How it is drawn.
        options: What else was chosen.
    """
    width, height = observation.geometry.photo_size
    return {
        "program": f"resnet {__version__}",
        "weights": {"name": observation.manifest.name, "sha256": observation.manifest.sha256},
        "photo": {"name": observation.photo_name, "width": width, "height": height},
        "framing": observation.framing,
        "options": {**asdict(view), **options},
    }


def figure_file(figure: Figure, kind: str, about: Mapping[str, Any] | None = None) -> bytes:
    """A figure as a file.

    Args:
        figure: Any figure.
        kind: One of `FORMATS`.
        about: Of `origin`; as JSON in a PNG's text `Description`, an SVG's `dc:description`, a PDF's `Subject`.
    """
    text = json.dumps(about, ensure_ascii=True) if about else ""
    program = f"resnet {__version__}"
    metadata: dict[str, dict[str, str | None]] = {
        "png": {"Software": program, "Description": text},
        "svg": {"Creator": program, "Description": text, "Date": None},
        "pdf": {"Creator": program, "Subject": text, "CreationDate": None},
    }
    printed: dict[str, Any] = {"pil_kwargs": {"dpi": (PRINTED_DPI, PRINTED_DPI)}} if kind == "png" else {}
    buffer = io.BytesIO()
    figure.savefig(buffer, format=kind, metadata=metadata[kind], **printed)
    return buffer.getvalue()
