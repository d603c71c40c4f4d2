"""What a running job tells the outside: how far it is and how long it will take."""

import time
from collections.abc import Callable
from typing import Protocol

from rq import get_current_job

PROGRESS, SECONDS_LEFT, STAGE = "progress", "seconds_left", "stage"
_EVERY_SECONDS = 0.5


class Report(Protocol):
    """`report(fraction, stage)`: the share done in [0, 1] and the stage in a word or two."""

    def __call__(self, fraction: float, stage: str = "") -> None: ...


def progress_reporter(clock: Callable[[], float] = time.monotonic) -> Report:
    """A callback `report(fraction, stage)` for the job that runs in this process.

    The time left is a straight line through what has passed since the reporter was made; a job
    that resumes half-way is timed from where it resumed. Outside a job the callback does nothing.
    """
    job = get_current_job()
    started_at = clock()
    first_fraction: float | None = None
    last_written, last_stage = float("-inf"), ""

    def report(fraction: float, stage: str = "") -> None:
        nonlocal first_fraction, last_written, last_stage
        fraction = min(max(fraction, 0.0), 1.0)
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


def report_progress(fraction: float, seconds_left: float | None = None, stage: str = "") -> None:
    """Writes the progress of the job that runs in this process; nothing outside a job.

    Args:
        fraction: in [0, 1].
        seconds_left: the job's own estimate, None where it has none.
        stage: in a word or two ("fitting").
    """
    job = get_current_job()
    if job is None:
        return
    job.meta.update({PROGRESS: min(max(fraction, 0.0), 1.0), SECONDS_LEFT: seconds_left, STAGE: stage})
    job.save_meta()
