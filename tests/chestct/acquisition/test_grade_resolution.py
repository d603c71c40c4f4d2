"""Which slices settle a grade: numbers small enough to count by hand, and what must hold for any study."""

import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from chestct.acquisition.grade_resolution import (
    UndecidedStudy,
    grade_chances,
    interval_percent,
    slices_to_correct,
)
from chestct.errors import InputError
from chestct.labels import SeverityGrade
from chestct.severity.interval import InvolvementCalibration
from chestct.severity.uncertainty import involvement_uncertainty_percent

FAR_APART = 1e6  # mm: no slice tells of another
ONE_UNCERTAIN = InvolvementCalibration(quantile=1.0, level=0.9, studies=20, eps=0.0)


def study(percent=24.0, deviation=(0.0, 3.0, 4.0), corrected=None, **given):
    """Three slices of 100 / 3 lung pixels, so that a lesion pixel is a percentage point."""
    count = len(deviation)
    fields = {
        "predicted": np.full(count, percent / count),
        "expected": np.full(count, percent / count),
        "lung": np.full(count, 100.0 / count),
        "corrected": np.full(count, np.nan),
        "slices_apart_mm": FAR_APART,
        "calibration": ONE_UNCERTAIN,
        **given,
    }
    drawn = {at: fields["predicted"][at] + error for at, error in (corrected or {}).items()}
    fields["corrected"] = np.array([drawn.get(at, np.nan) for at in range(count)])
    return UndecidedStudy(percent=percent, deviation=np.array(deviation, dtype=np.float64), **fields)


def test_deviations_of_far_slices_add_as_squares():
    # sqrt(0 + 9 + 16) = 5 pixels of 100.
    assert interval_percent(study()) == pytest.approx((19.0, 29.0))


def test_a_corrected_slice_leaves_the_doubt_of_the_others():
    assert interval_percent(study(corrected={2: 0.0})) == pytest.approx((21.0, 27.0))
    assert interval_percent(study(corrected={1: 0.0, 2: 0.0})) == pytest.approx((24.0, 24.0))


def test_the_chance_is_that_of_a_gaussian_to_pass_the_border():
    # One doubt is taken for 90 %, so a deviation is 1 / 1.645 of it: 4 / 1.645 points; the border is 1 away.
    sigma = 4.0 / 1.6448536
    to_ct_2 = 0.5 * math.erfc(1.0 / sigma / math.sqrt(2.0))
    to_ct_0 = 0.5 * math.erfc(23.0 / sigma / math.sqrt(2.0))
    chances = grade_chances(study())
    assert chances[2] == pytest.approx(to_ct_2 + to_ct_0)
    assert chances[0] == 0.0  # the model is sure of it
    assert 0.0 < chances[1] < chances[2] < 0.5


def test_the_fewest_slices_are_named_largest_doubt_first():
    # From 24 +- 5 the border at 25 needs a half width below 1: both doubtful slices.
    found = slices_to_correct(study())
    assert found.slices == (2, 1)
    assert found.possible_grades == (SeverityGrade.CT_1, SeverityGrade.CT_2)
    assert found.reason == ""
    # From 20.5 +- 5 a half width below 4.5 is enough: one.
    assert slices_to_correct(study(20.5)).slices == (2,)


def test_a_settled_study_says_so_and_has_chances_near_0():
    far = study(37.0, (0.0, 0.3, 0.4))
    assert slices_to_correct(far).reason == "CT-2 is certain already"
    assert slices_to_correct(far).slices == ()
    assert grade_chances(far).max() < 1e-12


def test_more_slices_than_asked_for_are_not_named():
    found = slices_to_correct(study(), most=1)
    assert found.slices == ()
    assert found.reason == "more than 1 slices would have to be corrected"


def test_without_lung_there_is_no_grade_to_settle():
    nothing = study(0.0, (0.0, 0.0), lung=np.zeros(2))
    assert slices_to_correct(nothing).reason == "no lung was found"
    assert grade_chances(nothing).tolist() == [0.0, 0.0]
    with pytest.raises(InputError, match="no lung"):
        interval_percent(nothing)


def test_a_corrected_slice_moves_its_neighbour_by_their_correlation():
    # exp(-20 ln 2 / 20) = 1/2: a slice that held 4 pixels more makes its equal neighbour hold 2 more.
    near = {"deviation": (4.0, 4.0), "slices_apart_mm": 20.0 * math.log(2.0)}
    low, high = interval_percent(study(30.0, corrected={0: 4.0}, **near))
    assert (low + high) / 2 == pytest.approx(30.0 + 2.0)
    # And leaves it 16 (1 - 1/4) of its variance.
    assert (high - low) / 2 == pytest.approx(math.sqrt(12.0))


def test_a_slice_wrong_beyond_all_doubt_tells_of_its_neighbour_no_more_than_three_deviations():
    near = {"deviation": (4.0, 4.0), "slices_apart_mm": 20.0 * math.log(2.0)}
    at_three, beyond = (
        interval_percent(study(30.0, corrected={0: error}, **near)) for error in (12.0, 100.0)
    )
    assert beyond == pytest.approx(at_three)


