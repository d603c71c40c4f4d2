"""A worker process: takes jobs off the queues, one spawned process a job."""

from collections.abc import Sequence
from types import FrameType
from typing import Any

import redis
from rq import Queue
from rq.job import Job
from rq.utils import now
from rq.worker import SpawnWorker

from chestct.errors import ServiceUnavailableError
from chestct.job_queue.connection import SERIALIZER, connect, queue_errors
from chestct.job_queue.housekeeping import Housekeeping
from chestct.logs import begin_logs
from chestct.settings import Settings


class LoopWorker(SpawnWorker):
    """RQ's SpawnWorker, which stops quickly and gives its job back.

    RQ's default worker forks, and a child hangs after any torch computation in its parent (rq 2.12,
    torch 2.13): hence the spawning one. RQ would also wait for the running job on SIGTERM, hours in
    the case of a training; every job of ours is idempotent, so it is stopped and put back.
    """

    def handle_warm_shutdown_request(self) -> None:
        """First SIGTERM or Ctrl-C: ends the running job's process; the monitor then requeues it."""
        self._stop_requested = True
        if self.horse_pid:
            self.kill_horse()

    def handle_work_horse_killed(self, job: Job, retpid: int, ret_val: int, rusage: Any) -> None:
        """A job that we stopped ourselves goes back in the queue without losing one of its retries."""
        if self._stop_requested:
            job.retries_left = (job.retries_left or 0) + 1
        super().handle_work_horse_killed(job, retpid, ret_val, rusage)

    def request_force_stop(self, signum: int, frame: FrameType | None) -> None:
        """A second signal ends a job that was only being started at the first."""
        if self.horse_pid:
            self.kill_horse()

    def run_maintenance_tasks(self) -> None:
        """Left to Housekeeping.

        RQ's own pass remembers for 24 h that it saw a job id in its intermediate list and fails the
        job at the next sight, which is wrong for ids that are used again and again as ours are.
        """
        self.last_cleaned_at = now()


def run_worker(settings: Settings, queues: Sequence[str], burst: bool = False) -> None:
    """Works until a signal asks to stop, or, with `burst`, until the queues are empty.

    Args:
        settings: says where the queue is and how often to sync; jobs read the environment anew.
        queues: names.QUICK, names.TRAIN or both; the first is served first.
    Raises:
        ServiceUnavailableError: the queue does not answer, at the start or after having answered.
    """
    begin_logs(settings.log)
    connection = connect(settings.redis_url)
    with queue_errors(settings.redis_url):
        connection.ping()
    # The worker's own connection blocks while it waits for jobs; RQ sets the time-out it needs.
    connection = redis.Redis.from_url(str(settings.redis_url))
    rq_queues = [Queue(name, connection=connection, serializer=SERIALIZER) for name in queues]
    worker = LoopWorker(rq_queues, connection=connection, serializer=SERIALIZER, job_monitoring_interval=5)
    housekeeping = Housekeeping(settings, queues)
    housekeeping.tick(burst=burst)
    if not burst:
        housekeeping.start()
    try:
        worker.work(burst=burst, logging_level="INFO")
    finally:
        housekeeping.stop()
        connection.close()
    if not burst and not worker._shutdown_requested_date:
        raise ServiceUnavailableError("the queue", "the connection was lost and did not come back")
