"""Links that restore a view: the button that makes one, and what happens when one is followed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

import gradio as gr

from resnet.errors import OptionError, ResNetError, WeightsError
from resnet.maps.evidence import EVIDENCE_SCALES, MAXIMUM_CLASSES, METHODS
from resnet.maps.heatmaps import AGGREGATIONS, COLORMAPS, HIGHEST_CHANNEL, SCALES
from resnet.maps.observation import MAXIMUM_TOP_K
from resnet.network.labels import EXAMPLES
from resnet.network.sources import SERVER
from resnet.options import number, one_of, whole_number
from resnet.photo.images import read_photo
from resnet.photo.preprocess import FRAMINGS
from resnet.service.explorer import Shown
from resnet.stages import STAGE_NAMES
from resnet.ui.events import PRIVATE
from resnet.ui.messages import Updates
from resnet.ui.page import Page
from resnet.ui.photo import FIRST_EXAMPLE
from resnet.ui.signed import sign

if TYPE_CHECKING:
    from resnet.ui.layout import Layout

TABS = ("maps", "blocks", "evidence", "hold", "compare", "many", "camera", "model", "learn")
LONGEST_CLASS = 100
"""Characters of a class's name in a link."""

BETWEEN = ";"
"""Between the names of several classes; no class has it in its name or WordNet id."""

_COPY_SCRIPT = """(query) => {
  if (!query) return;
  history.replaceState(null, "", location.pathname + query);
  navigator.clipboard?.writeText(location.href).catch(() => {});
}"""


def _word(name: str, known: Sequence[str]) -> Callable[[str], str]:
    return lambda text: one_of(name, text, known)


