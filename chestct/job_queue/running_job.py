"""What a running job does: ends with its worker, names itself in the log, says how far it is."""

import ctypes
import os
import signal
import sys
import time
from collections.abc import Callable

from rq import get_current_job

from chestct.logs import begin_logs, log_as
from chestct.progress import OnProgress, Progress
from chestct.settings import Settings

_PR_SET_PDEATHSIG = 1
PROGRESS, SECONDS_LEFT, STAGE = "progress", "seconds_left", "stage"
_EVERY_SECONDS = 0.5


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


def progress_reporter(clock: Callable[[], float] = time.monotonic) -> OnProgress:
    """What the job that runs in this process tells of its progress, written into its row of the queue.

    The time left is a straight line through what has passed since the reporter was made; a job
    that resumes half-way is timed from where it resumed. Outside a job nothing is written.
    """
    job = get_current_job()
    started_at = clock()
    first_fraction: float | None = None
    last_written, last_stage = float("-inf"), ""

    def report(progress: Progress) -> None:
        nonlocal first_fraction, last_written, last_stage
        fraction, stage = progress.fraction, progress.stage
        if first_fraction is None:
            first_fraction = fraction
        too_soon = clock() - last_written < _EVERY_SECONDS and stage == last_stage and fraction < 1.0
        if job is None or too_soon:
            return
        last_written, last_stage = clock(), stage
        done = fraction - first_fraction
        seconds_left = (clock() - started_at) * (1.0 - fraction) / done if done > 0 else None
        job.meta |= {
            PROGRESS: round(fraction, 4),
            SECONDS_LEFT: None if seconds_left is None else round(seconds_left, 1),
            STAGE: stage,
        }
        job.save_meta()

    return report
