"""What readers are served next: the stored scores brought to the worklist, with few requests."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

from chestct.catalog.catalog import Catalog
from chestct.derived.grade_resolution import NOT_CALIBRATED, Calibrations
from chestct.errors import InputError, NotFoundError
from chestct.progress import OnProgress, Progress, unheard
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.rows import TaskState
from ml_backend.prelabelling.open_tasks import OpenTasks
from ml_backend.prelabelling.worklist import HEAD, OrderChoices, Worklist, update_worklist

_LOG = logging.getLogger(__name__)


@dataclass
class NextTasksReport:
    """What was done.

    Args:
        model_version: the release whose order it is, by its name.
        placed: predictions in Label Studio that got another score.
        failed: task -> why it stays where it was.
    """

    model_version: str
    placed: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def order_next_tasks(
    catalog: Catalog,
    client: LabelStudio,
    project_id: int,
    release_name: str,
    choices: OrderChoices | None = None,
    calibrations: Calibrations = NOT_CALIBRATED,
) -> NextTasksReport:
    """Orders the next tasks anew and moves them in front of the others, with at most `HEAD` requests.

    The others keep their order, so the first of them has the lowest of their scores: nothing else has to be
    asked of Label Studio.

    Raises:
        ServiceUnavailableError: Label Studio stopped answering; the next pre-annotation brings the order.
        NotFoundError: the project is gone.
    """
    report = NextTasksReport(release_name)
    tasks = OpenTasks(catalog, client, project_id, report.failed)
    worklist = update_worklist(catalog, release_name, choices, calibrations)
    if not worklist.is_new:  # otherwise there is no order yet, and the pre-annotation makes it
        ranked = tasks.ranked(worklist, catalog.slices.open())
        report.placed = bring_scores(tasks, worklist, ranked, tasks.states(list(ranked)[: HEAD + 1]))
        worklist.keep(catalog)
    return report


def bring_scores(
    tasks: OpenTasks,
    worklist: Worklist,
    ranked: Mapping[int, float],
    states: Mapping[int, TaskState],
    on_progress: OnProgress = unheard,
) -> int:
    """Brings the stored scores to the worklist, lowest first: what is served next is right soonest.

    Args:
        ranked: task -> the score of its rank, first to serve first.
        states: the tasks as Label Studio has them; where only the head of the worklist is new, the first
            `HEAD` + 1 of them, which are moved in front of the others.
    Returns:
        How many predictions were changed.
    """
    version, wanted = worklist.model_version, ranked
    if not worklist.is_new:
        now = {task_id: state.score(version) for task_id, state in states.items() if not state.is_labeled}
        served = {task_id: score for task_id, score in now.items() if score is not None}
        wanted = head_scores(list(ranked), served)
    changes = [
        (score, task_id, prediction_id)
        for task_id, score in wanted.items()
        if task_id in states
        for prediction_id, stored in states[task_id].scores.get(version, {}).items()
        if stored != score
    ]
    changed = 0
    for score, task_id, prediction_id in sorted(changes):
        on_progress(Progress(changed, len(changes)))
        try:
            tasks.client.set_score(prediction_id, score)
        except NotFoundError:
            continue  # what is gone needs no rank
        except InputError as error:
            tasks.failed[f"task {task_id}"] = str(error)
            continue
        changed += 1
    return changed


def head_scores(wanted: Sequence[int], now: Mapping[int, float]) -> dict[int, float]:
    """Scores that put the first tasks in order in front of the others, at the fewest changes that are simple.

    Args:
        wanted: tasks, first to serve first; the last of them is the first of those that stay as they are.
        now: task -> its score.
    Returns:
        Task -> new score, in the order of serving; empty where they are served in this order already, and
        where no number is left below the others' (after some hundred orders by one version).
    """
    served = [task for task in wanted if task in now]
    scores = [now[task] for task in served]
    if len(served) < 2 or all(score < following for score, following in pairwise(scores)):
        return {}
    head, least = served[:-1], scores[-1]
    step = least / len(served)
    if not 0.0 < least * 1e-3 < step or step < 1e-280:
        _LOG.warning("the order of the next tasks stays: no score is left below %g", least)
        return {}
    return {task: step * (rank + 1) for rank, task in enumerate(head)}
