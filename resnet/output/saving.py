"""Figures as PNG, SVG or PDF, and raw maps as NPZ, with what is needed to make them again inside."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from resnet import __version__
from resnet.maps.evidence import Evidence
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import Observation
from resnet.stages import STAGE_NAMES

FORMATS = ("png", "svg", "pdf")
PRINTED_DPI = 300
"""Pixels per inch that a PNG says it has, so that a page shows it at the width of a text."""


def origin(observation: Observation, view: ViewOptions, **options: object) -> dict[str, Any]:
    """Return what a figure's metadata say of it: program, weights, photo, framing, precision and options.

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
        "precision": observation.precision,
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


def json_file(about: Mapping[str, Any], answer: Mapping[str, Any]) -> bytes:
    """An answer as indented JSON, UTF-8.

    Args:
        about: Of `origin`, as its member `about`.
        answer: Plain values.
    """
    return json.dumps({**answer, "about": about}, indent=2, ensure_ascii=False).encode()


def arrays_file(about: Mapping[str, Any], arrays: Mapping[str, NDArray[Any]]) -> bytes:
    """Arrays as a compressed NPZ file, to be read by `numpy.load`.

    Args:
        about: Of `origin`; as JSON text in the array `about`.
        arrays: By name.
    """
    buffer = io.BytesIO()
    np.savez_compressed(buffer, about=np.asarray(json.dumps(about, ensure_ascii=False)), **arrays)  # type: ignore[arg-type]
    return buffer.getvalue()


def maps_file(observation: Observation, view: ViewOptions, top_k: int) -> bytes:
    """The five maps as the network gives them, as an NPZ file.

    It holds C1 to C5, (height, width, channels) float32, `probabilities`, (classes,) float32, and `about`.

    Args:
        observation: The answer.
        view: As for the figure; the maps are the same in any view.
        top_k: As for the figure.
    """
    maps = dict(zip(STAGE_NAMES, observation.maps, strict=True))
    about = origin(observation, view, top_k=top_k)
    return arrays_file(about, {"probabilities": observation.probabilities, **maps})


def evidence_file(observation: Observation, evidence: Evidence) -> bytes:
    """Encode the evidence for and against some classes as an NPZ file.

    It holds per method and stage (`gradcam_C5`) the maps of the classes, (classes, height, width) float32, `classes`,
    their indices, `logits` and `probabilities` of all classes of the network, and `about`.

    Args:
        observation: The answer.
        evidence: Of the same answer.
    """
    maps = {
        f"{method}_{stage}": np.stack([row[place] for row in rows])
        for method, rows in evidence.maps.items()
        for place, stage in enumerate(STAGE_NAMES)
    }
    names = [observation.manifest.labels[index].name for index in evidence.classes]
    about = origin(observation, ViewOptions(), classes=names)
    numbers = {"logits": evidence.logits, "probabilities": observation.probabilities}
    return arrays_file(about, {"classes": np.asarray(evidence.classes), **numbers, **maps})
