"""Progress bars, on a terminal alone: redirected into a file they would fill it with lines."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from typing import Any

from tqdm import tqdm


def progress(items: Iterable[Any] | None = None, *, quiet: bool = False, **options: Any) -> tqdm[Any]:
    """Return a progress bar on stderr, if that is a terminal.

    Args:
        items: What to go through, or None for a bar that is told.
        quiet: Show none in any case.
        options: Of `tqdm`.
    """
    return tqdm(items, file=sys.stderr, disable=quiet or not sys.stderr.isatty(), **options)
