"""The rules of the gate, each a sentence with figures and whether it holds.

Source: docs/adr/0007-frozen-patients-and-gate.md (frozen patients, paired bootstrap by patient); where a
threshold is our own choice its comment says so.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.labels import SeverityGrade
from chestct.severity.rule import SeverityRule
from training.evaluate.metrics import bootstrap_interval
from training.evaluate.patient_score import PatientScore

RESAMPLES = 10_000
# The lower end of the interval of the difference in lesion Dice may not fall below this.
LOWEST_LESION_BOUND = -0.01
# No class may lose more mean Dice than this.
LARGEST_CLASS_LOSS = 0.02
# Our choice: Dice is shown with three digits, so what differs by less is the same score.
SAME_DICE = 0.001
# Our choice, in nats: less than the spread of the mean NLL over ten patients.
SAME_NLL = 0.01
SEVERE_GRADE_ERROR = 2
_RULE = SeverityRule()
_GRADES = tuple(SeverityGrade)

Pair = tuple[PatientScore, PatientScore]


@dataclass(frozen=True)
class Finding:
    """What one rule found: whether it holds, a sentence for people, figures for machines."""

    holds: bool
    sentence: str
    figures: dict[str, Any]


def paired_interval(
    differences: npt.NDArray[np.float64], seed: int, resamples: int = RESAMPLES
) -> tuple[float, float] | None:
    """95 % bootstrap interval of the mean difference, patients resampled.

    Args:
        differences: (patients,) challenger - champion of each patient.
    Returns:
        Lower and upper end; None for one patient, whose resamples are all the same.
    """
    if len(differences) < 2:
        return None
    return bootstrap_interval(differences.tolist(), seed=seed, resamples=resamples)


def _known(
    pairs: Sequence[Pair], field: Callable[[PatientScore], float | None]
) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """A figure of champion and challenger over the patients for whom both have it."""
    both = [(field(before), field(after)) for before, after in pairs]
    known = [(before, after) for before, after in both if before is not None and after is not None]
    table = np.array(known, dtype=np.float64).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def _means(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> dict[str, Any]:
    if not len(before):
        return {"patients": 0, "champion": None, "challenger": None, "difference": None}
    return {
        "patients": len(before),
        "champion": round(float(before.mean()), 6),
        "challenger": round(float(after.mean()), 6),
        "difference": round(float((after - before).mean()), 6),
    }


def lesion_finding(pairs: Sequence[Pair], seed: int, resamples: int) -> Finding:
    before, after = _known(pairs, lambda score: score.lesion_dice)
    figures = _means(before, after)
    interval = paired_interval(after - before, seed, resamples)
    shown = f"lesion Dice goes from {figures['champion']:.3f} to {figures['challenger']:.3f}"
    if interval is None:
        return Finding(
            figures["difference"] >= -SAME_DICE,
            f"{shown} on 1 patient (interval not estimable, so the score itself may not fall)",
            {**figures, "interval": None},
        )
    low, high = interval
    return Finding(
        low >= LOWEST_LESION_BOUND,
        f"{shown} on {len(before)} patients, difference {figures['difference']:+.3f} with the 95 % interval "
        f"[{low:+.3f}, {high:+.3f}], whose lower end may not be below {LOWEST_LESION_BOUND}",
        {**figures, "interval": [round(low, 6), round(high, 6)]},
    )


def classes_finding(pairs: Sequence[Pair]) -> Finding:
    fields: dict[str, Callable[[PatientScore], float | None]] = {
        "ground-glass": lambda score: score.ground_glass_dice,
        "consolidation": lambda score: score.consolidation_dice,
        "lung": lambda score: score.lung_dice,
    }
    figures = {name: _means(*_known(pairs, field)) for name, field in fields.items()}
    lost = {
        name: means["difference"]
        for name, means in figures.items()
        if means["difference"] is not None and means["difference"] < -LARGEST_CLASS_LOSS
    }
    named = ", ".join(f"{name} {difference:+.3f}" for name, difference in lost.items())
    return Finding(not lost, f"a class loses more than {LARGEST_CLASS_LOSS} Dice: {named}", figures)


def new_cases_finding(pairs: Sequence[Pair]) -> Finding:
    figures = _means(*_known(pairs, lambda score: score.lesion_dice))
    difference = figures["difference"]
    if difference is None:
        return Finding(True, "no corrected case to compare on", figures)
    return Finding(
        difference >= -SAME_DICE,
        f"the corrected cases get worse: lesion Dice {figures['champion']:.3f} to "
        f"{figures['challenger']:.3f} on {figures['patients']}",
        figures,
    )


def severity_finding(pairs: Sequence[Pair]) -> Finding:
    newly_wrong, known = [], 0
    for before, after in pairs:
        errors = [_grade_error(before), _grade_error(after)]
        if errors[0] is None or errors[1] is None:
            continue
        known += 1
        if errors[1] >= SEVERE_GRADE_ERROR > errors[0]:
            newly_wrong.append(after.patient)
    return Finding(
        not newly_wrong,
        f"the grade becomes wrong by {SEVERE_GRADE_ERROR} or more for {', '.join(newly_wrong)}",
        {"patients": known, "newly_wrong": newly_wrong},
    )


def _grade_error(score: PatientScore) -> int | None:
    if score.involvement_true is None or score.involvement_predicted is None:
        return None
    return abs(_grade_number(score.involvement_predicted) - _grade_number(score.involvement_true))


def _grade_number(involvement: float) -> int:
    return _GRADES.index(_RULE.grade_of(100.0 * involvement))


def calibration_finding(pairs: Sequence[Pair]) -> Finding:
    figures = _means(*_known(pairs, lambda score: score.nll))
    difference = figures["difference"]
    if difference is None:
        return Finding(True, "calibration was not measured", figures)
    return Finding(
        difference <= SAME_NLL,
        f"calibration gets worse: mean NLL {figures['champion']:.3f} to {figures['challenger']:.3f}",
        figures,
    )


def improvement_finding(lesion: Finding, new_cases: Finding) -> Finding:
    """An equal model is no reason to change what readers see: something must have become better."""
    gains = {
        name: finding.figures["difference"]
        for name, finding in (("frozen patients", lesion), ("corrected cases", new_cases))
        if finding.figures["difference"] is not None
    }
    better = {name: gain for name, gain in gains.items() if gain > SAME_DICE}
    named = " and ".join(f"{gain:+.3f} on the {name}" for name, gain in (better or gains).items())
    sentence = f"lesion Dice improves by {named}" if better else f"no improvement: lesion Dice {named}"
    return Finding(bool(better), sentence, {"gains": gains})
