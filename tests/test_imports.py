"""The rooms of the program: imports go only down the list of rooms, and heavy libraries load late."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
WORDS = ("text", "errors", "options", "metrics", "stages", "logs", "progress")
"""Modules that everyone shares, beside the rooms; each may import those before it."""
MAY_IMPORT = {
    "photo": {"photo"},
    "network": {"photo", "network"},
    "maps": {"photo", "network", "maps"},
    "output": {"photo", "network", "maps", "output"},
    "service": {"photo", "network", "maps", "output", "service"},
    "training": {"photo", "network", "maps", "output", "training"},
    "cli": {"photo", "network", "maps", "output", "training", "cli"},
    "ui": {"photo", "network", "maps", "output", "service", "ui"},
}
"""Which rooms the modules of a room may import from."""
LIBRARIES = {"tensorflow": {"network", "training"}, "keras": {"network", "training"}, "gradio": {"ui"}}
"""The rooms that may import a heavy library."""


def imported_modules(source):
    """Names of all modules that a source imports, also inside functions and for types only."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            if node.module == "resnet":
                yield from (f"resnet.{alias.name}" for alias in node.names)


def room_of(path):
    return path.relative_to(ROOT / "resnet").parts[0].removesuffix(".py")


def violations(room, source):
    """What a module of a room imports against the rules."""
    found = []
    for module in imported_modules(source):
        top, *rest = module.split(".")
        if room not in LIBRARIES.get(top, {room}):
            found.append(module)
        if top != "resnet" or not rest:
            continue
        if rest[0] in WORDS:
            if room in WORDS and WORDS.index(rest[0]) > WORDS.index(room):
                found.append(module)
        elif rest[0] in MAY_IMPORT and rest[0] not in MAY_IMPORT.get(room, ()):
            found.append(module)
    return found


MODULES = [path for path in sorted((ROOT / "resnet").rglob("*.py")) if room_of(path) not in ("__init__", "__main__")]


def test_every_module_stands_in_a_room_and_imports_only_what_that_may():
    for path in MODULES:
        room = room_of(path)
        assert room in WORDS or room in MAY_IMPORT, path
        assert violations(room, path.read_text(encoding="utf-8")) == [], path


@pytest.mark.parametrize(
    ("room", "source"),
    [
        ("photo", "import tensorflow as tf"),
        ("maps", "def f():\n    from keras import layers"),
        ("network", "from gradio import Blocks"),
        ("errors", "from resnet.output import report"),
        ("photo", "from resnet.ui.text import TITLE"),
        ("text", "from resnet import errors"),
        ("output", "from resnet.service.temporary import full"),
    ],
)
def test_the_import_rules_can_fail(room, source):
    assert violations(room, source)


def test_every_room_says_what_it_is_and_what_it_must_not_know():
    for room in MAY_IMPORT:
        said = ast.get_docstring(ast.parse((ROOT / "resnet" / room / "__init__.py").read_text(encoding="utf-8")))
        assert "from" in said.lower(), room
        assert "knows neither" in said or "knows nothing of" in said or "knows no" in said, room


def test_the_package_offers_five_names_and_no_others():
    import resnet

    assert set(resnet.__all__) == {"ResNetError", "ViewOptions", "load_engine", "observe", "read_photo"}
    for name in resnet.__all__:
        assert getattr(resnet, name).__module__.startswith("resnet."), name
    with pytest.raises(AttributeError, match="no attribute 'observed'"):
        _ = resnet.observed


@pytest.mark.parametrize(
    ("module", "unwanted"),
    [
        ("resnet", ["tensorflow", "keras", "gradio", "matplotlib", "numpy"]),
        ("resnet.cli", ["tensorflow", "keras", "gradio"]),
        ("app", ["tensorflow", "keras"]),
    ],
)
def test_import_stays_light(module, unwanted):
    code = f"import sys, {module}; print(*[name for name in {unwanted!r} if name in sys.modules])"
    answer = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert answer.stdout.strip() == ""
