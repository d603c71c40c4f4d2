"""What the queue holds at this moment, in the words of `lungloop status`."""

from collections.abc import Sequence
from typing import Any

from rq import Queue
from rq.job import Job

from chestct.job_queue import names
from chestct.job_queue.connection import SERIALIZER
from chestct.job_queue.running_job import PROGRESS, SECONDS_LEFT, STAGE


def queue_state(queues: Sequence[Queue]) -> dict[str, Any]:
    """Counts over all queues, and the running job (the first queue's, where several run).

    Returns:
        `queued` (those that wait for a retry included), `running`, `failed`: counts; `kind`,
        `progress` in [0, 1], `seconds_left`, `stage` of the running job, None where nothing runs or
        the job does not say; `jobs`: the same for every running job, with its `id`.
    """
    running: list[dict[str, Any]] = []
    for queue in queues:
        # cleanup=False: cleaning may run failure callbacks, which is the workers' business.
        ids = queue.started_job_registry.get_job_ids(cleanup=False)
        jobs = Job.fetch_many(ids, connection=queue.connection, serializer=SERIALIZER)
        running += [_describe(job) for job in jobs if job]
    first = running[0] if running else {"kind": None, "progress": None, "seconds_left": None, "stage": None}
    return {
        "queued": sum(queue.count + queue.scheduled_job_registry.get_job_count() for queue in queues),
        "running": len(running),
        "failed": sum(queue.failed_job_registry.get_job_count(cleanup=False) for queue in queues),
        **{key: first[key] for key in ("kind", "progress", "seconds_left", "stage")},
        "jobs": running,
    }


def waiting_or_running(queue: Queue, function: str) -> list[str]:
    """Ids of the jobs of one function that wait or run."""
    on_their_way = queue.intermediate_queue.get_job_ids()
    ids = [*queue.job_ids, *on_their_way, *queue.started_job_registry.get_job_ids(cleanup=False)]
    jobs = Job.fetch_many(ids, connection=queue.connection, serializer=SERIALIZER)
    return [job.id for job in jobs if job and job.func_name == function]


def _describe(job: Job) -> dict[str, Any]:
    meta = job.meta or {}
    return {
        "id": job.id,
        "kind": names.KINDS.get(job.func_name or "", job.func_name),
        "progress": float(meta.get(PROGRESS) or 0.0),
        "seconds_left": meta.get(SECONDS_LEFT),
        "stage": meta.get(STAGE),
    }
