"""Whole studies as tasks: made once, pre-labelled once complete, reconciled slice by slice."""

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask.testing import FlaskClient

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState
from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.labels import SeverityGrade
from chestct.prediction import SlicePrediction
from chestct.settings import Settings
from chestct.study import Study
from ml_backend.app import create_app
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.results import brush_regions
from ml_backend.label_studio.tasks import TaskReport, create_missing_tasks
from ml_backend.model import Backend
from ml_backend.prelabelling.champion import Champion
from ml_backend.prelabelling.preannotate import preannotate
from ml_backend.sync import SyncReport, reconcile

SIDE = 64
SUBMITTED, ACCEPTED = CorrectionState.SUBMITTED, CorrectionState.ACCEPTED


@pytest.fixture
def label_studio(label_studio: Any, study_xml: str) -> Any:
    """The fake, with a project of studies."""
    label_studio.project["label_config"] = study_xml
    return label_studio


@pytest.fixture
def task(catalog: Catalog, study: str, label_studio: Any, tmp_path: Path) -> int:
    """The task of the study "case 1"."""
    create_missing_tasks(catalog, label_studio.client(), 7, tmp_path)
    return 1


@pytest.fixture
def prediction(catalog: Catalog, champion: Champion, label_studio: Any, task: int) -> dict[str, Any]:
    """The pre-label of the task: ground-glass on slice 0, consolidation on 1, nothing on 2."""
    preannotate(catalog, champion, label_studio.client(), 7)
    return label_studio.predictions[1]


def painted(study_xml: str, item: int, columns: int) -> list[dict[str, Any]]:
    """Ground-glass in the first columns of one slice."""
    label_map = np.zeros((SIDE, SIDE), np.uint8)
    label_map[:, :columns] = 1
    regions = brush_regions(label_map, parse_label_config(study_xml))
    return [{**one, "item_index": item, "origin": "manual"} for one in regions]


def grade(name: str) -> dict[str, Any]:
    return {
        "type": "choices",
        "from_name": "severity",
        "to_name": "image",
        "value": {"choices": [name]},
    }


def states(catalog: Catalog) -> list[CorrectionState]:
    """Of the newest delivery, slice by slice."""
    return [row.state for row in catalog.corrections.all()[-3:]]


def test_every_study_gets_one_task_with_what_the_contract_says(
    catalog: Catalog, study: str, label_studio: Any, tmp_path: Path
) -> None:
    client = label_studio.client()
    assert create_missing_tasks(catalog, client, 7, tmp_path) == TaskReport(1, 0, 0)
    assert create_missing_tasks(catalog, client, 7, tmp_path) == TaskReport(0, 0, 0)
    assert label_studio.tasks[1] == {
        "images": [f"/data/local-files/?d=storage/{one.picture_path}" for one in catalog.slices.all()],
        "study": study,
        "slice": [0, 1, 2],
    }


def test_study_tasks_made_before_a_crash_are_adopted_but_parts_of_a_study_are_not(
    catalog: Catalog, study: str, label_studio: Any, tmp_path: Path, task: int
) -> None:
    client = label_studio.client()
    catalog.tasks.unlink(client.project(7).uid, [task])
    whole = label_studio.tasks[task]
    label_studio.tasks[task] = {key: whole[key][:2] if key != "study" else study for key in whole}
    assert create_missing_tasks(catalog, client, 7, tmp_path) == TaskReport(1, 0, 0)
    catalog.tasks.unlink(client.project(7).uid, [2])
    assert create_missing_tasks(catalog, client, 7, tmp_path) == TaskReport(0, 1, 0)


def test_a_deleted_study_task_is_made_again(
    catalog: Catalog, label_studio: Any, tmp_path: Path, task: int
) -> None:
    del label_studio.tasks[task]
    assert create_missing_tasks(catalog, label_studio.client(), 7, tmp_path) == TaskReport(1, 0, 1)


def test_a_study_is_pre_labelled_once_with_regions_on_slices_that_have_findings(
    catalog: Catalog, champion: Champion, label_studio: Any, prediction: dict[str, Any]
) -> None:
    found = [(one["item_index"], one["value"]["brushlabels"][0]) for one in prediction["result"]]
    assert found == [(0, "Ground glass"), (1, "Consolidation")]
    assert (prediction["task"], prediction["model_version"], prediction["score"]) == (1, "base-1", 0.25)
    assert preannotate(catalog, champion, label_studio.client(), 7).pushed == 0
    assert len(label_studio.predictions) == 1


