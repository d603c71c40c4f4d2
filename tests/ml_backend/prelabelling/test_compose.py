"""One pre-label whichever way it travels: Label Studio asks for it, or a job pushes it."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chestct.acquisition.allocation import Shares
from chestct.catalog.catalog import Catalog
from chestct.geometry import Geometry
from chestct.intensity import Intensity
from chestct.prediction import SlicePrediction
from chestct.study import Study
from ml_backend.label_studio.tasks import create_missing_tasks
from ml_backend.model import Backend, LungLoopModel
from ml_backend.prelabelling.champion import Champion
from ml_backend.prelabelling.preannotate import preannotate
from ml_backend.prelabelling.worklist import OrderChoices

SIDE = 64
ASSISTED = OrderChoices(shares=Shares(0.0, 0.0, 0.0))
UNASSISTED = OrderChoices(shares=Shares(control=0.0, unassisted=0.99, double_read=0.0))

Pull = Callable[[int], dict[str, Any]]


@pytest.fixture
def pull(backend: Backend, label_studio: Any) -> Pull:
    """What `/predict` answers for a task."""

    def ask(task_id: int) -> dict[str, Any]:
        task = {"id": task_id, "data": label_studio.tasks[task_id]}
        (answer,) = LungLoopModel(backend, label_studio.project["label_config"]).predict([task])
        return answer

    return ask


def pushed(label_studio: Any, task_id: int) -> dict[str, Any]:
    (row,) = [row for row in label_studio.predictions.values() if row["task"] == task_id]
    return {key: row[key] for key in ("result", "score", "model_version")}


@pytest.mark.parametrize("choices", [ASSISTED, UNASSISTED])
def test_slice_tasks_are_answered_as_they_are_pushed(
    catalog: Catalog,
    study: str,
    champion: Champion,
    label_studio: Any,
    pull: Pull,
    tmp_path: Path,
    choices: OrderChoices,
) -> None:
    create_missing_tasks(catalog, label_studio.client(), 7, tmp_path)
    catalog.predictions.add_prelabel(catalog.slices.all()[1].id, np.full((SIDE, SIDE), 2, np.uint8))
    preannotate(catalog, champion, label_studio.client(), 7, choices=choices)
    for task_id in (1, 2, 3):
        assert pull(task_id) == pushed(label_studio, task_id)
    assert bool(pull(1)["result"]) == (choices is ASSISTED)
    assert pull(2)["result"], "an external mask is shown to everybody"


@pytest.mark.parametrize("shows_studies", [False, True])
def test_before_there_is_a_worklist_both_are_served_by_the_models_confidence(
    catalog: Catalog,
    study: str,
    champion: Champion,
    label_studio: Any,
    pull: Pull,
    tmp_path: Path,
    study_xml: str,
    shows_studies: bool,
) -> None:
    if shows_studies:
        label_studio.project["label_config"] = study_xml
    client = label_studio.client()
    create_missing_tasks(catalog, client, 7, tmp_path)
    early: list[tuple[dict[str, Any], dict[str, Any]]] = []
    add = client.add_predictions

    def compare(project_id: int, rows: list[dict[str, Any]]) -> dict[int, str]:
        if not early:
            early.extend((row, {"task": row["task"], **pull(row["task"])}) for row in rows)
        return add(project_id, rows)

    client.add_predictions = compare
    preannotate(catalog, champion, client, 7, choices=ASSISTED)
    assert early
    assert [row for row, _ in early] == [answer for _, answer in early]
    assert {row["score"] for row, _ in early} == {0.25}


def test_study_tasks_are_answered_as_they_are_pushed_grade_and_external_masks_included(
    catalog: Catalog, champion: Champion, label_studio: Any, pull: Pull, tmp_path: Path, study_xml: str
) -> None:
    label_studio.project["label_config"] = study_xml
    geometry = Geometry((SIDE, SIDE, 3), np.diag([5.0, 5.0, 8.0, 1.0]))
    slices = [np.full((SIDE, SIDE), 50 + index, np.uint8) for index in range(3)]
    catalog.studies.add(
        Study("graded", "patient", slices, Intensity.PICTURE, Path("case"), geometry), "nifti"
    )
    catalog.versions.ensure_base("base-1")
    first, *others = catalog.slices.all()
    catalog.predictions.add_prelabel(first.id, np.full((SIDE, SIDE), 2, np.uint8))
    lungs = np.zeros((SIDE, SIDE), np.uint8)
    lungs[10:50, 8:28] = lungs[10:50, 36:56] = 3
    lungs[10:34, 36:56] = 1
    for slice_record in (first, *others):
        catalog.predictions.add(slice_record.id, "base-1", SlicePrediction(lungs, 0.5, 0.1))
    create_missing_tasks(catalog, label_studio.client(), 7, tmp_path)
    preannotate(catalog, champion, label_studio.client(), 7, choices=ASSISTED)
    answer = pull(1)
    assert answer == pushed(label_studio, 1)
    assert answer["result"][-1]["value"] == {"choices": ["CT-3"]}
    assert answer["result"][0]["value"]["brushlabels"] == ["Consolidation"]
    assert answer["score"] == 0.25, "the first of three places, whichever slice stands there"
