"""Two uses are decided apart, on what the fit has not seen; every reason says on which evidence."""

import json
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import pytest

from chestct.errors import TrainingDataError
from training.evaluate.patient_score import PatientScore
from training.retraining.gate import GateDecision, decide
from training.retraining.gate_evidence import (
    DamageEvidence,
    EvidenceSource,
    Pair,
    Serves,
    SlicePair,
    UnseenEvidence,
)

PHANTOM = PatientScore("phantom", 0.93, lung_dice=0.98, true_lesion_pixels=1000)
WHOLE = DamageEvidence([(PHANTOM, replace(PHANTOM, lesion_dice=0.875))], [])
BROKEN = DamageEvidence([(PHANTOM, replace(PHANTOM, lesion_dice=0.2))], [])
NO_EVIDENCE = UnseenEvidence(EvidenceSource.NONE, [])
GAINS = (0.05, 0.06, 0.07, 0.08, 0.06, 0.05)


def _pairs(changes: Sequence[float], **champion: Any) -> list[Pair]:
    scores = [
        PatientScore(f"p{number}", 0.6, true_lesion_pixels=100, **champion) for number in range(len(changes))
    ]
    return [
        (score, replace(score, lesion_dice=0.6 + change))
        for score, change in zip(scores, changes, strict=True)
    ]


def _on(
    pairs: Sequence[Pair], looks: int = 0, source: EvidenceSource = EvidenceSource.OWN_TEST
) -> UnseenEvidence:
    return UnseenEvidence(source, pairs, looks)


def _with(pairs: Sequence[Pair], **challenger: Any) -> list[Pair]:
    return [(before, replace(after, **challenger)) for before, after in pairs]


