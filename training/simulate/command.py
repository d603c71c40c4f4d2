"""What `lungloop simulate` does, free of the command line."""

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

from chestct.errors import ServiceUnavailableError, TrainingDataError
from chestct.job_queue import JobQueue
from chestct.progress import OnProgress, unheard
from chestct.settings import Settings
from training.data.shared_data import COVID_CT_SEG, MEDSEG
from training.report.rendering import write_whole
from training.report.simulation import simulation_page, simulation_pictures
from training.simulate.plan import SimulationPlan, keep_plan
from training.simulate.results import gathered
from training.simulate.run import require_known_strategies, run_here, run_through_queue

RESULTS_NAME, REPORT_NAME = "results.json", "report.html"


def run_simulate(
    settings: Settings,
    folder: Path,
    plan: SimulationPlan,
    *,
    here: bool = False,
    on_progress: OnProgress = unheard,
    say: Callable[[str], None] = lambda sentence: None,
) -> dict[str, Any]:
    """Runs what is left of a simulation and writes its results and report.

    Args:
        folder: of the simulation; a new one is made, one with the same plan is gone on with.
        here: in this process, whether or not workers listen.
        say: told, in a sentence, who does the work.
    Returns:
        See `training.simulate.results.gathered`.
    Raises:
        SettingsError: an unknown strategy, or the folder holds another simulation.
        InputError, TrainingDataError: the data cannot be used.
        SimulationFailedError: a job of the queue failed.
    """
    require_known_strategies(plan)
    folder = folder.resolve()
    keep_plan(folder, plan)
    queue = None if here else _queue(settings, say)
    if queue is None:
        run_here(folder, on_progress)
    else:
        with closing(queue):
            run_through_queue(folder, queue, on_progress)
    return write_results(folder)


def write_results(folder: Path) -> dict[str, Any]:
    """Writes `results.json`, `report.html` and its curves of what is finished; returns the first.

    Raises:
        TrainingDataError: no seed is finished for every strategy.
    """
    results = gathered(folder)
    write_whole(folder / RESULTS_NAME, json.dumps(results, indent=2, ensure_ascii=False) + "\n")
    write_whole(folder / REPORT_NAME, simulation_page(results))
    for name, picture in simulation_pictures(results).items():
        write_whole(folder / name, picture)
    return results


def shared_data_folders(settings: Settings) -> tuple[str, ...]:
    """The research data that is simulated on where nothing else is named.

    Raises:
        TrainingDataError: it is not there.
    """
    root = settings.shared_data
    if root is None or not all((root / name).is_dir() for name in (COVID_CT_SEG, MEDSEG)):
        raise TrainingDataError(
            "no labelled data: name folders with --data, or set LUNGLOOP_SHARED_DATA to the folder of "
            f"{COVID_CT_SEG} and {MEDSEG}"
        )
    return str(root / COVID_CT_SEG), str(root / MEDSEG)


def _queue(settings: Settings, say: Callable[[str], None]) -> JobQueue | None:
    """The queue, where workers listen to it."""
    try:
        queue = JobQueue(settings.redis_url)
        if queue.has_training_worker():
            say("the queue's workers do the rounds; start more with `lungloop worker --queue train`")
            return queue
        queue.close()
        say("no worker listens to the queue; the rounds run in this process")
    except ServiceUnavailableError as error:
        say(f"the rounds run in this process ({error})")
    return None
