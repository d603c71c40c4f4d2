"""The kept order: served by place, replaced whole, and never half there."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest

from chestct.errors import InputError

# Keeps one order after the other, of two versions and in two directions, until it is killed.
_UNTIL_KILLED = """
import sys
from chestct.catalog.catalog import Catalog

with Catalog.open(sys.argv[1], sys.argv[2]) as catalog:
    ids = [one.id for one in catalog.slices.all()]
    for turn in range(100000):
        catalog.worklist.keep(f"v{turn % 2}", ids[:: 1 if turn % 2 else -1], ["because"] * len(ids))
        print(turn, flush=True)
"""


@pytest.fixture
def slices(catalog, make_study):
    catalog.studies.add(make_study(slice_count=4), "nifti")
    return catalog.slices.all()


def keep(catalog, slices, version="v2"):
    catalog.worklist.keep(
        version, np.array([one.id for one in slices]), [f"index {one.index}" for one in slices]
    )


def test_slices_come_in_the_kept_order_with_their_reasons(catalog, slices):
    assert catalog.worklist.next(5) == []
    keep(catalog, slices[::-1])
    served = catalog.worklist.next(3)
    assert [one.slice for one in served] == slices[:0:-1]
    assert [one.reason for one in served] == ["index 3", "index 2", "index 1"]
    assert [(one.place, one.score, one.model_version) for one in served] == [
        (0, 1 / 5, "v2"),
        (1, 2 / 5, "v2"),
        (2, 3 / 5, "v2"),
    ]


def test_what_was_read_since_is_passed_over_and_comes_back_at_its_place_when_open_again(
    catalog, slices, correct
):
    keep(catalog, slices)
    correct(slices[0].id)
    assert [(one.slice, one.place, one.score) for one in catalog.worklist.next(1)] == [(slices[1], 1, 2 / 5)]
    catalog.corrections.mark_deleted("1:2026-01-01", 100, "sync")
    assert [one.place for one in catalog.worklist.next(9)] == [0, 1, 2, 3]


def test_what_was_read_while_the_order_was_made_is_not_served(catalog, slices, correct):
    correct(slices[0].id)
    keep(catalog, slices)
    assert [one.slice for one in catalog.worklist.next(9)] == slices[1:]


def scores(catalog, version):
    """Slice id -> score of the open slices of a version's worklist."""
    return {one.slice.id: one.score for one in catalog.worklist.next(99) if one.model_version == version}


def test_a_score_is_that_of_the_version_whose_order_is_kept(catalog, slices):
    keep(catalog, slices[:2])
    assert scores(catalog, "v2") == {slices[0].id: 1 / 3, slices[1].id: 2 / 3}
    assert catalog.worklist.score(slices[1].id, "v2") == 2 / 3
    assert catalog.worklist.score(slices[2].id, "v2") is None
    assert catalog.worklist.score(slices[1].id, "base-1") is None
    assert scores(catalog, "base-1") == {}


def test_an_order_replaces_the_one_before_whole(catalog, slices):
    keep(catalog, slices, "v2")
    keep(catalog, slices[3:], "v3")
    assert scores(catalog, "v2") == {}
    assert scores(catalog, "v3") == {slices[3].id: 1 / 2}
    keep(catalog, [], "v4")
    assert catalog.worklist.next(9) == []


@pytest.mark.parametrize(("ids", "reasons"), [([0, 1], ["one"]), ([0, 0], ["one", "two"])])
def test_an_order_that_is_none_is_refused_and_the_old_one_stays(catalog, slices, ids, reasons):
    keep(catalog, slices)
    with pytest.raises(InputError, match="each slice once and a reason for each"):
        catalog.worklist.keep("v3", [slices[index].id for index in ids], reasons)
    assert len(scores(catalog, "v2")) == 4


def test_open_slices_outside_the_order_come_least_sure_first_and_unseen_last(
    catalog, slices, make_prediction, correct
):
    for one, score in zip(slices, (0.9, 0.5, 0.7), strict=False):
        catalog.predictions.add(one.id, "v2", make_prediction(score=score))
    first, second, third, unseen = slices
    assert catalog.worklist.unplaced("v2", 9) == [(second, 0.5), (third, 0.7), (first, 0.9), (unseen, None)]
    assert catalog.worklist.unplaced(None, 1) == [(first, None)]
    keep(catalog, [second])
    correct(third.id)
    assert catalog.worklist.unplaced("v2", 9) == [(first, 0.9), (unseen, None)]
    assert catalog.predictions.count_open("v2") == 2


def test_readers_never_see_half_an_order(catalog, make_study):
    catalog.studies.add(make_study(slice_count=30), "nifti")
    slices = catalog.slices.all()
    keep(catalog, slices, "v0")
    with ThreadPoolExecutor(2) as threads:
        keeping = threads.submit(
            lambda: [keep(catalog, slices[:: -1 if turn % 2 else 1], f"v{turn}") for turn in range(12)]
        )
        seen = [catalog.worklist.next(30)]
        while not keeping.done():
            seen.append(catalog.worklist.next(30))
        keeping.result()
    assert {len(one) for one in seen} == {30}
    assert {len({placed.model_version for placed in one}) for one in seen} == {1}


def test_a_kill_leaves_the_old_order_or_the_new_one(catalog, make_study, database_url, storage_url):
    catalog.studies.add(make_study(slice_count=30), "nifti")
    process = subprocess.Popen(
        [sys.executable, "-c", _UNTIL_KILLED, database_url, storage_url],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    for _ in range(5):
        assert process.stdout.readline()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    left = catalog.worklist.next(99)
    ids = [one.slice.id for one in left]
    assert len(ids) == 30
    (version,) = {one.model_version for one in left}
    assert ids == sorted(ids, reverse=version == "v0")
