from math import log1p

import pytest

from chestct.reader_study.second_look import second_look, unusual_changes


def test_pixels_that_a_reader_clears_against_a_sure_model_are_suspicious(reading, changes):
    # 100 pixels of lesion, all cleared, the model sure of 80: 80 % of what either marks.
    cleared = reading(changes=changes(100, dice=0.0, lesion_before=100, lesion_after=0, sure=80))
    edge = reading(changes=changes(100, dice=0.9, lesion_before=1000, lesion_after=1000, sure=60))
    unsure = reading(changes=changes(100, dice=0.0, lesion_before=100, lesion_after=0, sure=20))
    unknown = reading(changes=changes(100, dice=0.0, lesion_before=100, lesion_after=0))
    (found,) = second_look([edge, unsure, unknown, cleared])
    assert found.reading == cleared
    assert found.score == pytest.approx(0.8 / 0.25)
    assert "cleared 80 pixels of which base-1 was sure, 80 %" in found.reasons[0]


def test_the_present_champion_is_asked_as_well(reading, changes):
    sure = changes(100, dice=0.0, lesion_before=0, lesion_after=100, sure=100, model_version="v2")
    one = reading(changes=changes(0, sure=0), champion_changes=sure)
    (found,) = second_look([one])
    assert "drew 100 pixels of which v2 was sure" in found.reasons[0]


def test_a_slice_changed_far_beyond_what_its_reader_usually_changes_is_suspicious(reading, changes):
    usual = [reading(changes=changes(number)) for number in range(90, 110)]
    much = reading(changes=changes(5000))
    painter = [reading(annotator="b", changes=changes(5000 + number)) for number in range(20)]
    (found,) = second_look([*usual, *painter, much])
    assert found.reading == much
    assert "5000 pixels changed" in found.reasons[0]


def test_what_is_unusual_is_measured_in_spreads_of_the_logarithm():
    assert unusual_changes(100, log1p(100), 0.5) == 0
    assert unusual_changes(100, log1p(100) - 1.0, 0.5) == pytest.approx(2.0)


def test_nothing_is_usual_of_a_reader_with_few_corrections(reading, changes):
    log = [reading(changes=changes(1)) for _ in range(8)] + [reading(changes=changes(9000))]
    assert second_look(log) == []


def test_the_most_suspicious_come_first_and_the_list_ends(reading, changes):
    log = [
        reading(changes=changes(200, dice=0.0, lesion_before=200, lesion_after=0, sure=sure))
        for sure in (60, 200, 120)
    ]
    assert [one.reading for one in second_look(log, most=2)] == [log[1], log[2]]
