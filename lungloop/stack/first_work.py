"""What a fresh stack does before it is ready: studies in, predictions made."""

from pathlib import Path

from chestct.catalog.catalog import Catalog
from chestct.formats.layouts import discover
from chestct.job_queue import JobQueue
from chestct.model.card import stored_card
from chestct.phantoms import write_phantoms
from chestct.settings import Settings
from lungloop.console import progress, say
from lungloop.context import shipped_version
from lungloop.importing import ImportReport, import_studies
from lungloop.stack.waiting import wait_for_preannotation

# Enough to see the loop at work; pre-annotation of all takes less than a minute on two cores.
PHANTOM_STUDIES, PHANTOM_SEED, PHANTOM_SHAPE = 8, 7, (12, 512, 512)


def bring_in(catalog: Catalog, settings: Settings, data: tuple[Path, ...], layout: str) -> str:
    """Imports the data (or phantoms into an empty catalog) and returns the champion's version.

    Raises:
        WeightsError: the champion's weights are not there, as where an older home's ship no more.
    """
    champion = catalog.versions.ensure_base(shipped_version(settings)).version
    stored_card(settings.weights_dir, champion)
    if data:
        _tell(_import(catalog, data, layout))
    elif not catalog.counts()["studies"]:
        folder = settings.home / "phantoms"
        with progress(f"no data given: phantoms in {folder}") as update:
            write_phantoms(
                folder,
                PHANTOM_STUDIES,
                PHANTOM_SEED,
                PHANTOM_SHAPE,
                update,
            )
        _tell(_import(catalog, (folder,), "mosmed"))
    return champion


def predict_what_is_open(catalog: Catalog, settings: Settings, wait_seconds: float) -> None:
    """Asks for predictions of what lacks one and waits for them, up to a limit."""
    queue = JobQueue(settings.redis_url)
    queue.enqueue_preannotate()
    left = wait_for_preannotation(catalog, queue, wait_seconds)
    queue.close()
    if left:
        say(f"{left} slices lack a prediction; see `lungloop status` and {settings.home / 'logs'}")


def _import(catalog: Catalog, paths: tuple[Path, ...], layout: str) -> ImportReport:
    with progress("import") as update:
        return import_studies(catalog, discover(paths, layout), layout, update)


def _tell(report: ImportReport) -> None:
    for source, note in report.notes:
        say(f"note: {source}: {note}")
    for failed in report.failed:
        say(f"not imported: {failed.source}: {failed.reason}")
    say(f"{len(report.created)} new studies with {report.slices} slices, {report.known} known already")
