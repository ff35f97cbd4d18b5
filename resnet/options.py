"""Checks of single options: the right value of the right type, or a sentence."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Sequence
from numbers import Real

from resnet.errors import OptionError

LONGEST = 80


def repr_of(value: object) -> str:
    """Return the received value as Python writes it, shortened for an error message."""
    text = repr(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def one_of(name: str, value: object, known: Sequence[str]) -> str:
    """`value`, which must be one of the words `known`.

    Raises:
        OptionError: It is not.
    """
    if not isinstance(value, str) or value not in known:
        raise OptionError("The {} must be one of {}; received {}.", name, ", ".join(known), repr_of(value))
    return value


def number(name: str, value: object, low: float, high: float) -> float:
    """`value`, which must be a number from `low` to `high`.

    Raises:
        OptionError: It is not.
    """
    checked = math.nan
    if isinstance(value, Real) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):
            checked = float(value)
    if low <= checked <= high:
        return checked
    raise OptionError("The {} must be {:g} to {:g}; received {}.", name, low, high, repr_of(value))


def whole_number(name: str, value: object, low: int, high: int) -> int:
    """`value` as an int; it must be a whole number from `low` to `high`, such as 5 or 5.0.

    Raises:
        OptionError: It is not.
    """
    checked = number(name, value, low, high)
    if checked != int(checked):
        raise OptionError("The {} must be a whole number; received {}.", name, repr_of(value))
    return int(checked)


def flag(name: str, value: object) -> bool:
    """`value`, which must be True or False.

    Raises:
        OptionError: It is neither.
    """
    if not isinstance(value, bool):
        raise OptionError("The {} must be true or false; received {}.", name, repr_of(value))
    return value
