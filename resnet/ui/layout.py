"""The page: which controls stand where, and which handler each one calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from resnet.explain import MAXIMUM_TOP_K, ObservationCache
from resnet.heatmaps import COLORMAPS
from resnet.labels import ASSETS
from resnet.provider import EngineProvider
from resnet.stages import STAGE_FILTERS, STAGE_NAMES
from resnet.ui import markup, text
from resnet.ui.api import NETWORK, add_endpoints
from resnet.ui.handlers import Handlers
from resnet.ui.inputs import photo_input

EXAMPLES = sorted((ASSETS / "examples").glob("*.jpg"))
STYLE = Path(__file__).with_name("style.css")
HOUR = 3600

# Buttons inside our HTML report which one was chosen; being buttons, they bring the keyboard.
_CHOICE_SCRIPT = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("[data-choice]");
  if (button) trigger("select", { choice: button.dataset.choice });
});
"""
_USEFUL_CONTROLS = """
(map) => [map === "channel", map !== "pca", map !== "pca"].map((visible) => ({ visible, __type__: "update" }))
"""
_SAVE_SCRIPT = "() => { document.querySelector('#%s')?.click(); }"


def launch_options() -> dict[str, Any]:
    """What `launch` needs for this page: looks, limits, and nothing that leaves the machine."""
    theme = gr.themes.Default(
        primary_hue="indigo",
        font=["system-ui", "-apple-system", "Segoe UI", "sans-serif"],
        font_mono=["ui-monospace", "Consolas", "monospace"],
    )
    return {
        "theme": theme,
        "css_paths": STYLE,
        "max_file_size": "20mb",  # a little more than our own limit, whose sentence says more
        "ssr_mode": False,
        "enable_monitoring": False,
        "run_history": False,
        "footer_links": ["api", "settings"],
        "show_error": False,
    }


def build_demo(provider: EngineProvider, cache: ObservationCache | None = None) -> gr.Blocks:
    """The page, ready to launch with `launch_options`.

    Args:
        provider: Which weights answer; the caller starts it.
        cache: Results; a new one by default.
    """
    handlers = Handlers(provider, cache or ObservationCache())
    demo: gr.Blocks
    with gr.Blocks(title=text.TITLE, analytics_enabled=False, fill_width=True, delete_cache=(HOUR, HOUR)) as demo:
        gr.HTML(f"<h1>{text.TITLE}</h1><p>{text.INTRODUCTION}</p>", elem_id="heading")
        weights = gr.HTML(markup.weights_line(text.LOADING, "loading"), elem_id="weights")
        result = gr.State()
        with gr.Row(elem_id="main"):
            with gr.Column(scale=1, min_width=300, elem_id="left"):
                photo, message, framing, top_k = _photo_column()
            with gr.Column(scale=3, min_width=320, elem_id="right"):
                classes = gr.HTML(markup.panel(text.CLASSES, markup.empty(text.NO_RESULT)), elem_id="classes")
                strip = gr.HTML(
                    markup.panel(text.STAGES, markup.empty(text.NO_MAPS)), elem_id="stages", js_on_load=_CHOICE_SCRIPT
                )
                view = _view_controls()
                stage = gr.Radio(list(STAGE_NAMES), value="C5", label=text.STAGE, elem_id="stage")
                large = gr.HTML(elem_id="large")
                save_figure, save_data, figure_file, data_file = _download_buttons()
        add_endpoints(handlers)

        private: dict[str, Any] = {"api_visibility": "private"}
        answer = gr.on(
            [photo.change, framing.change],
            handlers.explain,
            [photo, framing],
            [message, result],
            concurrency_id=NETWORK,
            concurrency_limit=1,
            trigger_mode="always_last",
            show_progress_on=[classes, strip],
            **private,
        )
        # A step of its own, so that it reads what the controls say when the pass has ended.
        answer.then(
            handlers.show,
            [result, top_k, stage, *view],
            [classes, strip, large],
            concurrency_limit=4,
            show_progress="hidden",
            **private,
        )
        quick: dict[str, Any] = {
            "concurrency_limit": 4,
            "show_progress": "hidden",
            "trigger_mode": "always_last",
            **private,
        }
        top_k.change(handlers.recount, [result, top_k], classes, **quick)
        gr.on(
            [control.change for control in view],
            handlers.restyle,
            [result, stage, *view],
            [strip, large],
            **quick,
        )
        stage.change(handlers.enlarge, [result, stage, *view], large, **quick)
        strip.select(_chosen_stage, None, stage, **quick)
        for button, handler, file in (
            (save_figure, handlers.figure, figure_file),
            (save_data, handlers.data, data_file),
        ):
            button.click(handler, [result, top_k, *view], file, concurrency_limit=2, **private).success(
                None, js=_SAVE_SCRIPT % file.elem_id, **private
            )
        timer = gr.Timer(1.0)
        gr.on(
            [timer.tick, demo.load],
            handlers.weights_status,
            None,
            [weights, timer],
            queue=False,
            show_progress="hidden",
            **private,
        )
        demo.queue(api_open=False, max_size=64)
    return demo


