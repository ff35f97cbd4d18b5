"""The public endpoints `/classify` and `/explain`, for programs. Their labels are their documentation."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr
from PIL import Image

from resnet.errors import ResNetError
from resnet.explain import MAXIMUM_TOP_K
from resnet.heatmaps import AGGREGATIONS, COLORMAPS, SCALES, ViewOptions
from resnet.preprocess import FRAMINGS
from resnet.report import as_dictionary
from resnet.ui.handlers import Handlers
from resnet.ui.inputs import photo_input
from resnet.ui.markup import LARGE_SIDE

NETWORK = "network"
"""Concurrency group of everything that may run the network."""


Answer = tuple[dict[str, Any], list[tuple[Image.Image, str]]]
"""JSON and captioned overlays."""


def _error(error: ResNetError) -> gr.Error:
    return gr.Error(escape(str(error)), print_exception=False)


def add_endpoints(handlers: Handlers) -> None:
    """Add both endpoints to the page that is being built; nothing of them is visible."""

    def classify(photo: str | None, top_k: float, framing: str) -> dict[str, Any]:
        """Classify a photo with ResNet101: the likeliest classes, and figures on feature maps C1 to C5."""
        result, _ = answer(photo, top_k, framing, ViewOptions())
        return result

    def explain(
        photo: str | None,
        top_k: float,
        framing: str,
        map: str,  # noqa: A002 - the endpoint's public parameter
        channel: float,
        colormap: str,
        scale: str,
        opacity: float,
        smooth: bool,
    ) -> Answer:
        """Classify a photo with ResNet101 and draw its feature maps C1 to C5 over it."""
        try:
            view = ViewOptions(map, int(channel), colormap, opacity, scale, smooth)
        except ResNetError as error:
            raise _error(error) from error
        return answer(photo, top_k, framing, view)

    def answer(photo: str | None, top_k: float, framing: str, view: ViewOptions) -> Answer:
        if photo is None:
            raise gr.Error("A photo is needed; received none.", print_exception=False)
        try:
            _, observation = handlers.observe(photo, framing)
            result = as_dictionary(observation, view, int(top_k))
        except ResNetError as error:
            raise _error(error) from error
        pictures = [
            (observation.overlay(heatmap, view, LARGE_SIDE), heatmap.block.stage)
            for heatmap in observation.heatmaps(view)
        ]
        return result, pictures

    with gr.Row(visible=False):
        photo = photo_input(label="Photo: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF, at most 20 MB and 50 million pixels")
        top_k = gr.Number(5, precision=0, minimum=1, maximum=MAXIMUM_TOP_K, label="Number of classes, 1 to 20")
        framing = gr.Dropdown(
            list(FRAMINGS), value="crop", label="crop: centre square; whole: all of the photo, aspect kept"
        )
        aggregation = gr.Dropdown(list(AGGREGATIONS), value="mean", label="How the channels of a stage become one map")
        channel = gr.Number(0, precision=0, minimum=0, label="Channel from 0, if map is 'channel'")
        colormap = gr.Dropdown(list(COLORMAPS), value="turbo", label="Matplotlib colormap")
        scale = gr.Dropdown(list(SCALES), value="each", label="Colour scale: of each map, or shared by all five")
        opacity = gr.Number(0.55, minimum=0, maximum=1, label="Opacity of the map over the photo, 0 to 1")
        smooth = gr.Checkbox(True, label="Interpolate between cells; false shows each cell as a block")
        result = gr.JSON(label="image, weights, framing, map, predictions, stages, input, milliseconds, version")
        pictures = gr.Gallery(format="jpeg", label="Five overlays, C1 to C5, captioned by stage")
        trigger = gr.Button()
    common: dict[str, Any] = {"concurrency_id": NETWORK, "concurrency_limit": 1, "api_visibility": "public"}
    trigger.click(classify, [photo, top_k, framing], result, api_name="classify", **common)
    view = [aggregation, channel, colormap, scale, opacity, smooth]
    trigger.click(explain, [photo, top_k, framing, *view], [result, pictures], api_name="explain", **common)
