"""The readers' log: what a correction stands beside, counted once, over both databases."""

import numpy as np
import pytest
import sqlalchemy as sa

from chestct.catalog import tables
from chestct.catalog.database import Database
from chestct.catalog.predictions import OWN_MASKS
from chestct.catalog.records import CorrectionState
from chestct.derived.reader_changes import count_changes
from chestct.prediction import SlicePrediction

_FIRST_ROW_GLASS = np.array([[1, 1, 1, 1]] + [[3, 3, 3, 3]] * 3, np.uint8)
# Two pixels of ground-glass cleared, one of consolidation drawn.
_CORRECTED = np.array([[1, 1, 0, 0], [2, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 0]], np.uint8)
_LATER = "2126-03-01T09:00:00Z"  # after any prediction of this test run


@pytest.fixture
def draw(database_url):
    """Writes an arm by hand, as `Catalog.allocate` draws it."""

    def write(slice_id: int, *, prelabelled: bool = True, read_twice: bool = False, arm: str = "active"):
        database = Database(database_url)
        row = {"slice_id": slice_id, "arm": arm, "prelabelled": prelabelled, "read_twice": read_twice}
        with database.writing() as connection:
            connection.execute(sa.insert(tables.assignments).values(**row, drawn_at="2026"))
        database.close()

    return write


def _predict(catalog, slice_id, version, label_map=_FIRST_ROW_GLASS, **given):
    return catalog.predictions.add(slice_id, version, SlicePrediction(label_map, 0.5, 0.1, **given))


def test_a_correction_is_counted_against_the_version_that_it_started_from(catalog, one_slice, correct):
    _predict(catalog, one_slice.id, "base-1")
    _predict(catalog, one_slice.id, "v2", np.zeros((4, 4), np.uint8))
    given = {"label_map": _CORRECTED, "model_version": "base-1", "lead_time_seconds": 42.0}
    correction, _ = correct(one_slice.id, annotation_updated_at=_LATER, **given)
    assert catalog.reader_log.readings()[0].changes is None
    assert count_changes(catalog) == 1
    (reading,) = catalog.reader_log.readings()
    changes = reading.changes
    assert (changes.model_version, changes.changed, changes.lesion_before, changes.lesion_after) == (
        "base-1",
        3,
        4,
        3,
    )
    assert (changes.ground_glass_removed, changes.ground_glass_added, changes.consolidation_added) == (
        2,
        0,
        1,
    )
    assert changes.dice == pytest.approx(2 * 2 / 7)
    assert (reading.correction_id, reading.seconds, reading.corrected_pixels) == (correction.id, 42.0, 3)
    assert (reading.study_name, reading.slice_index, reading.patient) == ("study_0001", 0, "study_0001")
    assert (reading.arm, reading.prelabelled, reading.is_drawn) == (None, None, False)


def test_counting_again_adds_nothing_and_a_newer_state_is_counted_anew(catalog, one_slice, correct):
    _predict(catalog, one_slice.id, "base-1")
    correct(one_slice.id, minute=1, model_version="base-1", label_map=_FIRST_ROW_GLASS)
    assert (count_changes(catalog), count_changes(catalog)) == (1, 0)
    correct(one_slice.id, minute=2, model_version="base-1", label_map=_CORRECTED)
    assert catalog.reader_log.readings()[0].changes is None
    assert (count_changes(catalog), catalog.reader_log.readings()[0].changes.changed) == (1, 3)


def test_a_blank_slice_stands_beside_the_newest_prediction_of_its_time(catalog, one_slice, correct, draw):
    draw(one_slice.id, prelabelled=False, arm="control", read_twice=True)
    _predict(catalog, one_slice.id, "base-1", np.zeros((4, 4), np.uint8))
    _predict(catalog, one_slice.id, "v2")
    correct(one_slice.id, annotation_updated_at=_LATER, label_map=_CORRECTED)
    count_changes(catalog)
    (reading,) = catalog.reader_log.readings()
    assert reading.changes.model_version == "v2"
    assert reading.shown_version is None
    assert reading.corrected_pixels is None  # nothing was there to be corrected
    assert (reading.arm, reading.prelabelled, reading.read_twice, reading.is_drawn) == (
        "control",
        False,
        True,
        True,
    )


def test_a_prediction_that_came_after_the_reading_stands_beside_it_only_as_the_champions(
    catalog, one_slice, correct
):
    catalog.versions.ensure_base("base-1")
    _predict(catalog, one_slice.id, "v2")
    correct(one_slice.id, annotation_updated_at="2020-01-01T00:00:00Z", label_map=_CORRECTED)
    assert count_changes(catalog) == 0
    catalog.versions.register("v2", "base-1", "snap")
    catalog.versions.set_champion("v2")
    assert count_changes(catalog) == 1
    (reading,) = catalog.reader_log.readings()
    assert reading.changes is None
    assert reading.champion_changes.changed == 3
    catalog.versions.rollback()
    assert catalog.reader_log.readings()[0].champion_changes is None


