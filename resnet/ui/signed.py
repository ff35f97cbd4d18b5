"""Values that a visitor's browser holds between events, as signed text.

The signature (keyed BLAKE2, RFC 7693) makes sure that a value comes back as this process gave it. Nobody can ask for an
answer that was not given to him, or let the server take something else for one of its own values.
"""

from __future__ import annotations

import hmac
import json
import secrets
from dataclasses import asdict
from hashlib import blake2b
from typing import Any

from resnet.errors import OptionError
from resnet.service.explorer import Shown, Source

_SECRET = secrets.token_bytes(32)


def sign(value: Any) -> str:
    """Return a value as text: None, a string, a number, a list of these, or a `Shown`."""
    text = json.dumps({"shown": asdict(value)} if isinstance(value, Shown) else value)
    return f"{_signature(text)} {text}"


def verify(text: str | None) -> Any:
    """Return the value of a text that `sign` gave; None for no text.

    Raises:
        OptionError: The text is none of this process: it was changed, or the server was started anew.
    """
    if not text:
        return None
    signature, _, content = text.partition(" ")
    if not hmac.compare_digest(signature.encode("utf-8", "surrogatepass"), _signature(content).encode()):
        raise OptionError("This page is older than the server. Please load it again.")
    value = json.loads(content)
    return _shown(**value["shown"]) if isinstance(value, dict) else value


def _shown(key: list[str], source: dict[str, Any]) -> Shown:
    change = source.pop("change")
    digest, framing, identity = key
    return Shown((digest, framing, identity), Source(**source, change=tuple(change) if change else None))


def _signature(text: str) -> str:
    return blake2b(text.encode("utf-8", "surrogatepass"), key=_SECRET, digest_size=32).hexdigest()
