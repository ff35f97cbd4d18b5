"""The photo and the choices beside it, and the answer to them: message, classes."""

from __future__ import annotations

from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from resnet.errors import ResNetError
from resnet.maps.heatmaps import COLORMAPS
from resnet.maps.observation import MAXIMUM_TOP_K, Observation
from resnet.network.labels import ASSETS, EXAMPLES
from resnet.network.levels import is_unsure, named_levels
from resnet.output.saving import FORMATS
from resnet.photo.preprocess import reduced_size
from resnet.service.explorer import Shown, Source
from resnet.ui import markup
from resnet.ui.events import CHOICE_SCRIPT, IN_BROWSER, PRIVATE, QUICK, chosen_script
from resnet.ui.files import store
from resnet.ui.messages import Updates
from resnet.ui.page import Page
from resnet.ui.parts import html, photo_field

_NOT_IN_BROWSERS = (".tif", ".tiff", ".heic", ".heif", ".hif")
# Where the answer lies below the screen, as on a phone, a tap on an example goes there. The address names the example,
# so that a reload keeps it.
_EXAMPLE_SCRIPT = """
element.addEventListener("click", (event) => {
  const example = event.target.closest("[data-choice]");
  if (!example) return;
  document.querySelector("#photo").removeAttribute("data-own");
  document.querySelector("#classes").scrollIntoView({ block: "nearest" });
  const address = new URL(location);
  address.searchParams.set("photo", example.dataset.choice);
  history.replaceState(history.state, "", address);
});
"""
OWN_PHOTO_SCRIPT = """() => {
  const address = new URL(location);
  address.searchParams.delete("photo");
  history.replaceState(history.state, "", address);
}"""
# A visitor who has begun with a photo of his own, which may still be on its way, is noted by files.js.
_FIRST_SCRIPT = """(example, photo) => photo || document.querySelector("#photo").hasAttribute("data-own")
  ? undefined : example"""
_TAPPED_SCRIPT = """(example) => document.querySelector("#photo").hasAttribute("data-own") ? undefined : example"""
EXAMPLE_NAMES = {
    "alp": "mountains",
    "astronaut": "an astronaut, for which it has no class",
    "cat": "a cat, of which it is not sure",
    "espresso": "an espresso",
    "pagoda": "a pagoda, for which it has no class",
    "raccoon": "a raccoon, which fools it: it has no class for one",
    "rocket": "a rocket, for which it has no class",
    "triumphal_arch": "a triumphal arch",
}
"""Content of the examples, and how well the bundled weights recognise it."""
ON_THIS_COMPUTER = "It stays on this computer. Clearing it deletes the copy."
ON_THIS_SERVER = "Deleted from this server when you clear it, at the latest an hour after its last use."
FIRST_EXAMPLE = "espresso"
"""The page opens with it: a sharp photo that the bundled weights recognise."""
FIRST_PHOTO = ASSETS / "examples" / f"{FIRST_EXAMPLE}.jpg"
_copies: set[str] = set()
"""Of examples; they are nobody's, and not deleted when somebody clears one that others are about to see."""


