"""The button that makes a link to what is seen, and what happens when such a link is followed."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import gradio as gr

from resnet.comparison import CHANGES
from resnet.errors import OptionError, WeightsError
from resnet.explorer import Shown
from resnet.sources import SERVER
from resnet.ui import links
from resnet.ui.held import written
from resnet.ui.page import PRIVATE, Page

if TYPE_CHECKING:
    from resnet.ui.layout import Layout

_COPY_SCRIPT = """(query) => {
  if (!query) return;
  history.replaceState(null, "", location.pathname + query);
  navigator.clipboard?.writeText(location.href).catch(() => {});
}"""


class Sharing:
    """Links to a view."""

    def __init__(self, demo: gr.Blocks, page: Page, layout: Layout) -> None:
        """Connect the button and the page's load.

        Args:
            demo: The page that is built.
            page: The page.
            layout: With all its parts.
        """
        self._page = page
        self._compare = layout.compare
        maps, blocks, hold, compare = layout.maps, layout.blocks, layout.hold, layout.compare
        # In the order of `links.CONTROLS`.
        controls = [
            *(layout.column.framing, page.top_k, *page.drawing, maps.aggregation, maps.channel, maps.scale, maps.stage),
            *(blocks.stage, blocks.block, blocks.order, blocks.count, layout.evidence.method, layout.evidence.scale),
            *(hold.source, hold.stage, hold.percent, hold.fill, compare.change, compare.amount),
        ]
        query = gr.Textbox(visible=False)
        linked = page.on(
            layout.column.share.click,
            self._link,
            [
                page.result,
                page.active,
                layout.model.chosen,
                layout.evidence.classes,
                hold.target,
                blocks.target,
                blocks.channel,
                *controls,
            ],
            query,
        )
        linked.then(None, query, None, js=_COPY_SCRIPT, **PRIVATE)
        restored = demo.load(
            self._restore,
            None,
            [layout.column.wanted, layout.tabs, page.active, layout.wanted, layout.model.weights,
             layout.model.chosen, compare.ranged, blocks.linked, *controls],
            show_progress="hidden",
            **PRIVATE,
        )  # fmt: skip
        model = self._model = layout.model
        page.on(
            restored.then, self._check, [layout.wanted, model.chosen], [model.weights, model.chosen], **model.loading
        )

    def _link(
        self,
        shown: Shown | None,
        active: str,
        weights: str,
        classes: list[int] | None,
        target: int | None,
        ranked_for: int | None,
        enlarged: Any,
        *controls: Any,
    ) -> str:
        """The query of a link to what is seen now; a photo of one's own is not part of it."""
        t = self._page.t
        photo = links.example_of(shown.key[0]) if shown else None
        one = {"hold": target, "blocks": ranked_for if "contribution" in controls else None}.get(active)
        chosen = classes if active == "evidence" else None if one is None else [one]
        names = None
        if shown and chosen:
            labels = self._page.or_error(lambda: self._page.observation(shown).manifest.labels)
            # The list may still be that of other weights.
            known = [labels[index] for index in chosen if index < len(labels)]
            names = links.BETWEEN.join(label.wnid or label.name for label in known)
        values = {
            part.name: value
            for part, value in zip(links.CONTROLS, controls, strict=True)
            if part.tab in ("", active) and (part.name != "channel" or "channel" in controls)
        }
        if shown and not photo:
            said = t("The link restores the view, but not your photo: only example photos can be part of a link.")
        else:
            said = t("The link is in the address bar, and copied if your browser allows it.")
        gr.Info(said, title=t("Link"))
        chosen_weights = None if weights == SERVER else weights
        begun = {"photo": photo, "tab": active, "class": names, "weights": chosen_weights}
        if active == "blocks":
            values[links.ENLARGED.name] = enlarged
        return links.make_query({**begun, **values})

    def _restore(self, request: gr.Request) -> tuple[Any, ...]:
        """What a link says; everything else stays as it is, and what is wrong in it is said."""
        choices = tuple(choice.identifier for choice in self._page.explorer.provider.choices)
        said, wrong = links.read_query(dict(request.query_params), choices)
        for error in wrong:
            self._page.warn_of_link(error)
        weights = said.get("weights")
        tab = said.get("tab", links.TABS[0])
        return (
            # Of what the link leaves unsaid no value is set, as it would take away what was dropped meanwhile,
            # or turn back a tab that was opened meanwhile.
            said.get("photo", gr.skip()),
            gr.Tabs(selected=tab) if "tab" in said else gr.skip(),
            written(said["tab"]) if "tab" in said else gr.skip(),
            written(said.get("class")),
            gr.update(value=weights) if weights else gr.skip(),
            written(weights) if weights else gr.skip(),
            said.get("change", gr.skip()) if tab == "compare" else gr.skip(),
            said.get(links.ENLARGED.name),
            *(self._control(part, said, tab) for part in links.CONTROLS),
        )

    def _check(self, classes: list[str] | None, weights: str) -> tuple[Any, Any]:
        """Say what only the weights that a link asks for can tell; leave them if they cannot be had.

        A page that kept them would refuse every photo.
        """
        chosen = weights
        if weights != SERVER and (error := self._model.refusal(weights)):
            self._page.warn(self._page.t.error(error))
            chosen = SERVER
        if classes:
            with contextlib.suppress(WeightsError):  # of which the page speaks anyway
                manifest = self._page.explorer.provider.engine(chosen).manifest
                for name in classes:
                    try:
                        manifest.class_named(name)
                    except OptionError as error:
                        self._page.warn_of_link(error)
        return (gr.skip(), gr.skip()) if chosen == weights else (chosen, chosen)

    def _control(self, part: links.Part, said: dict[str, Any], tab: str) -> Any:
        if part.name not in said or part.tab not in ("", tab):
            return gr.skip()
        value = said[part.name]
        if part.name == "channel":
            return gr.update(value=value, visible=said.get("map") == "channel")
        if part.name == "amount":
            change = said.get("change", next(iter(CHANGES)))
            return gr.update(**{**self._compare.range_of(change), "value": value})
        return gr.update(value=value)
