"""Predictions ahead of time: computed for what lacks one, pushed to where readers work."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SliceRecord
from chestct.errors import InputError, LungLoopError, ServiceUnavailableError
from chestct.involvement_interval import InvolvementCalibration
from chestct.segmenting import Segmenting
from ml_backend.champion import Champion
from ml_backend.label_config import parse_label_config
from ml_backend.label_studio import LabelStudio
from ml_backend.predictor import Predictor
from ml_backend.prelabels import prelabels, slice_name

_LOG = logging.getLogger(__name__)

# Readers get the first pre-labels early, and a promotion meanwhile is seen between two chunks.
_SLICES_A_CHUNK = 25

OnProgress = Callable[[float, str], None]


@dataclass
class PreannotateReport:
    """What was done.

    Args:
        model_version: the champion whose predictions these are.
        computed: slices that the model looked at; others were known.
        pushed: predictions that Label Studio gained.
        failed: slice ("study_0255 slice 12"), or study where tasks show studies -> why it has no
            prediction there.
    """

    model_version: str
    computed: int = 0
    pushed: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def preannotate(
    catalog: Catalog,
    champion: Champion,
    client: LabelStudio | None,
    project_id: int | None,
    on_progress: OnProgress | None = None,
) -> PreannotateReport:
    """Gives every slice a prediction of the champion, and every open task its pre-label.

    A study task is pre-labelled once all its slices are predicted.

    Older predictions stay in Label Studio: an annotation names the prediction that it started
    from, and Label Studio 1.23 refuses a reader's submit where that one was deleted meanwhile.
    It shows the reader the one whose version is the project's `model_version`.

    Args:
        catalog: slices without a prediction, and where predictions are kept.
        champion: the model.
        client, project_id: where open tasks are pre-labelled; None only computes.
        on_progress: told the fraction done and the stage.
    Raises:
        NotFoundError: there is no champion.
        WeightsError: its weights cannot be used.
        ServiceUnavailableError: Label Studio did not answer; everything was computed and kept all
            the same, and the next run pushes it.
    """
    report_progress = on_progress or (lambda fraction, stage: None)
    while True:
        segmenter = champion.segmenter()
        report = PreannotateReport(segmenter.version)
        push = _Push(catalog, client, project_id, report, segmenter.involvement_calibration)
        if _compute(catalog, champion, segmenter, push, report, report_progress):
            break
        _LOG.info("preannotate: %s was replaced meanwhile, starting again", segmenter.version)
    push.rest(report_progress)
    report_progress(1.0, "done")
    if push.failure is not None:
        raise push.failure
    _LOG.info("preannotate: %s", report)
    return report


def _compute(
    catalog: Catalog,
    champion: Champion,
    segmenter: Segmenting,
    push: "_Push",
    report: PreannotateReport,
    report_progress: OnProgress,
) -> bool:
    """Computes all that is missing, open slices first; False where another champion took over."""
    predictor = Predictor(catalog)
    missing = catalog.slices_without_prediction(segmenter.version, open_only=True)
    open_ids = {one.id for one in missing}
    missing += [one for one in catalog.slices_without_prediction(segmenter.version) if one.id not in open_ids]
    done = 0
    for chunk in _chunks(missing):
        if champion.version() != segmenter.version:
            return False
        for one in chunk:
            try:
                report.computed += predictor.of_slice(one, segmenter, deadline=float("inf")).computed
            except ServiceUnavailableError:
                raise
            except LungLoopError as error:
                _LOG.warning("no prediction of %s: %s", slice_name(one), error)
                report.failed[slice_name(one)] = str(error)
            done += 1
            report_progress(0.9 * done / len(missing), "predicting")
        push.some([one for one in chunk if one.id in open_ids])
    return champion.version() == segmenter.version


class _Push:
    """Stores pre-labels in Label Studio; once it does not answer, only remembers that."""

    def __init__(
        self,
        catalog: Catalog,
        client: LabelStudio | None,
        project_id: int | None,
        report: PreannotateReport,
        calibration: InvolvementCalibration | None,
    ) -> None:
        self._catalog = catalog
        self._client = client
        self._report = report
        self._calibration = calibration
        self.failure: ServiceUnavailableError | None = None
        if client is None or project_id is None:
            self._client = None
            return
        try:
            self._project = client.project(project_id)
            self._there = client.predicted_versions(self._project.id)
        except ServiceUnavailableError as error:
            self.failure, self._client = error, None
            return
        config = parse_label_config(self._project.label_config)
        self._prelabels = prelabels(catalog, self._project, config)

    def rest(self, report_progress: OnProgress) -> None:
        """Every task with an open slice that lacks the version."""
        if self._client is not None:
            self.some(
                self._catalog.open_slices(),
                lambda fraction: report_progress(0.9 + 0.1 * fraction, "pushing pre-labels"),
            )

    def some(
        self, slices: Sequence[SliceRecord], on_progress: Callable[[float], None] = lambda fraction: None
    ) -> None:
        """Those tasks of the slices that lack the version and whose prediction is known."""
        if self._client is None:
            return
        lacking = [task_id for task_id in self._prelabels.tasks_of(slices) if self._lacks(task_id)]
        size = self._prelabels.tasks_a_request
        for start in range(0, len(lacking), size):
            on_progress(start / len(lacking))
            try:
                self._store(list(self._rows(lacking[start : start + size])))
            except ServiceUnavailableError as error:
                self.failure, self._client = error, None
                return

    def _rows(self, task_ids: Sequence[int]) -> Iterator[dict[str, Any]]:
        for task_id in task_ids:
            result = self._prelabels.result(task_id, self._report.model_version, self._calibration)
            if result is not None:
                yield {"task": task_id, **result}

    def _lacks(self, task_id: int) -> bool:
        return task_id in self._there and self._report.model_version not in self._there[task_id]

    def _store(self, rows: Sequence[dict[str, Any]]) -> None:
        client = self._client
        if client is None or not rows:
            return
        try:
            client.add_predictions(self._project.id, rows)
        except InputError as error:
            # One bad row (a task deleted this moment) makes Label Studio refuse all of them.
            if len(rows) > 1:
                for row in rows:
                    self._store([row])
            else:
                self._report.failed[self._prelabels.name(rows[0]["task"])] = str(error)
            return
        self._report.pushed += len(rows)
        for row in rows:
            self._there[row["task"]] |= {self._report.model_version}


def _chunks(slices: Sequence[SliceRecord]) -> Iterator[Sequence[SliceRecord]]:
    for start in range(0, len(slices), _SLICES_A_CHUNK):
        yield slices[start : start + _SLICES_A_CHUNK]
