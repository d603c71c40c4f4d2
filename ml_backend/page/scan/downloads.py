"""Routes of a segmented study's data: slices for the viewer, results for the reader."""

from pathlib import Path

import numpy as np
import numpy.typing as npt
from flask import Blueprint, Response, request
from werkzeug.exceptions import NotFound

from chestct.render.overlay import png_bytes
from ml_backend.page.language import asked_translator, rendered
from ml_backend.page.scan.archive import archive_of, result_stem
from ml_backend.page.scan.drawing import Drawing, uncertainty_over_slice
from ml_backend.page.scan.kept_study import (
    LABEL_FILE,
    LABELS,
    PIXELS,
    UNCERTAINTY,
    Findings,
    KeptStudy,
    StudyFacts,
    numbered_study,
)
from ml_backend.page.scan.store import ScanStore
from ml_backend.page.scan.viewing import report_context

# The report must be whole as one file, so its style lies inside; nothing in it can run.
_REPORT_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'; sandbox"
)
_OVERVIEWS = frozenset({"axial-pixels", "axial-labels", "coronal-pixels", "coronal-labels"})


def add_downloads(routes: Blueprint, store: ScanStore) -> None:
    """Adds these routes to the scan page's."""

    @routes.get("/<scan_id>/<int:number>/<any(pixels, labels, doubt):what>/<int:index>")
    def slice_data(scan_id: str, number: int, what: str, index: int) -> Response:
        study, _, _ = _segmented(store, scan_id, number)
        return _packed(study.path({"pixels": PIXELS, "labels": LABELS, "doubt": UNCERTAINTY}[what], index))

    @routes.get("/<scan_id>/<int:number>/overview/<what>")
    def overview_data(scan_id: str, number: int, what: str) -> Response:
        if what not in _OVERVIEWS:
            raise NotFound
        study, _, _ = _segmented(store, scan_id, number)
        return _packed(study.folder / f"{what}.gz")

    @routes.get("/<scan_id>/<int:number>/label.nii.gz")
    def label_nifti(scan_id: str, number: int) -> Response:
        study, facts, _ = _segmented(store, scan_id, number)
        response = Response((study.folder / LABEL_FILE).read_bytes(), mimetype="application/gzip")
        return _attached(response, f"{facts.stem}.label.nii.gz")

    @routes.get("/<scan_id>/<int:number>/label/<int:index>.png")
    def label_png(scan_id: str, number: int, index: int) -> Response:
        study, facts, _ = _segmented(store, scan_id, number)
        if index >= len(facts.sizes):
            raise NotFound
        return _png(study.labels(index, facts), facts, index, "label")

    @routes.get("/<scan_id>/<int:number>/doubt/<int:index>.png")
    def uncertainty_png(scan_id: str, number: int, index: int) -> Response:
        study, facts, findings = _segmented(store, scan_id, number)
        picture = uncertainty_over_slice(study, facts, findings, index) if index < len(facts.sizes) else None
        if picture is None:
            raise NotFound
        return _png(picture, facts, index, "doubt")

    @routes.get("/<scan_id>/<int:number>/report.html")
    def report(scan_id: str, number: int) -> Response:
        study, facts, findings = _segmented(store, scan_id, number)
        drawing = Drawing.of_query(request.args)
        context = report_context(study, facts, findings, drawing, asked_translator())
        response = rendered("scan_report.html", **context)
        response.headers["Content-Security-Policy"] = _REPORT_POLICY
        return response

    @routes.get("/<scan_id>/results.zip")
    def results(scan_id: str) -> Response:
        scan, folder = store.find(scan_id)
        studies = [numbered_study(folder, number) for number in range(1, scan.studies + 1)]
        segmented = [study for study in studies if study.findings() is not None]
        if not segmented:
            raise NotFound
        parts = archive_of(segmented, Drawing.of_query(request.args), asked_translator())
        stem = segmented[0].facts().stem if len(segmented) == 1 else "scans"
        return _attached(Response(parts, mimetype="application/zip"), f"{stem}.lungloop.zip")


def _segmented(store: ScanStore, scan_id: str, number: int) -> tuple[KeptStudy, StudyFacts, Findings]:
    """A study whose findings are there.

    Raises:
        NotFoundError, NotFound: it is not, or not yet.
    """
    scan, folder = store.find(scan_id)
    study = numbered_study(folder, number)
    findings = study.findings() if 1 <= number <= scan.studies else None
    if findings is None:
        raise NotFound
    return study, study.facts(), findings


def _packed(path: Path) -> Response:
    """A file of raw pixels; the browser unpacks it by its Content-Encoding."""
    headers = {"Content-Encoding": "gzip"}
    return Response(path.read_bytes(), headers=headers, mimetype="application/octet-stream")


def _png(picture: npt.NDArray[np.uint8], facts: StudyFacts, index: int, what: str) -> Response:
    response = Response(png_bytes(picture), mimetype="image/png")
    return _attached(response, f"{result_stem(facts, index).replace('/', '-')}.{what}.png")


def _attached(response: Response, name: str) -> Response:
    # Names may hold letters of any language: werkzeug writes filename* beside the ASCII one.
    response.headers.set("Content-Disposition", "attachment", filename=name)
    return response
