"""May a newly trained model take the champion's place? Pure: scores in, a decision with reasons out."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from chestct.errors import TrainingDataError
from training.evaluate.patient_score import PatientScore
from training.retraining.gate_rules import (
    RESAMPLES,
    Pair,
    calibration_finding,
    classes_finding,
    improvement_finding,
    lesion_finding,
    new_cases_finding,
    severity_finding,
)


@dataclass(frozen=True)
class GateDecision:
    """Whether to promote, why in sentences, and the figures behind the sentences.

    Args:
        promote: True only where every rule holds.
        reasons: where refused, one sentence for each rule that does not hold; where promoted, what
            improved. Caveats (one patient, weak evidence) come last in both cases.
        figures: JSON-ready.
    """

    promote: bool
    reasons: tuple[str, ...]
    figures: dict[str, Any]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, as the catalog keeps it."""
        return {"promote": self.promote, "reasons": list(self.reasons), "figures": self.figures}


def decide(
    champion: Sequence[PatientScore],
    challenger: Sequence[PatientScore],
    *,
    new_champion: Sequence[PatientScore] = (),
    new_challenger: Sequence[PatientScore] = (),
    evidence: str = "frozen patients",
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> GateDecision:
    """Compares two models on the same patients.

    Args:
        champion, challenger: scores on the frozen patients, in any order.
        new_champion, new_challenger: scores on the corrected cases that the challenger learned
            from; empty where nothing was corrected.
        evidence: what the frozen patients are ("frozen patients", "phantoms"), for the sentences.
        seed: of the bootstrap; the same scores always give the same decision.
    Raises:
        TrainingDataError: the two sides hold different patients, or none.
    """
    frozen = _pairs(champion, challenger)
    new = _pairs(new_champion, new_challenger)
    if not frozen:
        raise TrainingDataError(
            "no frozen patient was scored, so two models cannot be compared; import labels"
        )
    lesion = lesion_finding(frozen, seed, resamples)
    new_cases = new_cases_finding(new)
    rules = {
        "lesion_dice": lesion,
        "classes": classes_finding(frozen),
        "new_cases": new_cases,
        "severity": severity_finding(frozen),
        "calibration": calibration_finding(frozen),
        "improvement": improvement_finding(lesion, new_cases),
    }
    promote = all(finding.holds for finding in rules.values())
    if promote:
        reasons = [rules["improvement"].sentence, lesion.sentence]
    else:
        reasons = [finding.sentence for finding in rules.values() if not finding.holds]
    if len(frozen) == 1:
        reasons.append("1 patient: interval not estimable, the decision rests on one score")
    if evidence != "frozen patients":
        reasons.append(f"weak evidence: compared on {evidence}, since no frozen patient has reference labels")
    figures = {
        "evidence": evidence,
        "patients": len(frozen),
        **{name: {"holds": finding.holds, **finding.figures} for name, finding in rules.items()},
    }
    return GateDecision(promote, tuple(reasons), figures)


def _pairs(champion: Sequence[PatientScore], challenger: Sequence[PatientScore]) -> list[Pair]:
    before = {score.patient: score for score in champion}
    after = {score.patient: score for score in challenger}
    if before.keys() != after.keys() or len(before) != len(champion) or len(after) != len(challenger):
        only = sorted(before.keys() ^ after.keys()) or "a patient twice"
        raise TrainingDataError(
            f"the two models were scored on different patients ({only}); score both again"
        )
    return [(before[patient], after[patient]) for patient in sorted(before)]
