"""What patients and slices show: a gain, and harm. Each rule is a sentence with figures and whether it holds.

Source: docs/adr/0025-two-decisions.md; docs/gate.md measures what each rule costs in power.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.labels import SeverityGrade
from chestct.severity.rule import SeverityRule
from training.evaluate.patient_score import PatientScore
from training.retraining.gate_evidence import Pair, with_lesion
from training.retraining.gate_statistics import (
    WORSE_PROMOTED,
    change_of_patients,
    needed_of_patients,
    share_of_look,
)

# No single patient may lose more lesion Dice than this; twice what readings of five slices vary by.
LARGEST_PATIENT_LOSS = 0.10
# No class may lose more mean Dice than this. Lungs hardly vary between patients; the kinds do, so their
# loss must also be more than chance: this is the chance that is left.
LARGEST_CLASS_LOSS, CHANCE_OF_HARM = 0.02, 0.10
# Our choice, in nats: less than the spread of the mean NLL over ten patients.
SAME_NLL = 0.01
# In a patient without a lesion, the involvement that the model sees may grow by three points.
FALSE_INVOLVEMENT = 0.03
SEVERE_GRADE_ERROR = 2
_RULE = SeverityRule()
_GRADES = tuple(SeverityGrade)

Field = Callable[[PatientScore], float | None]
KINDS: dict[str, Field] = {
    "ground-glass": lambda score: score.ground_glass_dice,
    "consolidation": lambda score: score.consolidation_dice,
}


@dataclass(frozen=True)
class Finding:
    """What one rule found: whether it holds, a sentence for people, figures for machines."""

    holds: bool
    sentence: str
    figures: dict[str, Any]


def lesion_finding(pairs: Sequence[Pair], look: int) -> Finding:
    """Whether the gain in lesion Dice is shown, on the patients who have a lesion.

    Args:
        pairs: at least two patients with a lesion, others do not count.
        look: 1 for the first decision on these patients.
    """
    before, after = known(with_lesion(pairs), lambda score: score.lesion_dice)
    change = change_of_patients(after - before)
    needed = needed_of_patients(change, len(before), look)
    bound = change.lower(WORSE_PROMOTED * share_of_look(look))
    figures = {
        **means(before, after),
        "interval": change.interval(),
        "bound": finite(bound),
        "needed": finite(needed),
    }
    return Finding(
        change.difference >= needed,
        f"lesion Dice goes from {before.mean():.3f} to {after.mean():.3f}, "
        f"{change.difference:+.3f}{_in_words(change.interval())}; {_needed_in_words(needed)}",
        figures,
    )


def harm_findings(pairs: Sequence[Pair]) -> dict[str, Finding]:
    """The rules that can only refuse, by the name of their figures."""
    return {
        "single_patients": patients_finding(pairs),
        "classes": classes_finding(pairs),
        "severity": severity_finding(pairs),
        "calibration": calibration_finding(pairs),
        "false_lesions": false_lesions_finding(pairs),
    }


def patients_finding(pairs: Sequence[Pair]) -> Finding:
    lost = {
        before.patient: round(after.lesion_dice - before.lesion_dice, 6)
        for before, after in with_lesion(pairs)
        if not after.lesion_dice - before.lesion_dice >= -LARGEST_PATIENT_LOSS
    }
    named = ", ".join(f"{patient} {difference:+.3f}" for patient, difference in lost.items())
    sentence = f"a patient loses more than {LARGEST_PATIENT_LOSS:.2f} lesion Dice: {named}"
    return Finding(not lost, sentence, {"lost": lost})


def classes_finding(pairs: Sequence[Pair]) -> Finding:
    figures, lost = {}, []
    for name, field in (*KINDS.items(), ("lung", lambda score: score.lung_dice)):
        before, after = known(with_lesion(pairs) if name in KINDS else pairs, field)
        figures[name] = means(before, after)
        if len(before) and _is_lost(after - before, surely=name in KINDS):
            lost.append(f"{name} {(after - before).mean():+.3f}")
    return Finding(not lost, f"a class loses more than {LARGEST_CLASS_LOSS} Dice: {', '.join(lost)}", figures)


def _is_lost(differences: npt.NDArray[np.float64], *, surely: bool) -> bool:
    mean = float(differences.mean())
    if not surely:
        return mean < -LARGEST_CLASS_LOSS
    if len(differences) == 1:
        return mean < -LARGEST_PATIENT_LOSS
    return mean < -LARGEST_CLASS_LOSS and change_of_patients(differences).upper(CHANCE_OF_HARM) < 0.0


def severity_finding(pairs: Sequence[Pair]) -> Finding:
    newly_wrong, compared = [], 0
    for before, after in pairs:
        errors = [_grade_error(before), _grade_error(after)]
        if errors[0] is None or errors[1] is None:
            continue
        compared += 1
        if errors[1] >= SEVERE_GRADE_ERROR > errors[0]:
            newly_wrong.append(after.patient)
    return Finding(
        not newly_wrong,
        f"the grade becomes wrong by {SEVERE_GRADE_ERROR} or more for {', '.join(newly_wrong)}",
        {"patients": compared, "newly_wrong": newly_wrong},
    )


def _grade_error(score: PatientScore) -> int | None:
    if score.involvement_true is None or score.involvement_predicted is None:
        return None
    return abs(_grade_number(score.involvement_predicted) - _grade_number(score.involvement_true))


def _grade_number(involvement: float) -> int:
    return _GRADES.index(_RULE.grade_of(100.0 * involvement))


def calibration_finding(pairs: Sequence[Pair]) -> Finding:
    before, after = known(pairs, lambda score: score.nll)
    figures = means(before, after)
    if not len(before):
        return Finding(True, "calibration was not measured", figures)
    worse = float((after - before).mean()) > SAME_NLL
    if len(before) > 1:
        worse = worse and change_of_patients(after - before).lower(CHANCE_OF_HARM) > 0.0
    return Finding(
        not worse,
        f"calibration gets worse: mean NLL {before.mean():.3f} to {after.mean():.3f}",
        figures,
    )


def false_lesions_finding(pairs: Sequence[Pair]) -> Finding:
    healthy = [pair for pair in pairs if not pair[0].has_lesion]
    grown = [
        after.patient
        for before, after in healthy
        if before.involvement_predicted is not None
        and after.involvement_predicted is not None
        and after.involvement_predicted - before.involvement_predicted > FALSE_INVOLVEMENT
    ]
    return Finding(
        not grown,
        f"lesions are seen in patients who have none: {', '.join(grown)}",
        {"patients": len(healthy), "grown": grown},
    )


def known(pairs: Sequence[Pair], field: Field) -> tuple[npt.NDArray[np.float64], npt.NDArray[np.float64]]:
    """A figure of champion and challenger over the pairs for which both have it."""
    both = [(field(before), field(after)) for before, after in pairs]
    table = np.array(
        [(before, after) for before, after in both if before is not None and after is not None],
        dtype=np.float64,
    ).reshape(-1, 2)
    return table[:, 0], table[:, 1]


def means(before: npt.NDArray[np.float64], after: npt.NDArray[np.float64]) -> dict[str, Any]:
    """Means of both sides, JSON-ready."""
    if not len(before):
        return {"patients": 0, "champion": None, "challenger": None, "difference": None}
    return {
        "patients": len(before),
        "champion": round(float(before.mean()), 6),
        "challenger": round(float(after.mean()), 6),
        "difference": round(float((after - before).mean()), 6),
    }


def finite(figure: float) -> float | None:
    """JSON knows no infinity."""
    return round(figure, 6) if isfinite(figure) else None


def _in_words(interval: list[float] | None) -> str:
    return f" (95 % interval {interval[0]:+.3f} to {interval[1]:+.3f})" if interval else ""


def _needed_in_words(needed: float) -> str:
    return f"{needed:+.3f} was needed" if isfinite(needed) else "no difference could be enough"
