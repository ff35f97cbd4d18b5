"""Hide what you draw: a photo to draw on, the answer without it, and as much of a map hidden beside it."""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

import gradio as gr

from resnet.errors import ResNetError
from resnet.maps.drawn import Drawing, read_drawing
from resnet.maps.evidence import METHOD_NAMES
from resnet.maps.heatmaps import ViewOptions
from resnet.maps.observation import Observation, likeliest
from resnet.maps.occlusion import Hidden
from resnet.output.drawn import MOST_CLASSES, Attempt, Rival
from resnet.output.saving import json_file, origin
from resnet.service.explorer import Shown
from resnet.stages import STAGE_NAMES
from resnet.ui import markup
from resnet.ui.classes import about
from resnet.ui.events import NETWORK, QUICK
from resnet.ui.messages import Updates
from resnet.ui.page import Page
from resnet.ui.parts import html

SCRIPT = Path(__file__).with_name("drawing.js").read_text(encoding="utf-8")

BRUSH = 2, 8, 25
"""Least, first and largest width of the brush in percent of the photo's shorter side."""


class Drawn:
    """The part of *Does it hold?* in which a visitor says what is hidden."""

    def __init__(self, page: Page, trial: dict[str, Any], made_for: gr.Textbox) -> None:
        """Add it to the tab that is built.

        Args:
            page: The page.
            made_for: Photo and weights of which the tab names classes.
            trial: The tab's controls `source`, `stage`, `target` and `fill`.
        """
        self._page = page
        t = page.t
        self._surface = html(elem_id="hold-surface", js_on_load=SCRIPT)
        self._drawing = gr.Textbox(visible=False)  # what the browser has noted
        self._drawn_on = gr.HTML(visible=False)  # emptied with the photo to draw on, where the tab shows an error
        self._against = gr.Checkbox(
            False,
            label=t("You versus the network"),
            info=t("Also hides as much of the map that is chosen above, its hottest part: a second pass"),
            elem_id="hold-against",
            elem_classes="with-result",
        )
        self._result = html(elem_id="hold-drawn")
        self.inputs = {"drawing": self._drawing, "against": self._against, "drawn_on": self._drawn_on}
        self.outputs = [self._surface, self._drawn_on, self._result]
        everything = {
            "shown": page.result,
            "drawing": self._drawing,
            "against": self._against,
            "made_for": made_for,
            **trial,
        }
        page.downloads("drawn", {"figure": self.figure, "data": self.data}, everything, **NETWORK)
        page.on_choice(self._surface, self._drawing)
        page.on_each(
            [self._drawing.change, self._against.change],
            lambda shown, **values: self._answer(shown, **values),
            everything,
            self._result,
            **{**QUICK, **NETWORK},
        )

    def update(self, shown: Shown | None, drawn_on: str | None, **values: Any) -> Updates:
        """All of it for an answer; the photo to draw on is sent anew only where it is another.

        Args:
            shown: The answer.
            drawn_on: What the answer that the browser shows depends on.
            values: Those of `inputs` and of the trial, by name.
        """
        if shown is None:
            return {self._surface: "", self._drawn_on: "", self._result: ""}
        wanted = " ".join(shown.key)
        updates: Updates = {self._result: self._answer(shown, **values, made_for=about(shown))}
        if drawn_on != wanted:
            updates |= {self._surface: self._to_draw_on(shown, values["drawing"]), self._drawn_on: wanted}
        return updates

    def _to_draw_on(self, shown: Shown, drawing: str | None) -> str:
        t = self._page.t
        observation = self._page.observation(shown)
        canvas = observation.canvas(markup.LARGE_SIDE)
        picture = canvas.dimmed.copy()
        picture.paste(canvas.seen, canvas.box[:2])
        width, height = observation.geometry.photo_size
        least, first, most = BRUSH
        tools = [
            f'<button type="button" data-tool="{name}">{escape(words)}</button>'
            for name, words in (("box", t("Rectangle")), ("line", t("Brush")))
        ]
        tools.append(
            f"<label>{escape(t('Width of the brush, % of the shorter side'))} "
            f'<input type="range" data-brush min="{least}" max="{most}" value="{first}"></label>'
        )
        tools += [
            f'<button type="button" data-do="{name}">{escape(words)}</button>'
            for name, words in (("undo", t("Undo")), ("clear", t("Clear")))
        ]
        keys = t("Drawing area: the arrow keys move a frame, with Shift they resize it, Enter hides what is in it")
        try:
            noted = self._read(shown, drawing)
        except ResNetError:  # which the answer says
            noted = Drawing()
        shapes = escape(json.dumps(noted.shapes()))
        content = (
            f'<div class="draw" data-of="{escape(shown.key[0])}" data-shapes="{shapes}">'
            f'<div class="tools" role="group" aria-label="{escape(t("Tools to draw with"))}">{"".join(tools)}</div>'
            f'<div class="surface"><img alt="{escape(t("The photo {}", observation.photo_name))}" '
            f'src="{markup.data_uri(picture)}" draggable="false"><svg viewBox="0 0 {width} {height}" '
            f'preserveAspectRatio="none" tabindex="0" role="application" aria-label="{escape(keys)}"></svg></div></div>'
        )
        return markup.panel(t("Hide what you draw"), content, t("Each stroke asks the network again."))

    @staticmethod
    def _read(shown: Shown, text: str | None) -> Drawing:
        """Return what the browser has noted, if it is of this photo.

        Raises:
            OptionError: It is no drawing.
        """
        if not text:
            return Drawing()
        try:
            noted = json.loads(text)
        except (ValueError, RecursionError):
            noted = None
        if not isinstance(noted, dict):
            return read_drawing(noted)  # which says what is wrong
        return read_drawing(noted.get("shapes")) if noted.get("of") == shown.key[0] else Drawing()

    def _answer(self, shown: Shown | None, **values: Any) -> str:
        """Return the answer without what is drawn, or why there is none."""
        t = self._page.t
        if shown is None:
            return ""
        try:
            attempt = self._attempt(self._page.observation(shown), shown, **values)
        except ResNetError as error:
            return self._page.refused(error)
        if attempt is None:
            return markup.empty(t("Draw on the photo above; the answer without that part appears here."))
        if not attempt.hidden.share:
            return markup.message(t("The network did not see this part of the photo."))
        observation, target = attempt.observation, attempt.target
        name, before = self._page.label(observation, target), float(observation.probabilities[target])
        after = float(attempt.hidden.probabilities[target])
        lines = [
            t("“{}”: {:.1%} before, {:.1%} without what you drew, {:.1%} of what the network sees.",
              name, before, after, attempt.hidden.share)
        ]  # fmt: skip
        rows = self._row(observation, t("Yours"), attempt.hidden)
        if attempt.rival:
            there = float(attempt.rival.hidden.probabilities[target])
            words = METHOD_NAMES.get(attempt.rival.source, t("the map"))
            lines += [
                t("Without as much of {} ({}): {:.1%}.", words, attempt.rival.stage, there),
                self._verdict(attempt),
            ]
            rows += self._row(observation, t("The network's"), attempt.rival.hidden)
        said = "".join(markup.message(line) for line in lines)
        return markup.panel(t("Without what you drew"), f'{said}<div class="versus">{rows}</div>')

    def _verdict(self, attempt: Attempt) -> str:
        t = self._page.t
        if attempt.winner == "none":
            return t("Both parts matter as much to this class.")
        return (
            t("Your part matters more to this class.")
            if attempt.winner == "you"
            else t("The network's part matters more to this class.")
        )

    def _row(self, observation: Observation, title: str, hidden: Hidden) -> str:
        t = self._page.t
        found = likeliest(hidden.probabilities, observation.manifest, MOST_CLASSES)
        words = escape(t("{}: the photo with it hidden", title))
        return (
            f'<div class="hold"><figure><img alt="{words}" src="{markup.data_uri(hidden.picture)}"></figure>'
            f"<div><h3>{escape(title)}</h3>{markup.bars(t, found, title)}</div></div>"
        )

    def _attempt(
        self,
        observation: Observation,
        shown: Shown,
        drawing: str | None,
        against: bool,
        made_for: str | None,
        source: str,
        stage: str,
        target: int | None,
        fill: str,
    ) -> Attempt | None:
        """Return what is to be shown; None if nothing is drawn."""
        explorer, wanted = self._page.explorer, self._read(shown, drawing)
        if wanted.is_empty:
            return None
        # The class may still be of the weights that answered before.
        goal = observation.likeliest_indices(1)[0]
        if made_for == about(shown) and target is not None and 0 <= target < observation.manifest.classes:
            goal = target
        hidden, rival = explorer.hidden_drawn(shown, wanted, fill), None
        if against and hidden.share:
            heatmap = explorer.hiding_map(shown, source, STAGE_NAMES.index(stage), goal)
            rival = Rival(source, stage, explorer.hidden(shown, heatmap, hidden.share * 100, fill))
        return Attempt(observation, wanted, goal, fill, hidden, rival)

    def figure(self, shown: Shown | None, kind: str, **values: Any) -> str:
        """The answer without what is drawn, as a picture."""
        name = f"{{}}.drawn.{kind.lower()}".format
        return self._page.file(shown, name, lambda found: self._made(found, shown, **values).figure(kind.lower()))

    def data(self, shown: Shown | None, **values: Any) -> str:
        """The same in numbers."""

        def encode(observation: Observation) -> bytes:
            return json_file(origin(observation, ViewOptions()), self._made(observation, shown, **values).dictionary())

        return self._page.file(shown, "{}.drawn.json".format, encode)

    def _made(self, observation: Observation, shown: Shown | None, **values: Any) -> Attempt:
        assert shown is not None  # `Page.file` has seen to it
        attempt = self._attempt(observation, shown, **values)
        if attempt is None:
            raise self._page.fault(self._page.t("Draw on the photo first."))
        return attempt
