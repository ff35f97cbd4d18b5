"""The numbers of the evidence and of a comparison of two photos, as plain values for JSON."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from resnet.maps.comparison import Similarity, verdict
from resnet.maps.evidence import Evidence
from resnet.maps.observation import Observation
from resnet.output.report import prediction_dictionary
from resnet.stages import STAGE_NAMES


def evidence_dictionary(observation: Observation, evidence: Evidence, method: str, scale: str) -> dict[str, Any]:
    """Return the evidence for and against some classes.

    Args:
        observation: The answer.
        evidence: Of the same answer.
        method: One of `METHODS`.
        scale: One of `EVIDENCE_SCALES`.

    Returns:
        `method`, and `classes`: label, wnid, probability (0 to 1), logit, and per stage the shown maximum and the sum
        of the map.
    """
    labels = observation.manifest.labels
    rows = []
    for place, (index, heatmaps) in enumerate(zip(evidence.classes, evidence.matrix(method, scale), strict=True)):
        signed = evidence.maps[method][place]
        rows.append(
            {
                "label": labels[index].name,
                "wnid": labels[index].wnid,
                "probability": float(observation.probabilities[index]),
                "logit": float(evidence.logits[index]),
                "stages": [
                    {"name": name, "max": heatmap.maximum, "sum": float(values.sum())}
                    for name, heatmap, values in zip(STAGE_NAMES, heatmaps, signed, strict=True)
                ],
            }
        )
    return {"method": method, "classes": rows}


def comparison_dictionary(
    one: Observation, other: Observation, similarities: Sequence[Similarity], top_k: int
) -> dict[str, Any]:
    """Return the similarity of two answers.

    Args:
        one: Of a photo.
        other: Of another photo, or the same after a change.
        similarities: Of the two.
        top_k: Number of classes.

    Returns:
        `other` (the second photo's name), `predictions` and `other_predictions`, `stages` (cosine and unbiased linear
        CKA, with what it is by chance), `verdict`.
    """
    return {
        "other": other.photo_name,
        "predictions": [prediction_dictionary(prediction) for prediction in one.predictions(top_k)],
        "other_predictions": [prediction_dictionary(prediction) for prediction in other.predictions(top_k)],
        "stages": [
            {"name": stage.stage, "cosine": stage.cosine, "linear_cka": stage.cka, "cka_by_chance": stage.chance}
            for stage in similarities
        ],
        "verdict": str(verdict(similarities)),
    }
