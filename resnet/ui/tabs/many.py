"""Many photos: a table that fills, and everything as one ZIP file."""

from __future__ import annotations

import time
from collections.abc import Iterator
from html import escape
from typing import Any

import gradio as gr
from cachetools import LRUCache
from PIL import ImageOps

from resnet.output.export import MOST_PHOTOS, Answer
from resnet.service.many import exported, temporary_export
from resnet.ui import markup
from resnet.ui.events import LONG, PRIVATE
from resnet.ui.files import store_file
from resnet.ui.handlers import faults_counted
from resnet.ui.page import Page, Updates
from resnet.ui.parts import html
from resnet.ui.view import view_options

SIDE = 72
BETWEEN_LOOKS = 1.0
"""Seconds between two states of the table on the page: each is sent whole, and of 500 photos takes 1.5 MB."""
SHORT = 32
"""Photos up to which every one is seen at once."""
MOST_BATCHES = 4096
"""Batches that can be stopped at a time; many more than the server lets wait."""

# A click on a column's head sorts by it; a second one turns the order round.
SORT_SCRIPT = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("th button");
  if (!button) return;
  const head = button.closest("th"), body = head.closest("table").tBodies[0];
  const column = [...head.parentNode.children].indexOf(head);
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => {
    const cell = row.children[column]; // a photo that could not be read has fewer
    return cell ? cell.dataset.key ?? cell.textContent : "";
  };
  const compare = (one, other) => {
    const [first, second] = [key(one), key(other)];
    const numbers = first !== "" && second !== "" && !isNaN(first) && !isNaN(second);
    return numbers ? first - second : first.localeCompare(second);
  };
  const rows = [...body.rows].sort(compare);
  body.append(...(down ? rows.reverse() : rows));
});
"""


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
                js_on_load=SORT_SCRIPT,
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

    def connect(self, weights: gr.Textbox) -> None:
        """Connect the buttons to the visitor's choice of weights, which belongs to a later tab."""
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
            [self.progress, self.table, self.download],
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
        return markup.message(self._page.t("The photos in hand are finished first.")), gr.update(interactive=False)

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
                rows: list[str] = []
                next_look = 0.0
                for answer in exported(files, engine, framing, export, lambda: not self._batches.get(batch)):
                    rows.append(self._row(answer, top_k))
                    if len(rows) > SHORT and time.monotonic() < next_look:
                        continue
                    next_look = time.monotonic() + BETWEEN_LOOKS
                    yield {
                        self.progress: self._progress(len(rows), len(files)),
                        self.table: self._table(rows),
                        self.download: gr.update(visible=False),
                    }
                kept = store_file(export.packed())
        finally:
            self._batches.pop(batch, None)
        done = self._progress(len(rows), len(files))
        if not rows:
            done = markup.message(t("Stopped before the first photo."))
        elif len(rows) < len(files):
            done = markup.message(t("Stopped after {} of {} photos; the ZIP file holds these.", len(rows), len(files)))
        yield {
            self.progress: done,
            self.table: self._table(rows),
            self.download: gr.update(visible=bool(rows), value=kept),
        }

    def _progress(self, done: int, all_photos: int) -> str:
        return markup.progress(self._page.t("{} of {} photos", done, all_photos), done, all_photos)

    def _row(self, answer: Answer, top_k: Any) -> str:
        t = self._page.t
        name = f'<th scope="row">{escape(answer.name)}</th>'
        if answer.observation is None:
            sentence = t.error(answer.error) if answer.error else ""
            return f'<tr class="failed"><td></td>{name}<td colspan="3" data-key="">{escape(sentence)}</td></tr>'
        found = answer.observation
        picture = markup.data_uri(ImageOps.fit(found.picture, (SIDE, SIDE)))
        first, *others = found.predictions(top_k)
        rest = ", ".join(f"{other.label} {other.probability:.1%}" for other in others)
        return (
            f'<tr><td><img alt="" src="{picture}"></td>{name}<td>{escape(first.label)}</td>'
            f'<td data-key="{first.probability:.6f}">{first.probability:.1%}</td><td>{escape(rest)}</td></tr>'
        )

    def _table(self, rows: list[str]) -> str:
        t = self._page.t
        names = [t("Photo"), t("Likeliest class"), t("Probability"), t("Further classes")]
        head = "".join(f'<th scope="col"><button type="button">{escape(name)}</button></th>' for name in names)
        label = escape(t("Answers"))
        return markup.panel(
            t("Answers"),
            f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table class="data many">'
            f'<thead><tr><th scope="col"></th>{head}</tr></thead><tbody>{"".join(rows)}</tbody></table></div>',
            t("Click a column's name to sort by it."),
        )
