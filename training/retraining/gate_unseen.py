"""The decision for patients never seen, in sentences that say on which evidence."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any

from training.retraining.gate_evidence import (
    FEWEST_PATIENTS,
    FEWEST_SLICES_FOR_PATIENTS,
    EvidenceSource,
    Pair,
    UnseenEvidence,
    by_patient,
    with_lesion,
)
from training.retraining.gate_rules import Finding, harm_findings, known, lesion_finding, means
from training.retraining.gate_statistics import (
    LOOKS,
    MeanChange,
    change_of_patients,
    needed_of_patients,
)

# A gain that no retrain on a few hundred slices is known to exceed: what cannot show it, shows nothing.
_LARGE_GAIN = 0.10
_MOST_PATIENTS = 20
_IN_WORDS = {
    EvidenceSource.OWN_TEST: "own test patients (read unassisted)",
    EvidenceSource.REFERENCE: "patients with reference labels",
    EvidenceSource.OWN_AND_REFERENCE: "own test patients and patients with reference labels",
    EvidenceSource.CROSSED: "corrected patients kept from the fit (anchored: pre-labels were corrected)",
}


@dataclass(frozen=True)
class Verdict:
    """Whether the version may serve patients never seen, in sentences and figures."""

    holds: bool
    sentences: tuple[str, ...]
    figures: dict[str, Any]


def unseen_verdict(unseen: UnseenEvidence) -> Verdict:
    """Decides on patients with a lesion; those without can only refuse."""
    pairs = by_patient(unseen.pairs)
    patients, look = len(with_lesion(pairs)), unseen.earlier_looks + 1
    figures: dict[str, Any] = {
        "evidence": unseen.source.value,
        "anchored": unseen.source is EvidenceSource.CROSSED,
        "patients": patients,
        "lesion_free": len(pairs) - patients,
        "looks": look,
    }
    if unseen.source is EvidenceSource.NONE or patients < FEWEST_PATIENTS:
        return _too_few(unseen, pairs, figures)
    lesion = lesion_finding(pairs, look)
    harm = harm_findings(pairs)
    rules = {name: {"holds": finding.holds, **finding.figures} for name, finding in harm.items()}
    figures |= {**lesion.figures, "shown": lesion.holds, "rules": rules}
    refused = [finding.sentence for finding in harm.values() if not finding.holds]
    holds = lesion.holds and not refused
    sentences = [_verdict_sentence(unseen.source, lesion, refused, patients, look)]
    if not lesion.holds:
        sentences.append(_what_would_help(pairs, look))
    return Verdict(holds, tuple(sentences), figures)


def _verdict_sentence(
    source: EvidenceSource, lesion: Finding, refused: Sequence[str], patients: int, look: int
) -> str:
    shown = "the gain is large enough" if lesion.holds else "too little gain is shown"
    verdict = f"refused, {'; '.join(refused)}; {shown}" if refused else shown
    return (
        f"patients never seen: {verdict}; on {patients} {_IN_WORDS[source]}, look {look} of {LOOKS}, "
        f"{lesion.sentence}"
    )


def _what_would_help(pairs: Sequence[Pair], look: int) -> str:
    """Which readings would make it decidable, by the difference and the spread that were seen."""
    before, after = known(with_lesion(pairs), lambda score: score.lesion_dice)
    change = change_of_patients(after - before)
    if look > LOOKS or needed_of_patients(change, len(before), look) > _LARGE_GAIN >= needed_of_patients(
        change, len(before), 1
    ):
        return (
            f"fresh readings are needed: after {look - 1} earlier decisions on these patients not even "
            f"{_LARGE_GAIN:+.2f} could be shown; read the test slices of patients not used so far"
        )
    if change.difference <= 0.0:
        return "the version is not better on these patients; correct more slices and retrain"
    patients = _patients_needed(change, len(before), look)
    if patients is None:
        return (
            f"{change.difference:+.3f} is too little to be shown on up to {_MOST_PATIENTS} patients; "
            "correct more slices and retrain"
        )
    return (
        f"such a gain would be shown on about {patients} patients: read the test slices, or correct "
        f"slices, of {_patients(patients - len(before))}"
    )


def _patients_needed(change: MeanChange, patients: int, look: int) -> int | None:
    deviation = change.standard_error * patients**0.5
    for number in range(patients + 1, _MOST_PATIENTS + 1):
        expected = MeanChange(change.difference, deviation / number**0.5, number - 1.0)
        if change.difference >= needed_of_patients(expected, number, look):
            return number
    return None


def _too_few(unseen: UnseenEvidence, pairs: Sequence[Pair], figures: dict[str, Any]) -> Verdict:
    before, after = known(with_lesion(pairs), lambda score: score.lesion_dice)
    change = change_of_patients(after - before) if len(before) else MeanChange(0.0, inf, 0.0)
    figures = {**means(before, after), "interval": change.interval(), **figures}
    figures |= {"bound": None, "needed": None, "shown": False, "rules": {}}
    if unseen.found.get(EvidenceSource.CROSSED, 0) >= FEWEST_PATIENTS:
        # There are enough, and the retrain did not hold them back: a look would have been wasted.
        sentence = (
            "patients never seen: not tried; corrected patients are held back once there are "
            f"{FEWEST_SLICES_FOR_PATIENTS} corrected slices or more and a gain on held-back slices"
        )
        return Verdict(False, (sentence,), figures)
    sentence = (
        f"patients never seen: not decidable, since {_found_in_words(unseen.found, len(before))} and "
        f"{FEWEST_PATIENTS} are needed"
    )
    missing = [
        max(1, FEWEST_PATIENTS - unseen.found.get(source, 0))
        for source in (EvidenceSource.OWN_TEST, EvidenceSource.CROSSED)
    ]
    return Verdict(False, (sentence, _readings(*missing)), figures)


def _found_in_words(found: Mapping[EvidenceSource, int], patients: int) -> str:
    """ "1 own test patient and 2 corrected patients have a lesion"."""
    named = {
        EvidenceSource.OWN_TEST: "own test",
        EvidenceSource.REFERENCE: "labelled",
        EvidenceSource.CROSSED: "corrected",
    }
    counts = [f"{found[source]} {name}" for source, name in named.items() if found.get(source)]
    if not counts:
        counts = [str(patients or "no")]
    only_one = len(counts) == 1 and counts[0].split()[0] in ("no", "1")
    return f"{' and '.join(counts)} {'patient has' if only_one else 'patients have'} a lesion"


def _readings(own: int, crossed: int) -> str:
    return (
        f"to make it decidable, correct slices of {_patients(crossed)} with a lesion, or, where patients are "
        f"held back for testing, read the test slices of {_patients(own)} with one"
    )


def _patients(more: int) -> str:
    return f"{more} more patient{'' if more == 1 else 's'}"
