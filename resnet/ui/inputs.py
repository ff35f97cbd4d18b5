"""The photo as it comes from a browser or an API client, decoded by this project alone."""

from __future__ import annotations

import base64
import binascii
from typing import Any

import gradio as gr
from gradio.data_classes import ImageData
from gradio.processing_utils import save_bytes_to_cache

from resnet.images import MAXIMUM_BYTES, SUFFIXES


def photo_input(**options: Any) -> gr.Image:
    """An image field that hands over the uploaded file as it is: its path, or None while empty.

    Gradio's own decoding loses palettes, saturates 16-bit grey and answers a broken file with
    "Error"; `resnet.images` does neither. (A subclass would be plainer, but Gradio writes a `.pyi`
    file beside the source of each one.)

    Args:
        options: Of `gr.Image`.
    """
    field = gr.Image(type="filepath", **options)

    def preprocess(payload: ImageData | None) -> str | None:
        if payload is None:
            return None
        if payload.url and payload.url.startswith("data:"):
            path = _store(payload.url, field.GRADIO_CACHE)
            field.temp_files.add(path)  # or it would never be cleared away
            return path
        return payload.path

    field.preprocess = preprocess  # type: ignore[method-assign]
    return field


def _store(url: str, folder: str) -> str:
    """Write the content of a data URL to a file; its decoder checks it like any other."""
    header, _, body = url.partition(",")
    kind = header.removeprefix("data:image/").split(";")[0]
    suffix = kind if f".{kind}" in SUFFIXES else "bin"
    if len(body) > MAXIMUM_BYTES * 4 // 3 + 4:
        raise gr.Error(
            f"The photo has over {MAXIMUM_BYTES / 1e6:.0f} MB, the most that is taken.", print_exception=False
        )
    try:
        content = base64.b64decode(body, validate=True)
    except (binascii.Error, ValueError):
        raise gr.Error("The photo's data URL is no valid base64.", print_exception=False) from None
    return str(save_bytes_to_cache(content, f"image.{suffix}", folder))
