"""Parts of the endpoints' answers: pieces of JSON, files that can be fetched, and error messages."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr
from PIL import Image

from resnet.errors import ResNetError
from resnet.maps.observation import Observation
from resnet.ui.files import store_picture
from resnet.ui.language import ENGLISH

Result = dict[str, Any]
Pictures = list[tuple[Image.Image, str]]

# A program gets plain text, but whoever shows it on a page must not get markup from a file's name.
_NO_MARKUP = str.maketrans("<>", "‹›")


def refused(error: ResNetError) -> gr.Error:
    """Return the message to a program, in English."""
    return gr.Error(ENGLISH.error(error).translate(_NO_MARKUP), print_exception=False)


def file_of(path: str) -> Any:
    """Return what tells Gradio's clients that a file can be fetched."""
    return {"path": path, "orig_name": Path(path).name, "meta": {"_type": "gradio.FileData"}}


def pictures_of(pictures: Pictures) -> list[Result]:
    """Store pictures as files that the caller can fetch; at the end, when nothing else can fail."""
    return [{"image": file_of(store_picture(picture)), "caption": caption} for picture, caption in pictures]


def origin_of(observation: Observation) -> Result:
    """Return what every answer says of itself: photo, weights, framing, precision, notes."""
    return {
        "image": observation.photo_name,
        "weights": {"name": observation.manifest.name, "sha256": observation.manifest.sha256},
        "framing": observation.framing,
        "precision": observation.precision,
        "notes": [str(note) for note in observation.notes],
    }
