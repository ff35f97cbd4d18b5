"""The layers of the program: imports go only up the list, and heavy libraries load late."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
LAYERS = [
    "text", "logs", "progress", "tables", "errors", "temporary", "options", "metrics", "stages", "labels", "levels",
    "metered", "boxes", "containers", "colours", "folders", "grey", "signatures", "images", "preprocess", "calibration",
    "manifest", "archives", "precision", "model", "weights", "imagenet", "gradients", "batching", "onnx_network",
    "engine", "formats", "sources", "provider", "heatmaps", "overlays", "explain", "cache", "channels", "evidence",
    "occlusion", "comparison", "without", "explorer", "charts", "report", "figures", "export", "portions", "batch",
    "training", "cli", "ui",
]  # fmt: skip
TENSORFLOW_ALLOWED = {"precision", "model", "weights", "imagenet", "gradients", "engine", "formats", "training"}
GRADIO_ALLOWED = {"ui"}


def imported_modules(source):
    """Names of all modules that a source imports, also inside functions and for types only."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
            if node.module == "resnet":
                yield from (f"resnet.{alias.name}" for alias in node.names)


def layer_of(path):
    return path.relative_to(ROOT / "resnet").parts[0].removesuffix(".py")


def violations(layer, source):
    """What a module of `layer` imports against the rules."""
    found = []
    for module in imported_modules(source):
        top, *rest = module.split(".")
        if top in ("tensorflow", "keras") and layer not in TENSORFLOW_ALLOWED:
            found.append(module)
        if top == "gradio" and layer not in GRADIO_ALLOWED:
            found.append(module)
        if top == "resnet" and rest and rest[0] in LAYERS and LAYERS.index(rest[0]) > LAYERS.index(layer):
            found.append(module)
    return found


MODULES = [path for path in sorted((ROOT / "resnet").rglob("*.py")) if layer_of(path) not in ("__init__", "__main__")]


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(ROOT)))
def test_module_imports_only_what_its_layer_may(path):
    assert layer_of(path) in LAYERS
    assert violations(layer_of(path), path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    ("layer", "source"),
    [
        ("images", "import tensorflow as tf"),
        ("heatmaps", "def f():\n    from keras import layers"),
        ("engine", "from gradio import Blocks"),
        ("errors", "from resnet import report"),
        ("preprocess", "from resnet.ui.text import TITLE"),
    ],
)
def test_the_import_rules_can_fail(layer, source):
    assert violations(layer, source)


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
