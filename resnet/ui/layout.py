"""The page as a whole: its parts in order, links to a view, and what `launch` needs."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.middleware import Middleware

from resnet import __version__
from resnet.network.labels import ASSETS
from resnet.photo.images import MAXIMUM_BYTES
from resnet.service.explorer import Explorer, Shown
from resnet.service.provider import Status
from resnet.ui import markup
from resnet.ui.api import NAMES, add_endpoints
from resnet.ui.events import CHOICE_SCRIPT, NETWORK, PRIVATE, QUICK
from resnet.ui.guard import middleware
from resnet.ui.language import LANGUAGES, Language
from resnet.ui.links import Links
from resnet.ui.messages import Updates
from resnet.ui.page import Page
from resnet.ui.parts import html
from resnet.ui.photo import FIRST_PHOTO, PhotoColumn
from resnet.ui.preview import Preview, card_route
from resnet.ui.probes import routes
from resnet.ui.tabs.blocks import BlocksTab
from resnet.ui.tabs.camera import CameraTab
from resnet.ui.tabs.compare import CompareTab
from resnet.ui.tabs.evidence import EvidenceTab
from resnet.ui.tabs.hold import HoldTab
from resnet.ui.tabs.learn import LearnTab
from resnet.ui.tabs.many import ManyTab
from resnet.ui.tabs.maps import WAITING, MapsTab
from resnet.ui.tabs.model import ModelTab
from resnet.ui.view import or_initial

STYLE = Path(__file__).with_name("style.css")
TITLE = "What a ResNet101 sees"
LOADING = "Loading the weights… You can choose a photo already; the answer comes as soon as they are ready."

# The style sheet leaves out the photo and the classes where a tab is not about them; history.js goes back to a tab.
_TAB_SCRIPT = """(active) => {
  document.querySelector("#main").dataset.tab = active;
  if (history.state?.tab === active) return;
  const address = new URL(location);
  address.searchParams.delete("tab");
  history.pushState({ tab: active }, "", address);
}"""

# From the first stop of the keyboard past photo, examples and view to the open tab.
_SKIP_SCRIPT = """
element.querySelector(".skip").addEventListener("click", () => {
  document.querySelector("#tabs [role=tab][aria-selected=true]").focus();
});
"""

QUEUE_SIZE = 128
"""Requests of pages that may wait; more are refused."""

MOST_SESSIONS = 100
"""Sessions of which Gradio keeps what it knows, about 1 MB each. The page itself keeps nothing there."""

_SCRIPTS = [
    Path(__file__).with_name(f"{name}.js").read_text(encoding="utf-8")
    for name in ("languages", "keyboard", "files", "history")
]


def launch_options(
    explorer: Explorer,
    stopping: threading.Event,
    host: str | None = None,
    names: Sequence[str] = (),
    *,
    fetch: bool,
    camera: bool = True,
) -> dict[str, Any]:
    """Return what `launch` needs for this page: looks, limits, the MCP server, and nothing that leaves the machine.

    Args:
        explorer: What asks the network.
        stopping: Set by `lifetime.finish`.
        host: Address to listen on; None for Gradio's default.
        names: Further names under which the page is reached, such as a proxy's.
        fetch: Whether addresses of photos that programs send are fetched.
        camera: Whether there is a tab for the live camera.
    """
    theme = gr.themes.Default(
        primary_hue="indigo",
        font=["system-ui", "-apple-system", "Segoe UI", "sans-serif"],
        font_mono=["ui-monospace", "Consolas", "monospace"],
    ).set(button_primary_background_fill="*primary_600", button_primary_background_fill_hover="*primary_700")
    return {
        "theme": theme,
        "css_paths": STYLE,
        "ssr_mode": False,
        "enable_monitoring": False,
        "run_history": False,
        "footer_links": ["api", "settings"],
        "show_error": False,
        "mcp_server": True,
        "max_file_size": MAXIMUM_BYTES,
        "state_session_capacity": MOST_SESSIONS,
        "server_name": f"[{host}]" if host and ":" in host and "[" not in host else host,
        "favicon_path": ASSETS / "favicon.svg",
        "app_kwargs": {
            "routes": [*routes(explorer), card_route(explorer, str(FIRST_PHOTO), TITLE)],
            "middleware": [
                *middleware(NAMES, stopping, host, names, fetch=fetch, camera=camera),
                Middleware(Preview, LANGUAGES, TITLE, INTRODUCTION),
            ],
        },
    }


def build_demo(explorer: Explorer, *, fetch: bool, local: bool = True, camera: bool = True) -> gr.Blocks:
    """Return the page in all languages with its endpoints, ready to launch with `launch_options`.

    Args:
        explorer: What asks the network.
        fetch: Whether addresses of photos that programs send are fetched.
        local: Whether the page is for this machine alone, which it says beside the photo.
        camera: Whether there is a tab for the live camera.
    """
    options: dict[str, Any] = {"title": TITLE, "analytics_enabled": False}
    demo: gr.Blocks
    with gr.Blocks(fill_width=True, **options) as demo:
        Layout(demo, Page(LANGUAGES[0], explorer, local=local, camera=camera))
        add_endpoints(explorer, fetch=fetch)  # last: for each event Gradio's page searches its parts from the first on
    for language in LANGUAGES[1:]:
        with demo.route(language.name, language.route, show_in_navbar=False):
            Layout(demo, Page(language, explorer, local=local, camera=camera))
    # Gradio's queue would end for everybody if it told a visitor his place whom it had forgotten among many others.
    demo.queue(api_open=False, max_size=QUEUE_SIZE, status_update_rate=3600)
    return demo


class Layout:
    """One page in one language.

    Attributes:
        column: The photo and what stands beside it.
        tabs: Around the tabs.
        maps, blocks, evidence, hold, compare, many, camera, model: The tabs; `camera` may be None.
        links: Links to a view.
        wanted: Names of the classes that a link asks for, until an answer has shown them.
    """

    def __init__(self, demo: gr.Blocks, page: Page) -> None:
        """Add all parts to the page that is built."""
        self._page = page
        t = page.t
        with gr.Row(elem_id="heading"):
            skip = f'<button type="button" class="skip">{escape(t("Skip to the maps"))}</button>'
            html(
                f"{skip}<h1>{escape(t(TITLE))}</h1><p>{escape(t(INTRODUCTION))}</p>",
                elem_id="introduction",
                js_on_load=_SKIP_SCRIPT,
            )
            html(_language_links(t), elem_id="languages")
        weights = html(markup.weights_line(t(LOADING), "loading"), elem_id="weights", js_on_load=CHOICE_SCRIPT)
        page.result, page.active, self.wanted = (
            page.browser_value(),
            gr.Textbox("maps", visible=False),
            page.browser_value(),
        )
        with gr.Row(elem_id="main"):
            with gr.Column(scale=1, min_width=300, elem_id="left"):
                self.column = PhotoColumn(page)
            with gr.Column(scale=3, min_width=320, elem_id="right"):
                classes = html(
                    markup.panel(t("The network says"), markup.outline(t(WAITING), "bars", 5)), elem_id="classes"
                )
                with gr.Tabs(selected="maps", overflow_behavior="wrap", elem_id="tabs") as self.tabs:
                    self.maps = MapsTab(page)
                    self.blocks = BlocksTab(page)
                    self.evidence = EvidenceTab(page, self.wanted)
                    self.hold = HoldTab(page, self.wanted)
                    self.compare = CompareTab(page, self.maps.view)
                    self.many = ManyTab(page, self.maps.view, self.column.framing)
                    self.camera = CameraTab(page, self.maps.view, self.column.framing) if page.camera else None
                    self.model = ModelTab(page)
                    LearnTab(page)
        html(f'<p class="small">resnet {__version__}</p>', elem_id="version")
        self.many.connect(self.model.chosen, self.column.photo, self.tabs)
        if self.camera:
            self.camera.connect(self.model.chosen)

        self._classes = page.showing_errors(
            lambda shown, top_k: {classes: self.column.classes(shown, or_initial(top_k, page.top_k))},
            [classes],
            classes,
        )
        self._maps = page.showing_errors(self.maps.show, self.maps.outputs, self.maps.strip)
        answer = page.on(
            [self.column.photo.change, self.column.framing.change, self.model.chosen.change],
            self.column.explain,
            {"path": self.column.photo, "framing": self.column.framing, "weights": self.model.chosen},
            [self.column.message, page.result],
            trigger_mode="always_last",
            show_progress_on=[classes, self.maps.strip],
            session=True,
            **NETWORK,
        )
        # A step of its own, so that it reads what the controls say when the pass has ended.
        everything = {"top_k": page.top_k, **self.maps.inputs}
        shown = page.on(answer.then, self._show, everything, [classes, *self.maps.outputs], **QUICK)
        page.after_answer(shown)
        of_answer = {"shown": page.result, "top_k": page.top_k}
        page.on(page.top_k.input, self.column.classes, of_answer, classes, **QUICK)

        page.active.change(None, page.active, None, js=_TAB_SCRIPT, **PRIVATE)
        self.links = Links(demo, page, self)
        for script in _SCRIPTS:
            demo.load(None, None, None, js=script, **PRIVATE)
        about = {**QUICK, "queue": False}
        page.on(
            weights.select,
            lambda: {self.tabs: gr.Tabs(selected="model"), page.active: "model"},
            outputs=[self.tabs, page.active],
            **about,
        )
        timer = gr.Timer(1.0)
        self._weights, self._timer = weights, timer
        page.on(
            [timer.tick, demo.load],
            self._weights_status,
            outputs=[weights, timer],
            queue=False,
            show_progress="hidden",
        )

    def _show(self, shown: Shown | None, top_k: Any, **view: Any) -> Updates:
        """Classes and maps of an answer."""
        return {**self._classes(shown=shown, top_k=top_k), **self._maps(shown=shown, **view)}

    def _weights_status(self) -> Updates:
        """The line about the weights; the timer stops once nothing will change."""
        t, status = self._page.t, self._page.explorer.provider.status
        about = t("About it") if status.phase == "ready" else ""
        return {
            self._weights: markup.weights_line(weights_sentence(t, status), status.phase, about),
            self._timer: gr.Timer(active=not status.settled),
        }


INTRODUCTION = (
    "Drop in a photo. One pass through the network gives the likeliest classes and the feature maps "
    "of its five stages, C1 to C5, laid over the photo."
)


def weights_sentence(t: Language, status: Status) -> str:
    """Return how many classes the network knows that answers, and how often it is right."""
    if status.phase == "loading":
        return t(LOADING)
    if status.phase == "failed" or status.manifest is None:
        reason = t.error(status.error) if status.error else ""
        return f"{t('The weights could not be loaded, so no photo can be answered.')} {reason}".strip()
    manifest = status.manifest
    accuracy = next(iter(manifest.accuracy.values()), None)
    if accuracy is None:
        return t("This network ({}) knows {:,} classes.", manifest.name, manifest.classes)
    return t(
        "This network ({}) knows {:,} classes and is right on {:.0%} of {:,} pictures that it was not trained on.",
        manifest.name,
        manifest.classes,
        accuracy["top1"],
        int(accuracy["images"]),
    )


def _language_links(current: Language) -> str:
    """The languages by their own names; the page's own is marked."""
    parts = []
    for language in LANGUAGES:
        mark = ' aria-current="page"' if language is current else ""
        parts.append(
            f'<a lang="{language.code}" hreflang="{language.code}" href="./{language.route}" '
            f'data-route="{language.route}"{mark}>{language.name}</a>'
        )
    label = escape(current("Language"))
    return f'<nav aria-label="{label}">{" · ".join(parts)}</nav>'
