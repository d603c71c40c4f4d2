import contextlib

import numpy as np
import pytest
import sqlalchemy as sa
from sqlalchemy import exc

from chestct.catalog.corrections import changed_lesion_fraction
from chestct.catalog.database import Database
from chestct.catalog.records import CorrectionState
from chestct.errors import InputError, NotFoundError
from chestct.labels import Split

SKIPPED, DELETED = CorrectionState.SKIPPED, CorrectionState.DELETED


def test_a_correction_is_kept_exactly_as_submitted(catalog, one_slice, correct):
    label_map = np.array([[0, 1, 2, 3]] * 4, np.uint8)
    stored, created = correct(
        one_slice.id, label_map=label_map, lead_time_seconds=12.5, ground_truth=True, annotation_id=2**40
    )
    assert created
    assert stored.annotation_updated_at == "2026-03-01T09:00:00.000000Z"
    assert (stored.lead_time_seconds, stored.ground_truth, stored.annotation_id) == (12.5, True, 2**40)
    assert stored.state is CorrectionState.SUBMITTED
    assert catalog.storage.read_label_map(stored.label_map_path).tolist() == label_map.tolist()
    assert catalog.corrections.all() == catalog.corrections.current() == [stored]


def test_the_same_state_delivered_twice_is_one_row(catalog, one_slice, correct):
    first, _ = correct(one_slice.id, via="webhook")
    again, created = correct(one_slice.id, via="sync", annotation_updated_at="2026-03-01T10:00:00+01:00")
    assert not created
    assert again == first
    assert len(catalog.corrections.all()) == 1


def test_a_later_update_replaces_the_earlier_and_both_stay_on_record(catalog, one_slice, correct):
    late, _ = correct(one_slice.id, minute=5)
    early, _ = correct(one_slice.id, minute=1)  # delivered in the wrong order
    assert catalog.corrections.current() == [late]
    assert catalog.corrections.all() == [late, early]


def test_an_annotation_that_moved_to_another_slice_counts_there_only(catalog, make_study, correct):
    catalog.studies.add(make_study(), "nifti")
    first, second = catalog.slices.all()
    correct(first.id, minute=1)
    moved, _ = correct(second.id, minute=2)  # its task was linked to the wrong slice at first
    assert catalog.corrections.current() == [moved]
    assert catalog.slices.open() == [first]


@pytest.mark.parametrize("withdrawn", [SKIPPED, DELETED])
def test_a_withdrawn_annotation_no_longer_counts(catalog, one_slice, correct, withdrawn):
    correct(one_slice.id)
    assert catalog.slices.open() == []
    gone, _ = correct(one_slice.id, state=withdrawn)  # deletions carry the time of the last update
    assert gone.label_map_path is None
    assert catalog.corrections.current() == []
    assert catalog.slices.open() == [one_slice]


def test_deleting_a_second_attempt_leaves_the_first(catalog, one_slice, correct):
    first, _ = correct(one_slice.id, minute=1, annotation_id=1)
    second, _ = correct(one_slice.id, minute=2, annotation_id=2)
    assert catalog.corrections.current() == [second]
    correct(one_slice.id, minute=3, annotation_id=2, state=DELETED)
    assert catalog.corrections.current() == [first]


def test_each_reader_has_a_current_correction_of_their_own(catalog, one_slice, correct):
    mine, _ = correct(one_slice.id, annotation_id=1, annotator="a")
    theirs, _ = correct(one_slice.id, annotation_id=2, annotator="b")
    assert catalog.corrections.current() == [mine, theirs]
    assert catalog.counts()["corrected"] == 1


def test_annotation_ids_of_two_projects_do_not_meet(catalog, one_slice, correct):
    correct(one_slice.id, project_uid="1:2026", annotator="a")
    correct(one_slice.id, project_uid="1:2027", annotator="b")
    assert len(catalog.corrections.current()) == 2
    assert list(catalog.corrections.annotation_states("1:2026")) == [100]


