"""Annotations of study tasks: slice by slice, all or none, and the grades of readers."""

import contextlib

import numpy as np
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy import exc

from chestct.catalog import migrate, tables
from chestct.catalog.catalog import Catalog
from chestct.catalog.database import Database
from chestct.catalog.records import CorrectionState
from chestct.catalog.study_annotations import StudyAnnotation
from chestct.errors import InputError
from chestct.labels import SeverityGrade

SUBMITTED, ACCEPTED = CorrectionState.SUBMITTED, CorrectionState.ACCEPTED
SKIPPED, DELETED = CorrectionState.SKIPPED, CorrectionState.DELETED
PROJECT = "1:2026-01-01"
DRAWN = np.ones((4, 4), np.uint8)


@pytest.fixture
def three_slices(catalog, make_study):
    record, _ = catalog.studies.add(make_study(slice_count=3), "nifti")
    return catalog.slices.of_study(record.id)


@pytest.fixture
def annotate(catalog, three_slices):
    """Add a state in which the slices of these indices were corrected."""

    def add(corrected=(), minute=0, **given):
        fields = {
            "study_id": three_slices[0].study_id,
            "project_uid": PROJECT,
            "task_id": 10,
            "annotation_id": 100,
            "annotation_updated_at": f"2026-03-01T09:{minute:02}:00Z",
            "state": SUBMITTED,
            "annotator": "reader@hospital",
            "via": "sync",
            "label_maps": {one.id: DRAWN if one.index in corrected else None for one in three_slices},
        }
        return catalog.corrections.add_study_annotation(StudyAnnotation(**{**fields, **given}))

    return add


def current(catalog):
    """Index of each slice that has a current correction."""
    return [catalog.slices.get(row.slice_id).index for row in catalog.corrections.current()]


@pytest.fixture
def count_grades(database_url):
    """How many states of grades were ever received."""

    def count():
        with contextlib.closing(Database(database_url)) as database:
            return len(database.rows(sa.select(tables.study_grades)))

    return count


def test_corrected_slices_are_labels_and_the_rest_is_accepted(catalog, annotate):
    assert annotate({1}, lead_time_seconds=90.0, grade=SeverityGrade.CT_2)
    assert current(catalog) == [1]
    assert [row.state for row in catalog.corrections.all()] == [ACCEPTED, SUBMITTED, ACCEPTED]
    assert {row.lead_time_seconds for row in catalog.corrections.all()} == {None}
    assert catalog.slices.open() == []
    counts = catalog.counts()
    assert (counts["corrected"], counts["accepted"], counts["open"], counts["graded"]) == (1, 2, 0, 1)
    (grade,) = catalog.grades.current()
    assert (grade.grade, grade.lead_time_seconds, grade.annotation_id) == (SeverityGrade.CT_2, 90.0, 100)


def test_the_same_state_delivered_twice_adds_nothing(catalog, annotate, count_grades):
    assert annotate({1})
    assert not annotate({1}, via="webhook")
    assert len(catalog.corrections.all()) == 3
    assert count_grades() == 1


def test_a_later_state_counts_whole_even_where_a_slice_went_back(catalog, annotate):
    annotate({0, 1}, minute=1, grade=SeverityGrade.CT_1)
    annotate({1, 2}, minute=2, grade=None)
    assert current(catalog) == [1, 2]
    assert catalog.grades.current() == []
    annotate({0}, minute=0, grade=SeverityGrade.CT_4)  # delivered in the wrong order
    assert current(catalog) == [1, 2]
    assert len(catalog.corrections.all()) == 9


def test_a_slice_corrected_elsewhere_is_not_undone_by_accepting_its_study(
    catalog, annotate, three_slices, correct
):
    correct(three_slices[1].id, annotation_id=7)
    annotate(set(), minute=9)
    assert current(catalog) == [1]
    assert catalog.counts()["accepted"] == 2


def test_a_skipped_study_is_open_again(catalog, annotate):
    annotate({1}, minute=1, grade=SeverityGrade.CT_1)
    annotate(minute=2, state=SKIPPED)
    assert current(catalog) == []
    assert catalog.grades.current() == []
    assert len(catalog.slices.open()) == 3


def test_a_deleted_annotation_takes_all_its_slices_and_its_grade_back_once(catalog, annotate, three_slices):
    annotate({1}, grade=SeverityGrade.CT_1)
    annotate({2}, annotation_id=101, annotator="other@hospital")
    assert catalog.corrections.mark_deleted(PROJECT, 100, "sync")
    assert not catalog.corrections.mark_deleted(PROJECT, 100, "sync")
    assert current(catalog) == [2]
    assert catalog.grades.current() == []
    assert [row.state for row in catalog.corrections.all()][-3:] == [DELETED] * 3
    assert catalog.corrections.annotation_states(PROJECT)[100].state is DELETED
    assert catalog.corrections.annotation_states(PROJECT)[101].state in (SUBMITTED, ACCEPTED)


def test_deleting_the_annotation_of_a_slice_task_needs_no_study(catalog, three_slices, correct, count_grades):
    correct(three_slices[0].id)
    assert catalog.corrections.mark_deleted(PROJECT, 100, "sync")
    assert catalog.corrections.current() == []
    assert count_grades() == 0


