"""`sync` and `retrain`: corrections in, a better model out."""

import dataclasses
import time
from typing import Annotated

import typer

from chestct.derived.reader_changes import count_changes
from chestct.errors import LungLoopError, ServiceUnavailableError
from chestct.job_queue import JobQueue
from chestct.progress import Progress
from chestct.settings import Settings
from lungloop.console import AsJson, answer, print_json, progress, say
from lungloop.context import open_catalog
from ml_backend.label_studio.client import LabelStudio
from ml_backend.sync import reconcile

_POLL_SECONDS = 1.0


class RetrainFailedError(LungLoopError, RuntimeError):
    """The retrain job ended without a decision."""


app = typer.Typer()


@app.command(epilog="Example: lungloop sync --json")
def sync(as_json: AsJson = False) -> None:
    """Bring the catalog's corrections to what Label Studio holds now."""
    settings = Settings.load()
    client = LabelStudio.from_settings(settings)
    if settings.project_id is None:
        raise ServiceUnavailableError("Label Studio", "no project is known; run `lungloop up` or `connect`")
    with open_catalog(settings) as catalog, progress("sync") as update:
        report = reconcile(
            catalog,
            client,
            settings.project_id,
            on_progress=lambda now: update(now.in_percent()),
        )
        count_changes(catalog)
    client.close()
    for annotation in report.set_aside:
        where = f"annotation {annotation.annotation_id} of task {annotation.task_id}"
        say(f"{where} could not be read: {annotation.reason}")
    if as_json:
        print_json(dataclasses.asdict(report))
    else:
        answer(
            f"{report.created} new, {report.updated} updated, {report.skipped} skipped, {report.deleted} "
            f"deleted, {report.unchanged} unchanged"
        )
    if report.set_aside:
        raise typer.Exit(1)


@app.command(epilog="Example: lungloop retrain --wait")
def retrain(
    wait: Annotated[bool, typer.Option("--wait", help="Until the model is promoted or refused.")] = False,
    force: Annotated[bool, typer.Option("--force", help="Even where no correction is new.")] = False,
    as_json: AsJson = False,
) -> None:
    """Ask for the one retrain job; a second request joins the first."""
    settings = Settings.load()
    queue = JobQueue(settings.redis_url)
    queue.ping()
    with open_catalog(settings) as catalog:
        ticket = queue.request_retrain(catalog.requests, "cli", force=force)
        say(
            f"request {ticket.request_id}: "
            + ("joins a job that waits" if ticket.coalesced else "job queued")
        )
        if wait:
            with progress("retrain") as update:
                while (request := catalog.requests.get(ticket.request_id)).state in ("pending", "running"):
                    state = queue.status()
                    if state["kind"] == "retrain":
                        update(Progress(state["progress"] or 0.0, stage=state["stage"] or "").in_percent())
                    time.sleep(_POLL_SECONDS)
        request = catalog.requests.get(ticket.request_id)
    queue.close()
    if as_json:
        print_json({**dataclasses.asdict(request), "job_id": request.job_id or ticket.job_id})
    elif wait:
        answer(request.outcome or request.state)
    if request.state == "failed":
        raise RetrainFailedError(f"the retrain failed: {request.outcome or 'see the logs of worker-train'}")
