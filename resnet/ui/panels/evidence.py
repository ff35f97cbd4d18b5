"""Panels of *Evidence*: the matrix of classes and stages, and the difference of two classes."""

from __future__ import annotations

from html import escape

from resnet.maps.evidence import LINEAR_METHODS, METHOD_NAMES, Evidence
from resnet.maps.heatmaps import Heatmap, ViewOptions
from resnet.maps.observation import Observation
from resnet.output.figures import difference_view
from resnet.stages import STAGE_NAMES
from resnet.ui import markup
from resnet.ui.classes import class_name
from resnet.ui.language import Language


def matrix_panel(
    t: Language,
    observation: Observation,
    evidence: Evidence,
    method: str,
    scale: str,
    chosen: tuple[int, int],
    view: ViewOptions,
) -> str:
    """Return the classes by row and the stages by column; `chosen` is the place of the map that is enlarged."""
    rows = []
    for place, (index, heatmaps) in enumerate(zip(evidence.classes, evidence.matrix(method, scale), strict=True)):
        label = class_name(t, observation.manifest, index)
        probability = float(observation.probabilities[index])
        logit = escape(t("logit {:.2f}", float(evidence.logits[index])))
        name = f"{escape(label)}<small>{probability:.1%}</small><small>{logit}</small>"
        cells = [
            _cell(t, observation, heatmap, view, label, f"{place}:{stage}", is_chosen=(place, stage) == chosen)
            for stage, heatmap in enumerate(heatmaps)
        ]
        rows.append([name, *cells])
    hint = t("{}: the further up the colour scale, the more speaks for the class. Click a map to enlarge it.",
             METHOD_NAMES[method])  # fmt: skip
    if method in LINEAR_METHODS:
        hint += t(" ") + t("At C5, Grad-CAM and HiResCAM give the same map, so their agreement there proves nothing.")
    return markup.panel(t("Class evidence"), markup.table([t("Class"), *STAGE_NAMES], rows, t("Class evidence")), hint)


def _cell(
    t: Language,
    observation: Observation,
    heatmap: Heatmap,
    view: ViewOptions,
    label: str,
    choice: str,
    *,
    is_chosen: bool,
) -> str:
    stage = heatmap.block.stage
    picture = markup.data_uri(observation.overlay(heatmap, view, markup.SMALL_SIDE))
    words = t("What speaks for {} in {}", label, stage)
    button = markup.radio(choice, words, f'<img alt="" src="{picture}">', is_chosen=is_chosen)
    return button + markup.scale(t, heatmap, view)


def difference_panel(
    t: Language, observation: Observation, evidence: Evidence, method: str, one: int, other: int, view: ViewOptions
) -> str:
    """Return what speaks for one class more than for another in each stage, or why that cannot be shown."""
    if one == other:
        return markup.message(t("Choose two different classes to see what tells them apart."))
    if method not in LINEAR_METHODS:
        return markup.message(
            t("The difference of two classes is shown for Grad-CAM and HiResCAM only, whose maps can be subtracted.")
        )
    places = evidence.classes.index(one), evidence.classes.index(other)
    names = [class_name(t, observation.manifest, index) for index in (one, other)]
    colours = difference_view(view)
    cells = []
    for heatmap in evidence.difference(method, *places):
        words = escape(t("{} minus {} in {}", *names, heatmap.block.stage))
        picture = markup.data_uri(observation.overlay(heatmap, colours, markup.SMALL_SIDE))
        cells.append(f'<img alt="{words}" src="{picture}">{markup.scale(t, heatmap, colours)}')
    title = t("Why {} and not {}", *names)
    hint = t("Red speaks for the first, blue for the second; each scale is centred on 0.")
    return markup.panel(title, markup.table(["", *STAGE_NAMES], [[escape(t("difference")), *cells]], title), hint)
