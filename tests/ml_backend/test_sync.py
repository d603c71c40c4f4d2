"""Reconciling corrections: idempotent, complete, and never stopped by one bad annotation."""

from typing import Any

import numpy as np
import pytest

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState
from chestct.errors import NotFoundError, ServiceUnavailableError
from chestct.prediction import SlicePrediction
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.results import prediction_result
from ml_backend.sync import SyncReport, reconcile

SIDE = 64


def painted(slice_xml: str, columns: int, label: int = 1) -> list[Any]:
    """A result whose first `columns` columns are painted."""
    label_map = np.zeros((SIDE, SIDE), np.uint8)
    label_map[:, :columns] = label
    return prediction_result([label_map], 0.5, "v", parse_label_config(slice_xml))["result"]


@pytest.fixture
def tasks(catalog: Catalog, study: str, label_studio: Any) -> list[int]:
    """A task for each of the three slices, linked."""
    uid = label_studio.client().project(7).uid
    ids = []
    for one in catalog.slices.all():
        ids.append(label_studio.add_task(study=study, slice=one.index, image="x"))
        catalog.tasks.link(one.id, uid, ids[-1])
    return ids


def test_a_submit_becomes_one_correction_with_all_that_is_known(
    catalog: Catalog, label_studio: Any, tasks: list[int], slice_xml: str
) -> None:
    first = catalog.slices.all()[0]
    catalog.predictions.add(
        first.id, "base-1", SlicePrediction(np.zeros((SIDE, SIDE), np.uint8), 0.2, 0.1), 0.1
    )
    label_studio.predictions[1] = {"task": tasks[0], "model_version": "base-1"}
    label_studio.annotate(tasks[0], painted(slice_xml, 16), parent_prediction=1, ground_truth=True)

    assert reconcile(catalog, label_studio.client(), 7) == SyncReport(created=1)
    (row,) = catalog.corrections.current()
    assert (row.slice_id, row.state) == (first.id, CorrectionState.SUBMITTED)
    assert (row.annotator, row.lead_time_seconds, row.ground_truth) == ("ada@clinic.test", 12.5, True)
    assert (row.model_version, row.changed_fraction, row.via) == ("base-1", 0.25, "sync")
    assert row.label_map_path is not None
    label_map = catalog.storage.read_label_map(row.label_map_path)
    assert (label_map[:, :16] == 1).all()
    assert not label_map[:, 16:].any()


def test_reconciling_again_changes_nothing_and_reads_no_mask(
    catalog: Catalog, label_studio: Any, tasks: list[int], slice_xml: str
) -> None:
    label_studio.annotate(tasks[0], painted(slice_xml, 3))
    reconcile(catalog, label_studio.client(), 7)
    label_studio.requests.clear()
    assert reconcile(catalog, label_studio.client(), 7) == SyncReport(unchanged=1)
    assert not [request for request in label_studio.requests if "annotations" in request]


def test_update_skip_and_deletion_are_followed_and_history_stays(
    catalog: Catalog, label_studio: Any, tasks: list[int], slice_xml: str
) -> None:
    client = label_studio.client()
    kept = label_studio.annotate(tasks[0], painted(slice_xml, 3))
    gone = label_studio.annotate(tasks[1], painted(slice_xml, 3))
    label_studio.annotate(tasks[2], [], was_cancelled=True)
    assert reconcile(catalog, client, 7) == SyncReport(created=2, skipped=1)

    label_studio.change(kept, result=painted(slice_xml, 5, label=2))
    del label_studio.annotations[gone]
    assert reconcile(catalog, client, 7) == SyncReport(updated=1, deleted=1, unchanged=1)
    (row,) = catalog.corrections.current()
    assert catalog.storage.read_label_map(str(row.label_map_path)).max() == 2

    label_studio.change(kept, was_cancelled=True)
    assert reconcile(catalog, client, 7).skipped == 1
    assert catalog.corrections.current() == []
    assert len(catalog.corrections.all()) == 6
    assert reconcile(catalog, client, 7) == SyncReport(unchanged=2)


