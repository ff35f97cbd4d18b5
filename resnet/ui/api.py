"""The public endpoints `/classify` and `/explain`, for programs. Their labels are their documentation."""

from __future__ import annotations

from typing import Any

import gradio as gr
from PIL import Image

from resnet.errors import ResNetError
from resnet.explain import MAXIMUM_TOP_K
from resnet.heatmaps import AGGREGATIONS, COLORMAPS, HIGHEST_CHANNEL, SCALES, ViewOptions
from resnet.options import whole_number
from resnet.preprocess import FRAMINGS
from resnet.report import as_dictionary
from resnet.ui.handlers import Handlers
from resnet.ui.inputs import photo_input
from resnet.ui.markup import LARGE_SIDE

NETWORK = "network"
"""Concurrency group of everything that may run the network."""

Answer = tuple[dict[str, Any], list[tuple[Image.Image, str]]]
"""JSON and captioned overlays."""

# A program gets plain text, but whoever shows it on a page must not get markup from a file's name.
_NO_MARKUP = str.maketrans("<>", "‹›")


def _error(sentence: str) -> gr.Error:
    return gr.Error(sentence.translate(_NO_MARKUP), print_exception=False)


def _raw(component: gr.components.Component) -> Any:
    """Let a field's value through as it came: the program's own checks name the option and the rule."""
    component.preprocess = lambda payload: payload  # type: ignore[method-assign]
    return component


def add_endpoints(handlers: Handlers) -> None:
    """Add both endpoints to the page that is being built; nothing of them is visible."""

    def classify(photo: str | None, top_k: Any, framing: Any) -> dict[str, Any]:
        """Classify a photo with ResNet101: the likeliest classes, and figures on feature maps C1 to C5."""
        return answer(photo, top_k, framing, {})[0]

    def explain(
        photo: str | None,
        top_k: Any,
        framing: Any,
        map: Any,  # noqa: A002 - the endpoint's public parameter
        channel: Any,
        colormap: Any,
        scale: Any,
        opacity: Any,
        smooth: Any,
    ) -> Answer:
        """Classify a photo with ResNet101 and draw its feature maps C1 to C5 over it."""
        view = {"aggregation": map, "channel": channel, "colormap": colormap, "scale": scale}
        return answer(photo, top_k, framing, {**view, "opacity": opacity, "smooth": smooth})

    def answer(photo: str | None, top_k: Any, framing: Any, options: dict[str, Any]) -> Answer:
        if photo is None:
            raise _error("A photo is needed; received none.")
        try:
            if "channel" in options:
                options["channel"] = whole_number("channel", options["channel"], 0, HIGHEST_CHANNEL)
            view = ViewOptions(**options)
            count = whole_number("number of classes", top_k, 1, MAXIMUM_TOP_K)
            _, observation = handlers.observe(photo, framing)
            result = as_dictionary(observation, view, count)
        except ResNetError as error:
            raise _error(str(error)) from error
        pictures = [
            (observation.overlay(heatmap, view, LARGE_SIDE), heatmap.block.stage)
            for heatmap in observation.heatmaps(view)
        ]
        return result, pictures

    with gr.Row(visible=False):
        photo = photo_input(label="Photo: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF, at most 20 MB and 50 million pixels")
        top_k = _raw(gr.Number(5, precision=0, label=f"Number of classes, 1 to {MAXIMUM_TOP_K}"))
        framing = _raw(
            gr.Dropdown(list(FRAMINGS), value="crop", label="crop: centre square; whole: all of the photo, aspect kept")
        )
        aggregation = _raw(
            gr.Dropdown(list(AGGREGATIONS), value="mean", label="How the channels of a stage become one map")
        )
        channel = _raw(gr.Number(0, precision=0, label="Channel from 0, if map is 'channel'"))
        colormap = _raw(gr.Dropdown(list(COLORMAPS), value="turbo", label="Matplotlib colormap"))
        scale = _raw(gr.Dropdown(list(SCALES), value="each", label="Colour scale: of each map, or shared by all five"))
        opacity = _raw(gr.Number(0.55, label="Opacity of the map over the photo, 0 to 1"))
        smooth = _raw(gr.Checkbox(True, label="Interpolate between cells; false shows each cell as a block"))
        result = gr.JSON(label="image, weights, framing, map, predictions, stages, input, milliseconds, version")
        pictures = gr.Gallery(format="jpeg", label="Five overlays, C1 to C5, captioned by stage")
        trigger = gr.Button()
    common: dict[str, Any] = {"concurrency_id": NETWORK, "concurrency_limit": 1, "api_visibility": "public"}
    trigger.click(classify, [photo, top_k, framing], result, api_name="classify", **common)
    view = [aggregation, channel, colormap, scale, opacity, smooth]
    trigger.click(explain, [photo, top_k, framing, *view], [result, pictures], api_name="explain", **common)
