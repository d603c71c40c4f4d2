"""Places and scores: what is served first, and with how few requests it is changed."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chestct.acquisition.allocation import Shares
from chestct.catalog.catalog import Catalog
from chestct.intensity import Intensity
from chestct.prediction import SlicePrediction
from chestct.study import Study
from ml_backend.label_studio.tasks import create_missing_tasks
from ml_backend.prelabelling import worklist as ordering
from ml_backend.prelabelling.champion import Champion
from ml_backend.prelabelling.compose import least_score
from ml_backend.prelabelling.next_tasks import head_scores, order_next_tasks
from ml_backend.prelabelling.preannotate import preannotate
from ml_backend.prelabelling.worklist import OrderChoices, update_worklist
from ml_backend.sync import reconcile

ENTROPY = OrderChoices("entropy", Shares(control=0.0, unassisted=0.0, double_read=0.0))


def test_a_task_stands_where_the_first_of_its_slices_stands() -> None:
    assert least_score([7, 8, 9], {8: 0.5, 9: 0.25, 10: 0.1}) == 0.25
    assert least_score([7], {8: 0.5}) is None


def test_head_scores_stand_in_order_below_the_first_that_stays() -> None:
    # 3 and 1 come in front of 2, the first of those that stay: thirds of its score.
    assert head_scores([3, 1, 2], {1: 0.3, 2: 0.6, 3: 0.9}) == {3: pytest.approx(0.2), 1: pytest.approx(0.4)}


def test_an_order_that_is_served_already_costs_no_request() -> None:
    assert head_scores([3, 1, 2], {3: 0.1, 1: 0.2, 2: 0.3}) == {}


def test_where_no_score_is_left_below_the_others_nothing_is_changed() -> None:
    assert head_scores([2, 1], {1: 0.0, 2: 0.5}) == {}


@given(st.permutations(range(12)), st.integers(1, 11))
def test_after_the_head_is_brought_ascending_scores_are_the_wanted_order(order: list[int], head: int) -> None:
    now = {task: (task + 1) / 13 for task in range(12)}
    first = order[:head]
    rest = [task for task in range(12) if task not in first]
    changed = head_scores([*first, rest[0]], now)
    assert len(changed) <= head
    after = now | changed
    assert sorted(after, key=after.__getitem__) == [*first, *rest]


def by_entropy(catalog: Catalog, entropies: list[float], version: str = "base-1") -> list[int]:
    """A study whose slices one version doubts as given; their ids."""
    rng = np.random.default_rng(3)
    slices = [rng.integers(0, 256, (64, 64), np.uint8) for _ in entropies]
    catalog.studies.add(Study("case", "patient", slices, Intensity.PICTURE, "case"), "images")  # type: ignore[arg-type]
    catalog.versions.ensure_base("base-1")
    uncertainty(catalog, entropies, version)
    return [one.id for one in catalog.slices.all()]


def uncertainty(catalog: Catalog, entropies: list[float], version: str) -> None:
    for one, entropy in zip(catalog.slices.all(), entropies, strict=True):
        found = SlicePrediction(
            np.full((64, 64), 3, np.uint8), 0.5, entropy, zone_entropy=entropy, lesion_zone=0.1
        )
        catalog.predictions.add(one.id, version, found, 0.1)


def test_the_first_order_of_a_version_is_whole_and_the_next_one_begins_anew_only_in_front(
    catalog: Catalog, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = by_entropy(catalog, [0.1, 0.2, 0.3, 0.4])
    places = update_worklist(catalog, "base-1", ENTROPY)
    assert places.is_new
    assert sorted(places.slice_ids) == ids
    assert places.slice_ids[0] == ids[3]
    assert places.scores[ids[3]] == pytest.approx(1 / 5)
    catalog.worklist.keep("base-1", ids, ["as they come"] * 4)

    monkeypatch.setattr(ordering, "HEAD", 1)
    following = update_worklist(catalog, "base-1", ENTROPY)
    assert (following.slice_ids, following.is_new) == ((ids[3], *ids[:3]), False)


def test_an_order_of_another_version_is_none_of_this_one(catalog: Catalog) -> None:
    ids = by_entropy(catalog, [0.1, 0.2])
    catalog.worklist.keep("base-0", ids, ["", ""])
    assert update_worklist(catalog, "base-1", ENTROPY).is_new


def served(label_studio: Any, version: str) -> list[int]:
    """Tasks by the scores of a version, lowest first, as Label Studio's uncertainty sampling serves them."""
    scores = {
        row["task"]: row["score"]
        for row in label_studio.predictions.values()
        if row["model_version"] == version
    }
    return sorted(scores, key=scores.__getitem__)


def test_label_studio_is_brought_to_the_order_that_the_catalog_keeps(
    catalog: Catalog, champion: Champion, label_studio: Any, tmp_path: Any
) -> None:
    ids = by_entropy(catalog, [0.2, 0.4, 0.1, 0.3])
    client = label_studio.client()
    create_missing_tasks(catalog, client, 7, tmp_path)
    preannotate(catalog, champion, client, 7, choices=ENTROPY)
    task_of = catalog.tasks.by_slice(client.project(7).uid)
    kept = [one.slice.id for one in catalog.worklist.next(9)]
    assert kept[0] == ids[1]
    assert served(label_studio, "base-1") == [task_of[one] for one in kept]

    # A correction: what comes next is ordered anew, what was served by then keeps its score.
    label_studio.annotate(task_of[ids[1]], [])
    reconcile(catalog, client, 7)
    before = len(label_studio.requests)
    report = order_next_tasks(catalog, client, 7, "base-1", ENTROPY)
    patches = [one for one in label_studio.requests[before:] if one.startswith("PATCH")]
    assert len(patches) == report.placed <= ordering.HEAD
    open_tasks = [one for one in served(label_studio, "base-1") if one != task_of[ids[1]]]
    assert open_tasks == [task_of[one.slice.id] for one in catalog.worklist.next(9)]


def test_a_prediction_that_is_stored_twice_gets_one_place(
    catalog: Catalog, champion: Champion, label_studio: Any, tmp_path: Any
) -> None:
    """Label Studio 1.23 sometimes asks for one task twice at once and stores both answers."""
    by_entropy(catalog, [0.2, 0.4])
    client = label_studio.client()
    create_missing_tasks(catalog, client, 7, tmp_path)
    for number in (1, 2):
        label_studio.predictions[number] = {
            "task": 1, "model_version": "base-1", "score": 0.9, "result": []
        }  # fmt: skip
    preannotate(catalog, champion, client, 7, choices=ENTROPY)
    assert label_studio.predictions[1]["score"] == label_studio.predictions[2]["score"] != 0.9


def test_an_order_is_kept_only_once_label_studio_serves_it(
    catalog: Catalog, study: str, champion: Champion, label_studio: Any, tmp_path: Any
) -> None:
    """A worker that dies in between must not leave an order that nobody is served."""
    client = label_studio.client()
    create_missing_tasks(catalog, client, 7, tmp_path)

    def refuse(prediction_id: int, score: float) -> None:
        raise RuntimeError("killed")

    client.set_score = refuse
    with pytest.raises(RuntimeError, match="killed"):
        preannotate(catalog, champion, client, 7, choices=ENTROPY)
    assert catalog.worklist.next(99) == []
