"""Own test patients: who is drawn, which slices of theirs, and which readings of them count."""

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestct.acquisition.allocation import TEST_SLICE, Shares
from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState
from chestct.catalog.splits import OwnTesting, evenly_spaced, own_test_patients_wanted, patient_bucket
from chestct.errors import InputError
from chestct.labels import Split

TESTING = OwnTesting(share=0.2, slices=5)
NAMES = [f"p{number}" for number in range(40)]
LABELS = {0: np.full((4, 4), 9, np.uint8)}


@pytest.mark.parametrize(
    ("unlabelled", "labelled_test", "share", "wanted"),
    [
        (11, 0, 0.2, 0),  # too few to learn from
        (12, 0, 0.2, 3),  # 2.4, but fewer than 3 show nothing
        (12, 2, 0.2, 3),
        (12, 3, 0.2, 0),  # reference labels judge as well
        (22, 0, 0.2, 4),  # 4.4
        (23, 0, 0.2, 5),  # 4.6
        (60, 0, 0.2, 12),
        (1000, 0, 0.2, 12),
        (1000, 0, 0.0, 0),
        (40, 0, 0.01, 3),
    ],
)
def test_how_many_are_wanted(unlabelled, labelled_test, share, wanted):
    assert own_test_patients_wanted(unlabelled, labelled_test, share) == wanted


@pytest.mark.parametrize(
    ("free", "slice_count", "wanted", "chosen"),
    [
        (range(51), 51, 5, [5, 15, 25, 35, 45]),  # 10, 30, 50, 70, 90 % of 50
        (range(51), 51, 1, [25]),
        ([*range(15), *range(16, 51)], 51, 5, [5, 14, 25, 35, 45]),
        (range(1), 1, 5, [0]),
        (range(3), 3, 5, [0, 1, 2]),
        ([], 51, 5, []),
        (range(51), 51, 0, []),
    ],
)
def test_slices_are_spread_over_the_middle_of_a_study(free, slice_count, wanted, chosen):
    assert evenly_spaced(list(free), slice_count, wanted) == chosen


@given(st.sets(st.integers(0, 99)), st.integers(100, 120), st.integers(0, 20))
def test_only_free_positions_are_chosen_and_as_many_as_there_are(free, slice_count, wanted):
    chosen = evenly_spaced(sorted(free), slice_count, wanted)
    first, last = round(0.1 * (slice_count - 1)), round(0.9 * (slice_count - 1))
    inside = {position for position in free if first <= position <= last}
    assert set(chosen) <= inside
    assert len(chosen) == min(wanted, len(inside))
    assert all(one < following for one, following in pairwise(chosen))


@pytest.mark.parametrize(("share", "slices"), [(0.6, 5), (-0.1, 5), (0.2, 21)])
def test_more_than_half_of_the_work_cannot_go_into_testing(share, slices):
    with pytest.raises(InputError, match="own testing"):
        OwnTesting(share, slices)


def _admit(catalog, make_study, names, **given):
    for name in names:
        catalog.studies.add(make_study(name, seed=NAMES.index(name), slice_count=12, **given), "nifti")


def _test_patients(catalog):
    return {study.patient for study in catalog.studies.all() if study.split is Split.TEST}


def _test_slices(catalog):
    drawn = catalog.allocations.all()
    return [one for one in catalog.slices.all() if drawn.get(one.id) == TEST_SLICE]


def test_the_lowest_buckets_are_drawn_with_their_slices(catalog, make_study):
    _admit(catalog, make_study, NAMES[:15])
    drawn = catalog.patients.draw_own_test_patients(TESTING)
    assert drawn == sorted(NAMES[:15], key=patient_bucket)[:3]
    assert _test_patients(catalog) == set(drawn)
    slices = _test_slices(catalog)
    assert {one.patient for one in slices} == set(drawn)
    # 10, 30, 50, 70 and 90 % of 11.
    assert [one.index for one in slices] == [1, 3, 5, 8, 10] * 3
    assert catalog.own_test_readings.state().as_dict() == {"done": 0, "of": 15, "patients": 3}
    assert catalog.patients.draw_own_test_patients(TESTING) == []


def test_eleven_patients_are_too_few_and_zero_is_allowed(catalog, make_study):
    _admit(catalog, make_study, NAMES[:11])
    assert catalog.patients.draw_own_test_patients(TESTING) == []
    _admit(catalog, make_study, NAMES[11:12])
    for nothing in (OwnTesting(), OwnTesting(0.0, 5), OwnTesting(0.2, 0)):
        assert catalog.patients.draw_own_test_patients(nothing) == []
    assert len(catalog.patients.draw_own_test_patients(TESTING)) == 3


def test_the_same_patients_are_drawn_in_whatever_order_they_came(catalog, make_study, tmp_path):
    _admit(catalog, make_study, NAMES[:20])
    drawn = catalog.patients.draw_own_test_patients(TESTING)
    with Catalog.open(f"sqlite:///{tmp_path / 'other.sqlite3'}", str(tmp_path / "other")) as other:
        _admit(other, make_study, NAMES[19::-1])
        assert other.patients.draw_own_test_patients(TESTING) == drawn
        assert {one.key for one in _test_slices(other)} == {one.key for one in _test_slices(catalog)}


def test_more_patients_bring_more_test_patients_and_nobody_goes_back(catalog, make_study):
    _admit(catalog, make_study, NAMES[:12])
    first = catalog.patients.draw_own_test_patients(TESTING)
    _admit(catalog, make_study, NAMES[12:30])
    more = catalog.patients.draw_own_test_patients(TESTING)
    assert (len(first), len(more)) == (3, 3)  # 6 of 30
    assert _test_patients(catalog) == {*first, *more}
    assert catalog.patients.draw_own_test_patients(OwnTesting(0.01, 5)) == []
    assert _test_patients(catalog) == {*first, *more}