def _photo_column() -> tuple[gr.Image, gr.HTML, gr.Radio, gr.Slider]:
    photo = photo_input(
        label=text.PHOTO,
        sources=["upload", "webcam", "clipboard"],
        placeholder=text.PHOTO_PLACEHOLDER,
        buttons=["fullscreen"],
        height=300,
        elem_id="photo",
        alt_text=text.PHOTO,
    )
    message = gr.HTML(markup.message(text.WAITING), elem_id="message")
    with gr.Column(elem_id="choices"):
        examples = gr.HTML(
            markup.panel(text.EXAMPLES, markup.examples(EXAMPLES)), elem_id="examples", js_on_load=_CHOICE_SCRIPT
        )
        framing = gr.Radio(
            text.FRAMING_CHOICES, value="crop", label=text.FRAMING, info=text.FRAMING_INFO, elem_id="framing"
        )
        top_k = gr.Slider(1, MAXIMUM_TOP_K, value=5, step=1, label=text.TOP_K, info=text.TOP_K_INFO, elem_id="top-k")
    examples.select(_chosen_example, None, photo, queue=False, show_progress="hidden", api_visibility="private")
    return photo, message, framing, top_k


def _view_controls() -> list[Any]:
    """In the order of `handlers.view_options`."""
    with gr.Row(elem_id="view"):
        aggregation = gr.Dropdown(text.MAP_CHOICES, value="mean", label=text.MAP, elem_id="map", min_width=200)
        channel = gr.Number(
            0,
            precision=0,
            minimum=0,
            maximum=STAGE_FILTERS[-1][-1] - 1,
            label=text.CHANNEL,
            info=text.CHANNEL_INFO,
            visible=False,
            elem_id="channel",
            min_width=190,
        )
        colormap = gr.Dropdown(list(COLORMAPS), value="turbo", label=text.COLORMAP, elem_id="colormap", min_width=110)
        scale = gr.Radio(text.SCALE_CHOICES, value="each", label=text.SCALE, elem_id="scale", min_width=190)
        opacity = gr.Slider(0, 100, value=55, step=5, label=text.OPACITY, elem_id="opacity", min_width=220)
        smooth = gr.Checkbox(True, label=text.SMOOTH, elem_id="smooth", min_width=150)
    # Which controls have an effect depends on the map; the browser alone shows and hides them.
    aggregation.change(None, aggregation, [channel, colormap, scale], js=_USEFUL_CONTROLS, api_visibility="private")
    return [aggregation, channel, colormap, scale, opacity, smooth]


def _download_buttons() -> tuple[gr.Button, gr.Button, gr.DownloadButton, gr.DownloadButton]:
    with gr.Row():
        figure = gr.Button(text.FIGURE, elem_id="save-figure")
        data = gr.Button(text.JSON, elem_id="save-data")
    # The visible buttons make the file first; these then hand it over.
    files = [gr.DownloadButton(visible="hidden", elem_id=name) for name in ("figure-file", "data-file")]
    return figure, data, files[0], files[1]


def _chosen_example(event: gr.EventData) -> str:
    names = {path.stem: path for path in EXAMPLES}
    return str(names.get(str(getattr(event, "choice", "")), EXAMPLES[0]))


def _chosen_stage(event: gr.EventData) -> str:
    stage = str(getattr(event, "choice", ""))
    return stage if stage in STAGE_NAMES else STAGE_NAMES[-1]
