"""Figures of a group of patients: means, and intervals by patient."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from training.evaluate.metrics import bootstrap_interval
from training.evaluate.patient_score import PatientScore
from training.evaluate.reliability import Reliability


def summarise(scores: Sequence[PatientScore], seed: int = 42) -> dict[str, Any]:
    """Mean over patients and 95 % bootstrap interval of each figure, JSON-ready.

    Returns:
        `patients`, `slices`, and per figure of `PatientScore.figures` its `mean`, `interval` and
        `patients` (those that have it). The interval of one patient is None: resampling one value
        says nothing of the spread. `involvement_error_percent` is the mean of
        `involvement_error_points` alone, in points of the lung's percentage.
    """
    summary: dict[str, Any] = {
        "patients": len(scores),
        "slices": sum(score.slices for score in scores),
    }
    by_patient = [score.figures() for score in scores]
    for figure in dict.fromkeys(name for figures in by_patient for name in figures):
        values = [value for figures in by_patient if (value := figures.get(figure)) is not None]
        if values:
            ends = bootstrap_interval(values, seed=seed) if len(values) > 1 else None
            summary[figure] = {
                "mean": round(float(np.mean(values)), 4),
                "interval": ends and [round(end, 4) for end in ends],
                "patients": len(values),
            }
            if figure == "involvement_error_points":
                summary["involvement_error_percent"] = round(float(np.mean(values)), 2)
    return summary


def reliability_of(scores: Sequence[PatientScore]) -> dict[str, Any]:
    """Reliability over all pixels of all patients, JSON-ready, for a plot.

    Returns:
        `served` and `without_temperature`: rows of `training.evaluate.reliability.Reliability.rows`.
    """
    served = [score.reliability for score in scores if score.reliability is not None]
    raw = [score.reliability_untempered for score in scores if score.reliability_untempered is not None]
    return {
        "served": sum(served, start=Reliability()).rows(),
        "without_temperature": sum(raw, start=Reliability()).rows(),
    }