def test_a_study_with_a_slice_that_fails_is_not_pre_labelled(
    catalog: Catalog, champion: Champion, label_studio: Any, task: int
) -> None:
    champion.segmenter().fails_on = lambda pixels: bool(pixels.max() == 250)  # type: ignore[attr-defined]
    report = preannotate(catalog, champion, label_studio.client(), 7)
    assert (report.computed, report.pushed) == (2, 0)
    assert list(report.failed) == ["case 1 slice 1"]
    champion.segmenter().fails_on = lambda pixels: False  # type: ignore[attr-defined]
    assert preannotate(catalog, champion, label_studio.client(), 7).pushed == 1


def test_a_submitted_study_is_left_alone_and_a_skipped_one_is_not(
    catalog: Catalog, champion: Champion, label_studio: Any, task: int
) -> None:
    annotation = label_studio.annotate(task, [])
    reconcile(catalog, label_studio.client(), 7)
    assert preannotate(catalog, champion, label_studio.client(), 7).pushed == 0
    label_studio.change(annotation, was_cancelled=True)
    reconcile(catalog, label_studio.client(), 7)
    assert preannotate(catalog, champion, label_studio.client(), 7).pushed == 1


def test_touched_slices_become_corrections_and_the_rest_is_accepted(
    catalog: Catalog, label_studio: Any, task: int, prediction: dict[str, Any], study_xml: str
) -> None:
    kept = [one for one in prediction["result"] if one["item_index"] == 1]
    answer = [*kept, *painted(study_xml, 2, 16), grade("CT-3")]  # all of slice 0 is deleted
    label_studio.annotate(task, answer, parent_prediction=1, lead_time=95.0)
    assert reconcile(catalog, label_studio.client(), 7) == SyncReport(created=1)

    assert states(catalog) == [SUBMITTED, ACCEPTED, SUBMITTED]
    empty, drawn = catalog.corrections.current()
    assert not catalog.storage.read_label_map(str(empty.label_map_path)).any()
    label_map = catalog.storage.read_label_map(str(drawn.label_map_path))
    assert (label_map[:, :16] == 1).all()
    assert not label_map[:, 16:].any()
    assert (empty.changed_fraction, drawn.changed_fraction) == (100 / SIDE**2, 0.25)
    assert {(row.annotator, row.model_version) for row in (empty, drawn)} == {("ada@clinic.test", "base-1")}
    (given,) = catalog.grades.current()
    assert (given.grade, given.model_grade, given.lead_time_seconds) == (SeverityGrade.CT_3, None, 95.0)
    assert reconcile(catalog, label_studio.client(), 7) == SyncReport(unchanged=1)


def test_a_later_update_counts_whole_and_a_lost_hook_costs_nothing(
    catalog: Catalog, label_studio: Any, task: int, prediction: dict[str, Any], study_xml: str
) -> None:
    client = label_studio.client()
    untouched = prediction["result"]
    annotation = label_studio.annotate(task, [*untouched, *painted(study_xml, 2, 1)], parent_prediction=1)
    reconcile(catalog, client, 7, task, via="webhook")
    assert states(catalog) == [ACCEPTED, ACCEPTED, SUBMITTED]
    label_studio.change(annotation, result=[*untouched[1:], grade("CT-0")])
    assert reconcile(catalog, client, 7) == SyncReport(updated=1)
    assert [catalog.slices.get(row.slice_id).index for row in catalog.corrections.current()] == [0]
    assert [row.grade for row in catalog.grades.current()] == [SeverityGrade.CT_0]


def test_a_vouched_study_gives_a_label_for_every_slice(
    catalog: Catalog, label_studio: Any, task: int, prediction: dict[str, Any]
) -> None:
    viewed = {**grade("All slices viewed"), "from_name": "viewed"}
    label_studio.annotate(task, [*prediction["result"], viewed], parent_prediction=1)
    reconcile(catalog, label_studio.client(), 7)
    rows = catalog.corrections.current()
    assert [row.changed_fraction for row in rows] == [0.0, 0.0, 0.0]
    painted_pixels = [catalog.storage.read_label_map(str(row.label_map_path)).any() for row in rows]
    assert painted_pixels == [True, True, False]


