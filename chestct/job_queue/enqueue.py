"""Enqueueing a job unless the same one waits already."""

from dataclasses import dataclass

import redis
from rq import Queue, Retry
from rq.exceptions import DuplicateJobError, InvalidJobOperation, NoSuchJobError
from rq.job import Job, JobStatus

from chestct.errors import ServiceUnavailableError
from chestct.job_queue.connection import SERIALIZER

FAILURE_TTL_SECONDS = 7 * 24 * 3600

_HOLDS_ITS_ID = (JobStatus.QUEUED, JobStatus.DEFERRED, JobStatus.STARTED)
_SLOTS = 8
_ATTEMPTS = 3


@dataclass(frozen=True)
class JobSpec:
    """A kind of job: its dotted name, its longest duration and what happens when it fails."""

    function: str
    timeout_seconds: int
    retry: Retry | None = None


def enqueue_once(
    queue: Queue, spec: JobSpec, name: str, *arguments: str | int, again_while_running: bool = True
) -> tuple[str, bool]:
    """The id of the job that will serve the request, and whether it is new.

    A request that comes while the same job runs may be about something that the running job has
    already passed, so it takes the next slot of that name instead of being dropped.

    Args:
        name: id of the job: letters, digits, `_`, `-`; the same for the same request.
        again_while_running: False where the running job serves this request too.
    Raises:
        ServiceUnavailableError: other clients were quicker several times in a row.
    """
    for slot in range(_SLOTS if again_while_running else 1):
        job_id = name if slot == 0 else f"{name}-again-{slot}"
        created, status = _enqueue_in_slot(queue, spec, job_id, arguments)
        if status != JobStatus.STARTED:
            return job_id, created
    return name, False


def fetch(connection: redis.Redis, job_id: str) -> Job | None:
    """The job of this id, None where there is none."""
    try:
        return Job.fetch(job_id, connection=connection, serializer=SERIALIZER)
    except NoSuchJobError:
        return None


def delete(job: Job) -> None:
    """Deletes a job, also one of whose executions half is left.

    RQ 2.12: a heartbeat that comes after its execution expired (a machine that stood still for a minute)
    writes that one field anew, and RQ cannot read the rest any more: KeyError for ever, for every request of
    the job's name.
    """
    try:
        job.delete()
    except (KeyError, ValueError):
        registry = job.execution_registry
        for execution_id in registry.get_execution_ids():
            job.connection.delete(f"rq:execution:{job.id}:{execution_id}")
        job.connection.delete(registry.key)
        job.delete()


def status_of(connection: redis.Redis, job_id: str) -> JobStatus | None:
    """The job's status, None where there is no such job (any more)."""
    job = fetch(connection, job_id)
    try:
        return job.get_status() if job else None
    except InvalidJobOperation:
        return None  # ended this moment


def _enqueue_in_slot(
    queue: Queue, spec: JobSpec, job_id: str, arguments: tuple[str | int, ...]
) -> tuple[bool, JobStatus]:
    """Whether a new job was made, and the status of the one that holds the id."""
    for _ in range(_ATTEMPTS):
        try:
            queue.enqueue_call(
                spec.function,
                args=arguments,
                job_id=job_id,
                unique=True,
                timeout=spec.timeout_seconds,
                retry=spec.retry,
                result_ttl=0,
                failure_ttl=FAILURE_TTL_SECONDS,
            )
            return True, JobStatus.QUEUED
        except DuplicateJobError:
            status = status_of(queue.connection, job_id)
        if status is not None and status in _HOLDS_ITS_ID:
            return False, status
        # Failed, stopped, finished, or waiting for a retry: superseded by this request.
        superseded = fetch(queue.connection, job_id)
        if superseded is not None:
            delete(superseded)
    raise ServiceUnavailableError(
        "the queue", f"the job {job_id} changes faster than it can be enqueued; try again"
    )
