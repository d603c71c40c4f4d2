"""Several threads and several real processes on one catalog."""

import os
import signal
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import VersionState

_CHECKOUT = Path(__file__).parents[3]

# What each process of a test does: begin or open the catalog, then everything that may collide.
_EVERYTHING = """
import sys
from pathlib import Path
import numpy as np
from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState
from chestct.intensity import Intensity
from chestct.prediction import SlicePrediction
from chestct.study import Study

print("imported", flush=True)
sys.stdin.readline()
study = Study("s", "p", [np.full((4, 4), -700, np.int16)], Intensity.HU, Path("/in/s"))
with Catalog.open(sys.argv[1], sys.argv[2]) as catalog:
    catalog.studies.add(study, "nifti")
    shown = catalog.slices.by_index("s", 0)
    catalog.tasks.link(shown.id, "1:2026", 5)
    catalog.versions.ensure_base("base-1")
    for turn in range(10):
        prediction = SlicePrediction(np.ones((4, 4), np.uint8), 0.5, 0.5)
        catalog.predictions.add(shown.id, f"v{turn}", prediction)
        catalog.corrections.add(
            slice_id=shown.id, project_uid="1:2026", task_id=5, annotation_id=turn,
            annotation_updated_at="2026-03-01T09:00:00Z", annotator="r", via="sync",
            state=CorrectionState.SUBMITTED, label_map=np.full((4, 4), turn % 3, np.uint8),
        )
    catalog.requests.add("r")
"""

# Adds corrections until it is killed, and says which it was told are kept.
_UNTIL_KILLED = """
import sys
import numpy as np
from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState

random = np.random.default_rng(0)
with Catalog.open(sys.argv[1], sys.argv[2]) as catalog:
    for turn in range(100000):
        label_map = random.integers(0, 4, (4, 4)).astype(np.uint8)
        catalog.corrections.add(
            slice_id=int(sys.argv[3]), project_uid="1:2026", task_id=5, annotation_id=turn,
            annotation_updated_at="2026-03-01T09:00:00Z", annotator="r", via="sync",
            state=CorrectionState.SUBMITTED, label_map=label_map,
        )
        print(turn, flush=True)
"""


def _start(code: str, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", code, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": str(_CHECKOUT)},
    )


def test_processes_that_begin_a_catalog_and_add_the_same_at_once_leave_one_of_each(
    empty_database_url, storage_url
):
    processes = [_start(_EVERYTHING, empty_database_url, storage_url) for _ in range(3)]
    for process in processes:
        assert process.stdout.readline() == "imported\n"
    for process in processes:  # all at once: nobody has begun the catalog yet
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        _, complaint = process.communicate(timeout=60)
        assert process.returncode == 0, complaint
    with Catalog.open(empty_database_url, storage_url) as catalog:
        assert catalog.counts() | {"predicted": 0} == {
            "studies": 1,
            "slices": 1,
            "predicted": 0,
            "corrected": 1,
            "accepted": 0,
            "graded": 0,
            "open": 0,
        }
        assert [len(catalog.predictions.by_version(f"v{turn}")) for turn in range(10)] == [1] * 10
        assert len(catalog.corrections.all()) == 10
        assert catalog.versions.champion().version == "base-1"
        assert len(catalog.requests.pending()) == 3  # each process did ask


def test_a_correction_that_was_acknowledged_survives_a_kill_and_every_row_has_its_file(
    catalog, one_slice, database_url, storage_url
):
    process = _start(_UNTIL_KILLED, database_url, storage_url, str(one_slice.id))
    acknowledged = [int(process.stdout.readline()) for _ in range(15)]
    process.send_signal(signal.SIGKILL)
    acknowledged += [int(line) for line in process.communicate()[0].split()]
    kept = catalog.corrections.all()
    assert set(acknowledged) <= {correction.annotation_id for correction in kept}
    for correction in kept:
        assert catalog.storage.read_label_map(correction.label_map_path).shape == (4, 4)


def test_threads_adding_the_same_leave_one_row_and_one_of_them_made_it(
    catalog, one_slice, make_prediction, correct
):
    with ThreadPoolExecutor(8) as threads:
        predictions = list(
            threads.map(lambda _: catalog.predictions.add(one_slice.id, "v2", make_prediction()), range(16))
        )
        corrections = list(threads.map(lambda _: correct(one_slice.id), range(16)))
    assert len(set(predictions)) == 1
    assert len({record for record, _ in corrections}) == 1
    assert sum(created for _, created in corrections) == 1


def test_each_request_goes_to_one_of_the_jobs_that_claim_at_once(catalog):
    requests = [catalog.requests.add("r").id for _ in range(4)]
    with ThreadPoolExecutor(4) as threads:
        taken = threads.map(catalog.requests.claim, [f"job-{number}" for number in range(4)])
    assert sorted(request.id for share in taken for request in share) == requests


def test_there_is_never_more_or_less_than_one_champion_while_it_changes(catalog):
    names = [f"v{number}" for number in range(4)]
    catalog.versions.ensure_base("base-1")
    for name in names:
        catalog.versions.register(name, "base-1", None)

    def champions(_: int) -> int:
        return sum(version.state is VersionState.CHAMPION for version in catalog.versions.all())

    with ThreadPoolExecutor(8) as threads:
        watching = threads.map(champions, range(40))
        changing = threads.map(catalog.versions.set_champion, names * 3)
        assert set(watching) == {1}
        assert len(list(changing)) == 12
    assert catalog.versions.champion().version in names


@pytest.mark.parametrize("content", ["same", "different"])
def test_studies_added_at_once_under_one_name_are_one_for_each_content(catalog, make_study, content):
    seeds = [0] * 4 if content == "same" else [0, 1, 2, 3]
    with ThreadPoolExecutor(4) as threads:
        added = list(threads.map(lambda seed: catalog.studies.add(make_study(seed=seed), "nifti"), seeds))
    assert sum(created for _, created in added) == len(set(seeds))
    assert len({study.name for study in catalog.studies.all()}) == len(set(seeds))