def test_the_newest_state_of_each_annotation_is_known_for_reconciling(catalog, one_slice, correct):
    correct(one_slice.id, annotation_id=1, task_id=10)
    deleted, _ = correct(one_slice.id, annotation_id=1, task_id=10, state=DELETED)
    other, _ = correct(one_slice.id, annotation_id=2, task_id=11)
    assert catalog.corrections.annotation_states("1:2026-01-01") == {1: deleted, 2: other}
    assert catalog.corrections.annotation_states("1:2026-01-01", task_id=11) == {2: other}


def test_corrections_are_told_apart_by_split(catalog, make_study, correct):
    catalog.studies.add(make_study("a", slice_count=1, seed=1, split=Split.TEST), "nifti")
    catalog.studies.add(make_study("b", slice_count=1, seed=2, split=Split.TRAIN), "nifti")
    on_test, _ = correct(catalog.slices.by_index("a", 0).id, annotation_id=1)
    on_train, _ = correct(catalog.slices.by_index("b", 0).id, annotation_id=2)
    assert catalog.corrections.current(Split.TEST) == [on_test]
    assert catalog.corrections.current(Split.TRAIN) == [on_train]


def test_a_correction_knows_how_much_of_its_prediction_was_changed(
    catalog, one_slice, make_prediction, correct
):
    prediction = catalog.predictions.add(one_slice.id, "base-1", make_prediction(label=1))
    label_map = np.ones((4, 4), np.uint8)
    label_map[0] = [0, 2, 1, 1]
    stored, _ = correct(one_slice.id, label_map=label_map, model_version="base-1")
    assert stored.prediction_id == prediction.id
    assert stored.changed_fraction == 2 / 16


def test_a_correction_from_an_unknown_prediction_keeps_the_version_only(catalog, one_slice, correct):
    stored, _ = correct(one_slice.id, model_version="v9")
    assert (stored.model_version, stored.prediction_id, stored.changed_fraction) == ("v9", None, None)


def test_lung_and_background_are_no_change_of_a_lesion():
    corrected = np.array([[0, 1], [2, 0]], np.uint8)
    predicted = np.array([[3, 1], [1, 0]], np.uint8)
    assert changed_lesion_fraction(corrected, predicted) == 0.25


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({"label_map": None}, "without a label map"),
        ({"state": SKIPPED, "label_map": np.zeros((4, 4), np.uint8)}, "with a label map"),
        ({"label_map": np.zeros((4, 5), np.uint8)}, "shape"),
        ({"label_map": np.full((4, 4), 9, np.uint8)}, "value 9"),
        ({"annotation_updated_at": "yesterday"}, "ISO 8601"),
    ],
)
def test_a_damaged_correction_is_refused(catalog, one_slice, correct, given, reason):
    with pytest.raises(InputError, match=reason):
        correct(one_slice.id, **given)
    assert catalog.corrections.all() == []


def test_a_correction_of_no_slice_is_refused(correct):
    with pytest.raises(NotFoundError):
        correct(99)


@pytest.mark.parametrize("statement", ["UPDATE corrections SET annotator = 'x'", "DELETE FROM corrections"])
def test_the_database_itself_refuses_to_change_or_drop_a_correction(
    catalog, one_slice, correct, database_url, statement
):
    stored, _ = correct(one_slice.id)
    database = Database(database_url)
    with (
        contextlib.closing(database),
        pytest.raises(exc.DBAPIError, match="append-only"),
        database.writing() as connection,
    ):
        connection.execute(sa.text(statement))
    assert catalog.corrections.all() == [stored]


def test_the_file_is_there_for_good_before_its_row(catalog, one_slice, correct, monkeypatch):
    files_at_insert: list[int] = []

    def dies(self, topic=None):
        files_at_insert.extend(1 for _ in (catalog.storage.root_path / "label_map").rglob("*.png"))
        raise KeyboardInterrupt

    monkeypatch.setattr(Database, "writing", dies)
    with pytest.raises(KeyboardInterrupt):
        correct(one_slice.id)
    monkeypatch.undo()
    assert files_at_insert == [1]
    assert catalog.corrections.all() == []
    assert correct(one_slice.id)[1]  # delivered again, it is kept
