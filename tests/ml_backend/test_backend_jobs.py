"""The queue's entry points: safe to run twice, clear about what is missing."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chestct.catalog.catalog import Catalog
from chestct.errors import ServiceUnavailableError
from chestct.labels import Label
from chestct.prediction import SlicePrediction
from ml_backend import jobs
from ml_backend.label_studio.tasks import create_missing_tasks
from ml_backend.sync import reconcile


@pytest.fixture
def environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, catalog: Catalog, label_studio: Any, queue: Any
) -> pytest.MonkeyPatch:
    """Settings from an environment, with the fakes in the place of Label Studio and the queue."""
    for name, value in {
        "HOME": tmp_path,
        "STORAGE_URL": tmp_path / "storage",
        "PROJECT_ID": 7,
        "LABEL_STUDIO_URL": "http://label-studio.test",
        "LABEL_STUDIO_TOKEN": "t",
        "DATABASE_URL": f"sqlite:///{tmp_path / 'catalog.sqlite3'}",
    }.items():
        monkeypatch.setenv(f"LUNGLOOP_{name}", str(value))
    monkeypatch.setattr(jobs.LabelStudio, "from_settings", lambda settings: label_studio.client())
    monkeypatch.setattr(jobs, "JobQueue", lambda redis_url: queue)
    return monkeypatch


def test_sync_brings_corrections_and_asks_for_a_retrain_when_enough_are_new(
    environment: pytest.MonkeyPatch,
    catalog: Catalog,
    study: str,
    label_studio: Any,
    queue: Any,
    tmp_path: Path,
) -> None:
    environment.setenv("LUNGLOOP_RETRAIN_EVERY", "2")
    create_missing_tasks(catalog, label_studio.client(), 7, tmp_path)
    label_studio.annotate(1, [])
    assert jobs.sync()["created"] == 1
    assert queue.asked == []
    label_studio.annotate(2, [])
    assert jobs.sync(2)["created"] == 1
    assert queue.asked == [("retrain", 1)]
    assert {row.via for row in catalog.corrections.all()} == {"sync", "webhook"}
    # What one request has seen does not count again.
    label_studio.annotate(3, [])
    assert jobs.sync()["created"] == 1
    assert len(queue.asked) == 1


def test_sync_counts_what_readers_changed_beside_the_prediction(
    environment: pytest.MonkeyPatch, catalog: Catalog, study: str, label_studio: Any, tmp_path: Path
) -> None:
    create_missing_tasks(catalog, label_studio.client(), 7, tmp_path)
    first = catalog.slices.all()[0]
    found = np.zeros((first.height, first.width), np.uint8)
    found[:2, :3] = Label.CONSOLIDATION
    catalog.predictions.add(first.id, "base-1", SlicePrediction(found, 0.5, 0.1))
    label_studio.annotate(1, [], updated_at="2126-03-01T09:00:00Z")
    jobs.sync()
    (reading,) = catalog.reader_log.readings()
    assert reading.changes is not None
    assert reading.changes.consolidation_removed == 6


def test_preannotate_computes_and_pushes_and_twice_is_once(
    environment: pytest.MonkeyPatch,
    catalog: Catalog,
    study: str,
    label_studio: Any,
    segmenters: dict[str, Any],
    champion: Any,
    tmp_path: Path,
) -> None:
    create_missing_tasks(catalog, label_studio.client(), 7, tmp_path)
    environment.setattr(jobs, "Champion", lambda catalog, load: champion)
    assert jobs.preannotate() == {
        "model_version": "base-1",
        "computed": 3,
        "pushed": 3,
        "placed": 2,  # the third stands in its place by chance
        "failed": {},
    }
    assert jobs.preannotate()["pushed"] == 0


def test_every_so_many_corrections_ask_for_new_next_places_and_others_do_not(
    environment: pytest.MonkeyPatch,
    catalog: Catalog,
    study: str,
    label_studio: Any,
    queue: Any,
    tmp_path: Path,
) -> None:
    create_missing_tasks(catalog, label_studio.client(), 7, tmp_path)
    environment.setattr(jobs, "_CORRECTIONS_AN_ORDER", 2)
    asked = []
    for task_id in (1, 2, 3):
        label_studio.annotate(task_id, [])
        jobs.sync()
        asked.append(("order",) in queue.asked)
        queue.asked.clear()
    jobs.sync()
    assert asked == [False, True, False]
    assert ("order",) not in queue.asked, "a sync without news asks for nothing"


def test_new_next_places_load_no_model(
    environment: pytest.MonkeyPatch,
    catalog: Catalog,
    study: str,
    label_studio: Any,
    champion: Any,
    tmp_path: Path,
) -> None:
    create_missing_tasks(catalog, label_studio.client(), 7, tmp_path)
    environment.setattr(jobs, "Champion", lambda catalog, load: champion)
    jobs.preannotate()
    environment.delattr(jobs, "Champion")
    report = jobs.settle_next_places()
    assert (report["model_version"], report["failed"]) == ("base-1", {})


def test_a_missing_project_is_said(environment: pytest.MonkeyPatch, study: str) -> None:
    environment.delenv("LUNGLOOP_PROJECT_ID")
    with pytest.raises(ServiceUnavailableError, match="LUNGLOOP_PROJECT_ID"):
        jobs.sync()


def test_following_needs_the_backends_address(environment: pytest.MonkeyPatch, study: str) -> None:
    with pytest.raises(ServiceUnavailableError, match="LUNGLOOP_BACKEND_URL"):
        jobs.follow_champion("base-1")


def test_reconcile_is_what_sync_runs(catalog: Catalog, study: str, label_studio: Any) -> None:
    assert reconcile(catalog, label_studio.client(), 7).changed == 0
