"""Seconds saved, automation bias and gain: by hand where exact, on synthetic logs where not."""

import dataclasses

import pytest
from _reader_log import PhantomReaders, phantom_log

from chestct.acquisition.allocation import Arm
from chestct.reader_study.automation_bias import automation_bias
from chestct.reader_study.gain import gain_per_minute, gain_per_slice
from chestct.reader_study.seconds_saved import seconds_saved


def test_two_readers_of_different_pace_each_lose_the_same_seconds_without_a_pre_label(reading):
    # b takes ten times as long as a; most blank slices are b's. A comparison across readers would say 400 s.
    log = [reading(30.0) for _ in range(40)] + [reading(50.0, prelabelled=False) for _ in range(5)]
    log += [reading(300.0, annotator="b") for _ in range(12)]
    log += [reading(320.0, annotator="b", prelabelled=False) for _ in range(20)]
    found = seconds_saved(log)
    assert found.mean == pytest.approx(20.0)
    assert found.interval == pytest.approx((20.0, 20.0))
    assert (found.n, found.patients, found.resampled, found.reason) == (77, 77, "patient", "")
    assert (found.parts["blank"].n, found.parts["pre-labelled"].n) == (25, 52)
    assert found.parts["blank"].mean - found.parts["pre-labelled"].mean == pytest.approx(20.0)


def test_lunch_breaks_on_blank_slices_do_not_make_pre_labels_look_good(reading):
    log = [reading(30.0 + number % 7) for number in range(70)]
    log += [reading(30.0 + number % 7, prelabelled=False) for number in range(14)]
    log += [reading(3600.0, prelabelled=False) for _ in range(2)]
    assert seconds_saved(log).mean == pytest.approx(0.0, abs=1.0)


def test_test_slices_are_no_blank_slices_that_chance_drew(reading):
    log = [reading(60.0) for _ in range(10)]
    log += [reading(90.0, arm=Arm.TEST, prelabelled=False) for _ in range(10)]
    assert seconds_saved(log).mean is None
    assert automation_bias(log).mean is None


@pytest.mark.parametrize(
    "leaves_out",
    [
        {"prelabelled": None, "arm": None},
        {"of_study_task": True},
        {"has_own_mask": True},
        {"lead_time_seconds": None},
        {"lead_time_seconds": 0.0},
        {"annotator": "somebody who read nothing else"},
    ],
)
def test_readings_that_chance_did_not_decide_or_time_does_not_know_do_not_count(reading, leaves_out):
    log = [reading(30.0) for _ in range(20)] + [reading(50.0, prelabelled=False) for _ in range(10)]
    strange = [dataclasses.replace(reading(900.0), **{"prelabelled": False, **leaves_out}) for _ in range(10)]
    assert seconds_saved(log + strange).mean == pytest.approx(20.0)
    assert seconds_saved(log + strange).n == 30


def test_too_few_blank_readings_give_the_reason_and_no_figure(reading):
    log = [reading() for _ in range(50)] + [reading(prelabelled=False) for _ in range(9)]
    found = seconds_saved(log)
    assert (found.mean, found.interval) == (None, None)
    assert "9 blank and 50 pre-labelled" in found.reason
    assert seconds_saved([]).mean is None


def test_readings_of_one_patient_are_resampled_by_slice(reading):
    log = [reading(30.0 + number, patient="p") for number in range(20)]
    log += [reading(60.0 + number, patient="p", prelabelled=False) for number in range(10)]
    found = seconds_saved(log)
    assert (found.patients, found.resampled) == (1, "slice")
    assert found.interval is not None
    assert found.interval[0] < found.mean < found.interval[1]


def test_the_pull_is_the_difference_of_agreement_with_the_model(reading, changes):
    log = [reading(changes=changes(dice=0.9)) for _ in range(30)]
    log += [reading(changes=changes(dice=0.7), prelabelled=False, shown_version=None) for _ in range(10)]
    log += [reading(prelabelled=False) for _ in range(5)]  # no prediction to compare with
    found = automation_bias(log)
    assert found.mean == pytest.approx(0.2)
    assert found.n == 40


def test_the_gain_is_what_active_slices_have_more_to_correct(reading, changes):
    log = [reading(60.0, changes=changes(300)) for _ in range(30)]
    log += [reading(30.0, changes=changes(100), arm=Arm.CONTROL) for _ in range(10)]
    log += [reading(changes=changes(9000), prelabelled=False) for _ in range(10)]  # drawn, not corrected
    assert gain_per_slice(log).mean == pytest.approx(200.0)
    by_the_minute = gain_per_minute(log)
    assert by_the_minute.mean == pytest.approx(300.0 - 200.0)
    assert by_the_minute.parts["control"].mean == pytest.approx(200.0)


def test_the_gain_needs_both_arms(reading, changes):
    log = [reading(changes=changes(300)) for _ in range(30)]
    assert "0 control" in gain_per_slice(log).reason
    assert "0 control" in gain_per_minute(log).reason


def test_known_effects_of_a_made_up_log_lie_within_the_intervals():
    given = PhantomReaders()
    log = phantom_log(3, given)
    for found, truth in (
        (seconds_saved(log), given.saved_seconds),
        (automation_bias(log), given.automation_bias),
        (gain_per_slice(log), given.gained_pixels),
    ):
        assert found.interval is not None
        assert found.interval[0] <= truth <= found.interval[1]
    assert seconds_saved(log).excludes_zero


def test_a_made_up_log_without_effects_is_not_said_to_have_one():
    log = phantom_log(3, PhantomReaders(saved_seconds=0.0, automation_bias=0.0, gained_pixels=0.0))
    assert not any(
        found.excludes_zero for found in (seconds_saved(log), automation_bias(log), gain_per_slice(log))
    )


def test_the_same_log_always_gives_the_same_interval():
    log = phantom_log(5)
    assert seconds_saved(log) == seconds_saved(log)
    assert phantom_log(5) == log
