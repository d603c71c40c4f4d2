"""Jobs that the queue's tests run in real workers; imported by dotted name in a process of its own."""

import logging
import os
import signal
import time
from pathlib import Path

from chestct.job_queue import end_with_worker, log_as_job, progress_reporter
from chestct.progress import Progress
from chestct.settings import Settings


def write_home(path: str) -> None:
    Path(path).write_text(str(Settings.load().home))


def log_a_line() -> None:
    log_as_job(Settings.load())
    logging.getLogger("training.jobs").info("at work")


def die_once(path: str) -> None:
    marker = Path(path)
    if not marker.exists():
        marker.write_text("died")
        os.kill(os.getpid(), signal.SIGKILL)
    marker.write_text("lived")


def wait_long(path: str) -> None:
    end_with_worker()
    report = progress_reporter()
    report(Progress(0.0, stage="waiting"))
    time.sleep(0.6)
    report(Progress(0.25, stage="waiting"))
    Path(path).write_text(str(os.getpid()))
    time.sleep(60.0)


def fail() -> None:
    raise ValueError("on purpose")


def die() -> None:
    """Killed whenever it runs, as by the kernel when memory is out."""
    os.kill(os.getpid(), signal.SIGKILL)
