"""Whole simulations in little, with the real network: killed, shared by processes, asked for too much.

With one thread torch adds in one order on a processor, so rounds are compared number for number.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch

# Test folders are no packages (import mode importlib): neighbours are found by their folder.
sys.path.append(str(Path(__file__).parent))

from tiny_simulation import rounds_of, tiny_plan, write_data

from chestct.errors import InputError, SettingsError, TrainingDataError
from chestct.partial_labels import NOT_LESION
from training.data.dataset import TrainingSample
from training.simulate.cell import CellRunner
from training.simulate.plan import Cell, keep_plan, read_plan
from training.simulate.records import Records
from training.simulate.run import require_known_strategies, run_here
from training.simulate.slices import PoolSlice, SimulationSlices, read_slices
from training.simulate.weights import start_weights

_RUN = """
import sys
from pathlib import Path
from training.simulate.run import run_here
run_here(Path(sys.argv[1]))
"""


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data(tmp_path_factory.mktemp("phantoms"))


@pytest.fixture(scope="module")
def whole(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder whose simulation has run through without a break, by a process of its own."""
    folder = tmp_path_factory.mktemp("whole")
    keep_plan(folder, tiny_plan(data))
    finished(start(folder))
    return folder


def start(folder: Path) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", _RUN, str(folder)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stderr=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[3],
    )


def finished(process: subprocess.Popen) -> None:
    _, said = process.communicate(timeout=300)
    assert process.returncode == 0, said


def test_killed_and_shared_by_two_processes_it_comes_to_the_same_rounds(
    data: Path, whole: Path, tmp_path: Path
) -> None:
    plan = tiny_plan(data)
    keep_plan(tmp_path, plan)
    process, deadline = start(tmp_path), time.monotonic() + 300
    while not 1 < Records(tmp_path).finished(plan) < plan.fits:
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL

    both = start(tmp_path), start(tmp_path)
    for one in both:
        finished(one)
    for cell in plan.cells():
        assert rounds_of(tmp_path, plan, cell) == rounds_of(whole, plan, cell)
        assert len(rounds_of(tmp_path, plan, cell)) == plan.rounds + 1


def test_what_is_finished_is_not_done_again(data: Path, whole: Path) -> None:
    before = {path: path.stat().st_mtime_ns for path in (whole / "rounds").rglob("*.json")}
    told: list[tuple[float, float | None]] = []
    run_here(whole, lambda progress: told.append((progress.done, progress.total)))
    assert {path: path.stat().st_mtime_ns for path in (whole / "rounds").rglob("*.json")} == before
    assert set(told) == {(5, 5)}  # one first fit, two strategies of two rounds


def test_every_round_keeps_its_budget_and_asks_for_no_slice_twice(data: Path, whole: Path) -> None:
    plan = tiny_plan(data)
    for cell in plan.cells():
        rounds = rounds_of(whole, plan, cell)
        added = [one for record in rounds for one in record["added"]]
        assert [len(record["added"]) for record in rounds] == [2, 2, 2]
        assert len(set(added)) == len(added)
        for number, record in enumerate(rounds[:-1]):
            assert not set(record["still_open"].ids) & set(added[: 2 * (number + 1)])
        assert rounds[-1]["still_open"] is None


def test_a_budget_of_pixels_ends_a_round_early(data: Path, tmp_path: Path) -> None:
    plan = tiny_plan(
        data, rounds=1, pixels_per_round=1, slices_per_round=9, strategies=("foreground-random",)
    )
    keep_plan(tmp_path, plan)
    run_here(tmp_path)
    (record,) = rounds_of(tmp_path, plan, plan.cells()[0])[1:]
    *before, last = record["added_pixels"]
    assert sum(before) == 0 and (last >= 1 or len(record["added"]) == 9)


def test_strategies_of_a_seed_start_from_one_fit(data: Path, whole: Path) -> None:
    plan = tiny_plan(data)
    assert Records(whole).path(Cell("entropy", 0), 0) == Records(whole).path(Cell("foreground-random", 0), 0)
    assert rounds_of(whole, plan, Cell("entropy", 0))[0]["added_pixels"]


