"""Real workers in processes of their own: what happens when they, or their jobs, are killed."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from rq import Queue, Retry
from rq.job import Job

from chestct.job_queue import JobQueue, names
from chestct.job_queue.connection import SERIALIZER

_WORKER = """
from chestct.job_queue import run_worker
from chestct.settings import Settings
run_worker(Settings.load(), ["lungloop-quick"], burst=%r)
"""
_HERE = Path(__file__).parent


@pytest.fixture
def queue(redis_url: str) -> Iterator[JobQueue]:
    queue = JobQueue(redis_url)
    yield queue
    queue.close()


@pytest.fixture
def start_worker(redis_url: str, tmp_path: Path) -> Iterator[Callable[..., subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(burst: bool = True) -> subprocess.Popen[bytes]:
        environment = {
            **os.environ,
            "LUNGLOOP_REDIS_URL": redis_url,
            "LUNGLOOP_HOME": str(tmp_path / "home"),
            "PYTHONPATH": os.pathsep.join([str(_HERE), str(_HERE.parent.parent)]),
        }
        process = subprocess.Popen([sys.executable, "-c", _WORKER % burst], env=environment)
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait(timeout=10)


def _enqueue(queue: JobQueue, function: str, *arguments: str, retry: Retry | None = None) -> Job:
    quick = Queue(names.QUICK, connection=queue.connection, serializer=SERIALIZER)
    return quick.enqueue_call(f"queue_test_jobs.{function}", args=arguments, timeout=60, retry=retry)


def _wait_for(condition: Callable[[], bool], seconds: float = 15.0) -> None:
    ends_at = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < ends_at, "took too long"
        time.sleep(0.05)


def test_a_job_gets_the_workers_environment(queue: JobQueue, start_worker, tmp_path: Path) -> None:
    _enqueue(queue, "write_home", str(tmp_path / "seen"))
    assert start_worker().wait(timeout=30) == 0
    assert (tmp_path / "seen").read_text() == str((tmp_path / "home").resolve())


def test_each_line_of_a_jobs_log_names_the_job(
    queue: JobQueue, start_worker, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("LUNGLOOP_LOG", "json")
    job = _enqueue(queue, "log_a_line")
    assert start_worker().wait(timeout=30) == 0
    out, err = capfd.readouterr()
    assert out == ""
    lines = [json.loads(line) for line in err.splitlines()]
    assert [line["job_id"] for line in lines if line["event"] == "at work"] == [job.id]
    assert "rq.worker" in {line["logger"] for line in lines}


def test_a_killed_work_horse_is_retried(queue: JobQueue, start_worker, tmp_path: Path) -> None:
    _enqueue(queue, "die_once", str(tmp_path / "marker"), retry=Retry(max=1))
    assert start_worker().wait(timeout=30) == 0
    assert (tmp_path / "marker").read_text() == "lived"


def test_a_failed_job_is_counted(queue: JobQueue, start_worker) -> None:
    _enqueue(queue, "fail")
    start_worker().wait(timeout=30)
    assert queue.status()["failed"] == 1


def test_a_stopped_worker_puts_its_job_back_within_seconds(
    queue: JobQueue, start_worker, tmp_path: Path
) -> None:
    job = _enqueue(queue, "wait_long", str(tmp_path / "pid"))
    worker = start_worker(burst=False)
    _wait_for((tmp_path / "pid").exists)
    state = queue.status()
    assert (state["running"], state["progress"]) == (1, 0.25)
    assert 0.6 * 3 <= state["seconds_left"] < 0.6 * 3 * 3  # three quarters are left
    worker.send_signal(signal.SIGTERM)
    assert worker.wait(timeout=10) == 0
    assert not Path(f"/proc/{(tmp_path / 'pid').read_text()}").exists()
    state = queue.status()
    assert (state["queued"], state["running"], state["failed"]) == (1, 0, 0)
    assert job.get_status() == "queued"


def test_a_killed_workers_job_ends_with_it(queue: JobQueue, start_worker, tmp_path: Path) -> None:
    _enqueue(queue, "wait_long", str(tmp_path / "pid"))
    worker = start_worker(burst=False)
    _wait_for((tmp_path / "pid").exists)
    worker.kill()
    horse = Path(f"/proc/{(tmp_path / 'pid').read_text()}/stat")
    # Gone, or a zombie that nobody in this container reaps.
    _wait_for(lambda: not horse.exists() or horse.read_text().split(") ")[1].startswith("Z"), 5.0)
