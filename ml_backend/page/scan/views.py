"""Routes of the scan page: everything below `/scan`."""

import dataclasses
import shutil

from flask import Blueprint, Response, jsonify, redirect, request, url_for
from werkzeug.exceptions import ServiceUnavailable
from werkzeug.wrappers import Response as AnyResponse

from ml_backend.auth import takes_forms
from ml_backend.model import Backend
from ml_backend.page.language import language_of
from ml_backend.page.scan.answers import answer_errors, seal, shown, size_limit, text, wants_json
from ml_backend.page.scan.downloads import add_downloads
from ml_backend.page.scan.incoming import receive
from ml_backend.page.scan.kept_study import KeptStudy
from ml_backend.page.scan.reading import study_folder
from ml_backend.page.scan.status import phase_sentence, share_done
from ml_backend.page.scan.store import ScanStore, publish
from ml_backend.page.scan.viewing import scan_context, study_context
from ml_backend.page.scan.work import ScanWorker

# One scan takes about a minute: a longer line would be a promise that nobody waits for.
MOST_WAITING = 8
_MIB = 2**20


def scan_page(backend: Backend) -> Blueprint:
    """The scan page; scans that an earlier process left are taken up at once."""
    settings = backend.settings
    store = ScanStore(settings.home / "scans", 60.0 * settings.scan_keep_minutes)
    worker = ScanWorker(store, backend.champion)
    most_bytes = settings.scan_max_mib * _MIB
    routes = Blueprint("scan", __name__, url_prefix="/scan")
    if not store.is_empty():
        worker.call()

    @routes.get("")
    def upload_form() -> Response:
        return shown(
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
            raise ServiceUnavailable(text()("busy", count=waiting))
        scan, folder = store.create()
        try:
            uploads, failures = receive(request, folder, most_bytes)
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        publish(folder, dataclasses.replace(scan, uploads=uploads, failures=failures))
        worker.call()
        where = url_for("scan.scan", scan_id=scan.id)
        if not wants_json():
            return redirect(where, 303)
        answer = jsonify({"url": where})
        answer.status_code = 201
        return answer

    @routes.get("/<scan_id>")
    def scan(scan_id: str) -> Response:
        found, folder = store.find(scan_id)
        number = request.args.get("study", 1, type=int)
        if not found.is_unfinished:
            # A number that no study has, or will have, leads to the first one.
            number = number if 1 <= number <= found.studies else 1
        study = KeptStudy(study_folder(folder, number)) if 1 <= number <= found.studies else None
        findings = study.findings() if study else None
        context = scan_context(found, folder, number, store.ahead_of(found), text())
        if study is None or findings is None:
            return shown("scan_progress.html", **context)
        base = f"{url_for('scan.scan', scan_id=scan_id)}/{number}"
        return shown(
            "scan_study.html",
            **context,
            **study_context(study, findings, base, language_of(request), text()),
        )

    @routes.get("/<scan_id>/state.json")
    def state(scan_id: str) -> Response:
        found, _ = store.find(scan_id)
        return jsonify(
            {
                "phase": found.phase,
                "unfinished": found.is_unfinished,
                "sentence": phase_sentence(found, store.ahead_of(found), text()),
                "share_done": share_done(found),
                "studies": found.studies,
                "done_studies": found.done_studies,
                "slices_done": found.slices_done,
                "slices_total": found.slices_total,
                "seconds_left": found.seconds_left,
            }
        )

    @routes.post("/<scan_id>/delete")
    @takes_forms
    def delete(scan_id: str) -> AnyResponse:
        store.delete(store.folder(scan_id))
        return redirect(url_for("scan.upload_form", deleted=1), 303)

    add_downloads(routes, store)
    seal(routes)
    answer_errors(routes, settings.scan_max_mib)
    return routes
