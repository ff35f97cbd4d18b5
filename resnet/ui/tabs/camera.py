"""Live camera: what the network sees, frame by frame; nothing of it is stored."""

from __future__ import annotations

import base64
import binascii
import threading
import time
from collections import deque
from html import escape
from typing import Any

import gradio as gr
from cachetools import LRUCache

from resnet.errors import ImageError, ResNetError
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import Observation, observe
from resnet.photo.images import read_photo
from resnet.ui import markup
from resnet.ui.events import PRIVATE
from resnet.ui.handlers import faults_counted
from resnet.ui.messages import Updates
from resnet.ui.page import Page
from resnet.ui.parts import html
from resnet.ui.view import unfinished, view_options

SECONDS_BETWEEN = 0.1
"""The browser sends a frame this often. While one is being answered only the latest of the others is kept."""
TIME_LIMIT = 180
"""Seconds after which the camera has to be started again, so that a forgotten page does not keep the network busy."""
MOST_AT_ONCE = 2
"""Cameras that are answered at the same time; others wait for their end."""
COUNTED = 10
"""Frames from whose times the rate is computed."""
PAUSE = 3.0
"""Seconds without a frame after which the rate is counted anew."""
MOST_SESSIONS = 1024
BARS = 3

_CONSTRAINTS = {"video": {"width": {"ideal": 640}, "height": {"ideal": 480}}}


class CameraTab:
    """The tab that streams the webcam through the network."""

    def __init__(self, page: Page, maps_view: dict[str, Any], framing: gr.Radio) -> None:
        """Add the tab to the page that is built.

        Args:
            page: The page.
            maps_view: The controls of the *Maps* tab that say how maps are shown, by name.
            framing: What the network sees.
        """
        self._page = page
        t = page.t
        with gr.Tab(t("Live camera"), id="camera", elem_id="tab-camera") as self.tab, gr.Row():
            with gr.Column(scale=1, min_width=260):
                self.camera = gr.Image(
                    type="filepath",
                    sources=["webcam"],
                    streaming=True,
                    webcam_options=gr.WebcamOptions(mirror=False, constraints=_CONSTRAINTS),
                    visible=False,  # as long as the tab is closed
                    label=t("Camera"),
                    height=280,
                    elem_id="camera",
                    alt_text=t("Camera"),
                )
            with gr.Column(scale=2, min_width=300):
                self.answer = html(self._waiting(), elem_id="camera-answer")
        page.opened(self.tab, "camera")
        # Whoever leaves the tab is not filmed any longer: a field that is not there has let go of the camera. Without
        # its value, Gradio forgets the last frame.
        page.on(
            page.active.change,
            self._opened_or_left,
            {"active": page.active},
            [self.camera, self.answer],
            queue=False,
            show_progress="hidden",
        )
        self._times: LRUCache[str, deque[float]] = LRUCache(MOST_SESSIONS)  # of the last frames, by session
        self._lock = threading.Lock()
        self._inputs = {"framing": framing, **maps_view}

    def connect(self, weights: gr.Textbox) -> None:
        """Connect the camera to the visitor's choice of weights, which comes later on the page."""
        inputs = {"frame": self.camera, "weights": weights, **self._inputs}

        def see(request: gr.Request, *values: Any) -> Any:
            with faults_counted(self._page.refusal):
                named = dict(zip(inputs, values, strict=True))
                frame = named.pop("frame")
                rest = {name: component for name, component in inputs.items() if name != "frame"}
                return self.see(str(request.session_hash), frame, **self._page.read(rest, list(named.values())))

        self.camera.stream(
            see,
            list(inputs.values()),
            self.answer,
            preprocess=False,  # a frame stays in memory
            stream_every=SECONDS_BETWEEN,
            time_limit=TIME_LIMIT,
            concurrency_id="camera",
            concurrency_limit=MOST_AT_ONCE,
            show_progress="hidden",
            **PRIVATE,
        )

    def _opened_or_left(self, active: str) -> Updates:
        return {self.camera: gr.update(visible=active == "camera", value=None), self.answer: self._waiting()}

    def _waiting(self) -> str:
        t = self._page.t
        words = t(
            "Start the camera: each frame gets its class and its five maps. Frames are not stored. At most {} cameras "
            "are answered at a time.",
            MOST_AT_ONCE,
        )
        return markup.panel(t("The camera's answer"), markup.empty(words))

    def see(self, session: str, frame: Any, weights: str, framing: str, **view: Any) -> Any:
        """Answer one frame, round the cache of results.

        Args:
            session: Of the page.
            frame: As the browser sends it: an image with a data URL as its address.
            weights: The visitor's choice.
            framing: "crop" or "whole".
            view: Controls of the *Maps* tab.
        """
        if frame is None or unfinished(**view):
            return gr.skip()
        t = self._page.t
        try:
            photo = read_photo(frame_bytes(frame), "camera")
            engine = self._page.explorer.provider.engine(weights)
            observation = observe(photo, engine, framing)
            content = self._content(observation, view_options(**view), self._rate(session))
        except ResNetError as error:
            content = self._page.refused(error)
        return markup.panel(t("The camera's answer"), content)

    def _rate(self, session: str) -> float | None:
        """Return the frames answered a second, from the last ones; None for the first."""
        now = time.monotonic()
        with self._lock:
            times = self._times.get(session)
            if times is None or now - times[-1] > PAUSE:
                times = deque(maxlen=COUNTED)
            times.append(now)
            self._times[session] = times
        return (len(times) - 1) / (now - times[0]) if now > times[0] else None

    def _content(self, observation: Observation, view: ViewOptions, rate: float | None) -> str:
        t = self._page.t
        bars = markup.bars(t, observation.predictions(BARS), t("Classes"))
        name = markup.map_name(t, view)
        figures = "".join(
            f'<figure><img alt="{escape(markup.alternative(t, heatmap.block.stage, name, t("Camera")))}" '
            f'src="{markup.data_uri(observation.overlay(heatmap, view, markup.SMALL_SIDE))}">'
            f"<figcaption>{heatmap.block.stage}</figcaption></figure>"
            for heatmap in observation.heatmaps(view)
        )
        pass_time = t("forward pass {:.0f} ms", observation.forward_milliseconds)
        speed = t("{:.1f} frames a second", rate) if rate else ""
        line = t(", ").join(filter(None, (speed, pass_time)))
        # No live region: a screen reader could not keep up with it.
        return f'{bars}<div class="frames">{figures}</div><p class="small">{escape(line)}</p>'


def frame_bytes(frame: Any) -> bytes:
    """Return the picture that a browser has sent as a data URL.

    Raises:
        ImageError: It has sent something else.
    """
    address = frame.get("url") if isinstance(frame, dict) else None
    head, _, content = address.partition(",") if isinstance(address, str) else ("", "", "")
    if not head.startswith("data:image/") or not head.endswith(";base64"):
        raise ImageError("The camera has sent no picture.")
    try:
        return base64.b64decode(content, validate=True)
    except (binascii.Error, ValueError):
        raise ImageError("The camera has sent no picture.") from None
