"""Asks are coalesced, never lost; an unreachable queue is known quickly."""

import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from threading import Timer

import pytest
from rq import Queue
from rq.job import Job, JobStatus

from chestct.catalog.records import RequestState, RetrainRequest
from chestct.errors import ServiceUnavailableError, SettingsError
from chestct.job_queue import JobQueue, names
from chestct.job_queue.connection import SERIALIZER, without_password


class FakeRequests:
    """Retrain requests as the catalog keeps them."""

    def __init__(self) -> None:
        self.rows: list[RetrainRequest] = []

    def add(self, requested_by: str) -> RetrainRequest:
        row = RetrainRequest(len(self.rows) + 1, requested_by, "t", RequestState.PENDING, None, None, None)
        self.rows.append(row)
        return row

    def pending(self) -> list[RetrainRequest]:
        return [row for row in self.rows if row.state is RequestState.PENDING]

    def claim_all(self, job_id: str) -> None:
        self.rows = [replace(row, state=RequestState.RUNNING, job_id=job_id) for row in self.rows]


@pytest.fixture
def queue(redis_url: str) -> Iterator[JobQueue]:
    queue = JobQueue(redis_url)
    yield queue
    queue.close()


def _job(queue: JobQueue, job_id: str) -> Job:
    return Job.fetch(job_id, connection=queue.connection, serializer=SERIALIZER)


def _job_ids(queue: JobQueue, name: str) -> list[str]:
    return Queue(name, connection=queue.connection, serializer=SERIALIZER).job_ids


def test_requests_that_wait_share_one_job(queue: JobQueue) -> None:
    requests = FakeRequests()
    tickets = [queue.request_retrain(requests, "button") for _ in range(5)]
    assert [ticket.coalesced for ticket in tickets] == [False, True, True, True, True]
    assert {ticket.job_id for ticket in tickets} == {"retrain-1"}
    assert [ticket.request_id for ticket in tickets] == [1, 2, 3, 4, 5]
    assert _job_ids(queue, names.TRAIN) == ["retrain-1"]


def test_requests_made_during_a_run_share_exactly_one_further_job(queue: JobQueue) -> None:
    requests = FakeRequests()
    queue.request_retrain(requests, "button")
    _job(queue, "retrain-1").set_status(JobStatus.STARTED)
    requests.claim_all("retrain-1")
    tickets = [queue.request_retrain(requests, "webhook") for _ in range(4)]
    assert {ticket.job_id for ticket in tickets} == {"retrain-2"}
    assert [ticket.coalesced for ticket in tickets] == [False, True, True, True]


def test_a_retrain_asks_for_one_sync_ahead(queue: JobQueue) -> None:
    requests = FakeRequests()
    queue.request_retrain(requests, "button")
    queue.request_retrain(requests, "button")
    assert _job_ids(queue, names.QUICK) == ["sync-all"]


def test_the_policy_asks_without_a_sync(queue: JobQueue) -> None:
    queue.request_retrain(FakeRequests(), "policy", sync_first=False)
    assert _job_ids(queue, names.QUICK) == []


def test_force_reaches_a_job_that_waits_already(queue: JobQueue) -> None:
    requests = FakeRequests()
    queue.request_retrain(requests, "button")
    queue.request_retrain(requests, "cli", force=True)
    assert _job(queue, "retrain-1").meta["forced"] is True


def test_a_failed_job_does_not_block_the_next_ask(queue: JobQueue) -> None:
    requests = FakeRequests()
    queue.request_retrain(requests, "button")
    train = Queue(names.TRAIN, connection=queue.connection, serializer=SERIALIZER)
    train.remove("retrain-1")
    _job(queue, "retrain-1").set_status(JobStatus.FAILED)
    assert queue.ensure_retrain(requests) == ("retrain-1", True)
    assert train.job_ids == ["retrain-1"]


def test_nothing_is_enqueued_where_no_request_waits(queue: JobQueue) -> None:
    assert queue.ensure_retrain(FakeRequests()) == (None, False)


def test_syncs_of_different_tasks_are_different_jobs_and_carry_the_id(queue: JobQueue) -> None:
    assert [queue.enqueue_sync(7), queue.enqueue_sync(7), queue.enqueue_sync(8)] == [
        "sync-task-7",
        "sync-task-7",
        "sync-task-8",
    ]
    job = _job(queue, "sync-task-7")
    assert (job.func_name, job.args) == (names.SYNC, [7])


def test_a_hint_that_comes_while_the_same_sync_runs_is_not_dropped(queue: JobQueue) -> None:
    queue.enqueue_sync(7)
    _job(queue, "sync-task-7").set_status(JobStatus.STARTED)
    assert queue.enqueue_sync(7) == "sync-task-7-again-1"
    assert queue.enqueue_sync(7) == "sync-task-7-again-1"


def test_every_job_has_an_explicit_time_out_and_a_limited_failure_life(queue: JobQueue) -> None:
    queue.request_retrain(FakeRequests(), "button")
    ids = ["retrain-1", "sync-all", queue.enqueue_preannotate(), queue.enqueue_follow_champion("v0002-a.b")]
    for job_id in ids:
        job = _job(queue, job_id)
        assert job.timeout is not None and job.timeout > 0
        assert job.failure_ttl is not None and 0 < job.failure_ttl <= 7 * 24 * 3600
    assert _job(queue, "follow-v0002-a-b").args == ["v0002-a.b"]


def test_status_of_an_idle_queue_names_every_contract_key(queue: JobQueue) -> None:
    state = queue.status()
    assert {"queued": 0, "running": 0, "failed": 0}.items() <= state.items()
    assert [state[key] for key in ("kind", "progress", "seconds_left")] == [None, None, None]


def test_a_closed_port_is_known_in_less_than_a_webhook_may_take() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    queue = JobQueue(f"redis://:secret@127.0.0.1:{port}/0")
    started_at = time.monotonic()
    with pytest.raises(ServiceUnavailableError, match="the queue: redis://\\*\\*\\*@127") as caught:
        queue.status()
    assert time.monotonic() - started_at < 0.9
    assert "secret" not in str(caught.value)


def test_a_request_is_kept_where_the_queue_is_down() -> None:
    requests = FakeRequests()
    with pytest.raises(ServiceUnavailableError):
        JobQueue("redis://127.0.0.1:9/0").request_retrain(requests, "button")
    assert len(requests.pending()) == 1


def test_no_address_says_what_to_do() -> None:
    with pytest.raises(ServiceUnavailableError, match="lungloop up"):
        JobQueue(None)


def test_an_address_of_another_kind_is_a_settings_error() -> None:
    with pytest.raises(SettingsError, match="redis://HOST"):
        JobQueue("http://127.0.0.1")


def test_passwords_are_not_shown() -> None:
    assert without_password("redis://user:secret@host:1/0") == "redis://***@host:1/0"


def test_waiting_for_a_sync_ends_where_none_is_left_and_gives_up_in_time(queue: JobQueue) -> None:
    assert queue.wait_for_sync(5.0)
    queue.enqueue_sync(3)
    assert not queue.wait_for_sync(0.3)
    Timer(0.3, queue.connection.delete, ("rq:queue:lungloop-quick",)).start()
    assert queue.wait_for_sync(5.0)


def test_a_sync_asked_for_later_is_not_waited_for(queue: JobQueue) -> None:
    queue.enqueue_sync(3)

    def replace_by_another() -> None:
        queue.connection.delete("rq:queue:lungloop-quick")
        queue.enqueue_sync(4)

    Timer(0.3, replace_by_another).start()
    assert queue.wait_for_sync(5.0)