def test_the_share_of_changed_pixels_is_against_the_prediction_of_each_slice(
    catalog, annotate, three_slices, make_prediction
):
    for one in three_slices:
        catalog.predictions.add(one.id, "base-1", make_prediction(label=one.index))
    annotate({0, 1}, model_version="base-1", model_grade=SeverityGrade.CT_3, grade=SeverityGrade.CT_3)
    assert [row.changed_fraction for row in catalog.corrections.all()] == [1.0, 0.0, None]
    assert None not in [row.prediction_id for row in catalog.corrections.all()]
    (grade,) = catalog.grades.current()
    assert (grade.model_version, grade.model_grade, grade.grade) == (
        "base-1",
        SeverityGrade.CT_3,
        SeverityGrade.CT_3,
    )


def test_each_reader_has_one_current_grade_a_study(catalog, annotate):
    annotate(minute=1, grade=SeverityGrade.CT_1, model_grade=SeverityGrade.CT_2)
    annotate(minute=2, annotation_id=101, grade=SeverityGrade.CT_3)
    annotate(minute=0, annotation_id=102, annotator="b@hospital", grade=SeverityGrade.CT_0)
    assert [(row.annotator, row.grade) for row in catalog.grades.current()] == [
        ("b@hospital", SeverityGrade.CT_0),
        ("reader@hospital", SeverityGrade.CT_3),
    ]
    assert all(row.grade != row.model_grade for row in catalog.grades.current())


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"label_maps": {999: None}}, "not of its study"),
        ({"state": SKIPPED, "corrected": {0}}, "skipped with a label map"),
    ],
)
def test_what_contradicts_itself_is_refused_whole(catalog, annotate, count_grades, given, reason):
    with pytest.raises(InputError, match=reason):
        annotate(**given)
    assert catalog.corrections.all() == []
    assert count_grades() == 0


def test_a_label_map_of_another_size_is_refused(catalog, annotate, three_slices):
    with pytest.raises(InputError, match=r"\(5, 4\); the slice is \(4, 4\)"):
        annotate(label_maps={three_slices[0].id: np.ones((5, 4), np.uint8)})


@pytest.mark.parametrize("table", ["corrections", "study_grades"])
@pytest.mark.parametrize("change", ["UPDATE {} SET annotator = 'x'", "DELETE FROM {}"])
def test_the_database_itself_refuses_to_change_what_a_reader_gave(
    catalog, annotate, database_url, table, change
):
    annotate({1}, grade=SeverityGrade.CT_1)
    with (
        contextlib.closing(Database(database_url)) as database,
        pytest.raises(exc.DBAPIError, match="append-only"),
        database.writing() as connection,
    ):
        connection.execute(sa.text(change.format(table)))


def test_links_of_study_tasks_are_kept_apart_from_those_of_slices(catalog, three_slices):
    (study,) = catalog.studies.all()
    assert catalog.tasks.studies_without(PROJECT) == [study]
    catalog.tasks.link_study(study.id, PROJECT, 5)
    catalog.tasks.link_study(study.id, PROJECT, 6)
    assert catalog.tasks.by_study(PROJECT) == {study.id: 6}
    assert catalog.tasks.studies_without(PROJECT) == []
    assert catalog.tasks.by_slice(PROJECT) == {}
    catalog.tasks.unlink(PROJECT, [5, 6])
    assert catalog.tasks.studies_without(PROJECT) == [study]


def test_a_catalog_of_the_first_version_keeps_its_corrections(empty_database_url, storage_url):
    with contextlib.closing(Database(empty_database_url)) as database:
        config = Config()
        config.set_main_option("script_location", str(migrate._SCRIPTS))
        with database.writing() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "0001")
            for statement in _OLD_ROWS:
                connection.execute(sa.text(statement))
    with Catalog.open(empty_database_url, storage_url) as catalog:
        (row,) = catalog.corrections.current()
        assert (row.annotation_id, row.label_map_path, row.state) == (100, "label/x.png", SUBMITTED)
        assert catalog.corrections.mark_deleted(PROJECT, 100, "sync")
        assert len(catalog.corrections.all()) == 2


_OLD_ROWS = (
    "INSERT INTO patients VALUES ('p', 'train', 't')",
    "INSERT INTO studies (id, key, name, patient, layout, source, intensity, slice_count, created_at) "
    "VALUES (1, 'k', 's', 'p', 'nifti', '/in', 'hu', 1, 't')",
    'INSERT INTO slices (id, study_id, "index", key, width, height, pixels_path, picture_path) '
    "VALUES (1, 1, 0, 'k', 4, 4, 'a', 'b')",
    "INSERT INTO corrections (slice_id, project_uid, task_id, annotation_id, annotation_updated_at, state, "
    "annotator, ground_truth, label_map_path, received_at, via) VALUES (1, '1:2026-01-01', 10, 100, "
    "'2026-03-01T09:00:00.000000Z', 'submitted', 'r', false, 'label/x.png', 't', 'sync')",
)
