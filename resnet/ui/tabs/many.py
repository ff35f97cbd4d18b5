"""Many photos: a table that fills, and everything as one ZIP file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

import gradio as gr
from cachetools import LRUCache

from resnet.output.export import MOST_PHOTOS
from resnet.service.many import exported, temporary_export
from resnet.ui import markup
from resnet.ui.answers import SORT_SCRIPT, Answers
from resnet.ui.events import CHOICE_SCRIPT, LONG, PRIVATE, chosen_script
from resnet.ui.files import store_file
from resnet.ui.handlers import faults_counted
from resnet.ui.messages import Updates
from resnet.ui.page import Page
from resnet.ui.parts import html
from resnet.ui.photo import OWN_PHOTO_SCRIPT
from resnet.ui.signed import sign
from resnet.ui.view import view_options

BETWEEN_LOOKS = 1.0
"""Seconds between two states of the table on the page: each is sent whole, and of 500 photos takes 1.5 MB."""
SHORT = 32
"""Photos up to which every one is seen at once."""
MOST_BATCHES = 4096
"""Batches that can be stopped at the same time; far more than the server's queue holds."""

_TO_ANSWER_SCRIPT = '() => document.querySelector("#classes").scrollIntoView({ block: "nearest" })'


class ManyTab:
    """The tab for a batch."""

    def __init__(self, page: Page, maps_view: dict[str, Any], framing: gr.Radio) -> None:
        """Add the tab to the page that is built.

        Args:
            page: The page.
            maps_view: The controls of the *Maps* tab that say how figures show maps, by name.
            framing: What the network sees.
        """
        self._page = page
        t = page.t
        with gr.Tab(t("Many photos"), id="many", elem_id="tab-many") as self.tab:
            self.files = gr.File(
                file_count="multiple", label=t("Photos, up to {}", MOST_PHOTOS), height=160, elem_id="many-files"
            )
            with gr.Row():
                self.figures = gr.Checkbox(
                    False,
                    label=t("Figures (PNG)"),
                    info=t("Each takes longer than the answer itself"),
                    elem_id="many-figures",
                )
                self.maps = gr.Checkbox(
                    False, label=t("Raw maps (NPZ)"), info=t("1 to 10 MB a photo"), elem_id="many-maps"
                )
            with gr.Row():
                start = gr.Button(t("Classify all"), variant="primary", elem_id="many-start")
                stop = gr.Button(t("Stop"), elem_id="many-stop", interactive=False)
            self.progress = html(elem_id="many-progress")
            self.table = html(
                markup.panel(t("Answers"), markup.empty(t("Choose photos and start; each gets a row here."))),
                elem_id="many-table",
                js_on_load=CHOICE_SCRIPT + SORT_SCRIPT,
            )
            self.download = gr.DownloadButton(t("Download everything (ZIP)"), visible=False, elem_id="many-download")
        page.opened(self.tab, "many")
        self._start, self._stop = start, stop
        self._batches: LRUCache[str, bool] = LRUCache(MOST_BATCHES)  # by session: whether to stop
        self._inputs = {
            "framing": framing,
            "top_k": page.top_k,
            "figures": self.figures,
            "maps": self.maps,
            **maps_view,
        }

    def connect(self, weights: gr.Textbox, photo: gr.Image, tabs: gr.Tabs) -> None:
        """Connect the buttons, and the names of photos, to parts of the page that come later.

        Args:
            weights: The visitor's choice.
            photo: Gets a photo whose name is clicked.
            tabs: Around all tabs.
        """
        page, chosen = self._page, gr.Textbox(visible=False)
        self._answered = page.browser_value([])
        opened = page.on(
            self.table.select,
            lambda paths, place: {
                photo: _chosen(paths, place),
                tabs: gr.Tabs(selected="maps"),
                page.active: "maps",
            },
            {"paths": self._answered, "place": chosen},
            [photo, tabs, page.active],
            js=f"(paths) => [paths, ({chosen_script(self.table)})()]",
            queue=False,
            show_progress="hidden",
        )
        opened.then(None, None, None, js=OWN_PHOTO_SCRIPT, **PRIVATE)
        opened.then(None, None, None, js=_TO_ANSWER_SCRIPT, **PRIVATE)
        switch: dict[str, Any] = {"queue": False, "show_progress": "hidden", **PRIVATE}
        self._start.click(self._begin, None, self._stop, **switch)
        inputs = {"files": self.files, "weights": weights, **self._inputs}

        def run(request: gr.Request, *values: Any) -> Iterator[Updates]:
            batch = str(request.session_hash)
            self._batches.setdefault(batch, False)
            try:
                with faults_counted(self._page.refusal):
                    yield from self.run(batch, **self._page.read(inputs, values))
            finally:
                self._batches.pop(batch, None)

        running = self._start.click(
            run,
            list(inputs.values()),
            [self.progress, self.table, self.download, self._answered],
            show_progress="hidden",
            preprocess=False,
            **LONG,
            **PRIVATE,
        )
        for ended in (running.then, running.failure):  # Gradio goes on with one of them
            ended(lambda: gr.update(interactive=False), None, self._stop, **switch)
        self._stop.click(self._end, None, [self.progress, self._stop], **switch)

    def _begin(self, request: gr.Request) -> Any:
        return gr.update(interactive=not self._batches.setdefault(str(request.session_hash), False))

    def _end(self, request: gr.Request) -> tuple[Any, Any]:
        if str(request.session_hash) not in self._batches:  # it has ended just now
            return gr.skip(), gr.update(interactive=False)
        self._batches[str(request.session_hash)] = True
        return markup.message(self._page.t("Photos that are being processed are finished first.")), gr.update(
            interactive=False
        )

    def run(
        self,
        batch: str,
        files: list[str],
        weights: str,
        framing: str,
        top_k: Any,
        figures: bool,
        maps: bool,
        **view: Any,
    ) -> Iterator[Updates]:
        """Answer photo by photo; the table grows, and at the end, or when it is stopped, everything is one file.

        Args:
            batch: The session, whose *Stop* ends the batch.
            files: Paths of the photos.
            weights: The visitor's choice.
            framing: "crop" or "whole".
            top_k: Classes per photo.
            figures: Whether figures go into the file.
            maps: Whether raw maps do.
            view: Controls of the *Maps* tab.
        """
        t = self._page.t
        try:
            if not files:
                raise self._page.fault(t("Choose some photos first."))
            if len(files) > MOST_PHOTOS:
                raise self._page.fault(t("At most {} photos at a time; received {}.", MOST_PHOTOS, len(files)))
            engine = self._page.explorer.provider.engine(weights)
            options = view_options(**view)
            with temporary_export(
                engine.manifest, options, top_k=top_k, framing=framing, maps=maps, figures=figures
            ) as export:
                answers = Answers(t, top_k)
                next_look = 0.0
                for answer in exported(files, engine, framing, export, lambda: not self._batches.get(batch)):
                    answers.add(answer)
                    if len(answers) > SHORT and time.monotonic() < next_look:
                        continue
                    next_look = time.monotonic() + BETWEEN_LOOKS
                    yield {
                        self.progress: self._progress(len(answers), len(files)),
                        self.table: answers.html(),
                        self.download: gr.update(visible=False),
                        self._answered: sign(files),
                    }
                kept = store_file(export.packed())
        finally:
            self._batches.pop(batch, None)
        done = self._progress(len(answers), len(files))
        if not answers:
            done = markup.message(t("Stopped before the first photo."))
        elif len(answers) < len(files):
            said = t("Stopped after {} of {} photos; the ZIP file holds these.", len(answers), len(files))
            done = markup.message(said)
        yield {
            self.progress: done,
            self.table: answers.html(),
            self.download: gr.update(visible=bool(answers), value=kept),
        }

    def _progress(self, done: int, all_photos: int) -> str:
        return markup.progress(self._page.t("{} of {} photos", done, all_photos), done, all_photos)


def _chosen(paths: list[str], place: str) -> str | Any:
    """Return the path of the photo whose name was clicked."""
    known = place.isdecimal() and int(place) < len(paths)
    return paths[int(place)] if known else gr.skip()
