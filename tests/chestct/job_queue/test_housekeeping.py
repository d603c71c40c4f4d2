"""Nothing asked for is lost, nothing piles up."""

import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from rq import Queue, Retry
from rq.job import Job, JobStatus
from rq.utils import now

from chestct.job_queue import JobQueue, names
from chestct.job_queue.connection import SERIALIZER
from chestct.job_queue.housekeeping import Housekeeping
from chestct.settings import Settings


@pytest.fixture
def quick(redis_url: str) -> Iterator[Queue]:
    asking = JobQueue(redis_url)
    yield Queue(names.QUICK, connection=asking.connection, serializer=SERIALIZER)
    asking.close()


@pytest.fixture
def keeper(redis_url: str, tmp_path: Path) -> Iterator[Housekeeping]:
    settings = Settings.load(
        {"LUNGLOOP_HOME": str(tmp_path), "LUNGLOOP_REDIS_URL": redis_url, "LUNGLOOP_PROJECT_ID": "1"}
    )
    keeper = Housekeeping(settings, [names.QUICK])
    yield keeper
    keeper.stop()


def _status(queue: Queue, job_id: str) -> JobStatus:
    return Job.fetch(job_id, connection=queue.connection, serializer=SERIALIZER).get_status()


def test_a_period_has_one_sync_however_many_workers_ask(quick: Queue, keeper: Housekeeping) -> None:
    for _ in range(3):
        keeper.tick()
    assert quick.job_ids == ["sync-all"]


def test_a_job_with_half_an_execution_left_does_not_stop_the_syncs(
    quick: Queue, keeper: Housekeeping
) -> None:
    keeper.tick()
    job = Job.fetch("sync-all", connection=quick.connection, serializer=SERIALIZER)
    job.set_status(JobStatus.FAILED)
    quick.remove(job.id)
    # What a heartbeat leaves that comes after its execution expired.
    quick.connection.zadd(job.execution_registry.key, {"gone": now().timestamp() + 600})
    quick.connection.hset("rq:execution:sync-all:gone", "last_heartbeat", now().timestamp())
    quick.connection.delete("lungloop:sync-turn")
    keeper.tick()
    assert quick.job_ids == ["sync-all"]
    assert _status(quick, "sync-all") == JobStatus.QUEUED


def test_whatever_a_pass_fails_by_the_next_one_comes(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    passes: list[int] = []
    second = threading.Event()

    def tick(keeper: Housekeeping, burst: bool = False) -> None:
        passes.append(1)
        if len(passes) == 1:
            raise KeyError("created_at")
        second.set()

    monkeypatch.setattr(Housekeeping, "tick", tick)
    settings = Settings.load({"LUNGLOOP_HOME": str(tmp_path), "LUNGLOOP_REDIS_URL": redis_url})
    keeper = Housekeeping(settings, [names.QUICK], tick_seconds=0.01)
    keeper.start()
    assert second.wait(10.0)
    keeper.stop()


def test_a_burst_worker_starts_no_periodic_sync(quick: Queue, keeper: Housekeeping) -> None:
    keeper.tick(burst=True)
    assert quick.job_ids == []


def test_a_job_lost_between_two_lists_is_queued_again_at_the_second_look(
    quick: Queue, keeper: Housekeeping
) -> None:
    quick.enqueue_call("a.b", job_id="lost")
    quick.connection.lmove(quick.key, quick.intermediate_queue.key, "LEFT", "RIGHT")
    keeper.tick(burst=True)
    assert quick.job_ids == []
    keeper.tick(burst=True)
    assert quick.job_ids == ["lost"]
    assert quick.intermediate_queue.get_job_ids() == []


def test_a_job_whose_worker_died_is_queued_again_where_it_has_retries(
    quick: Queue, keeper: Housekeeping
) -> None:
    for job_id, retry in (("once", None), ("again", Retry(max=1))):
        job = quick.enqueue_call("a.b", job_id=job_id, retry=retry)
        quick.remove(job_id)
        job.set_status(JobStatus.STARTED)
        # An execution whose heartbeat ran out in 1970.
        quick.connection.zadd(quick.started_job_registry.key, {f"{job_id}:execution": 1})
    keeper.tick(burst=True)
    assert quick.job_ids == ["again"]
    assert _status(quick, "once") == JobStatus.FAILED


def test_a_due_retry_is_queued_and_one_not_due_waits(quick: Queue, keeper: Housekeeping) -> None:
    for job_id, seconds in (("due", -1), ("later", 600)):
        job = quick.create_job("a.b", job_id=job_id)
        quick.schedule_job(job, now() + timedelta(seconds=seconds))
    keeper.tick(burst=True)
    assert quick.job_ids == ["due"]
    assert _status(quick, "later") == JobStatus.SCHEDULED
