"""All cells of a simulation: in this process, or by the workers of the queue; killed, it goes on."""

import hashlib
import time
from pathlib import Path

from chestct.acquisition.strategies import STRATEGIES
from chestct.errors import LungLoopError, SettingsError
from chestct.job_queue.queue import JobQueue, JobState
from chestct.progress import OnProgress, Progress, unheard
from training.simulate.cell import CellRunner
from training.simulate.plan import SimulationPlan, read_plan
from training.simulate.records import Records

# A grade is a whole study's: a pool thinned to every n-th slice has none to resolve. Its own benchmark
# (benchmarks/settle_grade.py) replays it on whole phantoms.
_NEEDS_STUDIES = frozenset({"decision"})
_POLL_SECONDS = 1.0


class SimulationFailedError(LungLoopError, RuntimeError):
    """A job of a simulation ended without its rounds."""


def require_known_strategies(plan: SimulationPlan) -> None:
    """Raises SettingsError where a strategy does not exist or cannot be replayed slice by slice."""
    can = [name for name in STRATEGIES if name not in _NEEDS_STUDIES]
    for name in plan.strategies:
        if name not in can:
            why = "needs the grades of whole studies" if name in _NEEDS_STUDIES else "is not known"
            raise SettingsError(f"the strategy {name!r} {why}; expected some of {', '.join(can)}")


def run_here(folder: Path, on_progress: OnProgress = unheard) -> None:
    """Runs what is left in this process; several processes share a folder without doing a fit twice.

    Cells that another process is at are left to it and waited for at the end: should it be killed, they
    are taken over.
    """
    runner = CellRunner(folder)
    plan, records = runner.plan, Records(folder)

    def tell() -> None:
        on_progress(_progress(records, plan))

    tell()
    for wait in (False, True):
        for cell in plan.cells():
            runner.run(cell, wait=wait, on_round=tell)
    tell()


def run_through_queue(
    folder: Path,
    queue: JobQueue,
    on_progress: OnProgress = unheard,
    poll_seconds: float = _POLL_SECONDS,
) -> None:
    """Asks the workers for each cell and waits for them; as many run at once as workers listen.

    Args:
        folder: of the simulation, with its plan; workers must reach it, and the data, under the same path.
    Raises:
        SimulationFailedError: a job failed; what is finished is kept, and the same command goes on.
        ServiceUnavailableError: the queue stopped answering.
    """
    plan, records = read_plan(folder), Records(folder)
    # The same name for the same cell of the same folder: requested twice, it is one job.
    name = f"simulate-{hashlib.sha256(str(folder).encode()).hexdigest()[:12]}"
    jobs = {
        cell: queue.enqueue_simulate_cell(
            f"{name}-{cell.strategy}-{cell.seed}", str(folder), cell.strategy, cell.seed
        )
        for cell in plan.cells()
        if not records.has(cell, plan.rounds)
    }
    while jobs:
        on_progress(_progress(records, plan))
        for cell, job_id in list(jobs.items()):
            job_state = queue.job_state(job_id)
            if records.has(cell, plan.rounds):
                del jobs[cell]
            elif job_state is not JobState.ALIVE:
                raise SimulationFailedError(
                    f"{cell.strategy} at seed {cell.seed} failed: {queue.last_error(job_id) or job_state}; "
                    "the same command goes on from the last finished round"
                )
        if jobs:
            time.sleep(poll_seconds)
    on_progress(_progress(records, plan))


def _progress(records: Records, plan: SimulationPlan) -> Progress:
    return Progress(records.finished(plan), plan.fits, "fits")
