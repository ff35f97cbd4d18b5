"""Values that a visitor's browser holds between events, as text."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from resnet.errors import OptionError
from resnet.explorer import Shown, Source
from resnet.options import repr_of
from resnet.ui.uploads import photo_path


def written(value: Any) -> str:
    """Return a value as text."""
    return json.dumps({"shown": asdict(value)} if isinstance(value, Shown) else value)


def read(text: str | None) -> Any:
    """Return the value of a text that `written` gave; a text may have been changed on its way.

    Raises:
        OptionError: It has no value of the page's.
        ImageError: The photo of an answer is not on the server any more.
    """
    try:
        value = json.loads(text or "null")
        return _shown(value["shown"]) if isinstance(value, dict) else value
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise OptionError("The page's own values cannot be {}.", repr_of(text)) from error


def _shown(value: dict[str, Any]) -> Shown:
    digest, framing, identity = map(_text, value["key"])
    source, change = value["source"], value["source"]["change"]
    path = photo_path({"path": _text(source["path"])})
    if change is not None:
        change = _text(change[0]), float(change[1])
    of = Source(str(path), _text(source["framing"]), _text(source["weights"]), change)
    return Shown((digest, framing, identity), of)


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise TypeError
    return value
