"""What happens when a control is used: short, typed, and the only place where errors become sentences."""

from __future__ import annotations

import json
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.processing_utils import save_bytes_to_cache
from gradio.utils import get_upload_folder

from resnet.errors import ResNetError
from resnet.explain import Key, Observation, ObservationCache
from resnet.heatmaps import ViewOptions
from resnet.images import read_photo
from resnet.options import number
from resnet.provider import EngineProvider
from resnet.report import as_dictionary, figure_png, safe_stem
from resnet.stages import STAGE_NAMES
from resnet.ui import markup, text

Shown = tuple[Key, str, str]
"""What a visitor sees, held in the session: the result's key, the photo's path and the framing."""


def view_options(
    aggregation: str, channel: Any, colormap: str, scale: str, opacity_percent: Any, smooth: bool
) -> ViewOptions:
    """The view that the page's controls describe.

    Raises:
        OptionError: A number is missing or outside its range.
    """
    opacity = number("opacity in percent", opacity_percent, 0, 100) / 100
    return ViewOptions(aggregation, channel or 0, colormap, opacity, scale, smooth)


class Handlers:
    """The page's event handlers, over one provider of weights and one cache for all visitors.

    A visitor's session holds no arrays, only what `Shown` says.
    """

    def __init__(self, provider: EngineProvider, cache: ObservationCache) -> None:
        """Remember what to ask.

        Args:
            provider: Started by whoever launches the page.
            cache: Results, shared by all visitors; keys hold a hash of the photo.
        """
        self._provider = provider
        self._cache = cache

    def weights_status(self) -> tuple[str, gr.Timer]:
        """The line about the weights; the timer stops once nothing will change."""
        status = self._provider.status
        line = markup.weights_line(text.weights_sentence(status), status.phase)
        return line, gr.Timer(active=not status.settled)

    def observe(self, path: str, framing: str) -> tuple[Key, Observation]:
        """Decode a photo and run the network, unless the result is still held.

        Raises:
            ResNetError: The photo or the framing is refused, or the weights failed to load.
        """
        photo = read_photo(path)
        return self._cache.observe(photo, self._provider.engine(), framing)

    def explain(self, path: str | None, framing: str) -> tuple[str, Shown | None]:
        """A new photo or framing: the message, and what is to be shown."""
        if path is None:
            return markup.message(text.WAITING), None
        try:
            key, observation = self.observe(path, framing)
        except ResNetError as error:
            return markup.message(str(error), "error"), None
        sentence = text.result_sentence(
            observation.photo_name,
            observation.geometry.photo_size,
            observation.geometry.input_size,
            observation.manifest.name,
            observation.forward_milliseconds,
        )
        return markup.message(sentence), (key, path, framing)

    def show(self, shown: Shown | None, top_k: Any, stage: str, *view: Any) -> tuple[str, str, str]:
        """All of a result, by the controls as they are now: classes, strip and enlarged map."""
        if shown is None:
            classes = markup.panel(text.CLASSES, markup.empty(text.NO_RESULT))
            return classes, markup.panel(text.STAGES, markup.empty(text.NO_MAPS)), ""

        def draw() -> tuple[str, str, str]:
            observation = self._held(shown)
            return self._classes(observation, top_k), *self._maps(observation, stage, *view)

        drawn: tuple[str, str, str] = self._or_error(draw)
        return drawn

    def recount(self, shown: Shown | None, top_k: Any) -> Any:
        """Another number of classes of the same result."""
        if shown is None or top_k is None:  # an emptied field waits for its number
            return gr.skip()
        return self._or_error(lambda: self._classes(self._held(shown), top_k))

    def restyle(self, shown: Shown | None, stage: str, *view: Any) -> tuple[Any, ...]:
        """Another view of the same result: strip and enlarged map, without the network."""
        if shown is None or None in view:
            return gr.skip(), gr.skip()
        drawn: tuple[Any, ...] = self._or_error(lambda: self._maps(self._held(shown), stage, *view))
        return drawn

    def enlarge(self, shown: Shown | None, stage: str, *view: Any) -> Any:
        """Another stage enlarged."""
        if shown is None:
            return gr.skip()

        def draw() -> str:
            observation, options = self._held(shown), view_options(*view)
            return markup.large(observation, observation.heatmaps(options)[STAGE_NAMES.index(stage)], options)

        return self._or_error(draw)

    def figure(self, shown: Shown | None, top_k: Any, *view: Any) -> str:
        """The result as a PNG file."""
        return self._file(shown, "figure.png", lambda found: figure_png(found, view_options(*view), top_k))

    def data(self, shown: Shown | None, top_k: Any, *view: Any) -> str:
        """The result as a JSON file."""

        def encode(observation: Observation) -> bytes:
            content = as_dictionary(observation, view_options(*view), top_k)
            return json.dumps(content, indent=2, ensure_ascii=False).encode()

        return self._file(shown, "json", encode)

    def _held(self, shown: Shown) -> Observation:
        """The result that is shown; computed again if it has left the cache."""
        key, path, framing = shown
        return self._cache.get(key, Path(path).name) or self.observe(path, framing)[1]

    @staticmethod
    def _classes(observation: Observation, top_k: Any) -> str:
        return markup.panel(text.CLASSES, markup.bars(observation.predictions(top_k)))

    @staticmethod
    def _maps(observation: Observation, stage: str, *view: Any) -> tuple[str, str]:
        options = view_options(*view)
        heatmaps = observation.heatmaps(options)
        return (
            markup.panel(text.STAGES, markup.strip(observation, heatmaps, options), text.STRIP_HINT),
            markup.large(observation, heatmaps[STAGE_NAMES.index(stage)], options),
        )

    @staticmethod
    def _or_error(answer: Callable[[], Any]) -> Any:
        try:
            return answer()
        except ResNetError as error:
            raise gr.Error(escape(str(error)), print_exception=False) from error

    def _file(self, shown: Shown | None, ending: str, encode: Callable[[Observation], bytes]) -> str:
        if shown is None:
            raise gr.Error(text.NOTHING_TO_SAVE, print_exception=False)

        def write() -> str:
            observation = self._held(shown)
            name = f"{safe_stem(observation.photo_name)}.{ending}"
            return str(save_bytes_to_cache(encode(observation), name, get_upload_folder()))

        return str(self._or_error(write))