def test_two_annotators_of_one_slice_are_both_kept(
    catalog: Catalog, label_studio: Any, tasks: list[int], slice_xml: str
) -> None:
    label_studio.annotate(tasks[0], painted(slice_xml, 3))
    label_studio.annotate(tasks[0], painted(slice_xml, 4), created_username=" B b@clinic.test, 2")
    assert reconcile(catalog, label_studio.client(), 7).created == 2
    assert {row.annotator for row in catalog.corrections.current()} == {"ada@clinic.test", "b@clinic.test"}


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"result": [{"type": "brushlabels", "from_name": "other", "to_name": "image"}]}, "other"),
        ({"result": "text"}, "no list of regions"),
        ({"lead_time": "soon"}, "soon"),
        ({"updated_at": "yesterday"}, "yesterday"),
    ],
)
def test_a_malformed_annotation_is_set_aside_and_tried_again(
    catalog: Catalog,
    label_studio: Any,
    tasks: list[int],
    slice_xml: str,
    changes: dict[str, Any],
    reason: str,
) -> None:
    bad = label_studio.annotate(tasks[0], **{"result": painted(slice_xml, 1), **changes})
    label_studio.annotate(tasks[1], painted(slice_xml, 3))
    report = reconcile(catalog, label_studio.client(), 7)
    assert report.created == 1
    assert [(one.annotation_id, one.task_id) for one in report.set_aside] == [(bad, tasks[0])]
    assert reason in report.set_aside[0].reason

    label_studio.change(bad, result=painted(slice_xml, 2), lead_time=1.0)
    assert reconcile(catalog, label_studio.client(), 7) == SyncReport(created=1, unchanged=1)


def test_a_brush_of_another_size_is_set_aside(
    catalog: Catalog, label_studio: Any, tasks: list[int], slice_xml: str
) -> None:
    small = prediction_result([np.ones((8, 8), np.uint8)], 0.5, "v", parse_label_config(slice_xml))["result"]
    label_studio.annotate(tasks[0], small)
    (set_aside,) = reconcile(catalog, label_studio.client(), 7).set_aside
    assert "8 x 8, the slice is 64 x 64" in set_aside.reason


def test_one_task_can_be_read_alone(
    catalog: Catalog, label_studio: Any, tasks: list[int], slice_xml: str
) -> None:
    for task in tasks:
        label_studio.annotate(task, painted(slice_xml, 3))
    assert reconcile(catalog, label_studio.client(), 7, tasks[1], via="webhook") == SyncReport(created=1)
    (row,) = catalog.corrections.all()
    assert (row.task_id, row.via) == (tasks[1], "webhook")


def test_an_annotation_that_slips_between_two_pages_is_not_taken_for_deleted(
    catalog: Catalog, label_studio: Any, tasks: list[int], slice_xml: str
) -> None:
    annotation = label_studio.annotate(tasks[0], painted(slice_xml, 3))
    reconcile(catalog, label_studio.client(), 7)
    label_studio.hidden_from_list.add(annotation)
    assert reconcile(catalog, label_studio.client(), 7) == SyncReport()
    assert len(catalog.corrections.current()) == 1


def test_a_task_loaded_by_hand_is_linked_by_study_and_slice_or_set_aside(
    catalog: Catalog, label_studio: Any, study: str, slice_xml: str
) -> None:
    known = label_studio.add_task(study=study, slice=2, image="x")
    unknown = label_studio.add_task(image="x")
    label_studio.annotate(known, painted(slice_xml, 3))
    label_studio.annotate(unknown, painted(slice_xml, 3))
    report = reconcile(catalog, label_studio.client(), 7)
    assert report.created == 1
    assert "not in the catalog" in report.set_aside[0].reason
    linked = catalog.tasks.slice_of(label_studio.client().project(7).uid, known)
    assert linked is not None
    assert linked.index == 2


def test_a_failed_prediction_counts_as_drawn_from_scratch(
    catalog: Catalog, label_studio: Any, tasks: list[int], slice_xml: str
) -> None:
    label_studio.predictions[1] = {"task": tasks[0], "model_version": "base-1 failed"}
    label_studio.annotate(tasks[0], painted(slice_xml, 3), parent_prediction=1)
    label_studio.annotate(tasks[1], painted(slice_xml, 3), parent_prediction=404)
    reconcile(catalog, label_studio.client(), 7)
    assert {row.model_version for row in catalog.corrections.current()} == {None}


def test_a_project_that_is_made_anew_under_the_same_id_is_another_project(
    catalog: Catalog, label_studio: Any, tasks: list[int], slice_xml: str
) -> None:
    label_studio.annotate(tasks[0], painted(slice_xml, 3))
    reconcile(catalog, label_studio.client(), 7)
    label_studio.project["created_at"] = "2026-03-03T00:00:00.000000Z"
    label_studio.tasks.clear()
    label_studio.annotations.clear()
    assert reconcile(catalog, label_studio.client(), 7) == SyncReport()
    assert len(catalog.corrections.current()) == 1


def test_label_studio_down_or_the_project_gone_is_said(
    catalog: Catalog, label_studio: Any, tasks: list[int]
) -> None:
    with pytest.raises(NotFoundError):
        reconcile(catalog, label_studio.client(), 8)
    label_studio.is_down = True
    with pytest.raises(ServiceUnavailableError, match="Label Studio"):
        reconcile(catalog, label_studio.client(), 7)
