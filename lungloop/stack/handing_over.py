"""New studies to a running stack: tasks to Label Studio, work to the queue."""

from pathlib import Path

from chestct.catalog.catalog import Catalog
from chestct.errors import SettingsError
from chestct.job_queue import JobQueue
from chestct.settings import Settings
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.tasks import create_missing_tasks


def hand_over(catalog: Catalog, settings: Settings) -> dict[str, object]:
    """Makes the missing tasks and asks for predictions; what both answered.

    Raises:
        ServiceUnavailableError: Label Studio or the queue does not answer.
    """
    if settings.label_studio_files_root is None or settings.project_id is None:
        raise SettingsError("the stack's project is not known; run `lungloop up` or `lungloop connect`")
    client = LabelStudio.from_settings(settings)
    tasks = create_missing_tasks(catalog, client, settings.project_id, Path(settings.label_studio_files_root))
    client.close()
    queue = JobQueue(settings.redis_url)
    job_id = queue.enqueue_preannotate()
    queue.close()
    return {"tasks": tasks.created, "preannotate_job": job_id}
