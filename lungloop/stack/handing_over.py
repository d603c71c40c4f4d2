"""New studies to a running stack: tasks to Label Studio, work to the queue."""

from pathlib import Path

from chestct.catalog.catalog import Catalog
from chestct.errors import LungLoopError, SettingsError
from chestct.job_queue import JobQueue
from chestct.settings import Settings
from lungloop.console import say
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.tasks import create_missing_tasks


def hand_over(catalog: Catalog, settings: Settings) -> dict[str, object]:
    """Tasks and predictions for what is new; the studies are safe in the catalog whatever happens.

    Returns:
        `tasks` (how many were made) and `preannotate_job`; null where no stack took them.
    """
    nothing: dict[str, object] = {"tasks": None, "preannotate_job": None}
    if settings.label_studio_url is None or settings.project_id is None:
        say("no stack runs: tasks and predictions follow with `lungloop up`")
        return nothing
    try:
        return _hand_over(catalog, settings, settings.project_id)
    except LungLoopError as error:
        say(f"imported, but not handed over to Label Studio yet (`lungloop up` will): {error}")
        return nothing


def _hand_over(catalog: Catalog, settings: Settings, project_id: int) -> dict[str, object]:
    if settings.label_studio_files_root is None:
        raise SettingsError("the stack's project is not known; run `lungloop up` or `lungloop connect`")
    client = LabelStudio.from_settings(settings)
    tasks = create_missing_tasks(catalog, client, project_id, Path(settings.label_studio_files_root))
    client.close()
    queue = JobQueue(settings.redis_url)
    job_id = queue.enqueue_preannotate()
    queue.close()
    return {"tasks": tasks.created, "preannotate_job": job_id}
