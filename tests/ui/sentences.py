"""Every sentence that the page can show, gathered from the sources."""

import ast
from pathlib import Path

from resnet.maps.comparison import CHANGES
from resnet.output.report import AGGREGATION_NAMES, NOTES
from resnet.photo.signatures import KINDS
from resnet.ui import layout, markup
from resnet.ui.numbers import NUMBERS
from resnet.ui.photo import EXAMPLE_NAMES, ON_THIS_COMPUTER, ON_THIS_SERVER
from resnet.ui.tabs import compare, learn, maps, model

ROOT = Path(__file__).resolve().parents[2] / "resnet"
ERRORS = {"Note", "ResNetError", "ImageError", "WeightsError", "DataError", "OptionError"}
CHECKS = {"one_of", "number", "whole_number", "flag", "_word", "_whole", "_number"}
# What the page never runs.
NOT_ON_THE_PAGE = {"cli", "training", "batch.py", "portions.py", "formats.py"}


def _name(function):
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


def _first_text(call):
    if call.args and isinstance(call.args[0], ast.Constant) and isinstance(call.args[0].value, str):
        return call.args[0].value
    return None


def gathered():
    """(sentence, where) of each literal that is translated: sentences of `t`, of errors, names of options."""
    for path in sorted(ROOT.rglob("*.py")):
        if NOT_ON_THE_PAGE & {*path.relative_to(ROOT).parts}:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and (text := _first_text(node)) is not None:
                name = _name(node.func)
                if name in ERRORS or name in CHECKS or name in ("t", "current"):
                    yield text, f"{path.relative_to(ROOT)}:{node.lineno}"


def listed():
    """Sentences that stand in tables and are translated when they are shown."""
    yield from (layout.TITLE, layout.INTRODUCTION, layout.LOADING, *model.REASONS.values())
    yield from (maps.WAITING, *markup.STAGE_WORDS.values())
    yield from model.CHOICE_NAMES.values()
    yield from (*compare.CHANGE_NAMES.values(), *(change.unit for change in CHANGES.values()))
    yield from AGGREGATION_NAMES.values()
    yield from filter(None, NOTES.values())
    yield from (
        *learn.TENDS_TO_SHOW,
        *learn.READING,
        *learn.RESIDUAL,
        *learn.CAMS,
        *(text for row in NUMBERS for text in row),
    )
    yield from (*EXAMPLE_NAMES.values(), ON_THIS_COMPUTER, ON_THIS_SERVER)
    yield from (*(kind for _, _, kind in KINDS), "a web page", "text")


def all_sentences():
    return dict.fromkeys([*(text for text, _ in gathered()), *listed()])
