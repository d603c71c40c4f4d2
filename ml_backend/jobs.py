"""Entry points of the queue's jobs: ids in, idempotent, progress in the job's meta.

They are enqueued by dotted name (`chestct.job_queue.names`), so renaming one is a change there too.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from chestct.catalog.catalog import Catalog
from chestct.derived.reader_changes import count_changes
from chestct.errors import ServiceUnavailableError
from chestct.job_queue import JobQueue, log_as_job
from chestct.job_queue.running_job import progress_reporter
from chestct.labels import Split
from chestct.model.card import calibrations_of
from chestct.settings import Settings
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.provision import connect_backend
from ml_backend.prelabelling.champion import Champion, load_with_torch
from ml_backend.prelabelling.next_tasks import order_next_tasks
from ml_backend.prelabelling.preannotate import preannotate as preannotate_open_work
from ml_backend.prelabelling.worklist import OrderChoices
from ml_backend.sync import SyncReport, reconcile

Json = dict[str, Any]

_POLICY = "policy"
# A correction changes what its neighbours are worth, but a new order costs Label Studio up to 50 requests.
_CORRECTIONS_AN_ORDER = 10


def sync(task_id: int | None = None) -> Json:
    """Corrections of one task, or of the whole project, into the catalog.

    Counts what readers changed, and asks for a retrain where the policy says that enough is new.
    """
    with _context() as context:
        settings, catalog = context.settings, context.catalog
        if settings.label_studio_url is None:
            # A loop without Label Studio (reference labels only) has nothing to reconcile.
            return {}
        client, project_id = context.label_studio()
        via = "sync" if task_id is None else "webhook"
        report = reconcile(catalog, client, project_id, task_id, via=via, on_progress=progress_reporter())
        count_changes(catalog)
        if _order_is_due(catalog, report):
            JobQueue(settings.redis_url).enqueue_order()
        if report.changed and _retrain_is_due(catalog, settings.retrain_every):
            JobQueue(settings.redis_url).request_retrain(catalog.requests, _POLICY, sync_first=False)
        return asdict(report)


def preannotate() -> Json:
    """The release's predictions for what lacks one, pushed to open tasks."""
    with _context() as context:
        settings = context.settings
        champion = Champion(context.catalog, load_with_torch(settings))
        connected = settings.project_id is not None and settings.label_studio_url is not None
        client, project_id = context.label_studio() if connected else (None, None)
        choices = OrderChoices.of(settings)
        report = preannotate_open_work(
            context.catalog, champion, client, project_id, progress_reporter(), choices
        )
        return asdict(report)


def settle_next_places() -> Json:
    """What readers are served next, ordered anew after corrections; loads no model."""
    with _context() as context:
        release = context.catalog.versions.release()
        if release is None:
            return {}
        client, project_id = context.label_studio()
        choices = OrderChoices.of(context.settings)
        calibrations = calibrations_of(context.settings.weights_dir, release.versions)
        report = order_next_tasks(context.catalog, client, project_id, release.name, choices, calibrations)
        return asdict(report)


def follow_champion(version: str = "") -> Json:
    """Label Studio follows the release: its predictions pre-label and order the open work.

    Args:
        version: the release whose promotion asked for this. What counts is what serves when the job runs:
            a rollback may have come in between.
    """
    with _context() as context:
        settings = context.settings
        client, project_id = context.label_studio()
        release = context.catalog.versions.required_release()
        if settings.backend_url is None:
            raise ServiceUnavailableError("the backend", "no address is configured; set LUNGLOOP_BACKEND_URL")
        url, key, row_id = settings.backend_url, settings.backend_key, settings.ml_backend_id
        connect_backend(client, project_id, url, release.name, key, row_id)
        return {
            "model_version": release.name,
            "job": JobQueue(settings.redis_url).enqueue_preannotate(),
        }


@dataclass(frozen=True)
class _Context:
    settings: Settings
    catalog: Catalog

    def label_studio(self) -> tuple[LabelStudio, int]:
        """The client and the readers' project."""
        if self.settings.project_id is None:
            raise ServiceUnavailableError(
                "Label Studio", "no project is configured; run `lungloop up`, or set LUNGLOOP_PROJECT_ID"
            )
        return LabelStudio.from_settings(self.settings), self.settings.project_id


@contextmanager
def _context() -> Iterator[_Context]:
    settings = Settings.load()
    log_as_job(settings)
    with Catalog.open(settings.database_url, settings.storage_url) as catalog:
        yield _Context(settings, catalog)


def _order_is_due(catalog: Catalog, report: SyncReport) -> bool:
    """Whether this sync brought the tenth, twentieth, ... correction."""
    if not report.created:
        return False  # most syncs: they need not count the catalog
    now = catalog.counts()["corrected"]
    return now // _CORRECTIONS_AN_ORDER > max(now - report.created, 0) // _CORRECTIONS_AN_ORDER


def _retrain_is_due(catalog: Catalog, retrain_every: int) -> bool:
    """Whether enough corrections of train patients came after the last request for a retrain, whoever asked.

    Args:
        retrain_every: the setting of that name; 0 means "only when asked".
    """
    if retrain_every <= 0:
        return False
    last = max((request.requested_at for request in catalog.requests.all()), default="")
    new = [row for row in catalog.corrections.current(Split.TRAIN) if row.received_at > last]
    return len(new) >= retrain_every