def test_own_masks_are_marked_and_never_stand_beside_a_reading(catalog, one_slice, correct):
    catalog.predictions.add_prelabel(one_slice.id, _FIRST_ROW_GLASS)
    correct(one_slice.id, annotation_updated_at=_LATER, label_map=_CORRECTED, model_version=OWN_MASKS)
    assert count_changes(catalog) == 0
    (reading,) = catalog.reader_log.readings()
    assert (reading.has_own_mask, reading.changes) == (True, None)


def test_readings_of_study_tasks_are_marked(catalog, one_slice, correct):
    catalog.tasks.link_study(one_slice.study_id, "1:2026-01-01", 10)
    correct(one_slice.id, task_id=10)
    correct(one_slice.id, task_id=11, annotation_id=101, annotator="b")
    assert [one.of_study_task for one in catalog.reader_log.readings()] == [True, False]
    count_changes(catalog)
    assert catalog.reader_log.pairs(catalog.reader_log.readings()) == []


def test_two_readers_of_a_slice_are_a_pair_by_class(catalog, one_slice, correct, draw):
    draw(one_slice.id, read_twice=True)
    correct(one_slice.id, annotation_id=1, annotator="a", label_map=_FIRST_ROW_GLASS)
    correct(one_slice.id, annotation_id=2, annotator="b", label_map=_CORRECTED)
    assert count_changes(catalog) == 1
    (pair,) = catalog.reader_log.pairs(catalog.reader_log.readings())
    assert (pair.readers, pair.was_drawn, pair.patient) == (("a", "b"), True, "study_0001")
    assert pair.dice == {
        "lesion": pytest.approx(4 / 7),
        "ground_glass": pytest.approx(4 / 6),
        "consolidation": 0.0,
    }
    correct(one_slice.id, annotation_id=2, annotator="b", minute=5, state=CorrectionState.DELETED)
    assert catalog.reader_log.pairs(catalog.reader_log.readings()) == []


def test_a_picture_of_doubt_tells_what_the_model_was_sure_of(
    catalog, one_slice, correct, database_url, storage_url
):
    prediction = _predict(catalog, one_slice.id, "base-1")
    # The upper half is sure: all three changed pixels lie there.
    uncertainty = catalog.storage.write_label_map(np.array([[0, 0], [3, 3]], np.uint8))
    database = Database(database_url)
    with database.writing() as connection:
        here = tables.predictions.c.id == prediction.id
        connection.execute(sa.update(tables.predictions).where(here).values(doubt_path=uncertainty))
    database.close()
    correct(one_slice.id, annotation_updated_at=_LATER, label_map=_CORRECTED, model_version="base-1")
    count_changes(catalog)
    assert catalog.reader_log.readings()[0].changes.sure == 3


def test_a_missing_mask_leaves_its_row_out_and_the_others_are_counted(catalog, make_study, correct, caplog):
    catalog.studies.add(make_study(), "nifti")
    first, second = catalog.slices.all()
    lost = _predict(catalog, first.id, "base-1")
    _predict(catalog, second.id, "base-1", _CORRECTED)
    for number, one in enumerate((first, second)):
        correct(one.id, annotation_id=number, model_version="base-1", label_map=_FIRST_ROW_GLASS)
    path = catalog.storage.local_path(lost.label_map_path)
    kept = path.read_bytes()
    path.unlink()
    # The first slice's correction has the same pixels as its prediction, so both lost their file.
    assert count_changes(catalog) == 0
    assert "is not counted" in caplog.text
    path.write_bytes(kept)
    assert count_changes(catalog) == 2


def test_counting_goes_on_where_the_last_run_stopped(catalog, make_study, correct):
    catalog.studies.add(make_study(slice_count=3), "nifti")
    for number, one in enumerate(catalog.slices.all()):
        _predict(catalog, one.id, "base-1")
        correct(one.id, annotation_id=number, model_version="base-1")
    assert [count_changes(catalog, most=2) for _ in range(3)] == [2, 1, 0]


def test_the_stamp_changes_with_the_log_and_only_then(catalog, one_slice, correct, draw):
    stamps = [catalog.reader_log.stamp()]
    assert catalog.reader_log.stamp() == stamps[0]
    for step in (
        lambda: _predict(catalog, one_slice.id, "base-1") and correct(one_slice.id, model_version="base-1"),
        lambda: count_changes(catalog),
        lambda: draw(one_slice.id),
        lambda: catalog.versions.ensure_base("base-1"),
    ):
        step()
        stamps.append(catalog.reader_log.stamp())
    assert len(set(stamps)) == 5
