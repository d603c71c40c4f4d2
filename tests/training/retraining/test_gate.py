"""The gate itself is proved: identical is no better, damaged is refused, truly better is promoted."""

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from chestct.errors import TrainingDataError
from training.evaluate.patient_score import PatientScore
from training.retraining.gate import decide
from training.retraining.gate_rules import paired_interval


def _scores(
    dices: Sequence[float], ground_glass_dice: float | None = None, nll: float | None = None
) -> list[PatientScore]:
    return [
        PatientScore(f"p{number}", dice, ground_glass_dice=ground_glass_dice, nll=nll)
        for number, dice in enumerate(dices)
    ]


def _shifted(scores: Sequence[PatientScore], by: float) -> list[PatientScore]:
    return [replace(score, lesion_dice=score.lesion_dice + by) for score in scores]


CHAMPION = _scores([0.5, 0.6, 0.7, 0.8, 0.55, 0.65], ground_glass_dice=0.5, nll=0.2)


def test_an_identical_model_is_not_better() -> None:
    decision = decide(CHAMPION, CHAMPION)
    assert not decision.promote
    assert decision.reasons == ("no improvement: lesion Dice +0.000 on the frozen patients",)


def test_an_identical_model_stays_refused_where_corrected_cases_are_equal_too() -> None:
    new = _scores([0.4, 0.5])
    assert not decide(CHAMPION, CHAMPION, new_champion=new, new_challenger=new).promote


def test_a_truly_better_model_is_promoted_and_says_by_how_much() -> None:
    decision = decide(CHAMPION, _shifted(CHAMPION, 0.05))
    assert decision.promote
    assert decision.reasons[0] == "lesion Dice improves by +0.050 on the frozen patients"
    assert decision.figures["lesion_dice"]["interval"] == [0.05, 0.05]


def test_a_damaged_model_is_refused() -> None:
    decision = decide(CHAMPION, _shifted(CHAMPION, -0.3))
    assert not decision.promote
    assert "whose lower end may not be below -0.01" in decision.reasons[0]


def test_a_model_that_gains_in_the_mean_but_loses_patients_is_refused() -> None:
    # Mean difference (5 * -0.04 + 0.5) / 6 = +0.05, yet most resamples without p0 are negative.
    challenger = _shifted(CHAMPION, -0.04)
    challenger[0] = replace(challenger[0], lesion_dice=1.0)
    decision = decide(CHAMPION, challenger)
    assert decision.figures["lesion_dice"]["difference"] == pytest.approx(0.05)
    assert not decision.promote


def test_corrected_cases_that_improve_are_reason_enough_where_frozen_patients_are_equal() -> None:
    decision = decide(
        CHAMPION,
        CHAMPION,
        new_champion=_scores([0.4]),
        new_challenger=_scores([0.6]),
        evidence="frozen patients",
    )
    assert decision.promote
    assert decision.reasons[0] == "lesion Dice improves by +0.200 on the corrected cases"


def test_corrected_cases_that_get_worse_refuse() -> None:
    better = _shifted(CHAMPION, 0.05)
    decision = decide(CHAMPION, better, new_champion=_scores([0.6]), new_challenger=_scores([0.5]))
    assert decision.reasons == ("the corrected cases get worse: lesion Dice 0.600 to 0.500 on 1",)


def test_a_class_may_not_lose_more_than_its_share() -> None:
    better = _shifted(CHAMPION, 0.05)
    slightly = [replace(score, ground_glass_dice=0.485) for score in better]
    clearly = [replace(score, ground_glass_dice=0.47) for score in better]
    assert decide(CHAMPION, slightly).promote
    decision = decide(CHAMPION, clearly)
    assert decision.reasons == ("a class loses more than 0.02 Dice: ground-glass -0.030",)


def test_a_class_that_only_one_side_knows_is_left_out() -> None:
    better = [replace(score, consolidation_dice=0.0) for score in _shifted(CHAMPION, 0.05)]
    assert decide(CHAMPION, better).promote


@pytest.mark.parametrize(
    ("before", "after", "promoted"),
    [
        (0.30, 0.60, True),  # CT-2, seen as CT-3: one grade off
        (0.30, 0.80, False),  # CT-2, seen as CT-4: newly two grades off
        (0.80, 0.90, True),  # was two grades off already
    ],
)
def test_a_new_error_of_two_grades_refuses(before: float, after: float, promoted: bool) -> None:
    truth = 0.40
    champion = [replace(s, involvement_true=truth, involvement_predicted=before) for s in CHAMPION]
    challenger = [replace(s, involvement_predicted=after) for s in _shifted(champion, 0.05)]
    decision = decide(champion, challenger)
    assert decision.promote is promoted
    assert promoted or decision.reasons[0].startswith("the grade becomes wrong by 2 or more for p0, p1")


def test_worse_calibration_refuses() -> None:
    better = [replace(score, nll=0.25) for score in _shifted(CHAMPION, 0.05)]
    assert decide(CHAMPION, better).reasons == ("calibration gets worse: mean NLL 0.200 to 0.250",)


def test_one_patient_is_decided_on_the_score_itself_and_says_so() -> None:
    one = CHAMPION[:1]
    better, worse = decide(one, _shifted(one, 0.05)), decide(one, _shifted(one, -0.005))
    assert better.promote and not worse.promote
    assert better.figures["lesion_dice"]["interval"] is None
    for decision in (better, worse):
        assert decision.reasons[-1] == "1 patient: interval not estimable, the decision rests on one score"


def test_phantoms_are_called_weak_evidence() -> None:
    decision = decide(CHAMPION, _shifted(CHAMPION, 0.05), evidence="phantoms")
    assert decision.promote
    assert decision.reasons[-1].startswith("weak evidence: compared on phantoms")


def test_different_patients_are_an_error() -> None:
    with pytest.raises(TrainingDataError, match="p5"):
        decide(CHAMPION, CHAMPION[:-1])


def test_no_patient_is_an_error() -> None:
    with pytest.raises(TrainingDataError, match="no frozen patient"):
        decide([], [])


def test_the_same_scores_always_give_the_same_decision() -> None:
    noisy = _shifted(CHAMPION, 0.0)
    noisy = [
        replace(s, lesion_dice=s.lesion_dice + d)
        for s, d in zip(noisy, np.linspace(-0.1, 0.2, 6), strict=True)
    ]
    assert decide(CHAMPION, noisy) == decide(CHAMPION, list(reversed(noisy)))


def test_the_interval_of_two_patients_spans_both() -> None:
    # Means of two draws are -1, 0, 0 and 1 with a quarter each: both tails reach the ends.
    assert paired_interval(np.array([-1.0, 1.0]), seed=0) == (-1.0, 1.0)


@settings(max_examples=25, deadline=None)
@given(some.lists(some.floats(-0.5, 0.5), min_size=2, max_size=12))
def test_the_interval_holds_the_mean_and_lies_within_the_patients(differences: list[float]) -> None:
    found = paired_interval(np.array(differences), seed=1, resamples=500)
    assert found is not None
    low, high = found
    assert min(differences) - 1e-9 <= low <= high <= max(differences) + 1e-9


def test_the_decision_is_json() -> None:
    assert json.loads(json.dumps(decide(CHAMPION, _shifted(CHAMPION, 0.05)).as_dict()))["promote"] is True
