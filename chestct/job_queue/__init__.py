"""The queue of jobs, and the workers that take them.

A thin layer over RQ. Job payloads are ids and strings, serialised as JSON (never pickle), and every
job is idempotent; the job itself builds its Settings from the environment that the worker
passes on.
"""

from chestct.job_queue.queue import JobQueue, RetrainTicket
from chestct.job_queue.running_job import end_with_worker, log_as_job, progress_reporter
from chestct.job_queue.worker import run_worker

__all__ = [
    "JobQueue",
    "RetrainTicket",
    "end_with_worker",
    "log_as_job",
    "progress_reporter",
    "run_worker",
]
