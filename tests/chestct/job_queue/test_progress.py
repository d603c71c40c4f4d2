"""A job says how far it is; outside a job, saying so does nothing."""

from typing import Any

import pytest

from chestct.job_queue import running_job
from chestct.job_queue.running_job import progress_reporter
from chestct.progress import Progress


class FakeJob:
    def __init__(self) -> None:
        self.meta: dict[str, Any] = {}
        self.saved: list[dict[str, Any]] = []

    def save_meta(self) -> None:
        self.saved.append(dict(self.meta))


@pytest.fixture
def job(monkeypatch: pytest.MonkeyPatch) -> FakeJob:
    job = FakeJob()
    monkeypatch.setattr(running_job, "get_current_job", lambda: job)
    return job


def test_the_time_left_is_a_straight_line(job: FakeJob) -> None:
    now = [0.0]
    report = progress_reporter(lambda: now[0])
    report(Progress(0.0, stage="fitting"))
    now[0] = 30.0
    report(Progress(0.25, stage="fitting"))
    assert job.saved[-1] == {"progress": 0.25, "seconds_left": 90.0, "stage": "fitting"}


def test_a_resumed_job_is_timed_from_where_it_resumed(job: FakeJob) -> None:
    now = [0.0]
    report = progress_reporter(lambda: now[0])
    report(Progress(0.5, stage="fitting"))
    now[0] = 10.0
    report(Progress(0.75, stage="fitting"))
    assert job.saved[-1]["seconds_left"] == 10.0


def test_quick_reports_are_thinned_out_but_a_new_stage_is_told_at_once(job: FakeJob) -> None:
    report = progress_reporter(lambda: 0.0)
    for fraction in (0.0, 0.1, 0.2):
        report(Progress(fraction, stage="fitting"))
    report(Progress(0.3, stage="comparing"))
    assert [(saved["progress"], saved["stage"]) for saved in job.saved] == [
        (0.0, "fitting"),
        (0.3, "comparing"),
    ]


def test_progress_stays_between_none_and_all(job: FakeJob) -> None:
    report = progress_reporter(lambda: 0.0)
    report(Progress(-0.5))
    report(Progress(1.5))
    assert [saved["progress"] for saved in job.saved] == [0.0, 1.0]


def test_outside_a_job_nothing_happens() -> None:
    progress_reporter()(Progress(0.5, stage="fitting"))
