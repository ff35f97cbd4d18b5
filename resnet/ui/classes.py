"""Fields to choose classes in: the likeliest first, any other by typing part of its name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from resnet.network.labels import ClassLabel
from resnet.network.manifest import Manifest
from resnet.service.explorer import Shown

LONGEST = 60


def about(shown: Shown) -> str:
    """Photo and weights of an answer: while they stay, classes chosen by hand stay, too.

    Tabs keep it in the browser, not in the session, so that each event tells it as it was with the classes it tells.
    """
    return f"{shown.key[0]} {shown.key[2]}"


def class_choices(manifest: Manifest) -> list[tuple[str, int]]:
    """(what is shown and searched, index) of every class, in alphabetical order."""
    return _choices(manifest.labels)


@lru_cache(maxsize=4)
def _choices(labels: tuple[ClassLabel, ...]) -> list[tuple[str, int]]:
    return sorted(((_searchable(label), label.index) for label in labels), key=lambda choice: choice[0].casefold())


def _searchable(label: ClassLabel) -> str:
    """The name with what else the class is called, so that either finds it."""
    others = [word for word in label.synonyms.split(", ") if word and word.casefold() != label.name.casefold()]
    text = f"{label.name} ({', '.join(others)})" if others else label.name
    return text if len(text) <= LONGEST else text[: LONGEST - 1] + "…"


def classes_to_show(
    shown: Shown,
    manifest: Manifest,
    made_for: str | None,
    wanted: Sequence[str] | None,
    chosen: Sequence[int],
) -> tuple[list[int], Sequence[str] | None]:
    """Return the classes that a tab shows for an answer, and the classes that a link still requests.

    Args:
        shown: The answer.
        manifest: Of its weights.
        made_for: What the tab was about before, see `about`; None or empty for nothing.
        wanted: Names of the classes that a link asks for with its first photo.
        chosen: Classes in the tab's field, which stay while photo and weights do.

    Returns:
        Indices, empty where neither says anything; and the names, None from another photo on.
    """
    if made_for and made_for != about(shown):
        return [], None
    if chosen and made_for:
        return list(chosen), wanted
    return find_classes(manifest, wanted or []), wanted


def find_classes(manifest: Manifest, names: Sequence[str]) -> list[int]:
    """Indices of classes by WordNet id or name, in the order of the names; unknown ones are left out."""
    known = {key.casefold(): label.index for label in manifest.labels for key in (label.name, label.wnid) if key}
    return list(dict.fromkeys(known[name.casefold()] for name in names if name.casefold() in known))
