"""What was drawn for a slice reaches its task: no pre-label, or two readers; and no arm is told."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from chestct.acquisition.allocation import TEST_SLICE, Shares
from chestct.catalog.catalog import Catalog
from chestct.catalog.predictions import OWN_MASKS
from chestct.catalog.splits import OwnTesting
from chestct.intensity import Intensity
from chestct.labels import Split
from chestct.study import Study
from ml_backend.label_studio.tasks import create_missing_tasks
from ml_backend.prelabelling.champion import Champion
from ml_backend.prelabelling.preannotate import preannotate
from ml_backend.prelabelling.worklist import OrderChoices
from ml_backend.sync import reconcile

# Shares so large that all slices are drawn.
BLANK = OrderChoices(shares=Shares(control=0.0, unassisted=0.99, double_read=0.0))
TWICE = OrderChoices(shares=Shares(control=0.5, unassisted=0.0, double_read=0.99))


@pytest.fixture
def tasks(catalog: Catalog, study: str, label_studio: Any, tmp_path: Any) -> None:
    create_missing_tasks(catalog, label_studio.client(), 7, tmp_path)


def test_a_blank_task_holds_its_place_and_shows_nothing(
    catalog: Catalog, champion: Champion, label_studio: Any, tasks: None
) -> None:
    preannotate(catalog, champion, label_studio.client(), 7, choices=BLANK)
    assert not any(lot.prelabelled for lot in catalog.allocations.all().values())
    rows = list(label_studio.predictions.values())
    assert [row["result"] for row in rows] == [[], [], []]
    assert {row["model_version"] for row in rows} == {"base-1"}
    assert sorted(row["score"] for row in rows) == [0.25, 0.5, 0.75]


def test_a_reader_who_was_shown_nothing_began_from_nothing(
    catalog: Catalog, champion: Champion, label_studio: Any, tasks: None
) -> None:
    preannotate(catalog, champion, label_studio.client(), 7, choices=BLANK)
    (number,) = [number for number, row in label_studio.predictions.items() if row["task"] == 1]
    label_studio.annotate(1, [], parent_prediction=number)
    reconcile(catalog, label_studio.client(), 7)
    (row,) = catalog.corrections.current()
    assert (row.model_version, row.changed_fraction) == (None, None)


def test_a_model_that_found_nothing_is_still_what_a_reader_began_from(
    catalog: Catalog, champion: Champion, label_studio: Any, tasks: None
) -> None:
    nobody_blank = OrderChoices(shares=Shares(0.0, 0.0, 0.0))
    preannotate(catalog, champion, label_studio.client(), 7, choices=nobody_blank)
    (number,) = [number for number, row in label_studio.predictions.items() if row["task"] == 3]
    assert label_studio.predictions[number]["result"] == []
    label_studio.annotate(3, [], parent_prediction=number)
    reconcile(catalog, label_studio.client(), 7)
    assert [row.model_version for row in catalog.corrections.current()] == ["base-1"]


def test_a_mask_that_somebody_brought_is_shown_on_a_blank_slice(
    catalog: Catalog, champion: Champion, label_studio: Any, tasks: None
) -> None:
    catalog.predictions.add_prelabel(catalog.slices.all()[0].id, np.full((64, 64), 2, np.uint8))
    preannotate(catalog, champion, label_studio.client(), 7, choices=BLANK)
    ((number, shown),) = [(n, row) for n, row in label_studio.predictions.items() if row["task"] == 1]
    assert shown["result"]
    label_studio.annotate(1, shown["result"], parent_prediction=number)
    reconcile(catalog, label_studio.client(), 7)
    assert [row.model_version for row in catalog.corrections.current()] == [OWN_MASKS]


def test_what_is_read_twice_is_open_for_two_readers_and_goes_on_after_a_promotion(
    catalog: Catalog, champion: Champion, label_studio: Any, tasks: None
) -> None:
    client = label_studio.client()
    preannotate(catalog, champion, client, 7, choices=TWICE)
    assert label_studio.overlaps == {1: 2, 2: 2, 3: 2}
    label_studio.annotate(2, [])
    reconcile(catalog, client, 7)
    catalog.versions.register("next", "base-1", None)
    catalog.versions.set_champion("next")
    preannotate(catalog, champion, client, 7, choices=TWICE)
    of_next = {row["task"]: row["score"] for row in label_studio.predictions.values()}
    newest = {row["task"] for row in label_studio.predictions.values() if row["model_version"] == "next"}
    assert newest == {1, 2, 3}, "the second reader is shown the new version too"
    assert min(of_next, key=of_next.__getitem__) == 2, "and soon"


def make_test_slices(catalog: Catalog) -> list[int]:
    """Twelve patients more, three of them held back; the ids of their test slices."""
    for number in range(12):
        rng = np.random.default_rng(number)
        slices = [rng.integers(0, 256, (64, 64), np.uint8) for _ in range(3)]
        study = Study(f"s{number}", f"p{number}", slices, Intensity.PICTURE, Path("s"))
        catalog.studies.add(study, "images")
    catalog.patients.draw_own_test_patients(OwnTesting(0.2, 2))
    return [slice_id for slice_id, drawn in catalog.allocations.all().items() if drawn == TEST_SLICE]


def test_a_test_slice_shows_nothing_not_even_a_mask_from_elsewhere_and_looks_like_any_blank_one(
    catalog: Catalog, champion: Champion, label_studio: Any, study: str, tmp_path: Any
) -> None:
    test_ids = make_test_slices(catalog)
    assert len(test_ids) == 6
    client = label_studio.client()
    create_missing_tasks(catalog, client, 7, tmp_path)
    catalog.predictions.add_prelabel(test_ids[0], np.full((64, 64), 2, np.uint8))
    preannotate(catalog, champion, client, 7, choices=OrderChoices(shares=Shares(0.0, 0.0, 0.0)))
    task_of = catalog.tasks.by_slice(client.project(7).uid)
    rows = {row["task"]: row for row in label_studio.predictions.values()}
    assert [rows[task_of[slice_id]]["result"] for slice_id in test_ids] == [[]] * 6
    assert {label_studio.overlaps.get(task_of[slice_id], 1) for slice_id in test_ids} == {1}
    assert len({frozenset(row) for row in rows.values()}) == 1, "rows of test slices say nothing more"
    assert len({frozenset(data) for data in label_studio.tasks.values()}) == 1

    # Until all are read, one of each three places is theirs; their patients' other slices come last.
    served = [one.slice.id for one in catalog.worklist.next(99)]
    assert [sum(one in test_ids for one in served[start : start + 3]) for start in range(0, 18, 3)] == [1] * 6
    held_back = {one.id for one in catalog.slices.all() if one.split is Split.TEST} - set(test_ids)
    assert set(served[-len(held_back) :]) == held_back

    number = next(n for n, row in label_studio.predictions.items() if row["task"] == task_of[test_ids[0]])
    label_studio.annotate(task_of[test_ids[0]], [], parent_prediction=number)
    reconcile(catalog, client, 7)
    assert [reading.slice_id for reading in catalog.own_test_readings.all()] == [test_ids[0]]


def test_nothing_in_label_studio_tells_the_arm(
    catalog: Catalog, champion: Champion, label_studio: Any, tasks: None
) -> None:
    preannotate(catalog, champion, label_studio.client(), 7, choices=TWICE)
    assert {lot.arm for lot in catalog.allocations.all().values()}
    for data in label_studio.tasks.values():
        assert set(data) == {"image", "study", "slice", "doubt"}
    for row in label_studio.predictions.values():
        assert set(row) == {"task", "result", "score", "model_version"}
