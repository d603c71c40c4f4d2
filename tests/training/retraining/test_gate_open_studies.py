"""Held-back slices decide for open studies: those with a lesion, by its size, neighbours together."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from chestct.errors import TrainingDataError
from training.evaluate.patient_score import PatientScore
from training.retraining.gate_evidence import SlicePair
from training.retraining.gate_open_studies import changes_of, is_worse, open_studies_finding


def _slices(changes: Sequence[float], pixels: int = 100, study: str = "a") -> list[SlicePair]:
    before = PatientScore("s", 0.5, true_lesion_pixels=pixels)
    return [
        SlicePair(study, 5 * number, before, replace(before, lesion_dice=0.5 + change))
        for number, change in enumerate(changes)
    ]


def test_slices_on_which_nobody_sees_a_lesion_prove_nothing() -> None:
    blank = _slices([0.0] * 50, pixels=0, study="blank")
    finding, _ = open_studies_finding([*blank, *_slices([0.1, 0.3, 0.2])])
    assert not finding.holds
    assert finding.figures["slices"] == 3 and finding.figures["slices_without_lesion"] == 50
    assert finding.figures["more_slices"] == 2


def test_false_lesions_of_the_new_version_refuse() -> None:
    healthy = PatientScore("s", 1.0)
    marked = replace(healthy, lesion_dice=0.0, predicted_lesion_pixels=80)
    finding, harm = open_studies_finding([SlicePair("a", number, healthy, marked) for number in range(6)])
    assert finding.figures["slices"] == 0 and not finding.holds
    assert harm and "a would be served worse" in harm[0]


def test_a_reader_who_marks_nothing_proves_no_gain() -> None:
    found = PatientScore("s", 0.0, predicted_lesion_pixels=80)
    unlearned = replace(found, lesion_dice=1.0, predicted_lesion_pixels=0)
    blank = [SlicePair(study, number, found, unlearned) for study in "abc" for number in range(20)]
    finding, harm = open_studies_finding([*blank, *_slices([0.0] * 4, study="d")])
    assert not finding.holds and not harm
    assert finding.figures["more_slices"] == 1


def test_tiny_lesions_weigh_little_and_large_ones_no_more_than_the_median() -> None:
    slices = [*_slices([0.1] * 3), *_slices([-0.5], pixels=1, study="b"), *_slices([0.2], 10_000, "c")]
    # Weights 1, 1, 1, 0.01 and 1 beside a median of 100 pixels.
    change = changes_of(slices, lambda score: score.lesion_dice).change
    assert change.difference == pytest.approx((0.3 - 0.005 + 0.2) / 4.01)


def test_a_large_gain_is_enough_with_ten_slices() -> None:
    slices = [*_slices([0.05, 0.1, 0.15, 0.1, 0.12]), *_slices([0.08, 0.1, 0.02, 0.14, 0.09], study="b")]
    finding, harm = open_studies_finding(slices)
    assert finding.holds and not harm
    assert finding.figures["difference"] == pytest.approx(0.095)


def test_a_gain_not_yet_shown_says_how_many_slices_would_show_it() -> None:
    finding, _ = open_studies_finding(_slices([0.15, -0.1, 0.2, 0.0, 0.1, 0.05]))
    assert not finding.holds and finding.figures["more_slices"] > 0
    assert f"with about {finding.figures['more_slices']} more corrected slices" in finding.sentence


def test_a_study_that_clearly_loses_refuses_the_others_gain() -> None:
    gains = [pair for study in "abcdef" for pair in _slices([0.2, 0.22, 0.18, 0.2, 0.21], study=study)]
    finding, harm = open_studies_finding(
        [*gains, *_slices([-0.3, -0.31, -0.29, -0.3, -0.3, -0.3], study="g")]
    )
    assert finding.holds
    assert harm == ["g would be served worse: -0.300 lesion Dice"]


def test_a_loss_is_seen() -> None:
    finding, _ = open_studies_finding(_slices([-0.2, -0.25, -0.3, -0.22, -0.2, -0.24]))
    assert is_worse(finding.figures)


def test_a_slice_scored_twice_is_an_error() -> None:
    with pytest.raises(TrainingDataError, match="a slice 0 was scored twice"):
        open_studies_finding([*_slices([0.1] * 5), *_slices([0.1])])