def test_skip_and_deletion_take_back_every_slice_and_the_grade(
    catalog: Catalog, label_studio: Any, task: int, study_xml: str
) -> None:
    client = label_studio.client()
    first = label_studio.annotate(task, [*painted(study_xml, 0, 3), grade("CT-2")])
    second = label_studio.annotate(task, painted(study_xml, 1, 3), created_username=" B b@clinic.test, 2")
    assert reconcile(catalog, client, 7) == SyncReport(created=2)
    label_studio.change(first, was_cancelled=True)
    del label_studio.annotations[second]
    assert reconcile(catalog, client, 7) == SyncReport(skipped=1, deleted=1)
    assert catalog.corrections.current() == []
    assert catalog.grades.current() == []
    assert catalog.counts()["open"] == 3
    assert reconcile(catalog, client, 7) == SyncReport(unchanged=1)


def test_a_failed_prediction_was_not_shown(
    catalog: Catalog, label_studio: Any, task: int, study_xml: str
) -> None:
    label_studio.predictions[1] = {"task": task, "model_version": "base-1 failed", "result": []}
    label_studio.annotate(task, painted(study_xml, 0, 3), parent_prediction=1)
    reconcile(catalog, label_studio.client(), 7)
    assert states(catalog) == [SUBMITTED, ACCEPTED, ACCEPTED]
    assert {row.model_version for row in catalog.corrections.all()} == {None}


def test_a_region_on_a_slice_that_the_task_lacks_sets_the_annotation_aside(
    catalog: Catalog, label_studio: Any, task: int, study_xml: str
) -> None:
    bad = label_studio.annotate(task, painted(study_xml, 3, 3))
    (set_aside,) = reconcile(catalog, label_studio.client(), 7).set_aside
    assert "item_index 3; the task shows 3 slices" in set_aside.reason
    assert catalog.corrections.all() == []
    label_studio.change(bad, result=painted(study_xml, 2, 3))
    assert reconcile(catalog, label_studio.client(), 7) == SyncReport(created=1)


def test_slices_are_those_that_the_task_lists_in_its_order(
    catalog: Catalog, label_studio: Any, study: str, study_xml: str
) -> None:
    slices = catalog.slices.all()
    part = label_studio.add_task(
        study=study, slice=[2, 0], images=[slices[2].picture_path, slices[0].picture_path]
    )
    label_studio.annotate(part, painted(study_xml, 0, 3))
    assert reconcile(catalog, label_studio.client(), 7) == SyncReport(created=1)
    assert [catalog.slices.get(row.slice_id).index for row in catalog.corrections.current()] == [2]
    assert len(catalog.corrections.all()) == 2


@pytest.mark.parametrize(
    "data",
    [
        {"images": ["/data/upload/x.png"]},
        {"images": "text"},
        {},
        {"images": ["a", "b"], "study": "case 1", "slice": [0, 0]},
        {"images": ["a"], "study": "case 1", "slice": [9]},
        {"images": ["a"], "study": "case 1", "slice": [True]},
        {"images": [7], "study": "case 1", "slice": 0},
    ],
)
def test_a_task_of_pictures_that_are_no_study_is_set_aside(
    catalog: Catalog, label_studio: Any, study: str, data: dict[str, Any]
) -> None:
    label_studio.annotate(label_studio.add_task(**data), [])
    (set_aside,) = reconcile(catalog, label_studio.client(), 7).set_aside
    assert "not slices of one study" in set_aside.reason


@pytest.fixture
def client(settings: Settings, backend: Backend, study: str) -> FlaskClient:
    return create_app(settings, backend).test_client()


def predict(client: FlaskClient, study_xml: str, *data: dict[str, Any]) -> list[dict[str, Any]]:
    tasks = [{"id": number, "data": one} for number, one in enumerate(data)]
    answer = client.post("/predict", json={"tasks": tasks, "label_config": study_xml})
    assert answer.status_code == 200
    return answer.get_json()["results"]


