"""Entry points that a worker calls by their dotted names (chestct.job_queue.names)."""

import logging
import shutil
from contextlib import closing
from pathlib import Path

from rq import get_current_job

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import RequestState, RetrainRequest
from chestct.errors import LungLoopError, ServiceUnavailableError
from chestct.job_queue import JobQueue, end_with_worker, log_as_job, progress_reporter
from chestct.progress import Progress
from chestct.settings import Settings
from training.retraining.plan import only_one
from training.retraining.retrain import Ending, run_retrain
from training.retraining.trainer import Trainer
from training.simulate.cell import CellRunner
from training.simulate.plan import Cell
from training.simulate.records import Records

_LOG = logging.getLogger(__name__)

# A sync that was asked for ahead of the retrain takes seconds; without a worker for it, go on.
SYNC_WAIT_SECONDS = 60.0
LOCK_WAIT_SECONDS = 6 * 3600.0


def retrain(trainer: Trainer | None = None) -> str:
    """Serves every request that waits; the sentence that they are answered with.

    Args:
        trainer: a stand-in for tests; workers call it without.
    Raises:
        LungLoopError: the requests are answered as failed, with this error's sentence, unless the
            queue is going to try again.
    """
    end_with_worker()
    settings = Settings.load()
    log_as_job(settings)
    job = get_current_job()
    job_id = job.id if job else "retrain-by-hand"
    work_dir = settings.home / "training" / job_id
    with (
        Catalog.open(settings.database_url, settings.storage_url) as catalog,
        closing(JobQueue(settings.redis_url)) as queue,
    ):
        if not _own_requests(catalog, job_id):
            # Asked and answered: this job was killed after its answer, or queued twice.
            shutil.rmtree(work_dir, ignore_errors=True)
            return "nothing was asked for"
        try:
            outcome = _serve(settings, catalog, queue, job_id, trainer)
        except ServiceUnavailableError as error:
            if job is None or not job.should_retry:
                catalog.requests.finish(job_id, RequestState.FAILED, str(error))
            raise
        except LungLoopError as error:
            catalog.requests.finish(job_id, RequestState.FAILED, str(error))
            if job is not None:
                job.retries_left = 0  # the same data would only fail in the same way
            raise
        catalog.requests.finish(job_id, RequestState.DONE, outcome)
    # The outcome is in the catalog: nothing of the work folder is needed any more.
    shutil.rmtree(work_dir, ignore_errors=True)
    return outcome


def simulate_cell(folder: str, strategy: str, seed: int) -> str:
    """What is left of one strategy at one seed of a simulation; the sentence that says so.

    Args:
        folder: of the simulation, with its plan, as `lungloop simulate` made it.
    Raises:
        LungLoopError: the plan or the data cannot be read, or a fit diverged.
    """
    end_with_worker()
    log_as_job(Settings.load())
    report = progress_reporter()
    cell = Cell(strategy, seed)
    runner, records = CellRunner(Path(folder)), Records(Path(folder))

    def tell() -> None:
        done = len(records.rounds(cell, runner.plan))
        report(Progress(done, runner.plan.rounds + 1, f"{strategy}, seed {seed}"))

    tell()
    runner.run(cell, wait=True, on_round=tell)
    return f"{strategy} at seed {seed} is done"


def _own_requests(catalog: Catalog, job_id: str) -> list[RetrainRequest]:
    """What this run answers: all that waits, or, taken up again after a kill, what it had claimed.

    Requests that came after the claim were made in view of newer corrections than this job's
    snapshot holds; they have a job of their own.
    """
    claimed = [request for request in catalog.requests.all(RequestState.RUNNING) if request.job_id == job_id]
    return claimed or catalog.requests.claim(job_id)


def _serve(
    settings: Settings, catalog: Catalog, queue: JobQueue, job_id: str, trainer: Trainer | None
) -> str:
    job = get_current_job()
    report = progress_reporter()
    report(Progress(0.0, stage="waiting for a sync"))
    if not queue.wait_for_sync(SYNC_WAIT_SECONDS):
        _LOG.warning("no sync within %.0f s; the retrain goes on without", SYNC_WAIT_SECONDS)
    with only_one(settings.home / "training", LOCK_WAIT_SECONDS):
        outcome = run_retrain(
            settings,
            catalog,
            settings.home / "training" / job_id,
            force=bool(job and job.get_meta().get("forced")),
            on_progress=report,
            trainer=trainer,
        )
    _LOG.info("retrain %s: %s", job_id, outcome.sentence)
    release = catalog.versions.release()
    # A run that was killed behind its promotion finds it done, and asks again.
    if outcome.ending in (Ending.PROMOTED, Ending.OPEN_STUDIES) and release is not None:
        queue.enqueue_follow_champion(release.name)
    return outcome.sentence
