"""Reading what was decided of a version, by the gate of now or of an earlier release."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Scores of a card rounded to four digits against those of a decision to six.
_SAME_MEAN = 1e-4
# What the gate's evidence was called before its ladder.
_OLD_NAMES = {"frozen patients": "reference labels"}
# Phantoms say nothing of patients; they are an alarm against damage.
_NO_EVIDENCE = ("none", "phantoms", "None")
# The body of scores on a card that belongs to an evidence.
_CARD_BODIES = {"crossed corrections": "crossed_patients"}


@dataclass(frozen=True)
class Change:
    """Lesion Dice of the champion and of the version that was to follow it, on the same cases.

    Args:
        evidence: what the cases are, in the gate's words.
        cases: patients, or slices.
        before, after: mean lesion Dice in [0, 1].
        difference, interval: of the means, the interval at 95 %; None where there is no spread.
        after_interval: of `after` itself, by resampling patients; None where the card does not say.
        looks: how many decisions had been taken on these patients, this one included; None for slices.
        studies: that the slices are of; None for patients.
    """

    evidence: str
    cases: int
    before: float
    after: float
    difference: float
    interval: tuple[float, float] | None = None
    after_interval: tuple[float, float] | None = None
    looks: int | None = None
    studies: int | None = None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "evidence": self.evidence,
            ("patients" if self.studies is None else "slices"): self.cases,
            "before": self.before,
            "after": self.after,
            "difference": self.difference,
            "interval": self.interval and list(self.interval),
            **(
                {"after_interval": self.after_interval and list(self.after_interval), "looks": self.looks}
                if self.studies is None
                else {"studies": self.studies}
            ),
        }


def serves_of(decision: Mapping[str, Any]) -> str | None:
    """What was decided that it may serve; None where nothing was decided."""
    if "serves" in decision:
        return str(decision["serves"])
    if "promote" in decision:
        return "all" if decision["promote"] else "nothing"
    return None


def unseen_change(decision: Mapping[str, Any], metrics: Mapping[str, Any]) -> Change | None:
    """On patients that the compared fits had not seen; None where there were too few to count as evidence.

    Args:
        metrics: of the version's card, for the interval of its own score.
    """
    figures = _table(decision, "figures")
    # Earlier gates kept the evidence beside the figures of lesion Dice.
    unseen = _table(figures, "unseen") or {
        **_table(figures, "lesion_dice"),
        "evidence": figures.get("evidence"),
    }
    evidence = _OLD_NAMES.get(str(unseen.get("evidence")), str(unseen.get("evidence")))
    patients = unseen.get("patients")
    values = _means(unseen)
    if values is None or evidence in _NO_EVIDENCE or not isinstance(patients, int):
        return None
    looks = unseen.get("looks")
    scores = _table(_table(metrics, _CARD_BODIES.get(evidence, "test")), "lesion_dice")
    mean = scores.get("mean")
    is_same = isinstance(mean, int | float) and abs(mean - values[1]) <= _SAME_MEAN
    return Change(
        evidence,
        patients,
        *values,
        interval=_ends(unseen.get("interval")),
        after_interval=_ends(scores.get("interval")) if is_same else None,
        looks=looks if isinstance(looks, int) else None,
    )


def open_slices_change(decision: Mapping[str, Any]) -> Change | None:
    """On corrected slices kept from the compared fits; earlier gates measured none."""
    figures = _table(_table(decision, "figures"), "open_studies")
    values, slices = _means(figures), figures.get("slices")
    if values is None or not isinstance(slices, int):
        return None
    evidence, studies = str(figures.get("evidence", "crossed corrections")), figures.get("studies")
    return Change(
        evidence,
        slices,
        *values,
        interval=_ends(figures.get("interval")),
        studies=studies if isinstance(studies, int) else 0,
    )


def _table(table: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    value = table.get(key)
    return value if isinstance(value, Mapping) else {}


def _means(figures: Mapping[str, Any]) -> tuple[float, float, float] | None:
    values = [figures.get(name) for name in ("champion", "challenger", "difference")]
    before, after, difference = (float(value) if isinstance(value, int | float) else None for value in values)
    if before is None or after is None or difference is None:
        return None
    return before, after, difference


def _ends(ends: object) -> tuple[float, float] | None:
    if (
        isinstance(ends, list | tuple)
        and len(ends) == 2
        and all(isinstance(end, int | float) for end in ends)
    ):
        return float(ends[0]), float(ends[1])
    return None
