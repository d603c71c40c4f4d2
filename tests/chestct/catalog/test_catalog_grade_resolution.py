"""From rows to the slices that settle a grade: the same interval as the severity report's."""

import numpy as np
import pytest

from chestct.acquisition.grade_resolution import grade_chances, interval_percent
from chestct.catalog.records import CorrectionState
from chestct.derived.grade_resolution import grade_chances_of_slices, open_studies
from chestct.derived.severity import ensure_severity
from chestct.geometry import Geometry
from chestct.prediction import SlicePrediction
from chestct.severity.interval import InvolvementCalibration

CALIBRATION = InvolvementCalibration(quantile=1.0, level=0.9, studies=20, eps=1.0)
GEOMETRY = Geometry((4, 4, 2), np.diag([-10.0, 10.0, 8.0, 1.0]))
# Right lung 2 of 4 pixels ground-glass, left lung healthy: 50 % of the worse lung.
HALF = np.array([[0, 0, 0, 0], [1, 1, 0, 3], [3, 3, 0, 3], [0, 0, 0, 0]], np.uint8)


@pytest.fixture
def study(catalog, make_study):
    stored, _ = catalog.studies.add(make_study(geometry=GEOMETRY), "nifti")
    for one in catalog.slices.of_study(stored.id):
        found = SlicePrediction(HALF, 0.5, 0.25, lesion_expected=2.5, lesion_deviation=0.1 + one.index)
        catalog.predictions.add(one.id, "base-1", found)
    ensure_severity(catalog, stored.id, "base-1", CALIBRATION)
    return stored


def test_the_interval_is_that_of_the_severity_that_was_kept(catalog, study):
    kept = catalog.severities.of_study(study.id, "base-1")
    (found,) = open_studies(catalog, "base-1", {"base-1": CALIBRATION})
    assert interval_percent(found.uncertainty) == pytest.approx((kept.interval_low, kept.interval_high))
    assert found.uncertainty.slices_apart_mm == 8.0
    assert found.uncertainty.lung.tolist() == pytest.approx([6.0, 6.0])


def test_a_correction_moves_the_percent_and_closes_its_slice(catalog, study, correct):
    first, second = catalog.slices.of_study(study.id)
    before = grade_chances_of_slices(catalog, "base-1", {"base-1": CALIBRATION})
    assert set(before) == {first.id, second.id}
    assert before[second.id] > before[first.id] > 0.0
    healthy = np.where(HALF == 1, np.uint8(3), HALF)
    correct(second.id, label_map=healthy, model_version="base-1")
    (found,) = open_studies(catalog, "base-1", {"base-1": CALIBRATION})
    assert found.is_open.tolist() == [True, False]
    # Two lesion pixels fewer of 12 lung pixels.
    assert found.uncertainty.percent == pytest.approx(50.0 - 100.0 * 2 / 12)
    assert found.uncertainty.corrected[1] - found.uncertainty.predicted[1] == pytest.approx(-2.0)
    assert grade_chances_of_slices(catalog, "base-1", {"base-1": CALIBRATION}) == {
        first.id: pytest.approx(float(grade_chances(found.uncertainty)[0]))
    }


def test_a_slice_accepted_as_predicted_moves_nothing(catalog, study, correct):
    first, _ = catalog.slices.of_study(study.id)
    correct(first.id, label_map=HALF, model_version="base-1")
    (found,) = open_studies(catalog, "base-1")
    assert (found.uncertainty.percent, found.is_open.tolist()) == (pytest.approx(50.0), [False, True])


def test_studies_without_open_slices_or_grade_are_left_out(catalog, study, make_study, correct):
    pictures, _ = catalog.studies.add(make_study("pictures", seed=1), "images")
    for one in catalog.slices.of_study(pictures.id):
        catalog.predictions.add(one.id, "base-1", SlicePrediction(HALF, 0.5, 0.25))
    for number, one in enumerate(catalog.slices.of_study(study.id)):
        correct(one.id, annotation_id=number, label_map=HALF)
    assert open_studies(catalog, "base-1") == []
    correct(one.id, 1, annotation_id=1, state=CorrectionState.DELETED)
    assert [found.name for found in open_studies(catalog, "base-1")] == [study.name]
    assert open_studies(catalog, "base-1", study_name="pictures") == []
    assert open_studies(catalog, "v2") == []


def test_the_stamp_changes_with_corrections_and_severities(catalog, study, correct):
    stamps = [catalog.severities.evidence_stamp("v2"), catalog.severities.evidence_stamp("base-1")]
    correct(catalog.slices.of_study(study.id)[0].id)
    stamps.append(catalog.severities.evidence_stamp("base-1"))
    assert len(set(stamps)) == 3


def test_each_study_is_judged_by_the_version_that_serves_it(catalog, study, make_study, correct):
    learned, _ = catalog.studies.add(make_study("learned", seed=1, geometry=GEOMETRY), "nifti")
    catalog.versions.ensure_base("base-1")
    catalog.versions.register("v2", "base-1", None, study_ids=[learned.id])
    catalog.versions.serve_open_studies("v2")
    healthy = np.where(HALF == 1, np.uint8(3), HALF)
    for version, label_map in (("base-1", HALF), ("v2", healthy)):
        for one in catalog.slices.of_study(learned.id):
            found = SlicePrediction(label_map, 0.5, 0.25, lesion_expected=0.5, lesion_deviation=0.5)
            catalog.predictions.add(one.id, version, found)
        ensure_severity(catalog, learned.id, version, None)
    correct(one.id, label_map=HALF, model_version="v2")
    mine, theirs = open_studies(catalog, "base-1+v2", {"base-1": CALIBRATION})
    assert (mine.name, mine.uncertainty.calibration) == (study.name, CALIBRATION)
    assert mine.uncertainty.percent == pytest.approx(50.0)
    assert (theirs.name, theirs.uncertainty.calibration) == ("learned", None)
    # v2 found nothing; the reader added two pixels of 12 lung pixels to that.
    assert theirs.uncertainty.percent == pytest.approx(100.0 * 2 / 12)
