"""Links that restore a view: what they can say, how it is written and how it is checked."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any
from urllib.parse import urlencode

from resnet.channels import MAXIMUM_SHOWN, MINIMUM_SHOWN, ORDERS
from resnet.comparison import CHANGES
from resnet.errors import OptionError, ResNetError
from resnet.evidence import EVIDENCE_SCALES, MAXIMUM_CLASSES, METHODS
from resnet.explain import MAXIMUM_TOP_K
from resnet.heatmaps import AGGREGATIONS, COLORMAPS, HIGHEST_CHANNEL, SCALES
from resnet.images import read_photo
from resnet.occlusion import FILLS
from resnet.options import number, one_of, whole_number
from resnet.preprocess import FRAMINGS
from resnet.stages import STAGE_NAMES
from resnet.ui.photo import EXAMPLES
from resnet.ui.tabs.hold import HIDING_MAPS

TABS = ("maps", "blocks", "evidence", "hold", "compare", "many", "model", "learn")
LONGEST_CLASS = 100
"""Characters of a class's name in a link."""

BETWEEN = ";"
"""Between the names of several classes; no class has it in its name or WordNet id."""


@dataclass(frozen=True)
class Part:
    """One thing that a link can say.

    Attributes:
        name: In the link.
        check: From its text to its value; raises OptionError.
        tab: The only tab that it belongs to; empty for all.
    """

    name: str
    check: Callable[[str], Any]
    tab: str = ""


def _word(name: str, known: tuple[str, ...]) -> Callable[[str], str]:
    return lambda text: one_of(name, text, known)


def _parsed(text: str) -> float | str:
    try:
        return float(text)
    except ValueError:
        return text


def _whole(name: str, low: int, high: int) -> Callable[[str], int]:
    return lambda text: whole_number(name, _parsed(text), low, high)


def _number(name: str, low: float, high: float) -> Callable[[str], float]:
    return lambda text: number(name, _parsed(text), low, high)


ENLARGED = Part("enlarged", _whole("channel", 0, HIGHEST_CHANNEL), "blocks")
PHOTO = Part("photo", _word("photo", tuple(path.stem for path in EXAMPLES)))
TAB = Part("tab", _word("tab", TABS))
CLASS = Part("class", lambda text: [name for name in text.split(BETWEEN) if name])
CONTROLS = (
    Part("framing", _word("framing", FRAMINGS)),
    Part("top_k", _whole("number of classes", 1, MAXIMUM_TOP_K)),
    Part("colormap", _word("colormap", COLORMAPS)),
    Part("opacity", _number("opacity in percent", 0, 100)),
    Part("smooth", lambda text: one_of("smoothness", text, ("true", "false")) == "true"),
    Part("map", _word("map", AGGREGATIONS)),
    Part("channel", _whole("channel", 0, HIGHEST_CHANNEL)),
    Part("scale", _word("scale", SCALES)),
    Part("stage", _word("stage", STAGE_NAMES), "maps"),
    Part("stage", _word("stage", STAGE_NAMES), "blocks"),
    Part("block", _whole("block", 1, 99), "blocks"),
    Part("order", _word("order", ORDERS), "blocks"),
    Part("channels", _whole("number of channels", MINIMUM_SHOWN, MAXIMUM_SHOWN), "blocks"),
    Part("method", _word("method", METHODS), "evidence"),
    Part("evidence_scale", _word("scale", EVIDENCE_SCALES), "evidence"),
    Part("hide", _word("map", HIDING_MAPS), "hold"),
    Part("stage", _word("stage", STAGE_NAMES), "hold"),
    Part("percent", _number("hidden part in percent", 0, 100), "hold"),
    Part("fill", _word("fill", FILLS), "hold"),
    Part("change", _word("change", tuple(CHANGES)), "compare"),
    Part("amount", _number("amount of the change", -180, 180), "compare"),
)
"""What the page's controls say, in the order in which `sharing` lists the controls."""


@cache
def _digests() -> dict[str, str]:
    return {read_photo(path).digest: path.stem for path in EXAMPLES}


def example_of(digest: str) -> str | None:
    """Which example photo has a digest, if one has."""
    return _digests().get(digest)


def make_query(values: Mapping[str, Any]) -> str:
    """The part of a link from its question mark on; what is None or empty is left out."""
    texts = {
        name: str(value).lower() if isinstance(value, bool) else f"{value:g}" if isinstance(value, float) else value
        for name, value in values.items()
        if value is not None and value != ""
    }
    return "?" + urlencode(texts)


def read_query(query: Mapping[str, str], weights: tuple[str, ...]) -> tuple[dict[str, Any], list[ResNetError]]:
    """What a link says: the valid part of it, and what is wrong with the rest.

    Args:
        query: Name → text; names that no link has are left out.
        weights: What can be chosen to answer.
    """
    said: dict[str, Any] = {}
    wrong: list[ResNetError] = []
    tab = query.get(TAB.name, TABS[0])
    for part in (PHOTO, TAB, CLASS, ENLARGED, Part("weights", _word("weights", weights)), *CONTROLS):
        if part.name in query and part.tab in ("", tab):
            try:
                value = part.check(query[part.name])
                if part.name == "amount":  # after the change that it is of
                    change = CHANGES[said.get("change", next(iter(CHANGES)))]
                    number("amount of the change", value, change.low, change.high)
                said[part.name] = value
            except ResNetError as error:
                wrong.append(error)
    if names := said.pop(CLASS.name, None):
        # A page compares so many. All the rest is said in one sentence, however many a link names.
        kept = [name for name in names if len(name) <= LONGEST_CLASS][:MAXIMUM_CLASSES]
        if kept:
            said[CLASS.name] = kept
        if left_out := len(names) - len(kept):
            wrong.append(
                OptionError(
                    "It may name {} classes of at most {} characters each; {} of its classes are left out.",
                    MAXIMUM_CLASSES,
                    LONGEST_CLASS,
                    left_out,
                )
            )
    return said, wrong
