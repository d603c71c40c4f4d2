"""Whole studies as tasks of the real Label Studio: pre-labelled, corrected by slice, graded, kept."""

from collections.abc import Iterator
from typing import Any

import httpx
import numpy as np
import pytest
from running_stack import CHECKOUT, Stack, copy_weights, start_stack, stop_stack, wait_until

from chestct.catalog.records import CorrectionState
from chestct.labels import BRUSH_LABEL_NAMES, LESIONS, Label, SeverityGrade
from chestct.phantoms import write_phantoms
from chestct.severity.grading import severity_of
from ml_backend.label_studio.brush_rle import encode

pytestmark = pytest.mark.end_to_end

STUDIES, SLICES, SIDE = 2, 6, 256
CONFIGS = CHECKOUT / "annotation_configs"
Json = dict[str, Any]


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """Two phantoms as study tasks; the sync timer too slow to help."""
    root = tmp_path_factory.mktemp("study-tasks")
    write_phantoms(root / "data", STUDIES, seed=7, shape=(SLICES, SIDE, SIDE))
    copy_weights(CHECKOUT / "weights", root / "weights")
    running = start_stack(
        root / "home", root / "data", root / "weights", LUNGLOOP_SYNC_SECONDS="3600", LUNGLOOP_TASKS="study"
    )
    yield running
    stop_stack(running)


def brush(mask: np.ndarray, label: Label, item: int) -> Json:
    """A region as the editor submits it."""
    return {
        "from_name": "lesions",
        "to_name": "image",
        "type": "brushlabels",
        "origin": "manual",
        "original_width": mask.shape[1],
        "original_height": mask.shape[0],
        "image_rotation": 0,
        "item_index": item,
        "value": {"format": "rle", "rle": encode(mask), "brushlabels": [BRUSH_LABEL_NAMES[label]]},
    }


def grade(name: SeverityGrade) -> Json:
    return {
        "from_name": "severity",
        "to_name": "image",
        "type": "choices",
        "origin": "manual",
        "value": {"choices": [name.value]},
    }


def another(shown: SeverityGrade) -> SeverityGrade:
    """A grade that the model did not show."""
    return SeverityGrade.CT_3 if shown != SeverityGrade.CT_3 else SeverityGrade.CT_2


def predicted(stack: Stack, study: str) -> tuple[np.ndarray, SeverityGrade | None]:
    """The champion's masks of a study as the catalog holds them, and the grade that follows."""
    with stack.catalog() as catalog:
        record, champion = catalog.studies.by_name(study), catalog.versions.champion()
        assert champion is not None
        found = catalog.predictions.of_study(record.id, champion.version)
        masks = np.stack([catalog.storage.read_label_map(one.label_map_path) for one in found])
        return masks, severity_of(masks, record.geometry, record.intensity).grade


def of_annotation(stack: Stack, annotation: int, state: CorrectionState) -> dict[int, np.ndarray | None]:
    """Slice index -> label map, of the newest delivery of an annotation."""
    with stack.catalog() as catalog:
        rows = [row for row in catalog.corrections.all() if row.annotation_id == annotation]
        newest = max((row.annotation_updated_at for row in rows), default="")
        return {
            catalog.slices.get(row.slice_id).index: (
                None if row.label_map_path is None else catalog.storage.read_label_map(row.label_map_path)
            )
            for row in rows
            if row.annotation_updated_at == newest and row.state is state
        }


def test_every_study_is_one_task_with_the_models_findings_and_grade(stack: Stack) -> None:
    tasks = stack.tasks()
    assert len(tasks) == STUDIES
    for task in tasks:
        assert task["data"]["slice"] == list(range(SLICES))
        assert len(task["data"]["images"]) == SLICES
        (prediction,) = task["predictions"]
        masks, model_grade = predicted(stack, task["data"]["study"])
        brushes = [one for one in prediction["result"] if one["type"] == "brushlabels"]
        shown = {(one["item_index"], one["value"]["brushlabels"][0]) for one in brushes}
        assert shown == {
            (item, BRUSH_LABEL_NAMES[label])
            for item in range(SLICES)
            for label in LESIONS
            if (masks[item] == label).any()
        }
        choices = [one["value"]["choices"] for one in prediction["result"] if one["type"] == "choices"]
        assert choices == ([] if model_grade is None else [[model_grade.value]])
    with stack.label_studio as client:
        for address in tasks[0]["data"]["images"]:
            picture = client.get(address)
            assert picture.headers["content-type"] == "image/png", "Label Studio serves every slice"