def example_path(name: str | None) -> str | None:
    """The path of a copy of an example photo, new so that it is not removed as old; None if none has that name."""
    path = next((path for path in EXAMPLES if path.stem == name), None)
    if path is None:
        return None
    copy = store(path.read_bytes(), path.name)
    _copies.add(copy)
    return copy


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
        stays = ON_THIS_COMPUTER if page.local else ON_THIS_SERVER
        html(f'<p class="small">{escape(t(stays))}</p>', elem_id="privacy")
        self.message = html(markup.message(t("An example is shown first; drop a photo of your own at any time.")),
                            elem_id="message")  # fmt: skip
        examples = html(
            markup.panel(t("Try one"), markup.examples(t, EXAMPLES, EXAMPLE_NAMES)),
            elem_id="examples",
            js_on_load=CHOICE_SCRIPT + _EXAMPLE_SCRIPT,
        )
        with gr.Accordion(t("View"), open=False, elem_id="choices"):
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
                elem_id="top-k",
            )
            with gr.Group(elem_id="drawing"):
                colormap = gr.Dropdown(list(COLORMAPS), value="turbo", label=t("Colormap"), elem_id="colormap")
                opacity = gr.Slider(0, 100, value=55, step=5, label=t("Opacity, %"), elem_id="opacity")
                cut = gr.Slider(
                    0, 95, value=0, step=5, label=t("Show only above, % of the colour scale"), elem_id="cut"
                )
                smooth = gr.Checkbox(True, label=t("Smooth between cells"), elem_id="smooth")
            page.figure_format = gr.Radio(
                [kind.upper() for kind in FORMATS], value="PNG", label=t("Format of figures"), elem_id="figure-format"
            )
            page.drawing = {"colormap": colormap, "opacity": opacity, "smooth": smooth, "cut": cut}
        self.share = gr.Button(t("Copy a link to this view"), elem_id="share", elem_classes="with-result", size="sm")
        self.wanted = gr.Textbox(visible=False)
        # Beside the field at first: a photo that a visitor drops meanwhile must not be replaced.
        example = photo_field(visible=False)
        found = page.on(
            self.wanted.change, example_path, {"name": self.wanted}, example, queue=False, show_progress="hidden"
        )
        found.then(None, [example, self.photo], self.photo, js=_FIRST_SCRIPT, **PRIVATE)
        self.photo.input(None, None, None, js=OWN_PHOTO_SCRIPT, **IN_BROWSER)
        tapped, copy = gr.Textbox(visible=False), photo_field(visible=False)
        found = page.on(
            examples.select,
            lambda name: example_path(name) or gr.skip(),
            {"name": tapped},
            copy,
            js=chosen_script(examples),
            **{**QUICK, "queue": False},
        )
        found.then(None, copy, self.photo, js=_TAPPED_SCRIPT, **PRIVATE)

    def explain(self, path: str | None, framing: str, weights: str, session: str = "") -> Updates:
        """A new photo, framing or choice of weights: the message, and what is to be shown."""
        t = self._page.t
        explorer = self._page.explorer
        if path is None:
            explorer.clear(session)
            return {self.message: markup.message(t("Choose a photo to begin.")), self._page.result: None}
        is_own = path not in _copies
        if is_own:
            explorer.viewers.look(session, path)
        try:
            shown, observation = explorer.observe(Source(path, framing, weights))
            if is_own:
                explorer.viewers.look(session, path, shown.key[0])
        except ResNetError as error:
            return {self.message: self._page.refused(error), self._page.result: None}
        width, height = observation.geometry.photo_size
        seen = observation.geometry.input_size
        sentence = t(
            "{}, {}×{} px, seen at {}×{} px · forward pass {:.0f} ms ({}) · {}",
            observation.photo_name,
            width,
            height,
            *seen,
            observation.forward_milliseconds,
            observation.precision,
            observation.manifest.name,
        )
        reduced = reduced_size(observation.geometry, observation.manifest.input)
        if reduced is not None:
            sentence += " · " + t("first reduced to {}×{} px", *reduced)
        if Path(path).suffix.lower() in _NOT_IN_BROWSERS:
            sentence += " · " + t("many browsers do not show this format in the field above; the maps show the photo")
        words = " · ".join([sentence, *map(t.error, observation.notes)])
        return {self.message: markup.message(words), self._page.result: shown}

    def classes(self, shown: Shown | None, top_k: Any) -> Any:
        """The panel of the likeliest classes."""
        t = self._page.t
        if shown is None:
            return markup.panel(
                t("The network says"), markup.empty(t("Choose a photo or an example; the classes appear here."))
            )
        if top_k is None:  # an emptied field waits for its number
            return gr.skip()
        return self._page.or_error(
            lambda: markup.panel(t("The network says"), self._answer(self._page.observation(shown), top_k))
        )

    def _answer(self, observation: Observation, top_k: Any) -> str:
        """Bars of the likeliest classes, and below them how sure that is, and at which level."""
        t = self._page.t
        labels = observation.manifest.labels
        levels = named_levels(observation.probabilities, labels)
        unsure = is_unsure(observation.probabilities, labels)
        doubt = t("Not sure: none of its {:,} classes fits well.", len(labels)) if unsure else ""
        bars = markup.bars(t, observation.predictions(top_k))
        return f'<div class="answer">{bars}{markup.levels(t, levels, doubt)}</div>'