def test_predict_answers_for_a_study_as_preannotate_pushes_it(
    client: FlaskClient, label_studio: Any, task: int, prediction: dict[str, Any], study_xml: str
) -> None:
    (result,) = predict(client, study_xml, label_studio.tasks[task])
    assert result == {key: prediction[key] for key in ("result", "score", "model_version")}


def test_a_study_task_without_pictures_fails_alone(
    client: FlaskClient, label_studio: Any, task: int, study_xml: str, backend: Backend
) -> None:
    good = label_studio.tasks[task]
    results = predict(client, study_xml, {}, {"images": []}, {"images": ["http://elsewhere/x.png"]}, good)
    assert [one["model_version"] for one in results] == ["base-1 failed"] * 3 + ["base-1"]


def test_a_study_of_which_one_slice_fails_is_no_prediction_at_all(
    client: FlaskClient, label_studio: Any, task: int, study_xml: str, backend: Backend
) -> None:
    backend.champion.segmenter().fails_on = lambda pixels: bool(pixels.max() == 250)  # type: ignore[attr-defined]
    (result,) = predict(client, study_xml, label_studio.tasks[task])
    assert (result["result"], result["model_version"]) == ([], "base-1 failed")


def test_a_study_that_takes_too_long_is_left_to_a_job(
    settings: Settings, backend: Backend, label_studio: Any, task: int, study_xml: str, queue: Any
) -> None:
    client = create_app(settings, replace(backend, predict_seconds=0.0)).test_client()
    (result,) = predict(client, study_xml, label_studio.tasks[task])
    assert result["model_version"] == "base-1 failed"
    assert queue.asked == [("preannotate",)]


class TestGrade:
    """A study with millimetres, both lungs, and ground-glass in 32 of 100 columns of one of them."""

    @pytest.fixture
    def study(self, catalog: Catalog) -> str:
        geometry = Geometry((SIDE, SIDE, 12), np.diag([5.0, 5.0, 8.0, 1.0]))
        slices = [np.full((SIDE, SIDE), 50, np.uint8) for _ in range(12)]
        catalog.studies.add(
            Study("graded", "patient 2", slices, Intensity.PICTURE, Path("case"), geometry), "nifti"
        )
        catalog.versions.ensure_base("base-1")
        return "graded"

    def predict_lungs(self, catalog: Catalog) -> None:
        """Two lungs of 20 columns; the upper 24 of 40 rows of the left one are ground-glass: 60 %."""
        label_map = np.zeros((SIDE, SIDE), np.uint8)
        label_map[10:50, 8:28] = 3
        label_map[10:50, 36:56] = 3
        label_map[10:34, 36:56] = 1
        for one in catalog.slices.all():
            catalog.predictions.add(one.id, "base-1", SlicePrediction(label_map, 0.5, 0.1), 0.1)

    def test_the_grade_of_the_models_masks_is_preset_and_kept_with_the_readers(
        self,
        catalog: Catalog,
        champion: Champion,
        client: FlaskClient,
        label_studio: Any,
        task: int,
        study_xml: str,
    ) -> None:
        self.predict_lungs(catalog)
        preannotate(catalog, champion, label_studio.client(), 7)
        preset = label_studio.predictions[1]["result"]
        assert preset[-1] == grade("CT-3")
        assert predict(client, study_xml, label_studio.tasks[task])[0]["result"] == preset

        label_studio.annotate(task, [*preset[:-1], grade("CT-4")], parent_prediction=1)
        reconcile(catalog, label_studio.client(), 7)
        (given,) = catalog.grades.current()
        assert (given.grade, given.model_grade) == (SeverityGrade.CT_4, SeverityGrade.CT_3)
        assert catalog.corrections.current() == []

    def test_a_part_of_a_study_has_no_grade(
        self, catalog: Catalog, client: FlaskClient, label_studio: Any, task: int, study_xml: str
    ) -> None:
        self.predict_lungs(catalog)
        whole = label_studio.tasks[task]
        part = {"study": whole["study"], "images": whole["images"][:6], "slice": whole["slice"][:6]}
        (result,) = predict(client, study_xml, part)
        assert {one["type"] for one in result["result"]} == {"brushlabels"}