def test_a_corrected_study_keeps_exactly_the_touched_slices_and_the_readers_grade(stack: Stack) -> None:
    task = stack.tasks()[0]
    (prelabel,) = task["predictions"]
    brushes = [one for one in prelabel["result"] if one["type"] == "brushlabels"]
    cleared = brushes[0]["item_index"]
    painted = next(item for item in range(SLICES) if item != cleared)
    drawn = np.zeros((SIDE, SIDE), np.uint8)
    drawn[30:50, 40:75] = Label.GROUND_GLASS
    drawn[35:42, 50:60] = Label.CONSOLIDATION
    left_alone = [
        {**one, "origin": "prediction"} for one in brushes if one["item_index"] not in (cleared, painted)
    ]
    _, model_grade = predicted(stack, task["data"]["study"])
    assert model_grade is not None
    answer = [*left_alone, *(brush(drawn == label, label, painted) for label in LESIONS)]
    answer.append(grade(another(model_grade)))
    with stack.label_studio as client:
        submitted = client.post(
            f"/api/tasks/{task['id']}/annotations/",
            json={"result": answer, "lead_time": 120.0, "parent_prediction": prelabel["id"]},
        )
        submitted.raise_for_status()
    annotation = submitted.json()["id"]

    corrected = wait_until(
        "the webhook's corrections are in the catalog",
        lambda: of_annotation(stack, annotation, CorrectionState.SUBMITTED),
        60,
    )
    assert sorted(corrected) == sorted((cleared, painted))
    np.testing.assert_array_equal(corrected[painted], drawn)
    np.testing.assert_array_equal(corrected[cleared], np.zeros((SIDE, SIDE), np.uint8))
    accepted = of_annotation(stack, annotation, CorrectionState.ACCEPTED)
    assert sorted([*corrected, *accepted]) == list(range(SLICES))
    with stack.catalog() as catalog:
        (row,) = catalog.grades.current()
    assert (row.grade, row.model_grade, row.annotation_id) == (another(model_grade), model_grade, annotation)
    assert row.lead_time_seconds == pytest.approx(120.0)
    counts = stack.json("status")["counts"]
    assert (counts["corrected"], counts["accepted"], counts["graded"]) == (2, SLICES - 2, 1)
    assert counts["open"] == SLICES * (STUDIES - 1)

    # Set back to what the model showed, with every hook off: only a sync brings it.
    with stack.label_studio as client:
        hooks = client.get("/api/webhooks/", params={"project": stack.facts["project_id"]}).json()
        switch(client, hooks, on=False)
        client.patch(
            f"/api/annotations/{annotation}/", json={"result": prelabel["result"]}
        ).raise_for_status()
    assert stack.json("sync")["updated"] == 1
    assert stack.json("sync")["updated"] == 0, "a second sync finds nothing new"
    assert of_annotation(stack, annotation, CorrectionState.SUBMITTED) == {}
    with stack.catalog() as catalog:
        assert catalog.corrections.current() == []
        assert [one.grade for one in catalog.grades.current()] == [model_grade]
    with stack.label_studio as client:
        client.delete(f"/api/annotations/{annotation}/").raise_for_status()
        switch(client, hooks, on=True)
    assert stack.json("sync")["deleted"] == 1
    assert stack.json("status")["counts"]["open"] == SLICES * STUDIES


def switch(client: httpx.Client, hooks: list[Json], *, on: bool) -> None:
    """Label Studio 1.23 forgets a webhook's actions at every PATCH that does not repeat them."""
    for hook in hooks:
        change = {"is_active": on, "actions": hook["actions"]}
        client.patch(f"/api/webhooks/{hook['id']}/", json=change).raise_for_status()


def test_a_vouching_reader_gives_a_label_for_every_slice(stack: Stack) -> None:
    task = stack.tasks()[1]
    (prelabel,) = task["predictions"]
    viewed = {**grade(SeverityGrade.CT_0), "from_name": "viewed"}
    viewed["value"] = {"choices": ["All slices viewed"]}
    with stack.label_studio as client:
        submitted = client.post(
            f"/api/tasks/{task['id']}/annotations/",
            json={"result": [*prelabel["result"], viewed], "parent_prediction": prelabel["id"]},
        )
        submitted.raise_for_status()
    stack.lungloop("sync")
    kept = of_annotation(stack, submitted.json()["id"], CorrectionState.SUBMITTED)
    masks, _ = predicted(stack, task["data"]["study"])
    assert sorted(kept) == list(range(SLICES))
    for item, label_map in kept.items():
        # The lung is not shown, so nobody vouched for it.
        np.testing.assert_array_equal(label_map, np.where(np.isin(masks[item], LESIONS), masks[item], 0))


@pytest.mark.parametrize("name", sorted(path.name for path in CONFIGS.glob("*.xml")))
def test_label_studio_finds_no_fault_with_a_shipped_configuration(stack: Stack, name: str) -> None:
    with stack.label_studio as client:
        checked = client.post(
            "/api/projects/validate/", json={"label_config": (CONFIGS / name).read_text(encoding="utf-8")}
        )
    assert checked.is_success, checked.text


def test_a_study_of_the_russian_project_carries_the_contracts_names(stack: Stack) -> None:
    with stack.label_studio as client:
        project = f"/api/projects/{stack.facts['project_id']}/"
        russian = (CONFIGS / "study.ru.xml").read_text(encoding="utf-8")
        client.patch(project, json={"label_config": russian}).raise_for_status()
        task = stack.tasks()[0]
        drawn = np.zeros((SIDE, SIDE), bool)
        drawn[5:9, 7:11] = True
        answer = [brush(drawn, Label.CONSOLIDATION, SLICES - 1), grade(SeverityGrade.CT_4)]
        submitted = client.post(f"/api/tasks/{task['id']}/annotations/", json={"result": answer})
        submitted.raise_for_status()
    stack.lungloop("sync")
    kept = of_annotation(stack, submitted.json()["id"], CorrectionState.SUBMITTED)
    np.testing.assert_array_equal(kept[SLICES - 1], drawn * np.uint8(Label.CONSOLIDATION))
    with stack.catalog() as catalog:
        grades = {one.annotation_id: one.grade for one in catalog.grades.current()}
    assert grades[submitted.json()["id"]] == SeverityGrade.CT_4
