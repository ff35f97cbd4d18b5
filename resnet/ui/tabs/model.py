"""Model: which weights answer, what the network is made of, what it costs, and which classes it knows."""

from __future__ import annotations

from html import escape
from typing import Any

import gradio as gr

from resnet.errors import ResNetError
from resnet.network.manifest import Manifest
from resnet.network.sources import SERVER
from resnet.output.charts import costs_chart
from resnet.stages import (
    STAGE_NAMES,
    block_table,
    head_multiply_accumulates,
    head_parameters,
    stage_table,
)
from resnet.ui import markup
from resnet.ui.messages import Updates
from resnet.ui.page import Page
from resnet.ui.parts import html

CHOICE_NAMES = {
    SERVER: "The server's choice",
    "bundled": "Bundled (200 classes)",
    "imagenet": "ImageNet (1,000 classes)",
}

REASONS = {
    "bundled": "chosen when the server was started",
    "imagenet": "chosen when the server was started",
    "file": "chosen when the server was started",
    "auto-imagenet": "the ImageNet weights are on this machine",
    "auto-trying": "they come with the program; the ImageNet weights are being looked for",
    "auto-offline": "they come with the program; the ImageNet weights are not installed and cannot be downloaded now",
}

# Filtering a list that is on the page already needs no server.
FILTER_SCRIPT = """
const filter = () => {
  const words = element.querySelector("input").value.trim().toLowerCase();
  let count = 0;
  for (const row of element.querySelectorAll("tbody tr")) {
    const match = row.textContent.toLowerCase().includes(words);
    row.hidden = !match;
    count += match;
  }
  element.querySelector("output").textContent = count;
};
element.addEventListener("input", filter);
"""


