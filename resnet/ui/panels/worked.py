"""One value of a block worked out, as HTML."""

from __future__ import annotations

from html import escape

import numpy as np
from numpy.typing import NDArray

from resnet.maps.inside import Term, Worked
from resnet.ui.language import Language


def worked_out(t: Language, worked: Worked) -> str:
    """The way to a value: what is added up, the largest products, and the sums at each place of the window."""
    lines = _sentences(t, worked)
    listed = "".join(f"<li>{escape(line)}</li>" for line in lines)
    found = worked.inner if worked.inner is not None and worked.inner.window is not None else worked
    window = "" if found.window is None or len(found.window) == 1 else _window(t, found.window, found)
    return f'<h3>{escape(t("How this value was computed"))}</h3><ul class="worked">{listed}</ul>{window}'


def _sentences(t: Language, worked: Worked) -> list[str]:
    match worked.step.kind:
        case "input":
            return [t("It is what the block gets: {:+.4g}.", worked.value)]
        case "relu":
            assert worked.inner is not None
            kept = t("ReLU keeps what is above 0: {:+.4g} becomes {:.4g}.", worked.inner.value, worked.value)
            return [*_sentences(t, worked.inner), kept]
        case "addition":
            return [t("Branch {:+.4g} plus shortcut {:+.4g} is {:+.4g}.", *worked.parts, worked.value)]
        case "pooling":
            return [t("The largest of the values in the window is {:.4g}.", worked.value)]
    above, below, bias = worked.parts
    terms = t(", ").join(_term(t, term, worked.step.size) for term in worked.terms)
    return [
        t(
            "{:,} products of an input and a weight: those above 0 add up to {:+.4g}, those below to {:+.4g}; with the "
            "bias {:+.4g}, batch normalisation included, that makes {:+.4g}.",
            *(worked.products, above, below, bias, worked.value),
        ),
        t("Largest products: {}.", terms),
    ]


def _term(t: Language, term: Term, size: int) -> str:
    where = t("channel {}", term.channel)
    if size > 1:
        where = t("channel {} at row {}, column {} of the window", term.channel, term.row + 1, term.column + 1)
    return f"{where}: {term.value:.3g} × {term.weight:.3g} = {term.product:+.3g}"


def _window(t: Language, window: NDArray[np.float64], worked: Worked) -> str:
    """The window as a table, each place coloured by its share of the largest: red above 0, blue below."""
    largest = float(np.nanmax(np.abs(window))) or 1.0
    rows = "".join(f"<tr>{''.join(_cell(value, largest) for value in row)}</tr>" for row in window.tolist())
    title = t("Sum of the products at each place of the window")
    if worked.step.kind == "pooling":
        title = t("Values in the window")
    return f'<table class="window"><caption>{escape(title)}</caption>{rows}</table>'


def _cell(value: float, largest: float) -> str:
    if np.isnan(value):
        return "<td>–</td>"
    colour = "220 60 50" if value > 0 else "60 100 220"
    return f'<td style="background-color:rgb({colour} / {abs(value) / largest * 0.6:.2f})">{value:+.2g}</td>'