def test_three_test_patients_with_reference_labels_are_enough(catalog, make_study):
    _admit(catalog, make_study, NAMES[:12])
    _admit(catalog, make_study, NAMES[12:15], partial_labels=LABELS, split=Split.TEST)
    assert catalog.patients.draw_own_test_patients(TESTING) == []


def test_a_patient_that_anything_was_said_or_shown_of_is_not_drawn(catalog, make_study, correct):
    _admit(catalog, make_study, NAMES[:14])
    corrected, skipped, masked, fixed, *others = sorted(NAMES[:14], key=patient_bucket)
    correct(catalog.slices.by_index(corrected, 0).id)
    correct(catalog.slices.by_index(skipped, 0).id, annotation_id=101, state=CorrectionState.SKIPPED)
    catalog.predictions.add_prelabel(catalog.slices.by_index(masked, 0).id, np.ones((4, 4), np.uint8))
    assert catalog.patients.draw_own_test_patients(TESTING, {fixed}) == others[:3]


def test_a_patient_that_a_model_may_have_learnt_from_is_not_drawn(catalog, make_study):
    _admit(catalog, make_study, NAMES[:15])
    catalog.versions.register("v2", None, "snapshot-1")
    assert catalog.patients.draw_own_test_patients(TESTING) == []
    _admit(catalog, make_study, NAMES[15:17])
    assert set(catalog.patients.draw_own_test_patients(TESTING)) == set(NAMES[15:17])


def test_nobody_is_drawn_while_a_retrain_runs(catalog, make_study):
    _admit(catalog, make_study, NAMES[:15])
    catalog.requests.add("reader")
    catalog.requests.claim("job-1")
    assert catalog.patients.draw_own_test_patients(TESTING) == []


def test_a_slice_that_may_show_a_pre_label_is_never_a_test_slice(catalog, make_study, make_prediction):
    _admit(catalog, make_study, NAMES[:15])
    first, second, third, fourth, *_ = sorted(NAMES[:15], key=patient_bucket)
    # Whatever was drawn stays: of the first patient all slices, of the second one.
    shares = Shares(0.0, 0.0, 0.0)
    of_first = [one.id for one in catalog.slices.all() if one.patient == first]
    taken = catalog.slices.by_index(second, 5).id
    catalog.allocations.allocate([*of_first, taken], shares)
    # Predicted, though nothing was drawn: an early pre-label of an older version.
    predicted = catalog.slices.by_index(third, 3).id
    catalog.predictions.add(predicted, "base-0", make_prediction())
    assert catalog.patients.draw_own_test_patients(TESTING) == [second, third, fourth]
    slices = _test_slices(catalog)
    assert [one.index for one in slices if one.patient == second] == [1, 3, 6, 8, 10]
    assert [one.index for one in slices if one.patient == third] == [1, 4, 5, 8, 10]
    assert catalog.allocations.of_slice(taken) != TEST_SLICE


def test_what_was_drawn_for_testing_is_not_drawn_again(catalog, make_study):
    _admit(catalog, make_study, NAMES[:12])
    catalog.patients.draw_own_test_patients(TESTING)
    before = {one.id for one in _test_slices(catalog)}
    catalog.allocations.allocate([one.id for one in catalog.slices.all()], Shares(0.5, 0.0, 0.99))
    assert {one.id for one in _test_slices(catalog)} == before


def test_slices_come_of_a_patient_s_largest_study(catalog, make_study):
    _admit(catalog, make_study, NAMES[:15])
    first = min(NAMES[:15], key=patient_bucket)
    catalog.studies.add(make_study("follow-up", seed=99, slice_count=21, patient=first), "nifti")
    catalog.patients.draw_own_test_patients(TESTING)
    mine = [one for one in _test_slices(catalog) if one.patient == first]
    assert [(one.study_name, one.index) for one in mine] == [
        ("follow-up", index) for index in (2, 6, 10, 14, 18)
    ]


def test_only_an_unassisted_reading_of_a_test_slice_counts(catalog, make_study, make_prediction, correct):
    _admit(catalog, make_study, NAMES[:12])
    catalog.patients.draw_own_test_patients(TESTING)
    blank, shown, skipped, deleted, *_ = _test_slices(catalog)
    test_ids = {one.id for one in _test_slices(catalog)}
    beside = next(one for one in catalog.slices.all() if one.split is Split.TEST and one.id not in test_ids)
    catalog.predictions.add(shown.id, "base-1", make_prediction())
    reading, _ = correct(blank.id, annotation_id=1)
    correct(shown.id, annotation_id=2, model_version="base-1")
    correct(skipped.id, annotation_id=3, state=CorrectionState.SKIPPED)
    correct(deleted.id, annotation_id=4)
    correct(deleted.id, annotation_id=4, minute=1, state=CorrectionState.DELETED)
    correct(beside.id, annotation_id=5)
    assert [one.id for one in catalog.own_test_readings.all()] == [reading.id]
    assert catalog.own_test_readings.state().done == 1


def test_a_reading_of_a_study_task_does_not_count_for_it_shows_a_pre_label(catalog, make_study, correct):
    _admit(catalog, make_study, NAMES[:12])
    catalog.patients.draw_own_test_patients(TESTING)
    one = _test_slices(catalog)[0]
    catalog.tasks.link_study(one.study_id, "1:2026-01-01", 10)
    correct(one.id)
    assert catalog.own_test_readings.all() == []
