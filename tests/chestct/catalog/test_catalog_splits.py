import numpy as np
import pytest

from chestct.catalog.records import RequestState
from chestct.catalog.splits import TEST_SHARE, first_split, patient_bucket
from chestct.errors import InputError
from chestct.labels import Split

LABELS = {0: np.full((4, 4), 9, np.uint8)}
# By hand from sha256: patients on either side of the line.
LOW = next(f"p{number}" for number in range(100) if patient_bucket(f"p{number}") < TEST_SHARE)
HIGH = [f"p{number}" for number in range(100) if patient_bucket(f"p{number}") >= TEST_SHARE][:4]


def test_about_a_fifth_of_patients_falls_on_the_test_side():
    buckets = [patient_bucket(f"study_{number:04}") for number in range(2000)]
    assert all(0 <= bucket < 1 for bucket in buckets)
    assert sum(bucket < TEST_SHARE for bucket in buckets) / 2000 == pytest.approx(TEST_SHARE, abs=0.03)


def test_only_a_patient_with_labels_of_record_is_drawn_for_testing():
    assert first_split(LOW, None, labelled=True) is Split.TEST
    assert first_split(LOW, None, labelled=False) is Split.TRAIN
    assert first_split(HIGH[0], None, labelled=True) is Split.TRAIN


def test_what_the_source_fixes_decides():
    assert first_split(LOW, Split.TRAIN, labelled=True) is Split.TRAIN
    assert first_split(HIGH[0], Split.TEST, labelled=True) is Split.TEST


def test_all_studies_of_a_patient_are_on_one_side_for_good(catalog, make_study):
    first, _ = catalog.studies.add(make_study("a", seed=1, patient=LOW), "nifti")  # unlabelled: train
    second, _ = catalog.studies.add(make_study("b", seed=2, patient=LOW, partial_labels=LABELS), "nifti")
    assert first.split is second.split is Split.TRAIN


def test_a_train_patient_cannot_become_a_test_patient_by_import(catalog, make_study):
    catalog.studies.add(make_study("a", seed=1, patient="p", split=Split.TRAIN), "nifti")
    with pytest.raises(InputError, match="training side"):
        catalog.studies.add(make_study("b", seed=2, patient="p", split=Split.TEST), "nifti")
    assert [study.name for study in catalog.studies.all()] == ["a"]


def test_a_test_patient_stays_one_whatever_a_later_source_says(catalog, make_study):
    catalog.studies.add(make_study("a", seed=1, patient="p", split=Split.TEST), "nifti")
    later, _ = catalog.studies.add(make_study("b", seed=2, patient="p", split=Split.TRAIN), "nifti")
    assert later.split is Split.TEST


def _add_patients(catalog, make_study, patients, labelled=True):
    for seed, patient in enumerate(patients):
        partial_labels = LABELS if labelled else {}
        catalog.studies.add(make_study(patient, seed=seed, partial_labels=partial_labels), "nifti")


def test_without_a_test_patient_the_labelled_one_with_the_lowest_bucket_is_frozen(catalog, make_study):
    _add_patients(catalog, make_study, HIGH[:3])
    chosen = min(HIGH[:3], key=patient_bucket)
    assert catalog.patients.freeze_test_patient() == chosen
    assert [study.patient for study in catalog.studies.all() if study.split is Split.TEST] == [chosen]
    assert catalog.patients.freeze_test_patient() is None  # one is enough


def test_two_labelled_patients_are_too_few_to_freeze_one(catalog, make_study):
    _add_patients(catalog, make_study, HIGH[:2])
    _add_patients(catalog, make_study, ["x", "y"], labelled=False)
    assert catalog.patients.freeze_test_patient() is None


def test_a_patient_with_corrections_is_never_frozen(catalog, make_study, correct):
    _add_patients(catalog, make_study, HIGH[:3])
    first, second, _ = sorted(HIGH[:3], key=patient_bucket)
    correct(catalog.slices.by_index(first, 0).id)
    assert catalog.patients.freeze_test_patient() == second


def test_a_patient_that_a_model_has_learnt_from_is_never_frozen(catalog, make_study):
    _add_patients(catalog, make_study, HIGH[:3])
    catalog.versions.register("v2", None, "snapshot-1")
    assert catalog.patients.freeze_test_patient() is None
    catalog.studies.add(make_study(HIGH[3], seed=9, partial_labels=LABELS), "nifti")
    assert catalog.patients.freeze_test_patient() == HIGH[3]


def test_nobody_is_frozen_while_a_retrain_runs(catalog, make_study):
    _add_patients(catalog, make_study, HIGH[:3])
    catalog.requests.add("reader")
    catalog.requests.claim("job-1")
    assert catalog.patients.freeze_test_patient() is None
    catalog.requests.finish("job-1", RequestState.FAILED, "no memory")
    assert catalog.patients.freeze_test_patient() is not None
