"""What was drawn for a slice reaches its task: no pre-label, or two readers; and no arm is told."""

from typing import Any

import numpy as np
import pytest

from chestct.acquisition.allocation import Shares
from chestct.catalog.catalog import Catalog
from chestct.catalog.predictions import OWN_MASKS
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


def test_nothing_in_label_studio_tells_the_arm(
    catalog: Catalog, champion: Champion, label_studio: Any, tasks: None
) -> None:
    preannotate(catalog, champion, label_studio.client(), 7, choices=TWICE)
    assert {lot.arm for lot in catalog.allocations.all().values()}
    for data in label_studio.tasks.values():
        assert set(data) == {"image", "study", "slice", "doubt"}
    for row in label_studio.predictions.values():
        assert set(row) == {"task", "result", "score", "model_version"}
