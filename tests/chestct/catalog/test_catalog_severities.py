"""A version's severity of a study is kept once, when all its slices are predicted."""

import contextlib
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from chestct.catalog import migrate
from chestct.catalog.catalog import Catalog
from chestct.catalog.database import Database
from chestct.derived.severity import ensure_severity
from chestct.geometry import Geometry
from chestct.labels import SeverityGrade
from chestct.prediction import SlicePrediction
from chestct.severity.grading import InvolvementCalibration

CALIBRATION = InvolvementCalibration(quantile=1.0, level=0.9, studies=20, eps=1.0)
GEOMETRY = Geometry((4, 4, 2), np.diag([-10.0, 10.0, 8.0, 1.0]))


def half_diseased() -> SlicePrediction:
    """Right lung 2 of 4 pixels ground-glass, left lung healthy."""
    label_map = np.array([[0, 0, 0, 0], [1, 1, 0, 3], [3, 3, 0, 3], [0, 0, 0, 0]], np.uint8)
    return SlicePrediction(label_map, 0.5, 0.25, lesion_expected=2.0, lesion_deviation=0.0)


@pytest.fixture
def study(catalog, make_study):
    stored, _ = catalog.studies.add(make_study(geometry=GEOMETRY), "nifti")
    return stored


def predict(catalog, study, slices, version="base-1"):
    for one in catalog.slices.of_study(study.id)[slices]:
        catalog.predictions.add(one.id, version, half_diseased())


def test_a_study_has_its_severity_when_the_last_slice_is_predicted_and_not_before(catalog, study):
    predict(catalog, study, slice(0, 1))
    assert ensure_severity(catalog, study.id, "base-1", None) is None
    predict(catalog, study, slice(1, 2))
    kept = ensure_severity(catalog, study.id, "base-1", CALIBRATION)
    assert (kept.grade, kept.percent, kept.interval_low, kept.interval_high) == ("CT-3", 50.0, 49.0, 51.0)
    assert kept.grade is SeverityGrade.CT_3
    assert kept.severity["possible_grades"] == ["CT-2", "CT-3"]
    assert kept.severity["volume_ml"]["lung"] == pytest.approx(2 * 6 * 0.8)


def test_what_was_kept_first_stays_and_each_version_has_its_own(catalog, study):
    predict(catalog, study, slice(None))
    first = ensure_severity(catalog, study.id, "base-1", None)
    assert ensure_severity(catalog, study.id, "base-1", CALIBRATION) == first
    assert catalog.severities.of_study(study.id, "v2") is None
    predict(catalog, study, slice(None), "v2")
    assert ensure_severity(catalog, study.id, "v2", None).id != first.id


def test_pictures_have_no_severity(catalog, make_study):
    pictures, _ = catalog.studies.add(make_study(), "images")
    predict(catalog, pictures, slice(None))
    assert ensure_severity(catalog, pictures.id, "base-1", None) is None


def test_the_doubt_of_a_prediction_is_kept_with_it(catalog, study):
    predict(catalog, study, slice(0, 1))
    (kept,) = catalog.predictions.by_version("base-1")
    assert (kept.lesion_expected, kept.lesion_deviation) == (2.0, 0.0)


def test_a_catalog_of_the_first_version_keeps_its_predictions_which_carry_no_doubt(
    empty_database_url, storage_url
):
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    with contextlib.closing(Database(empty_database_url)) as database, database.writing() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        for statement in _ROWS_OF_0001:
            connection.execute(sa.text(statement))
    with Catalog.open(empty_database_url, storage_url) as catalog:
        (kept,) = catalog.predictions.by_version("base-1")
        assert (kept.score, kept.lesion_expected) == (0.5, None)
        assert catalog.severities.of_study(1, "base-1") is None


_ROWS_OF_0001 = (
    "INSERT INTO patients (patient, split, created_at) VALUES ('p', 'train', '')",
    "INSERT INTO studies (id, key, name, patient, layout, source, intensity, slice_count, created_at) "
    "VALUES (1, 'k', 's', 'p', 'nifti', '/in', 'hu', 1, '')",
    'INSERT INTO slices (id, study_id, "index", key, width, height, pixels_path, picture_path) '
    "VALUES (1, 1, 0, 'k', 4, 4, 'a', 'b')",
    "INSERT INTO predictions (id, slice_id, model_version, label_map_path, score, ground_glass_fraction, "
    "consolidation_fraction, entropy_mean, seconds, created_at) "
    "VALUES (1, 1, 'base-1', 'c', 0.5, 0, 0, 0, 0, '')",
)
