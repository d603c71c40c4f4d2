"""The report of learning holds what the gate measured, and asks nothing of another file."""

import re
from dataclasses import replace

from chestct.learning.figures import Effort, Learning, Retrain, learning_figures
from training.evaluate.patient_score import PatientScore
from training.report.learning import learning_page
from training.retraining.gate import decide
from training.retraining.gate_evidence import DamageEvidence, EvidenceSource, SlicePair, UnseenEvidence

_BEFORE = PatientScore("p", 0.6, true_lesion_pixels=100)

_PHANTOM = PatientScore("phantom", 0.93, lung_dice=0.98, true_lesion_pixels=1000)
_WHOLE = DamageEvidence([(_PHANTOM, _PHANTOM)], [])


def _after(change: float) -> PatientScore:
    return replace(_BEFORE, lesion_dice=0.6 + change)


def _retrain(number: int, corrections: int, gain: float, patients: int) -> Retrain:
    """As the gate itself decides it."""
    pairs = [
        (replace(_BEFORE, patient=f"p{n}"), replace(_after(gain + 0.01 * (n % 2)), patient=f"p{n}"))
        for n in range(patients)
    ]
    source = EvidenceSource.OWN_TEST if patients >= 3 else EvidenceSource.NONE
    slices = [
        SlicePair(f"s{n % 4}", n, _BEFORE, _after(gain + (0.02 if n % 2 else -0.02)))
        for n in range(corrections)
    ]
    decision = decide(UnseenEvidence(source, pairs, number - 1), slices, _WHOLE).as_dict()
    effort = Effort(20, 3, 900.0, 22)
    return Retrain(f"v{number}<b>", "base-4", "2026", "refused", decision, corrections, effort)


def _learning(*retrains: Retrain) -> Learning:
    return learning_figures(retrains, Effort(4, 0, None, 0), (9, 20))


def test_what_the_gate_measured_stands_in_the_report() -> None:
    page = learning_page(
        _learning(_retrain(1, 20, 0.05, 1), _retrain(2, 40, 0.07, 4), _retrain(3, 60, 0.08, 6))
    )
    text = re.sub(r"\s+", " ", page)
    for expected in (
        "Patients never seen: lesion Dice 0.600 to 0.685 with v3&lt;b&gt;",
        "The next 50 corrections are expected to bring",
        "0.600 to 0.650: +0.050",
        "own test patients",
        "everything",
        "20 corrections, 3 test readings, 900 s (of 22 timed)",
        "Since the last retrain: 4 corrections, time not known yet.",
        "9 of 20 slices",
        "patients never seen: not decidable",
    ):
        assert expected in text, expected
    assert text.count("Research software") == 1
    assert text.count("<svg") == 3
    assert "<script" not in page
    assert not re.search(r"(?:src|href)=", page)


def test_where_nothing_is_known_the_report_says_so() -> None:
    page = learning_page(learning_figures([], Effort(), (0, 0)))
    assert page.count("Not known yet.") == 3
    assert "No version was retrained yet." in page
    assert "<svg" not in page
    only = Retrain("v1", "base-4", "2026", "refused", {"promote": True, "by": "a person"})
    assert "not known yet" in learning_page(_learning(only))
