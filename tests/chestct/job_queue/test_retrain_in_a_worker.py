"""The retrain job as workers run it: killed, asked for again and again, and answered."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chestct.catalog.records import RequestState
from chestct.job_queue import JobQueue, names
from chestct.job_queue import queue as asking
from chestct.job_queue.housekeeping import Housekeeping
from chestct.settings import Settings

# Test folders are no packages (import mode importlib): neighbours are found by their folder.
sys.path.append(str(Path(__file__).parents[2] / "training"))

from retrain_stand_in import BASE, Hospital

_TESTS = Path(__file__).parents[2]

_WORKER = """
from chestct.job_queue import run_worker
from chestct.settings import Settings
run_worker(Settings.load(), ["lungloop-train"], burst=True)
"""


@pytest.fixture
def environment(redis_url: str, tmp_path: Path) -> dict[str, str]:
    return {
        "LUNGLOOP_REDIS_URL": redis_url,
        "LUNGLOOP_HOME": str(tmp_path / "home"),
        "LUNGLOOP_WEIGHTS_DIR": str(tmp_path / "weights"),
        "PYTHONPATH": os.pathsep.join(map(str, (_TESTS / "training", Path(__file__).parent, _TESTS.parent))),
    }


@pytest.fixture
def hospital(environment: dict[str, str]) -> Iterator[Hospital]:
    hospital = Hospital.build(Settings.load(environment))
    hospital.correct(hospital.learning[0])
    yield hospital
    hospital.catalog.close()


@pytest.fixture
def queue(redis_url: str) -> Iterator[JobQueue]:
    queue = JobQueue(redis_url)
    yield queue
    queue.close()


def _wait_for(condition: Callable[[], bool], seconds: float = 60.0) -> None:
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at, "took too long"
        time.sleep(0.05)


def test_requests_during_a_run_make_one_more_run_and_a_killed_run_is_taken_up_again(
    hospital: Hospital, queue: JobQueue, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve_retrains_with(monkeypatch, "retrain_stand_in.retrain_that_hangs_once")
    queue.request_retrain(hospital.catalog.requests, "button", sync_first=False)
    worker = subprocess.Popen([sys.executable, "-c", _WORKER], env={**os.environ, **environment})
    marker = hospital.settings.home / "fitting"
    try:
        _wait_for(marker.exists)
        state = queue.status()
        assert (state["running"], state["stage"]) == (1, "fitting")
        tickets = [
            queue.request_retrain(hospital.catalog.requests, "button", sync_first=False) for _ in range(3)
        ]
        assert {(ticket.job_id, ticket.coalesced) for ticket in tickets} == {
            ("retrain-2", False),
            ("retrain-2", True),
        }
        os.kill(int(marker.read_text()), signal.SIGKILL)
        assert worker.wait(timeout=60) == 0
    finally:
        worker.kill()
        worker.wait()
    answered = hospital.catalog.requests.all()
    assert [request.state for request in answered] == [RequestState.DONE] * 4
    # The killed run was retried under its own job; the three asks share the one job after it.
    assert [request.job_id for request in answered] == ["retrain-1", *["retrain-2"] * 3]
    assert str(answered[0].outcome).startswith(f"{hospital.champion()} is promoted")
    assert all(str(request.outcome).startswith("nothing new") for request in answered[1:])
    version = hospital.champion()
    assert hospital.states() == {BASE: "retired", version: "champion"}
    state = queue.status()
    assert (state["queued"], state["failed"]) == (1, 0)
    assert queue.job_state("follow-" + version.replace(".", "-")) == "alive"
    # Nothing but the lock is left of the work.
    assert [path.name for path in (hospital.settings.home / "training").iterdir()] == ["lock"]


def test_a_request_stored_while_the_queue_was_down_gets_its_job(hospital: Hospital, queue: JobQueue) -> None:
    hospital.catalog.requests.add("button")
    _tick(hospital)
    assert queue.status()["queued"] == 1


def test_a_request_whose_job_the_queue_has_lost_gets_another(hospital: Hospital, queue: JobQueue) -> None:
    request = hospital.catalog.requests.add("button")
    hospital.catalog.requests.claim("retrain-lost")
    _tick(hospital)
    assert hospital.catalog.requests.get(request.id).state is RequestState.PENDING
    assert queue.job_state(f"retrain-{request.id}") == "alive"


def test_a_job_that_dies_at_every_attempt_is_answered_as_failed(
    hospital: Hospital, queue: JobQueue, environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    _serve_retrains_with(monkeypatch, "queue_test_jobs.die")
    ticket = queue.request_retrain(hospital.catalog.requests, "button", sync_first=False)
    subprocess.run([sys.executable, "-c", _WORKER], env={**os.environ, **environment}, check=True, timeout=60)
    _tick(hospital)
    answered = hospital.catalog.requests.get(ticket.request_id)
    assert answered.state is RequestState.FAILED
    assert "signal 9" in str(answered.outcome)
    assert queue.status()["queued"] == 0


def _serve_retrains_with(monkeypatch: pytest.MonkeyPatch, function: str) -> None:
    monkeypatch.setattr(asking, "_RETRAIN", dataclasses.replace(asking._RETRAIN, function=function))


def _tick(hospital: Hospital) -> None:
    keeper = Housekeeping(hospital.settings, [names.TRAIN])
    keeper.tick()
    keeper.stop()
