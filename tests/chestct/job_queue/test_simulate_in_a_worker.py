"""A simulation's cells as workers run them: asked for once each, done, and a failure told."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import torch
from rq import Queue, Worker

# Test folders are no packages (import mode importlib): neighbours are found by their folder.
sys.path.append(str(Path(__file__).parents[2] / "training" / "simulate"))

from tiny_simulation import rounds_of, tiny_plan, write_data

from chestct.job_queue import JobQueue, names
from chestct.job_queue.connection import SERIALIZER
from chestct.progress import Progress
from training.simulate.plan import keep_plan
from training.simulate.records import Records
from training.simulate.run import SimulationFailedError, run_here, run_through_queue

_WORKER = """
from chestct.job_queue import run_worker
from chestct.settings import Settings
run_worker(Settings.load(), ["lungloop-train"])
"""


@pytest.fixture
def queue(redis_url: str) -> Iterator[JobQueue]:
    queue = JobQueue(redis_url)
    yield queue
    queue.close()


@pytest.fixture
def two_workers(redis_url: str, queue: JobQueue, tmp_path: Path) -> Iterator[None]:
    environment = {
        **os.environ,
        "LUNGLOOP_REDIS_URL": redis_url,
        "LUNGLOOP_HOME": str(tmp_path / "home"),
        "PYTHONPATH": str(Path(__file__).parents[3]),
        "OMP_NUM_THREADS": "1",
    }
    with ExitStack() as stack:
        workers = [
            stack.enter_context(
                subprocess.Popen([sys.executable, "-c", _WORKER], env=environment, stderr=subprocess.DEVNULL)
            )
            for _ in range(2)
        ]
        yield
        for worker in workers:
            worker.terminate()


@pytest.fixture
def one_thread() -> Iterator[None]:
    """As the workers have it: with one thread torch adds in one order."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


@pytest.mark.usefixtures("two_workers", "one_thread")
def test_workers_come_to_the_same_rounds_as_one_process(queue: JobQueue, tmp_path: Path) -> None:
    plan = tiny_plan(write_data(tmp_path / "data"), rounds=1)
    for name in ("here", "queue"):
        keep_plan(tmp_path / name, plan)
    steps: list[Progress] = []
    run_through_queue(tmp_path / "queue", queue, steps.append, 0.05)
    assert (steps[-1].done, steps[-1].total) == (plan.fits, plan.fits)
    assert [step.done for step in steps] == sorted(step.done for step in steps)
    run_here(tmp_path / "here")
    for cell in plan.cells():
        assert rounds_of(tmp_path / "queue", plan, cell) == rounds_of(tmp_path / "here", plan, cell)


def test_a_cell_asked_for_twice_is_one_job_of_strings_and_numbers(queue: JobQueue) -> None:
    for _ in range(2):
        assert (
            queue.enqueue_simulate_cell("simulate-1-entropy-0", "/out", "entropy", 0)
            == "simulate-1-entropy-0"
        )
    waiting = Queue(names.TRAIN, connection=queue.connection, serializer=SERIALIZER)
    (job,) = waiting.jobs
    assert (job.func_name, job.args) == (names.SIMULATE_CELL, ["/out", "entropy", 0])


@pytest.mark.usefixtures("two_workers")
def test_a_job_that_fails_ends_the_wait_with_its_reason(queue: JobQueue, tmp_path: Path) -> None:
    # Asks for more slices than there are, which only who has read the data can know.
    plan = tiny_plan(write_data(tmp_path / "data"), slices_per_round=99)
    keep_plan(tmp_path / "out", plan)
    with pytest.raises(SimulationFailedError, match="the pool holds 18"):
        run_through_queue(tmp_path / "out", queue, poll_seconds=0.05)
    assert Records(tmp_path / "out").finished(plan) == 0


def test_whether_a_worker_listens_is_known(queue: JobQueue) -> None:
    assert not queue.has_training_worker()
    train = Queue(names.TRAIN, connection=queue.connection, serializer=SERIALIZER)
    worker = Worker([train], connection=queue.connection, serializer=SERIALIZER)
    worker.register_birth()
    try:
        assert queue.has_training_worker()
    finally:
        worker.register_death()