def _slices(change: float, count: int = 30, studies: int = 6) -> list[SlicePair]:
    before = PatientScore("s", 0.6, true_lesion_pixels=100)
    # Half a tenth up and down, so that there is a spread.
    return [
        SlicePair(
            f"study {number % studies}",
            3 * (number // studies),
            before,
            replace(before, lesion_dice=0.6 + change + (0.05 if number % 2 else -0.05)),
        )
        for number in range(count)
    ]


def _decided(unseen: UnseenEvidence, slices: Sequence[SlicePair] = ()) -> GateDecision:
    return decide(unseen, slices, WHOLE)


def test_a_gain_on_patients_not_learned_from_promotes_and_says_on_what() -> None:
    decision = _decided(_on(_pairs(GAINS)))
    assert decision.serves is Serves.ALL and decision.promote
    sentence = decision.reasons[0]
    assert sentence.startswith("patients never seen: the gain is large enough; on 6 own test patients")
    assert "0.600 to 0.662, +0.062 (95 % interval" in sentence and "look 1 of 10" in sentence
    assert decision.figures["unseen"]["needed"] < 0.0617


def test_open_studies_are_served_where_unseen_patients_cannot_be_decided() -> None:
    decision = _decided(_on(_pairs([0.2, 0.2])), _slices(0.08))
    assert decision.serves is Serves.OPEN_STUDIES and not decision.promote
    assert decision.as_dict()["serves"] == "open studies"
    assert decision.reasons[0].startswith("patients never seen: not decidable")
    assert decision.reasons[2].startswith("open studies: the gain is large enough; on 30 held-back")


def test_without_any_evidence_nothing_is_promoted_and_readings_are_named() -> None:
    decision = decide(NO_EVIDENCE, [], WHOLE)
    assert decision.serves is Serves.NOTHING
    assert decision.reasons == (
        "patients never seen: not decidable, since no patient has a lesion and 3 are needed",
        "to make it decidable, correct slices of 3 more patients with a lesion, or, where patients are held "
        "back for testing, read the test slices of 3 more patients with one",
        "open studies: too little gain is shown; 0 held-back corrected slices with a lesion are too few, "
        "5 at least: correct 5 more",
    )


def test_an_identical_version_serves_nothing() -> None:
    assert _decided(_on(_pairs([0.0] * 20)), _slices(0.0)).serves is Serves.NOTHING


@pytest.mark.parametrize("lesion_free", [1, 20])
def test_patients_without_a_lesion_prove_nothing(lesion_free: int) -> None:
    healthy = [
        (replace(before, true_lesion_pixels=0), replace(after, true_lesion_pixels=0))
        for before, after in _pairs([0.4] * lesion_free)
    ]
    decision = _decided(_on(healthy))
    assert decision.serves is Serves.NOTHING
    assert decision.figures["unseen"]["lesion_free"] == lesion_free


def test_false_lesions_in_a_patient_without_any_refuse() -> None:
    healthy = PatientScore("healthy", 1.0, involvement_predicted=0.001)
    seen = (healthy, replace(healthy, lesion_dice=0.0, involvement_predicted=0.05))
    decision = _decided(_on([*_pairs(GAINS), seen]))
    assert not decision.promote
    assert "lesions are seen in patients who have none: healthy" in decision.reasons[0]


def test_one_patient_who_loses_much_refuses() -> None:
    decision = _decided(_on(_pairs([*[0.1] * 10, -0.11])))
    assert not decision.promote
    assert "a patient loses more than 0.10 lesion Dice: p10 -0.110" in decision.reasons[0]


def test_a_lung_that_is_forgotten_refuses() -> None:
    pairs = _with(_pairs(GAINS, lung_dice=0.98), lung_dice=0.942)
    decision = _decided(_on(pairs))
    assert "refused, a class loses more than 0.02 Dice: lung -0.038" in decision.reasons[0]
    assert decision.figures["classes"]["holds"] is False


def test_a_kind_is_lost_only_where_that_is_more_than_chance() -> None:
    pairs = _pairs(GAINS, ground_glass_dice=0.5)
    # -0.05 on average both times: in one patient alone, and in all.
    one = [*pairs[:5], (pairs[5][0], replace(pairs[5][1], ground_glass_dice=0.2))]
    assert _decided(_on(one)).promote
    decision = _decided(_on(_with(pairs, ground_glass_dice=0.45)))
    assert "ground-glass -0.050" in decision.reasons[0] and not decision.promote


def test_a_kind_that_only_one_side_knows_is_left_out() -> None:
    assert _decided(_on(_with(_pairs(GAINS), consolidation_dice=0.0))).promote


@pytest.mark.parametrize(
    ("before", "after", "promoted"),
    [
        (0.30, 0.60, True),  # CT-2, seen as CT-3: one grade off
        (0.30, 0.80, False),  # CT-2, seen as CT-4: newly two grades off
        (0.80, 0.90, True),  # was two grades off already
    ],
)
def test_a_new_error_of_two_grades_refuses(before: float, after: float, promoted: bool) -> None:
    pairs = _pairs(GAINS, involvement_true=0.40, involvement_predicted=before)
    assert _decided(_on(_with(pairs, involvement_predicted=after))).promote is promoted


def test_worse_calibration_refuses() -> None:
    decision = _decided(_on(_with(_pairs(GAINS, nll=0.20), nll=0.25)))
    assert "calibration gets worse: mean NLL 0.200 to 0.250" in decision.reasons[0]


def test_anchored_evidence_says_so() -> None:
    decision = _decided(_on(_pairs(GAINS), source=EvidenceSource.CROSSED))
    assert decision.promote and "anchored" in decision.reasons[0]
    assert decision.figures["unseen"]["anchored"] is True


def test_many_looks_at_the_same_patients_ask_for_fresh_readings() -> None:
    gains = [0.05, 0.06, 0.09]
    assert _decided(_on(_pairs(gains))).promote
    late = _decided(_on(_pairs(gains), looks=6))
    assert not late.promote and late.figures["unseen"]["looks"] == 7
    assert late.reasons[1].startswith("fresh readings are needed: after 6 earlier decisions")
    over = _decided(_on(_pairs([0.3] * 20), looks=10))
    assert not over.promote and over.reasons[1].startswith("fresh readings are needed")


def test_a_gain_too_small_for_so_few_patients_says_how_many_would_show_it() -> None:
    decision = _decided(_on(_pairs([0.02, 0.03, 0.025, 0.035])))
    assert not decision.promote
    assert decision.reasons[1].startswith("such a gain would be shown on about ")


def test_a_gain_on_unseen_patients_does_not_outweigh_a_loss_on_open_studies() -> None:
    decision = _decided(_on(_pairs(GAINS)), _slices(-0.08))
    assert decision.serves is Serves.NOTHING
    assert decision.reasons[-1].startswith("patients never seen: not promoted either")


def test_a_damaged_version_serves_nothing_whatever_else_is_shown() -> None:
    decision = decide(_on(_pairs(GAINS)), _slices(0.08), BROKEN)
    assert decision.serves is Serves.NOTHING
    assert decision.reasons[0].startswith("damaged, so it serves nothing: phantoms are no longer read")


def test_different_patients_are_an_error() -> None:
    pairs = _pairs(GAINS)
    crossed = [(pairs[0][0], pairs[1][1]), *pairs[2:]]
    with pytest.raises(TrainingDataError, match="p0 of the champion stands beside p1"):
        _decided(_on(crossed))


def test_a_patient_scored_twice_is_an_error() -> None:
    with pytest.raises(TrainingDataError, match="p0 was scored twice"):
        _decided(_on([*_pairs(GAINS), *_pairs([0.1])]))


def test_the_order_of_patients_and_slices_does_not_matter() -> None:
    pairs, slices = _pairs(GAINS), _slices(0.06)
    forth, back = _decided(_on(pairs), slices), _decided(_on(pairs[::-1]), slices[::-1])
    assert forth.serves is back.serves
    assert forth.figures["unseen"] == back.figures["unseen"]


def test_the_decision_is_json() -> None:
    for unseen in (NO_EVIDENCE, _on(_pairs(GAINS)), _on(_pairs(GAINS), looks=10)):
        kept = json.loads(json.dumps(_decided(unseen, _slices(0.1)).as_dict(), allow_nan=False))
        assert kept["promote"] is (kept["serves"] == "all")
        assert {"unseen", "open_studies", "damage"} <= kept["figures"].keys()
