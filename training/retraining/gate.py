"""What may a newly trained version serve? Pure: scores in, a decision with reasons out.

Two uses, two decisions: patients never seen (it becomes champion) and what is still open in the studies that
it learned from. A damaged version serves nothing. Rules and error rates: docs/gate.md.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from training.retraining.gate_damage import damage_of
from training.retraining.gate_evidence import (
    DamageEvidence,
    Serves,
    SlicePair,
    UnseenEvidence,
)
from training.retraining.gate_open_studies import is_worse, open_studies_finding
from training.retraining.gate_unseen import unseen_verdict


@dataclass(frozen=True)
class GateDecision:
    """What the version serves, why in sentences, and the figures behind the sentences.

    Args:
        serves: everything, the open slices of the studies that it learned from, or nothing.
        reasons: what was decided for each use, on which evidence; what was refused and why; with too
            little evidence, which readings would make it decidable.
        figures: JSON-ready: `unseen`, `open_studies` and `damage`.
    """

    serves: Serves
    reasons: tuple[str, ...]
    figures: dict[str, Any]

    @property
    def promote(self) -> bool:
        """Whether the version becomes champion."""
        return self.serves is Serves.ALL

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready, as the catalog keeps it."""
        return {
            "promote": self.promote,
            "serves": self.serves.value,
            "reasons": list(self.reasons),
            "figures": self.figures,
        }


def decide(unseen: UnseenEvidence, open_studies: Sequence[SlicePair], damage: DamageEvidence) -> GateDecision:
    """Decides for patients never seen and for open studies, apart.

    The same scores always give the same decision, in whatever order they come.

    Args:
        unseen: both models on patients that the challenger has not learned from.
        open_studies: corrected slices that the compared fits were kept from; may be empty.
        damage: phantoms, and what changes on slices of the installation.
    Raises:
        TrainingDataError: the two sides hold different patients, or one twice.
    """
    for_unseen = unseen_verdict(unseen)
    for_open, harm = open_studies_finding(open_studies)
    damaged, cautions, damage_figures = damage_of(damage)
    open_holds = for_open.holds and not harm
    worse = is_worse(for_open.figures) or bool(harm)
    if damaged:
        serves = Serves.NOTHING
    elif for_unseen.holds and not worse:
        serves = Serves.ALL
    else:
        serves = Serves.OPEN_STUDIES if open_holds else Serves.NOTHING
    reasons = [f"damaged, so it serves nothing: {sentence}" for sentence in damaged]
    reasons += for_unseen.sentences
    reasons.append(_open_sentence(for_open.holds, for_open.sentence, harm))
    if for_unseen.holds and worse and not damaged:
        reasons.append("patients never seen: not promoted either, since open studies would be served worse")
    figures = {
        "evidence": unseen.source.value,
        "patients": for_unseen.figures["patients"],
        "unseen": {"holds": for_unseen.holds, **for_unseen.figures},
        "open_studies": {"holds": open_holds, "harm": harm, **for_open.figures},
        "damage": damage_figures,
        **_as_before(for_unseen.figures),
    }
    return GateDecision(serves, (*reasons, *cautions), figures)


def _open_sentence(shown: bool, sentence: str, harm: Sequence[str]) -> str:
    if shown and harm:
        return f"open studies: refused, {'; '.join(harm)} ({sentence})"
    verdict = "the gain is large enough" if shown else "too little gain is shown"
    return f"open studies: {'; '.join((verdict, sentence, *harm))}"


def _as_before(unseen: dict[str, Any]) -> dict[str, Any]:
    """Figures where decisions of earlier releases have them: scripts read them there."""
    lesion = ("patients", "champion", "challenger", "difference", "interval")
    return {
        "lesion_dice": {"holds": unseen["shown"], **{name: unseen[name] for name in lesion}},
        **{
            name: rule
            for name, rule in unseen["rules"].items()
            if name in ("classes", "severity", "calibration")
        },
    }
