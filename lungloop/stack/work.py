"""Work for a stack: studies brought in, handed over to Label Studio and the queue, and waited for."""

import time
from pathlib import Path

from chestct.catalog.catalog import Catalog
from chestct.catalog.splits import OwnTesting
from chestct.errors import LungLoopError, SettingsError
from chestct.formats.layouts import discover
from chestct.job_queue import JobQueue
from chestct.progress import Progress
from chestct.settings import TASK_KINDS, Settings
from lungloop.console import progress, say
from lungloop.context import ensure_release
from lungloop.demo.phantoms import make_demo_phantoms
from lungloop.importing import import_studies
from lungloop.stack.label_studio import task_kind
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.tasks import create_missing_tasks

_POLL_SECONDS = 0.5
# Between a job's end and a retry of it the queue looks idle for a moment.
_IDLE_FOR_SECONDS = 2.0


def bring_in(catalog: Catalog, settings: Settings, data: tuple[Path, ...], layout: str) -> str:
    """Imports the data (or phantoms into an empty catalog) and returns the name of the release.

    Raises:
        WeightsError: the weights of what serves are not there, as where an older home's ship no more.
    """
    release = ensure_release(catalog, settings)
    if data:
        _import(catalog, settings, data, layout)
    elif not catalog.counts()["studies"]:
        with progress(f"no data given: phantoms in {settings.home}") as update:
            folder = make_demo_phantoms(settings.home, update)
        _import(catalog, settings, (folder,), "mosmed")
    return release.name


def own_testing(settings: Settings) -> OwnTesting:
    """How many patients a home holds back to judge models by.

    None where tasks show whole studies: a slice among others cannot be shown without pre-label.
    """
    if task_kind(settings) != TASK_KINDS[0]:
        return OwnTesting()
    return OwnTesting(settings.test_percent / 100, settings.test_slices)


def predict_what_is_open(catalog: Catalog, settings: Settings, wait_seconds: float) -> None:
    """Asks for predictions of what lacks one and waits for them, up to a limit."""
    queue = JobQueue(settings.redis_url)
    queue.enqueue_preannotate()
    left = wait_for_preannotation(catalog, queue, wait_seconds)
    queue.close()
    if left:
        say(f"{left} slices lack a prediction; see `lungloop status` and {settings.home / 'logs'}")


def wait_for_preannotation(catalog: Catalog, queue: JobQueue, timeout_seconds: float) -> int:
    """Waits until no pre-annotation waits or runs; returns how many slices still lack a prediction."""
    deadline, idle_since = time.monotonic() + timeout_seconds, None
    with progress("pre-annotation") as update:
        while time.monotonic() < deadline:
            counts, now = catalog.counts(), time.monotonic()
            update(Progress(counts["predicted"], counts["slices"], "slices"))
            state = queue.status()
            busy = state["queued"] or any(job["kind"] == "preannotate" for job in state["jobs"])
            idle_since = None if busy else idle_since or now
            if idle_since is not None and now - idle_since >= _IDLE_FOR_SECONDS:
                break
            time.sleep(_POLL_SECONDS)
    counts = catalog.counts()
    return counts["slices"] - counts["predicted"]


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


def _import(catalog: Catalog, settings: Settings, paths: tuple[Path, ...], layout: str) -> None:
    with progress("import") as update:
        report = import_studies(catalog, discover(paths, layout), layout, update, own_testing(settings))
    for sentence in (*report.remarks(), report.sentence()):
        say(sentence)
