"""Predictions ahead of time, and tasks for slices."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from chestct.catalog.catalog import Catalog
from chestct.catalog.predictions import OWN_MASKS
from chestct.errors import InputError, ServiceUnavailableError, SettingsError
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.results import prediction_result, read_label_map
from ml_backend.label_studio.tasks import TaskReport, create_missing_tasks
from ml_backend.prelabelling.champion import Champion
from ml_backend.prelabelling.preannotate import preannotate
from ml_backend.sync import reconcile


@pytest.fixture
def tasks(catalog: Catalog, study: str, label_studio: Any, tmp_path: Path) -> None:
    create_missing_tasks(catalog, label_studio.client(), 7, tmp_path)


def test_every_slice_gets_one_task_with_what_the_contract_says(
    catalog: Catalog, study: str, label_studio: Any, tmp_path: Path
) -> None:
    client = label_studio.client()
    assert create_missing_tasks(catalog, client, 7, tmp_path) == TaskReport(3, 0, 0)
    assert create_missing_tasks(catalog, client, 7, tmp_path) == TaskReport(0, 0, 0)
    first = catalog.slices.all()[0]
    assert label_studio.tasks[1] == {
        "image": f"/data/local-files/?d=storage/{first.picture_path}",
        "study": study,
        "slice": 0,
        "doubt": [f"/data/local-files/?d=storage/picture/doubt/{first.key[:2]}/{first.key}.png"],
    }


def test_tasks_made_before_a_crash_are_adopted_and_deleted_ones_made_again(
    catalog: Catalog, study: str, label_studio: Any, tmp_path: Path, tasks: None
) -> None:
    client = label_studio.client()
    catalog.tasks.unlink(client.project(7).uid, [2])
    del label_studio.tasks[3]
    assert create_missing_tasks(catalog, client, 7, tmp_path) == TaskReport(created=1, adopted=1, forgotten=1)
    assert len(label_studio.tasks) == 3


def test_a_storage_that_label_studio_does_not_serve_is_an_error(
    catalog: Catalog, study: str, label_studio: Any, tmp_path: Path
) -> None:
    with pytest.raises(SettingsError, match="lies outside"):
        create_missing_tasks(catalog, label_studio.client(), 7, tmp_path / "elsewhere")


def test_all_slices_are_predicted_once_and_open_tasks_pre_labelled_once(
    catalog: Catalog, champion: Champion, segmenters: dict[str, Any], label_studio: Any, tasks: None
) -> None:
    fractions: list[float] = []
    client = label_studio.client()
    report = preannotate(catalog, champion, client, 7, lambda progress: fractions.append(progress.fraction))
    assert (report.model_version, report.computed, report.pushed, report.failed) == ("base-1", 3, 3, {})
    assert fractions == sorted(fractions)
    assert fractions[-1] == 1.0
    labels = [
        [region["value"]["brushlabels"][0] for region in row["result"]]
        for row in label_studio.predictions.values()
    ]
    assert labels == [["Ground glass"], ["Consolidation"], []]

    again = preannotate(catalog, champion, client, 7)
    assert (again.computed, again.pushed) == (0, 0)
    assert segmenters["base-1"].calls == 3


def test_corrected_slices_are_predicted_but_not_pushed(
    catalog: Catalog, champion: Champion, label_studio: Any, tasks: None
) -> None:
    label_studio.annotate(2, [])
    reconcile(catalog, label_studio.client(), 7)
    report = preannotate(catalog, champion, label_studio.client(), 7)
    assert (report.computed, report.pushed) == (3, 2)
    assert sorted(row["task"] for row in label_studio.predictions.values()) == [1, 3]


def test_label_studio_down_costs_no_computed_prediction(
    catalog: Catalog, champion: Champion, label_studio: Any, tasks: None
) -> None:
    label_studio.is_down = True
    with pytest.raises(ServiceUnavailableError, match="Label Studio"):
        preannotate(catalog, champion, label_studio.client(), 7)
    assert len(catalog.predictions.by_version("base-1")) == 3
    label_studio.is_down = False
    assert preannotate(catalog, champion, label_studio.client(), 7).pushed == 3


def test_without_label_studio_everything_is_computed(
    catalog: Catalog, champion: Champion, study: str
) -> None:
    report = preannotate(catalog, champion, None, None)
    assert (report.computed, report.pushed) == (3, 0)


def test_one_slice_that_fails_is_named_and_stops_no_other(
    catalog: Catalog, champion: Champion, label_studio: Any, tasks: None
) -> None:
    champion.segmenter().fails_on = lambda pixels: bool(pixels.max() == 250)  # type: ignore[attr-defined]
    report = preannotate(catalog, champion, label_studio.client(), 7)
    assert (report.computed, report.pushed) == (2, 2)
    assert report.failed == {"case 1 slice 1": "slice: cannot be segmented"}


def test_a_task_deleted_meanwhile_costs_only_its_own_prediction(
    catalog: Catalog, champion: Champion, label_studio: Any, tasks: None
) -> None:
    there = label_studio.client().task_states(7, with_data=True)
    client = label_studio.client()
    client.task_states = lambda *project_id, **columns: there
    del label_studio.tasks[2]
    report = preannotate(catalog, champion, client, 7)
    assert report.pushed == 2
    assert list(report.failed) == ["case 1 slice 1"]


def test_a_champion_promoted_meanwhile_takes_over(
    catalog: Catalog, champion: Champion, segmenters: dict[str, Any], label_studio: Any, tasks: None
) -> None:
    catalog.versions.register("next", "base-1", None)

    def promote(pixels: Any) -> bool:
        catalog.versions.set_champion("next")
        return False

    champion.segmenter().fails_on = promote  # type: ignore[attr-defined]
    report = preannotate(catalog, champion, label_studio.client(), 7)
    assert (report.model_version, report.computed) == ("next", 3)
    assert {row["model_version"] for row in label_studio.predictions.values()} >= {"next"}
    assert len(catalog.predictions.by_version("next")) == 3


def own_mask(columns: int) -> npt.NDArray[np.uint8]:
    label_map = np.zeros((64, 64), np.uint8)
    label_map[:, :columns] = 2
    return label_map


def test_a_mask_that_somebody_brought_is_shown_in_place_of_the_models_own(
    catalog: Catalog, champion: Champion, label_studio: Any, tasks: None
) -> None:
    first = catalog.slices.all()[0]
    catalog.predictions.add_prelabel(first.id, own_mask(8))
    preannotate(catalog, champion, label_studio.client(), 7)
    config = parse_label_config(label_studio.project["label_config"])
    shown = {row["task"]: row for row in label_studio.predictions.values()}
    np.testing.assert_array_equal(read_label_map(shown[1]["result"], config, 64, 64), own_mask(8))
    # The version and its place stay: Label Studio shows and orders by them.
    assert (shown[1]["model_version"], shown[1]["score"]) == (
        "base-1",
        catalog.worklist.score(first.id, "base-1"),
    )
    assert {region["value"]["brushlabels"][0] for region in shown[2]["result"]} == {"Consolidation"}


def test_what_a_reader_changed_is_measured_against_the_mask_that_was_shown(
    catalog: Catalog, champion: Champion, label_studio: Any, tasks: None
) -> None:
    first = catalog.slices.all()[0]
    catalog.predictions.add_prelabel(first.id, own_mask(8))
    preannotate(catalog, champion, label_studio.client(), 7)
    (number,) = [number for number, row in label_studio.predictions.items() if row["task"] == 1]
    config = parse_label_config(label_studio.project["label_config"])
    result = prediction_result([own_mask(16)], 1.0, "reader", config)["result"]
    label_studio.annotate(1, result, parent_prediction=number)
    reconcile(catalog, label_studio.client(), 7)
    (row,) = catalog.corrections.current()
    assert (row.model_version, row.changed_fraction) == (OWN_MASKS, 8 / 64)


def test_a_mask_that_comes_after_the_model_looked_waits_for_the_next_version(
    catalog: Catalog, champion: Champion, label_studio: Any, tasks: None
) -> None:
    preannotate(catalog, champion, label_studio.client(), 7)
    first = catalog.slices.all()[0]
    catalog.predictions.add_prelabel(first.id, own_mask(8))
    assert catalog.predictions.prelabel(first.id, "base-1") is None
    assert catalog.predictions.prelabel(first.id, "base-2") is not None


def test_a_pre_label_never_changes_and_twice_is_once(catalog: Catalog, study: str) -> None:
    first = catalog.slices.all()[0]
    assert catalog.predictions.add_prelabel(first.id, own_mask(8))
    assert not catalog.predictions.add_prelabel(first.id, own_mask(8))
    with pytest.raises(InputError, match="never changes"):
        catalog.predictions.add_prelabel(first.id, own_mask(9))
