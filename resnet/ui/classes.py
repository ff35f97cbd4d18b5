"""Fields to choose classes in: the likeliest first, any other by typing part of its name."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from resnet.network.labels import ClassLabel
from resnet.network.manifest import Manifest
from resnet.service.explorer import Shown
from resnet.ui.language import Language

LONGEST = 60


def about(shown: Shown) -> str:
    """Photo and weights of an answer: while they stay, classes chosen by hand stay, too.

    Tabs keep it in the browser, not in the session, so that each event tells it as it was with the classes it tells.
    """
    return f"{shown.key[0]} {shown.key[2]}"


def class_choices(t: Language, manifest: Manifest) -> list[tuple[str, int]]:
    """(what is shown and searched, index) of every class, in alphabetical order, that of pinyin in Chinese."""
    return _choices(t, manifest.labels)


@lru_cache(maxsize=8)
def _choices(t: Language, labels: tuple[ClassLabel, ...]) -> list[tuple[str, int]]:
    choices = [(_searchable(t, label), label.index) for label in labels]
    # In this encoding the common characters of Chinese stand in the order of their sounds.
    return sorted(choices, key=lambda choice: choice[0].casefold().encode("gb18030"))


def _searchable(t: Language, label: ClassLabel) -> str:
    """The name with what else the class is called, so that either finds it."""
    name = t.named(label.wnid, label.name)
    words = dict.fromkeys(word for word in (label.name, *label.synonyms.split(", ")) if word)
    others = [word for word in words if word.casefold() != name.casefold()]
    text = f"{name} ({', '.join(others)})" if others else name
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


def class_name(t: Language, manifest: Manifest, index: int) -> str:
    """Return a class's name in a language."""
    label = manifest.labels[index]
    return t.named(label.wnid, label.name)
