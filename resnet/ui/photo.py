"""The photo and the choices beside it, and the answer to them: message, classes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from resnet.errors import ResNetError
from resnet.explain import MAXIMUM_TOP_K
from resnet.explorer import Shown, Source
from resnet.heatmaps import COLORMAPS
from resnet.labels import ASSETS
from resnet.preprocess import reduced_size
from resnet.ui import markup
from resnet.ui.files import keep
from resnet.ui.handlers import choice_of
from resnet.ui.page import CHOICE_SCRIPT, CLICK, Page
from resnet.ui.parts import html, photo_field

_NOT_IN_BROWSERS = (".tif", ".tiff", ".heic", ".heif", ".hif")
EXAMPLES = sorted((ASSETS / "examples").glob("*.jpg"))


def example_path(name: str | None) -> str | None:
    """The path of a copy of an example photo, new so that it is not removed as old; None if none has that name."""
    path = next((path for path in EXAMPLES if path.stem == name), None)
    return keep(path.read_bytes(), path.name) if path else None


class PhotoColumn:
    """Photo, examples, framing, number of classes, and how maps are drawn."""

    def __init__(self, page: Page) -> None:
        """Add the column to the page that is built."""
        self._page = page
        t = page.t
        self.photo = photo_field(
            label=t("Photo"),
            sources=["upload", "webcam", "clipboard"],
            placeholder=t("Drop a photo here, paste one, or click to choose"),
            buttons=["fullscreen"],
            height=300,
            elem_id="photo",
            alt_text=t("Photo"),
        )
        self.message = html(markup.message(t("Choose a photo to begin.")), elem_id="message")
        with gr.Column(elem_id="choices"):
            examples = html(
                markup.panel(t("Examples"), markup.examples(t, EXAMPLES)), elem_id="examples", js_on_load=CHOICE_SCRIPT
            )
            self.framing = gr.Radio(
                [(t("Centre square"), "crop"), (t("Whole photo"), "whole")],
                value="crop",
                label=t("What the network sees"),
                info=t("The centre square is what the weights were measured with; the whole photo keeps its aspect."),
                elem_id="framing",
            )
            page.top_k = gr.Slider(
                1,
                MAXIMUM_TOP_K,
                value=5,
                step=1,
                label=t("Classes to show"),
                info=t("The k likeliest, 1 to 20"),
                elem_id="top-k",
            )
            with gr.Group(elem_id="drawing"):
                colormap = gr.Dropdown(list(COLORMAPS), value="turbo", label=t("Colormap"), elem_id="colormap")
                opacity = gr.Slider(0, 100, value=55, step=5, label=t("Opacity, %"), elem_id="opacity")
                smooth = gr.Checkbox(True, label=t("Smooth between cells"), elem_id="smooth")
            page.drawing = [colormap, opacity, smooth]
            self.share = gr.Button(t("Copy a link to this view"), elem_id="share", size="sm")
        self.wanted = gr.Textbox(visible=False)
        page.on(self.wanted.change, example_path, self.wanted, self.photo, queue=False, show_progress="hidden")
        page.on_event(examples.select, _chosen_example, self.photo, **{**CLICK, "queue": False})

    def explain(self, path: str | None, framing: str, weights: str) -> tuple[str, Shown | None]:
        """A new photo, framing or choice of weights: the message, and what is to be shown."""
        t = self._page.t
        if path is None:
            return markup.message(t("Choose a photo to begin.")), None
        try:
            shown, observation = self._page.explorer.observe(Source(path, framing, weights))
        except ResNetError as error:
            return self._page.refused(error), None
        width, height = observation.geometry.photo_size
        seen = observation.geometry.input_size
        sentence = t(
            "{}, {}×{} px, seen at {}×{} px · forward pass {:.0f} ms · {}",
            observation.photo_name,
            width,
            height,
            *seen,
            observation.forward_milliseconds,
            observation.manifest.name,
        )
        reduced = reduced_size(observation.geometry, observation.manifest.input)
        if reduced is not None:
            sentence += " · " + t("first reduced to {}×{} px", *reduced)
        if Path(path).suffix.lower() in _NOT_IN_BROWSERS:
            sentence += " · " + t("many browsers do not show this format in the field above; the maps show the photo")
        return markup.message(" · ".join([sentence, *map(t.error, observation.notes)])), shown

    def classes(self, shown: Shown | None, top_k: Any) -> Any:
        """The panel of the likeliest classes."""
        t = self._page.t
        if shown is None:
            return markup.panel(
                t("Likeliest classes"), markup.empty(t("Choose a photo or an example; the classes appear here."))
            )
        if top_k is None:  # an emptied field waits for its number
            return gr.skip()
        return self._page.or_error(
            lambda: markup.panel(
                t("Likeliest classes"), markup.bars(t, self._page.observation(shown).predictions(top_k))
            )
        )


def _chosen_example(event: gr.EventData) -> str:
    return str(example_path(choice_of(event)) or example_path(EXAMPLES[0].stem))
