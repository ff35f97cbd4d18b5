"""Importing Gradio without its upkeep of type stubs, which is two fifths of the time that it takes.

For each component class, Gradio parses the source file and its `.pyi` beside it and writes the latter anew if they
differ: work for Gradio's own developers, which nothing that runs here reads.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any


def import_gradio() -> None:
    """Import Gradio for whatever imports it afterwards; component classes made later get no stubs either.

    Components whose class comes from no file have none, so while Gradio is imported none comes from a file.
    """
    file_of = inspect.getfile

    def file_unless_component(value: Any) -> str:
        if type(value).__name__ == "ComponentMeta" or getattr(value, "__name__", "") == "BlocksEvents":
            raise OSError("no type stubs are wanted")
        return file_of(value)

    inspect.getfile = file_unless_component  # type: ignore[assignment]
    try:
        modules = [importlib.import_module(f"gradio.{name}") for name in ("component_meta", "blocks_events")]
    finally:
        inspect.getfile = file_of
    for module in modules:
        module.create_or_modify_pyi = lambda *_: None  # type: ignore[attr-defined]
