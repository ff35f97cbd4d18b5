"""The photo as it comes from a browser or an API client, decoded by this project alone."""

from __future__ import annotations

import base64
import binascii
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData
from gradio.processing_utils import save_bytes_to_cache

from resnet.images import MAXIMUM_BYTES


class PhotoInput(gr.Image):
    """An image field that hands over the uploaded file as it is.

    Gradio's own decoding loses palettes, saturates 16-bit grey and answers a broken file with
    "Error"; `resnet.images` does neither.
    """

    is_template = True

    def preprocess(self, payload: ImageData | None) -> str | None:
        """The path of the uploaded file, or None for an empty field."""
        if payload is None:
            return None
        if payload.url and payload.url.startswith("data:"):
            return self._store(payload.url)
        return payload.path

    def _store(self, url: str) -> str:
        header, _, body = url.partition(",")
        suffix = header.removeprefix("data:image/").split(";")[0]
        if len(body) > MAXIMUM_BYTES * 4 // 3 + 4:
            raise gr.Error(
                f"The photo has over {MAXIMUM_BYTES / 1e6:.0f} MB, the most that is taken.", print_exception=False
            )
        try:
            content = base64.b64decode(body, validate=True)
        except (binascii.Error, ValueError):
            raise gr.Error("The photo's data URL is no valid base64.", print_exception=False) from None
        return save_bytes_to_cache(content, f"image.{suffix if suffix.isalnum() else 'bin'}", self.GRADIO_CACHE)

    def example_payload(self) -> Any:
        """A file for the API's documentation: one of this project's own examples."""
        return None


def photo_name(path: str) -> str:
    """What to call an uploaded photo."""
    return Path(path).name
