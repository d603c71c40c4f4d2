"""What a job does about the process that runs it."""

import ctypes
import os
import signal
import sys

from rq import get_current_job

from chestct.logs import begin_logs, log_as
from chestct.settings import Settings

_PR_SET_PDEATHSIG = 1


def end_with_worker() -> None:
    """Lets this job's process end when its worker is killed; does nothing outside a worker.

    A worker that is killed (-9, out of memory) leaves its spawned process running, while the queue
    hands the job to the next worker 60-90 s later: two copies of a training would compete for the
    machine. Linux only; elsewhere the lock of the work folder is what keeps them apart.
    """
    if "RQ_WORKER_ID" not in os.environ or not sys.platform.startswith("linux"):
        return
    parent = os.getppid()
    ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if parent == 1 or os.getppid() != parent:
        # The worker was gone already: prctl only tells of parents that die later.
        os.kill(os.getpid(), signal.SIGKILL)


def log_as_job(settings: Settings) -> None:
    """From here on each line of the log names the job that this process runs."""
    begin_logs(settings.log)
    job = get_current_job()
    if job is not None:
        log_as(job_id=job.id)