def test_only_the_weights_that_a_next_round_needs_are_kept(whole: Path) -> None:
    kept = sorted(path.relative_to(whole).as_posix() for path in whole.rglob("*.safetensors"))
    assert kept == ["start.safetensors", "weights/start/seed-0-round-0.safetensors"]


def test_test_patients_are_never_in_the_pool(data: Path, whole: Path) -> None:
    slices = read_slices(tiny_plan(data))
    pool = {one.sample.patient for one in slices.pool}
    (record, *_) = rounds_of(whole, tiny_plan(data), Cell("entropy", 0))
    assert set(record["scores"]) == {sample.patient for sample in slices.test}
    assert len(pool) == 3 and len(record["scores"]) == 1
    assert not pool & set(record["scores"])


def test_a_patient_on_both_sides_stops_the_simulation() -> None:
    sample = TrainingSample(
        np.zeros((4, 4), np.float32), np.full((4, 4), NOT_LESION), "source", "patient 1", "study/0"
    )
    with pytest.raises(TrainingDataError, match="both sides of the split: patient 1"):
        SimulationSlices((PoolSlice(sample, "study", 0),), (sample,))


def test_a_pool_is_thinned_by_the_place_in_its_study(data: Path) -> None:
    thinned = read_slices(tiny_plan(data, pool_every=3))
    assert {one.position for one in thinned.pool} == {0, 3}
    assert len(thinned.pool) == 6  # two slices of three patients


def test_more_slices_than_there_are_cannot_be_asked_for(data: Path, tmp_path: Path) -> None:
    keep_plan(tmp_path, tiny_plan(data, slices_per_round=20))
    with pytest.raises(SettingsError, match="ask for 42 slices and the pool holds 18"):
        CellRunner(tmp_path)


def test_a_folder_holds_one_simulation(data: Path, whole: Path) -> None:
    keep_plan(whole, tiny_plan(data))
    with pytest.raises(SettingsError, match=r"steps 1 \(asked: 2\)"):
        keep_plan(whole, tiny_plan(data, steps=2))
    assert read_plan(whole) == tiny_plan(data)


def test_a_simulation_may_grow_by_seeds_and_strategies_but_never_shrink(data: Path, tmp_path: Path) -> None:
    keep_plan(tmp_path, tiny_plan(data))
    more = tiny_plan(data, seeds=3, strategies=("random", "foreground-random", "entropy"))
    keep_plan(tmp_path, more)
    assert read_plan(tmp_path) == more
    with pytest.raises(SettingsError, match=r"seeds 3 \(asked: 1\)"):
        keep_plan(tmp_path, tiny_plan(data))
    assert read_plan(tmp_path) == more


def test_a_damaged_round_is_named(data: Path, tmp_path: Path) -> None:
    plan = tiny_plan(data)
    path = Records(tmp_path).path(plan.cells()[0], 0)
    path.parent.mkdir(parents=True)
    path.write_text("{")
    with pytest.raises(InputError, match=r"round-0\.json: is no finished round"):
        Records(tmp_path).rounds(plan.cells()[0], plan)


@pytest.mark.parametrize(("name", "says"), [("decision", "whole studies"), ("luck", "is not known")])
def test_what_cannot_be_replayed_is_refused(data: Path, name: str, says: str) -> None:
    with pytest.raises(SettingsError, match=says):
        require_known_strategies(tiny_plan(data, strategies=("foreground-random", name)))


def test_the_start_is_fitted_to_phantoms_once(data: Path, tmp_path: Path) -> None:
    fitted = start_weights(tmp_path, tiny_plan(data, start_steps=1, start_phantoms=1))
    plain = start_weights(tmp_path / "plain", tiny_plan(data))
    assert any(not torch.equal(tensor, plain[name]) for name, tensor in fitted.items())
    before = (tmp_path / "start.safetensors").stat().st_mtime_ns
    start_weights(tmp_path, tiny_plan(data, start_steps=1, start_phantoms=1))
    assert (tmp_path / "start.safetensors").stat().st_mtime_ns == before
