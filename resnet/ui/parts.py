"""Components of the page that are used on several tabs."""

from __future__ import annotations

from typing import Any

import gradio as gr


def html(value: str = "", **options: Any) -> gr.HTML:
    """Return HTML of ours, as wide as the column that it stands in."""
    return gr.HTML(value, elem_classes="own", **options)


def photo_field(**options: Any) -> gr.Image:
    """Return an image field for `Page.on`, whose handlers get the path of the uploaded file as it is.

    Gradio's own decoding loses palettes, saturates 16-bit grey and answers a broken file with "Error";
    `resnet.photo.images` does neither.
    """
    # A mirrored photo would have its text backwards, and left and right exchanged.
    return gr.Image(type="filepath", webcam_options=gr.WebcamOptions(mirror=False), **options)
