"""The endpoints' inputs as hidden components. Their labels are their documentation."""

from __future__ import annotations

from typing import Any

import gradio as gr

from resnet.channels import MAXIMUM_SHOWN, MINIMUM_SHOWN, ORDERS
from resnet.comparison import CHANGES
from resnet.evidence import EVIDENCE_SCALES, METHODS
from resnet.explain import MAXIMUM_TOP_K
from resnet.heatmaps import AGGREGATIONS, COLORMAPS, SCALES
from resnet.images import FORMAT_NAMES
from resnet.occlusion import FILLS
from resnet.preprocess import FRAMINGS
from resnet.provider import EngineProvider
from resnet.stages import STAGE_NAMES
from resnet.ui.inputs import photo_input, photo_list_input
from resnet.ui.tabs.hold import HIDING_MAPS

PHOTO = f"{FORMAT_NAMES}, at most 20 MB and 50 million pixels"


def _raw(component: gr.components.Component) -> Any:
    """Let a field's value through as it came: the program's own checks name the option and the rule."""
    component.preprocess = lambda payload: payload  # type: ignore[method-assign]
    return component


def _words(known: tuple[str, ...] | list[str], value: str, label: str) -> Any:
    return _raw(gr.Dropdown(list(known), value=value, label=label))


class Fields:
    """One hidden component per parameter; endpoints share those that they have in common."""

    def __init__(self, provider: EngineProvider, *, fetch: bool) -> None:
        """Add the components to the page that is built.

        Args:
            provider: Says which weights can be chosen.
            fetch: Whether addresses of photos are fetched.
        """
        self.photo = photo_input(label=f"Photo: {PHOTO}")
        self.other = photo_input(label="Another photo to compare with; without one, the photo itself is changed")
        self.photos = photo_list_input(fetch=fetch, label=f"Photos, up to 200, each {PHOTO}")
        self.top_k = _raw(gr.Number(5, precision=0, label=f"Number of classes, 1 to {MAXIMUM_TOP_K}"))
        self.framing = _words(FRAMINGS, "crop", "crop: centre square; whole: all of the photo, aspect kept")
        self.weights = _words(
            [choice.identifier for choice in provider.choices],
            "server",
            "Which weights answer; server: those that the server was started with",
        )
        self.aggregation = _words(AGGREGATIONS, "mean", "How the channels of a stage become one map")
        self.channel = _raw(gr.Number(0, precision=0, label="Channel from 0, if map is 'channel'"))
        self.colormap = _words(COLORMAPS, "turbo", "Matplotlib colormap")
        self.scale = _words(SCALES, "each", "Colour scale: of each map, or shared by all five")
        self.opacity = _raw(gr.Number(0.55, label="Opacity of the map over the photo, 0 to 1"))
        self.smooth = _raw(gr.Checkbox(True, label="Interpolate between cells; false shows each cell as a block"))
        self.stage = _words(STAGE_NAMES, "C5", "Stage of the network, C1 to C5")
        self.block = _raw(gr.Number(None, precision=0, label="Block of the stage from 1; empty for its last block"))
        self.order = _words(ORDERS, "mean", "Which channels count as most active")
        self.count = _raw(gr.Number(16, precision=0, label=f"Number of channels, {MINIMUM_SHOWN} to {MAXIMUM_SHOWN}"))
        self.class_name = _raw(gr.Textbox("", label="Name or WordNet id of a class; empty for the likeliest"))
        self.classes = _raw(
            gr.Textbox(
                "", label="Names or WordNet ids of up to 10 classes, separated by semicolons; empty: the likeliest"
            )
        )
        self.method = _words(METHODS, "hirescam", "Method of class activation maps")
        self.evidence_scale = _words(
            EVIDENCE_SCALES, "stage", "Colour scale: one per stage for all classes, or of each map"
        )
        self.hiding_map = _words(HIDING_MAPS, "hirescam", "The map whose hottest part is hidden")
        self.percent = _raw(gr.Number(20, label="Part of the network's input to hide in percent, 0 to 100"))
        self.fill = _words(FILLS, "blur", "What hides it: the photo blurred, or its mean colour")
        self.curves = _raw(
            gr.Checkbox(False, label="Also measure curves, and compare with moved copies of the map: some 20 passes")
        )
        ranges = "; ".join(f"{name} {one.low:g} to {one.high:g} {one.unit}" for name, one in CHANGES.items())
        self.change = _words(tuple(CHANGES), "rotate", "Change of the photo, if there is no other photo")
        self.amount = _raw(gr.Number(30, label=f"Amount of the change: {ranges}"))
        self.figures = _raw(gr.Checkbox(False, label="Put a figure of each photo into the ZIP file"))
        self.raw_maps = _raw(gr.Checkbox(False, label="Put the raw maps of each photo into the ZIP file, as NPZ"))