def _number(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _classes(text: str) -> list[str]:
    names = [name for name in text.split(BETWEEN) if name]
    if len(names) > MAXIMUM_CLASSES or any(len(name) > LONGEST_CLASS for name in names):
        raise OptionError(
            "It may name {} classes of at most {} characters each; received {} names with {} characters in all.",
            MAXIMUM_CLASSES, LONGEST_CLASS, len(names), len(text),
        )  # fmt: skip
    return names


_CONTROLS: dict[str, Callable[[str], Any]] = {
    "framing": _word("framing", FRAMINGS),
    "top_k": lambda text: whole_number("number of classes", _number(text), 1, MAXIMUM_TOP_K),
    "colormap": _word("colormap", COLORMAPS),
    "opacity": lambda text: number("opacity in percent", _number(text), 0, 100),
    "smooth": lambda text: one_of("smoothness", text, ("true", "false")) == "true",
    "cut": lambda text: number("cut in percent", _number(text), 0, 100),
    "map": _word("map", AGGREGATIONS),
    "channel": lambda text: whole_number("channel", _number(text), 0, HIGHEST_CHANNEL),
    "scale": _word("scale", SCALES),
    "stage": _word("stage", STAGE_NAMES),
    "method": _word("method", METHODS),
    "evidence_scale": _word("scale", EVIDENCE_SCALES),
}
"""Controls in a link: name → check of its text."""


@cache
def _digests() -> dict[str, str]:
    return {read_photo(path).digest: path.stem for path in EXAMPLES}


def example_of(digest: str) -> str | None:
    """Return which example photo has a digest, if one has."""
    return _digests().get(digest)


def make_query(values: Mapping[str, Any]) -> str:
    """Return the part of a link from its question mark on; what is None or empty is left out."""
    texts = {
        name: str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value
        for name, value in values.items()
        if value is not None and value != ""
    }
    return "?" + urlencode(texts)


def read_query(
    query: Mapping[str, str], weights: Sequence[str], tabs: Sequence[str] = TABS
) -> tuple[dict[str, Any], list[ResNetError]]:
    """Return the valid part of what a link says, and what is wrong with the rest.

    Args:
        query: Name → text; names that no link has, or no longer, are left out.
        weights: What can be chosen to answer.
        tabs: Of the page.
    """
    said: dict[str, Any] = {}
    wrong: list[ResNetError] = []
    checks = {
        "photo": _word("photo", tuple(path.stem for path in EXAMPLES)),
        "tab": _word("tab", tuple(tabs)),
        "class": _classes,
        "weights": _word("weights", weights),
        **_CONTROLS,
    }
    for name, check in checks.items():
        if name in query:
            try:
                said[name] = check(query[name])
            except ResNetError as error:
                wrong.append(error)
    return said, wrong


class Links:
    """Links to a view."""

    def __init__(self, demo: gr.Blocks, page: Page, layout: Layout) -> None:
        """Connect the button and the page's load.

        Args:
            demo: The page that is built.
            page: The page.
            layout: With all its parts.
        """
        self._page = page
        model, maps, evidence = layout.model, layout.maps, layout.evidence
        self._model = model
        controls = {
            "framing": layout.column.framing,
            "top_k": page.top_k,
            **page.drawing,
            "map": maps.view["aggregation"],
            "channel": maps.view["channel"],
            "scale": maps.view["scale"],
            "stage": maps.stage,
            "method": evidence.method,
            "evidence_scale": evidence.scale,
        }
        query = gr.Textbox(visible=False)
        read = {
            "shown": page.result,
            "active": page.active,
            "weights": model.chosen,
            "classes": evidence.classes,
            "target": layout.hold.target,
            **controls,
        }
        linked = page.on(layout.column.share.click, self._link, read, query)
        linked.then(None, query, None, js=_COPY_SCRIPT, **PRIVATE)
        # What a link leaves to be said or checked: unlike the page's load, that may wait its turn.
        open_questions = page.browser_value()
        demo.load(
            self._restore,
            None,
            [
                *(layout.column.wanted, layout.tabs, page.active, layout.wanted, model.weights, model.chosen),
                *(open_questions, *(controls[name] for name in _CONTROLS)),
            ],
            queue=False,
            show_progress="hidden",
            show_progress_on=open_questions,
            **PRIVATE,
        )
        checked = {"wrong": open_questions, "classes": layout.wanted, "weights": model.chosen}
        page.on(open_questions.change, self._check, checked, [model.weights, model.chosen], **model.loading)

    def _link(
        self,
        shown: Shown | None,
        active: str,
        weights: str,
        classes: list[int] | None,
        target: int | None,
        **controls: Any,
    ) -> str:
        """Return the query of a link to what is seen now; a photo of one's own is not part of it."""
        t = self._page.t
        photo = example_of(shown.key[0]) if shown else None
        chosen = classes if active == "evidence" else [target] if active == "hold" and target is not None else None
        names = None
        if shown and chosen:
            labels = self._page.or_error(lambda: self._page.observation(shown).manifest.labels)
            # The list may still be that of other weights.
            names = BETWEEN.join(labels[index].wnid or labels[index].name for index in chosen if index < len(labels))
        if shown and not photo:
            said = t("The link restores the view, but not your photo: only example photos can be part of a link.")
        else:
            said = t("The link is in the address bar, and copied if your browser allows it.")
        gr.Info(said, title=t("Link"))
        if controls["map"] != "channel":
            del controls["channel"]
        begun = {"photo": photo, "tab": active, "class": names, "weights": None if weights == SERVER else weights}
        return make_query({**begun, **controls})

    def _restore(self, request: gr.Request) -> tuple[Any, ...]:
        """Return what a link says; everything else stays as it is."""
        choices = [choice.identifier for choice in self._page.explorer.provider.choices]
        tabs = [tab for tab in TABS if tab != "camera" or self._page.camera]
        said, wrong = read_query(dict(request.query_params), choices, tabs)
        open_questions = [self._page.t.error(error) for error in wrong]
        weights = said.get("weights")
        controls = {name: gr.update(value=said[name]) if name in said else gr.skip() for name in _CONTROLS}
        if "channel" in said:
            controls["channel"] = gr.update(value=said["channel"], visible=said.get("map") == "channel")
        return (
            # Of what the link leaves unsaid no value is set, as it would take away what was dropped meanwhile,
            # or turn back a tab that was opened meanwhile.
            said.get("photo", FIRST_EXAMPLE),
            gr.Tabs(selected=said["tab"]) if "tab" in said else gr.skip(),
            sign(said["tab"]) if "tab" in said else gr.skip(),
            sign(said.get("class")),
            gr.update(value=weights) if weights else gr.skip(),
            sign(weights) if weights else gr.skip(),
            sign(open_questions) if open_questions or "class" in said or weights else gr.skip(),
            *controls.values(),
        )

    def _check(self, wrong: list[str], classes: list[str] | None, weights: str) -> Updates:
        """Report what is wrong in a link; what only its weights can tell is skipped if they are not available.

        A page that kept them would refuse every photo.
        """
        for sentence in wrong:
            self._page.warn_of_link(sentence)
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
                        self._page.warn_of_link(self._page.t.error(error))
        return {} if chosen == weights else {self._model.weights: chosen, self._model.chosen: chosen}
