"""What readers are served next, brought to a new order without asking for every task."""

from dataclasses import dataclass, field

from chestct.catalog.catalog import Catalog
from chestct.severity.interval import InvolvementCalibration
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.prelabelling.open_tasks import bring_scores
from ml_backend.prelabelling.prelabels import Prelabels, prelabels
from ml_backend.prelabelling.worklist import HEAD, OrderChoices, Places, head_scores, update_worklist


@dataclass
class NextTasksReport:
    """What was done.

    Args:
        model_version: whose order.
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
    model_version: str,
    choices: OrderChoices | None = None,
    calibration: InvolvementCalibration | None = None,
) -> NextTasksReport:
    """Orders the next tasks anew and moves them in front of the others, with at most `HEAD` requests.

    The others keep their order, so the first of them has the lowest of their scores: nothing else has to be
    asked of Label Studio.

    Raises:
        ServiceUnavailableError: Label Studio stopped answering; the next pre-annotation brings the order.
        NotFoundError: the project is gone.
    """
    report = NextTasksReport(model_version)
    project = client.project(project_id)
    shown = prelabels(catalog, project, parse_label_config(project.label_config))
    places = update_worklist(catalog, model_version, choices, calibration)
    if not places.is_new:  # otherwise there is no order yet, and the pre-annotation makes it
        report.placed = bring_next(catalog, client, project.id, shown, places, report.failed)
        places.keep(catalog)
    return report


def bring_next(
    catalog: Catalog,
    client: LabelStudio,
    project_id: int,
    shown: Prelabels,
    places: Places,
    failed: dict[str, str],
) -> int:
    """Moves the tasks of the first slices in front of the others, with at most `HEAD` requests.

    Args:
        places: of which only the first are new.
        failed: told of predictions that Label Studio refuses to change.
    Returns:
        How many predictions were changed.
    """
    by_id = {one.id: one for one in catalog.slices.open()}
    tasks = shown.tasks_of(by_id[slice_id] for slice_id in places.slice_ids if slice_id in by_id)[: HEAD + 1]
    there = client.task_states(project_id, tasks)
    now = {
        task_id: score
        for task_id, state in there.items()
        if not state.is_labeled and (score := state.score(places.model_version)) is not None
    }
    wanted = head_scores(tasks, now)
    return bring_scores(client, there, places.model_version, wanted, failed)