class ModelTab:
    """The tab about the network itself."""

    def __init__(self, page: Page) -> None:
        """Add the tab to the page that is built."""
        self._page = page
        t = page.t
        with gr.Tab(t("Model"), id="model", elem_id="tab-model") as self.tab:
            self.weights = gr.Radio(
                [(t(CHOICE_NAMES.get(known.identifier, known.identifier)), known.identifier)
                 for known in page.explorer.provider.choices],
                value=SERVER,
                label=t("Weights that answer you"),
                info=t("Your choice changes nothing for other visitors. ImageNet weights are downloaded if they "
                       "are not on the server."),
                elem_id="weights-choice",
            )  # fmt: skip
            self.message = html(elem_id="model-message")
            self.description = html(elem_id="model-description")
            self.classes = html(elem_id="class-list", js_on_load=FILTER_SCRIPT)
            self.chosen = page.browser_value(SERVER)  # inside: Gradio would count one between tabs as a tab
        self.loading: dict[str, Any] = {
            "concurrency_id": "weights",
            "concurrency_limit": 8,  # who waits for a download leaves room for others' choices
            "show_progress_on": self.description,
        }
        described = [self.description, self.classes]
        page.on(page.opened(self.tab, "model").then, self.describe, {"choice": self.chosen}, described)
        chosen = page.on(
            self.weights.input,
            self.choose,
            {"wanted": self.weights, "current": self.chosen},
            [self.weights, self.chosen, self.message],
            trigger_mode="multiple",  # another choice while one is being downloaded
            **self.loading,
        )
        page.on(chosen.then, self.describe, {"choice": self.chosen}, described)

    def choose(self, wanted: str, current: str) -> Updates:
        """Load other weights; if they cannot be loaded, say so and stay with those of before."""
        if error := self.refusal(wanted):
            self._page.warn(self._page.t.error(error))  # also if other weights have been chosen since
            return {self.weights: current, self.chosen: current, self.message: self._page.refused(error)}
        # Both, so that a former choice that fails later does not set it back.
        return {self.weights: wanted, self.chosen: wanted, self.message: ""}

    def refusal(self, wanted: str) -> ResNetError | None:
        """Load weights; return what stopped it, or None."""
        try:
            self._page.explorer.provider.engine(wanted)
        except ResNetError as error:
            return error
        return None

    def describe(self, choice: str) -> Updates:
        """Everything about the weights of a choice."""
        try:
            manifest = self._page.explorer.provider.engine(choice).manifest
        except ResNetError as error:
            return {self.description: self._page.refused(error), self.classes: ""}
        reason = REASONS[self._page.explorer.provider.status.reason] if choice == SERVER else ""
        about = self._manifest(manifest, reason) + self._stages(manifest) + self._cache()
        return {self.description: about, self.classes: self._classes(manifest)}

    def _manifest(self, manifest: Manifest, reason: str) -> str:
        t = self._page.t
        spec = manifest.input
        lines = [
            (t("Network"), t("ResNet{}, {} classes, first pooling “{}”", manifest.depth, manifest.classes,
                             manifest.stem_pool)),
            (t("Input"), t("{}×{} px, {}", spec.size, spec.size, spec.channels)
             + (t(", first reduced to {} px", spec.detail) if spec.detail else "")),
            (t("Trained on"), manifest.data or "–"),
            *((t("Accuracy"), t("{:.2%} top-1, {:.2%} top-5 on the {:,} images of {}", values["top1"],
                                values["top5"], int(values["images"]), name) if "top5" in values else
               t("{:.2%} top-1 on the {:,} images of {}", values["top1"], int(values["images"]), name))
              for name, values in manifest.accuracy.items()),
            (t("Licence"), manifest.licence or "–"),
            *([(t("Why these weights"), t(reason))] if reason else []),
            ("sha256", manifest.sha256 or "–"),
        ]  # fmt: skip
        listed = "".join(f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in lines)
        return markup.panel(t("Weights: {}", manifest.name), f'<dl class="facts">{listed}</dl>')

    def _stages(self, manifest: Manifest) -> str:
        t = self._page.t
        size = manifest.input.size
        table = block_table(manifest.depth, (size, size), manifest.stem_pool)
        rows, costs = [], []
        for stage in stage_table(table):
            blocks = [block for block in table if block.stage == stage.stage]
            parameters = sum(block.parameters for block in blocks)
            cost = sum(block.multiply_accumulates for block in blocks)
            costs.append(cost / 1e6)
            rows.append(
                [
                    stage.stage,
                    "1" if stage.stage == "C1" else str(len(blocks)),
                    "×".join(map(str, stage.shape)),
                    f"{stage.stride} px",
                    f"{stage.receptive_field:,} px",
                    f"{parameters:,}",
                    f"{cost / 1e6:,.0f} M",
                ]
            )
        head, head_cost = head_parameters(manifest.classes), head_multiply_accumulates(manifest.classes)
        rows.append(
            [escape(t("classifier")), "–", f"{manifest.classes}", "–", "–", f"{head:,}", f"{head_cost / 1e6:,.0f} M"]
        )
        total = sum(block.parameters for block in table) + head
        everything = sum(block.multiply_accumulates for block in table) + head_cost
        rows.append([escape(t("all")), "", "", "", "", f"{total:,}", f"{everything / 1e6:,.0f} M"])
        heads = [t("Stage"), t("Blocks"), t("Shape"), t("Stride"), t("Receptive field"), t("Parameters"),
                 t("Multiply-accumulates")]  # fmt: skip
        title = t("Stages for an input of {}×{} px", size, size)
        chart = costs_chart(
            [*STAGE_NAMES, t("classifier")],
            [*costs, head_cost / 1e6],
            t("million multiply-accumulates"),
            t("Multiply-accumulates of each stage"),
        )
        return markup.panel(title, markup.table(heads, rows, title) + chart)

    def _cache(self) -> str:
        cache = self._page.explorer.cache
        return markup.message(
            self._page.t(
                "The server holds {:.1f} of at most {:.0f} MB of results, for all visitors together.",
                cache.held_bytes / 1e6,
                cache.maximum_bytes / 1e6,
            )
        )

    def _classes(self, manifest: Manifest) -> str:
        t = self._page.t
        rows = "".join(
            f"<tr><td>{label.index}</td><td>{escape(t.named(label.wnid, label.name))}</td>"
            f"<td>{escape(label.synonyms)}</td>"
            f"<td>{escape(label.wnid)}</td></tr>"
            for label in manifest.labels
        )
        names = (t("Number"), t("Class"), t("Also called"), t("WordNet id"))
        head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
        search = escape(t("Search the classes"))
        shown = t("{} of {} classes", "{shown}", len(manifest.labels))
        counted = escape(shown).replace("{shown}", f"<output>{len(manifest.labels)}</output>")
        return markup.panel(
            t("Classes"),
            f'<div class="search"><label>{search} <input type="search" autocomplete="off"></label> '
            f'<span role="status">{counted}</span></div>'
            f'<div class="scroll tall" tabindex="0" role="region" aria-label="{escape(t("Classes"))}">'
            f'<table class="data"><thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>',
        )
