"""Routes of the scan page: everything below `/scan`."""

import dataclasses
import shutil

from flask import Blueprint, Response, jsonify, make_response, redirect, request, url_for
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.wrappers import Response as AnyResponse

from chestct.settings import Settings
from ml_backend.auth import takes_forms
from ml_backend.model import Backend
from ml_backend.page.language import asked_translator, rendered
from ml_backend.page.scan.answers import answer_errors, seal, size_limit, wants_json
from ml_backend.page.scan.downloads import add_downloads
from ml_backend.page.scan.incoming import receive
from ml_backend.page.scan.kept_study import numbered_study
from ml_backend.page.scan.record import publish
from ml_backend.page.scan.store import ScanStore
from ml_backend.page.scan.viewing import scan_context, study_context
from ml_backend.page.scan.wording import phase_sentence
from ml_backend.page.scan.work import ScanWorker

# One scan takes about a minute: a longer line would be a promise that nobody waits for.
MOST_WAITING = 8
_MIB = 2**20


def scan_page(backend: Backend) -> Blueprint:
    """The scan page; scans that an earlier process left are taken up at once."""
    settings = backend.settings
    store = ScanStore(settings.home / "scans", 60.0 * settings.scan_keep_minutes)
    worker = ScanWorker(store, backend.champion)
    routes = Blueprint("scan", __name__, url_prefix="/scan")
    if not store.is_empty():
        worker.call()
    _add_upload(routes, settings, store, worker)
    _add_scan(routes, store)
    add_downloads(routes, store)
    seal(routes)
    answer_errors(routes, settings.scan_max_mib)
    return routes


def _add_upload(routes: Blueprint, settings: Settings, store: ScanStore, worker: ScanWorker) -> None:
    most_bytes = settings.scan_max_mib * _MIB

    @routes.get("")
    def upload_form() -> Response:
        return rendered(
            "scan_upload.html",
            limit=size_limit(settings.scan_max_mib),
            most_bytes=most_bytes,
            minutes=settings.scan_keep_minutes,
            deleted="deleted" in request.args,
        )

    @routes.post("")
    @takes_forms
    def upload() -> AnyResponse:
        store.sweep()
        waiting = len(store.unfinished())
        if waiting >= MOST_WAITING:
            raise ServiceUnavailable(asked_translator()("busy", count=waiting))
        scan, folder = store.create()
        try:
            uploads, failures = receive(request, folder, most_bytes)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        publish(folder, dataclasses.replace(scan, uploads=uploads, failures=failures))
        worker.call()
        address = url_for("scan.scan", scan_id=scan.id)
        if not wants_json():
            return redirect(address, 303)
        return make_response(jsonify({"url": address}), 201)


def _add_scan(routes: Blueprint, store: ScanStore) -> None:
    @routes.get("/<scan_id>")
    def scan(scan_id: str) -> Response:
        scan, folder = store.find(scan_id)
        number = request.args.get("study", 1, type=int)
        if not scan.is_unfinished:
            # A number that no study has, or will have, leads to the first one.
            number = number if 1 <= number <= scan.studies else 1
        study = numbered_study(folder, number) if 1 <= number <= scan.studies else None
        findings = study.findings() if study else None
        text = asked_translator()
        context = scan_context(scan, folder, number, store.ahead_of(scan), text)
        if study is None or findings is None:
            return rendered("scan_progress.html", **context)
        base = f"{url_for('scan.scan', scan_id=scan_id)}/{number}"
        return rendered("scan_study.html", **context, **study_context(study, findings, base, text))

    @routes.get("/<scan_id>/state.json")
    def state(scan_id: str) -> Response:
        scan, _ = store.find(scan_id)
        return jsonify(
            {
                "phase": scan.phase,
                "unfinished": scan.is_unfinished,
                "sentence": phase_sentence(scan, store.ahead_of(scan), asked_translator()),
                "share_done": scan.share_done,
                "studies": scan.studies,
                "done_studies": scan.done_studies,
                "slices_done": scan.slices_done,
                "slices_total": scan.slices_total,
                "seconds_left": scan.seconds_left,
            }
        )

    @routes.post("/<scan_id>/delete")
    @takes_forms
    def delete(scan_id: str) -> AnyResponse:
        _, folder = store.find(scan_id)
        store.delete(folder)
        return redirect(url_for("scan.upload_form", deleted=1), 303)
