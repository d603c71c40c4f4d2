"""The one thread of a process that works on scans, oldest first."""

import dataclasses
import logging
import shutil
import threading
import time
from contextlib import suppress
from pathlib import Path

import numpy as np

from chestct.errors import LungLoopError
from chestct.formats.nifti import write_label_map_nifti
from chestct.inference.segmenter import Segmenter
from ml_backend.page.scan.findings import findings_of
from ml_backend.page.scan.kept_study import LABEL_FILE, LABELS, UNCERTAINTY, KeptSlices, numbered_study
from ml_backend.page.scan.overview import keep_overview
from ml_backend.page.scan.reading import keep_studies
from ml_backend.page.scan.record import Failure, Phase, Scan, publish
from ml_backend.page.scan.store import ScanStore
from ml_backend.prelabelling.champion import Champion

_LOG = logging.getLogger(__name__)

# How often an idle process looks for scans whose time is over, and for work that another one left.
_IDLE_SECONDS = 20.0


class ScanWorker:
    """Takes scans from the store one at a time; started when it first has something to do.

    Args:
        champion: loaded at the first scan.
    """

    def __init__(self, store: ScanStore, champion: Champion) -> None:
        self._store = store
        self._champion = champion
        self._called = threading.Event()
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    def call(self) -> None:
        """Says that there is work, or that there may be: returns at once."""
        with self._starting:
            if self._thread is None:
                # A daemon: what it leaves unfinished lies on disk, and the next process goes on.
                self._thread = threading.Thread(target=self._run, name="scans", daemon=True)
                self._thread.start()
        self._called.set()

    def _run(self) -> None:
        while True:
            self._called.clear()
            # One broken disk or scan must not end the thread that all scans need.
            try:
                self._store.sweep()
                worked = self.work_on_next()
            except Exception:  # noqa: BLE001 - logged with its trace
                _LOG.exception("the scans' thread stumbled")
                worked = False
            if not worked:
                self._called.wait(_IDLE_SECONDS)

    def work_on_next(self) -> bool:
        """Finishes the next scan; False where none waits."""
        with self._store.taken() as taken:
            if taken is None:
                return False
            scan, folder = taken
            try:
                _finish(folder, scan, self._champion)
            except LungLoopError as error:
                self._fail(folder, scan, str(error))
            # Whatever happens to one scan, its sender hears of it and the others go on.
            except Exception as error:  # noqa: BLE001 - logged with its trace, unless it was deleted
                if folder.exists():
                    _LOG.exception("scan failed", exc_info=error)
                    self._fail(folder, scan, "")
            return True

    def _fail(self, folder: Path, scan: Scan, reason: str) -> None:
        """Without a reason it is an internal error, which the page says in its reader's language."""
        with suppress(FileNotFoundError):
            publish(folder, dataclasses.replace(scan, phase=Phase.FAILED, error=reason))


def _finish(folder: Path, scan: Scan, champion: Champion) -> None:
    if scan.phase is not Phase.SEGMENTING:
        scan = _read(folder, scan)
    if scan.studies:
        scan = publish(folder, dataclasses.replace(scan, phase=Phase.SEGMENTING))
        shutil.rmtree(folder / "upload", ignore_errors=True)
        scan = _segment(folder, scan, champion.segmenter())
    publish(folder, dataclasses.replace(scan, phase=Phase.DONE, seconds_left=None))
    shutil.rmtree(folder / "upload", ignore_errors=True)


def _read(folder: Path, scan: Scan) -> Scan:
    # What an interrupted reading left is read anew.
    shutil.rmtree(folder / "studies", ignore_errors=True)
    scan = publish(folder, dataclasses.replace(scan, phase=Phase.READING, studies=0))
    failures: list[Failure] = []
    studies = slices = 0
    for facts in keep_studies(folder, scan):
        if isinstance(facts, Failure):
            failures.append(facts)
        else:
            studies, slices = studies + 1, slices + len(facts.sizes)
            publish(folder, dataclasses.replace(scan, studies=studies, slices_total=slices))
    return dataclasses.replace(
        scan, studies=studies, slices_total=slices, failures=(*scan.failures, *failures)
    )


def _segment(folder: Path, scan: Scan, segmenter: Segmenter) -> Scan:
    scan = dataclasses.replace(
        scan, model_version=segmenter.version, slices_done=0, done_studies=0, seconds_left=None
    )
    spent, timed = 0.0, 0
    for number in range(1, scan.studies + 1):
        study = numbered_study(folder, number)
        facts = study.facts()
        predictions = []
        each = segmenter.each_of_study(
            KeptSlices(study, facts), facts.intensity, slices_apart_mm=facts.slices_apart_mm
        )
        started = time.perf_counter()
        for index, prediction in enumerate(each):
            study.write(LABELS, index, prediction.label_map)
            if prediction.uncertainty is not None:
                study.write(UNCERTAINTY, index, prediction.uncertainty)
            predictions.append(prediction)
            done = scan.slices_done + 1
            # The first slice of a process pays for the network's warm-up.
            if done > 1:
                spent, timed = spent + time.perf_counter() - started, timed + 1
            started = time.perf_counter()
            left = spent / timed * (scan.slices_total - done) if timed else None
            scan = publish(folder, dataclasses.replace(scan, slices_done=done, seconds_left=left))
        keep_overview(study, facts)
        if facts.geometry is not None:
            labels = np.stack([prediction.label_map for prediction in predictions])
            write_label_map_nifti(study.folder / LABEL_FILE, labels, facts.geometry)
        # Last: a study with findings counts as whole.
        calibration = segmenter.involvement_calibration
        study.keep_findings(findings_of(facts, predictions, segmenter.version, calibration))
        scan = publish(folder, dataclasses.replace(scan, done_studies=number))
    return scan