def test_what_the_model_expects_beyond_its_masks_is_there_in_all_slices_or_in_none():
    # 2 pixels in each of 3 slices, else sure: a doubt of 6; one slice tells of all.
    whole = study(22.0, (0.0, 0.0, 0.0), expected=np.full(3, 22.0 / 3 + 2.0))
    assert interval_percent(whole) == pytest.approx((16.0, 28.0))
    assert slices_to_correct(whole).slices == (0,)
    low, high = interval_percent(
        dataclasses.replace(whole, corrected=np.array([22.0 / 3 + 2.0, np.nan, np.nan]))
    )
    assert low == pytest.approx(high) == pytest.approx(22.0 + 4.0)


def test_what_the_calibration_adds_goes_with_the_lung_that_is_corrected():
    sure = study(
        24.0, (0.0, 0.0), calibration=dataclasses.replace(ONE_UNCERTAIN, eps=2.0), lung=np.array([75.0, 25.0])
    )
    assert interval_percent(sure) == pytest.approx((22.0, 26.0))
    # 2 points for all of the lung, 0.5 for a quarter of it: the larger slice is the one to correct.
    assert slices_to_correct(sure).slices == (0,)


def test_without_calibration_the_interval_is_the_normal_one():
    low, high = interval_percent(study(calibration=None))
    assert (low, high) == pytest.approx((24.0 - 5.0 * 1.6448536, 24.0 + 5.0 * 1.6448536))


def test_columns_of_other_lengths_and_missing_numbers_are_refused():
    with pytest.raises(InputError, match="one number for each slice"):
        study(lung=np.ones(2))
    with pytest.raises(InputError, match="lacks a number"):
        study(deviation=(1.0, np.nan))


@st.composite
def studies(draw):
    count = draw(st.integers(1, 8))
    pixels = st.lists(st.floats(0.0, 50.0), min_size=count, max_size=count).map(np.array)
    columns = {name: draw(pixels) for name in ("predicted", "expected", "deviation")}
    return UndecidedStudy(
        percent=draw(st.floats(0.0, 100.0)),
        lung=draw(pixels) + 1.0,
        corrected=np.full(count, np.nan),
        slices_apart_mm=draw(st.floats(0.5, 50.0)),
        calibration=draw(st.sampled_from([None, InvolvementCalibration(2.0, 0.9, 20, 0.5)])),
        **columns,
    )


@given(studies())
@settings(max_examples=60, deadline=None)
def test_chances_are_chances_and_correcting_all_slices_settles(one):
    chances = grade_chances(one)
    assert ((chances >= 0.0) & (chances <= 1.0)).all()
    all_known = dataclasses.replace(one, corrected=one.predicted)
    low, high = interval_percent(all_known)
    assert high - low == pytest.approx(0.0, abs=1e-3)
    assert grade_chances(all_known).tolist() == [0.0] * len(chances)


@given(studies())
@settings(max_examples=60, deadline=None)
def test_each_correction_that_turns_out_as_expected_narrows_the_interval(one):
    width = math.inf
    for at in range(len(one.corrected)):
        low, high = interval_percent(one)
        assert high - low <= width + 1e-6
        width = 201.0 if (low == 0.0 or high == 100.0) else high - low  # clipped ends may move
        one = dataclasses.replace(
            one, corrected=np.where(np.arange(len(one.corrected)) <= at, one.predicted, np.nan)
        )


@given(studies())
@settings(max_examples=60, deadline=None)
def test_the_named_slices_settle_the_study_when_they_turn_out_as_predicted(one):
    found = slices_to_correct(one)
    assert (found.slices == ()) == (len(found.possible_grades) == 1)
    assert len(set(found.slices)) == len(found.slices)
    known = np.where(np.isin(np.arange(len(one.corrected)), found.slices), one.predicted, np.nan)
    assert slices_to_correct(dataclasses.replace(one, corrected=known)).slices == ()


@given(studies())
@settings(max_examples=30, deadline=None)
def test_the_interval_of_an_uncorrected_study_is_that_of_its_severity_report(one):
    # One row of pixels a slice: lesions first, then healthy lung.
    lesion, lung = np.floor(one.predicted).astype(int), np.floor(one.predicted + one.lung).astype(int)
    label_maps = np.zeros((len(lung), 1, 128), np.uint8)
    for row, sick, all_lung in zip(label_maps[:, 0], lesion, lung, strict=True):
        row[:all_lung] = 3
        row[:sick] = 1
    uncertainty = involvement_uncertainty_percent(
        label_maps, one.expected, one.deviation, one.slices_apart_mm
    )  # type: ignore[arg-type]
    counted = dataclasses.replace(one, predicted=lesion.astype(float), lung=lung.astype(float))
    assumed = one.calibration or InvolvementCalibration(1.6448536, 0.9, 0, 0.0)
    assert interval_percent(counted) == pytest.approx(assumed.interval(one.percent, uncertainty), abs=1e-4)
