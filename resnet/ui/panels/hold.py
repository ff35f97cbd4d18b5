"""Panels of *Does it hold?*: the answer with a part hidden, and the curves with their verdict."""

from __future__ import annotations

from html import escape

from resnet.maps.curves import LEAST_PROBABILITY, TESTED_SHARE, Chance, Curves
from resnet.maps.observation import Observation, Prediction, likeliest
from resnet.maps.occlusion import Hidden
from resnet.output.charts import curves_chart
from resnet.ui import markup
from resnet.ui.classes import class_name
from resnet.ui.language import Language


def hidden_panel(t: Language, observation: Observation, hidden: Hidden, target: int) -> str:
    """Return the photo with its part hidden, and the likeliest classes before and after."""
    before = likeliest(observation.probabilities, observation.manifest, 5)
    after = likeliest(hidden.probabilities, observation.manifest, 5)
    name = class_name(t, observation.manifest, target)
    words = escape(t("The photo with its hottest {} hidden", f"{hidden.share:.0%}"))
    picture = f'<figure><img alt="{words}" src="{markup.data_uri(hidden.picture)}"></figure>'
    change = t(
        "“{}”: {:.1%} before, {:.1%} with {:.0%} hidden.",
        name,
        float(observation.probabilities[target]),
        float(hidden.probabilities[target]),
        hidden.share,
    )
    columns = _column(t, t("Before"), before) + _column(t, t("With the part hidden"), after)
    return markup.panel(t("With a part hidden"), f'{markup.message(change)}<div class="hold">{picture}{columns}</div>')


def _column(t: Language, title: str, predictions: tuple[Prediction, ...]) -> str:
    return f"<div><h3>{escape(title)}</h3>{markup.bars(t, predictions, title)}</div>"


def curves_panel(t: Language, curves: Curves, name: str, *, done: bool) -> str:
    """Return both curves as far as they are measured; once `done`, with their areas and the verdict."""
    chart = curves_chart(
        curves,
        (t("this map"), t("moved copies of it")),
        t("probability, %"),
        (t("hidden, % of the input"), t("shown, % of the input")),
        (t("Deletion"), t("Insertion")),
        t("Deletion and insertion curves of {}", name),
    )
    sentences = [
        _verdict(t, curves.chance, name),
        t("Area under the deletion curve: {:.3f} (lower is better).", curves.deletion.area),
        t("Area under the insertion curve: {:.3f} (higher is better).", curves.insertion.area),
    ]
    listed = "".join(f"<li>{escape(sentence)}</li>" for sentence in sentences)
    return markup.panel(t("Does it hold?"), f"{chart}<ul>{listed}</ul>" if done else chart)


def _verdict(t: Language, chance: Chance, name: str) -> str:
    if chance.verdict == "none":
        return t("No verdict: “{}” has {:.1%}, and below {:.0%} there is too little to hide.",
                 name, chance.before, LEAST_PROBABILITY)  # fmt: skip
    if chance.verdict == "holds":
        return t(
            "The map holds here: with its hottest {:.0%} hidden “{}” keeps {:.1%}, less than with as much hidden "
            "by any of {} moved copies of it ({:.1%} to {:.1%}).",
            TESTED_SHARE,
            name,
            chance.probability,
            len(chance.copies),
            float(chance.copies.min()),
            float(chance.copies.max()),
        )
    return t(
        "The map cannot be told from chance here: its hottest {:.0%} hides more of “{}” than {} of {} moved copies "
        "of it do.",
        TESTED_SHARE,
        name,
        chance.beaten,
        len(chance.copies),
    )
