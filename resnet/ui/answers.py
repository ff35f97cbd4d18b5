"""The answers to many photos as HTML: a summary, and a table with a row for each photo."""

from __future__ import annotations

from collections import Counter
from html import escape
from typing import Any

import numpy as np
from PIL import ImageOps

from resnet.maps.observation import Prediction
from resnet.network.levels import is_unsure
from resnet.output.export import Answer
from resnet.ui import markup
from resnet.ui.language import Language

SIDE = 72
MOST_NAMED = 8
"""Classes in the summary."""

# A click on a column's head sorts by it; a second one turns the order round.
SORT_SCRIPT = """
element.addEventListener("click", (event) => {
  const button = event.target.closest("th button.sort");
  if (!button) return;
  const head = button.closest("th"), body = head.closest("table").tBodies[0];
  const column = [...head.parentNode.children].indexOf(head);
  const down = head.getAttribute("aria-sort") === "ascending";
  for (const other of head.parentNode.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", down ? "descending" : "ascending");
  const key = (row) => {
    const cell = row.children[column]; // a photo that could not be read has fewer
    return cell ? cell.dataset.key ?? cell.textContent : "";
  };
  const compare = (one, other) => {
    const [first, second] = [key(one), key(other)];
    const numbers = first !== "" && second !== "" && !isNaN(first) && !isNaN(second);
    return numbers ? first - second : first.localeCompare(second);
  };
  const rows = [...body.rows].sort(compare);
  body.append(...(down ? rows.reverse() : rows));
});
"""


class Answers:
    """The answers so far."""

    def __init__(self, t: Language, top_k: Any) -> None:
        """Begin without an answer.

        Args:
            t: The page's language.
            top_k: Classes per photo.
        """
        self._t, self._top_k = t, top_k
        self._rows: list[str] = []
        self._classes: Counter[str] = Counter()
        self._shares: list[float] = []
        self._unsure = 0

    def __len__(self) -> int:
        """Return the number of photos, also of those that were refused."""
        return len(self._rows)

    def add(self, answer: Answer) -> None:
        """Add a row."""
        self._rows.append(self._row(answer, len(self._rows)))
        if answer.observation is not None:
            found = answer.observation
            self._classes[self._named(found.predictions(1)[0])] += 1
            self._shares.append(float(found.probabilities.max()))
            self._unsure += is_unsure(found.probabilities, found.manifest.labels)

    def _row(self, answer: Answer, place: int) -> str:
        t = self._t
        name = escape(answer.name)
        if answer.observation is None:
            sentence = t.error(answer.error) if answer.error else ""
            return (
                f'<tr class="failed"><td></td><th scope="row">{name}</th>'
                f'<td colspan="3" data-key="">{escape(sentence)}</td></tr>'
            )
        found = answer.observation
        picture = markup.data_uri(ImageOps.fit(found.picture, (SIDE, SIDE)))
        first, *others = found.predictions(self._top_k)
        rest = t(", ").join(f"{self._named(other)} {other.probability:.1%}" for other in others)
        likeliest = escape(self._named(first))
        said = escape(t("See {} in Maps", answer.name))
        opens = f'<button type="button" data-choice="{place}" title="{said}">{name}</button>'
        return (
            f'<tr><td><img alt="" src="{picture}"></td><th scope="row">{opens}</th><td>{likeliest}</td>'
            f'<td data-key="{first.probability:.6f}">{first.probability:.1%}</td><td>{escape(rest)}</td></tr>'
        )

    def _named(self, prediction: Prediction) -> str:
        return self._t.named(prediction.wnid, prediction.label)

    def html(self) -> str:
        """Return the summary and the table."""
        t = self._t
        names = [t("Photo"), t("Likeliest class"), t("Probability"), t("Further classes")]
        head = "".join(
            f'<th scope="col"><button type="button" class="sort">{escape(name)}</button></th>' for name in names
        )
        label = escape(t("Answers"))
        table = markup.panel(
            t("Answers"),
            f'<div class="scroll" tabindex="0" role="region" aria-label="{label}"><table class="data many">'
            f'<thead><tr><th scope="col"></th>{head}</tr></thead><tbody>{"".join(self._rows)}</tbody></table></div>',
            t("Click a photo's name to see its maps, a column's name to sort by it."),
        )
        return self._summary() + table

    def _summary(self) -> str:
        t = self._t
        if not self._shares:
            return ""
        middle, least, most = (float(np.quantile(self._shares, part)) for part in (0.5, 0.0, 1.0))
        said = [
            t("{} answered, {} refused.", len(self._shares), len(self) - len(self._shares)),
            t("The likeliest class has {:.0%} in the median, {:.0%} to {:.0%}.", middle, least, most),
        ]
        if self._unsure:
            said.append(t("Not sure of {}.", self._unsure))
        named = self._classes.most_common(MOST_NAMED)
        bars = "".join(
            f'<li><span class="name">{escape(name)}</span><span class="track">'
            f'<span class="bar" style="width:{count / named[0][1]:.2%}"></span></span>'
            f'<span class="share">{count}</span></li>'
            for name, count in named
        )
        if further := len(self._classes) - len(named):
            said.append(t("{} further classes are not drawn.", further))
        title = t("Photos by their likeliest class")
        return markup.panel(
            title, f'<ol class="bars" aria-label="{escape(title)}">{bars}</ol><p>{escape(t(" ").join(said))}</p>'
        )
