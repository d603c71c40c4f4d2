"""How far a running job is and how long it will take, for those who watch it."""

import time
from collections.abc import Callable

from rq import get_current_job

from chestct.progress import OnProgress, Progress

PROGRESS, SECONDS_LEFT, STAGE = "progress", "seconds_left", "stage"
_EVERY_SECONDS = 0.5


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
        job.meta.update(
            {
                PROGRESS: round(fraction, 4),
                SECONDS_LEFT: None if seconds_left is None else round(seconds_left, 1),
                STAGE: stage,
            }
        )
        job.save_meta()

    return report
