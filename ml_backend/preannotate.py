"""Predictions ahead of time: computed for what lacks one, pushed to where readers work."""

import logging
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SliceRecord
from chestct.errors import InputError, LungLoopError, ServiceUnavailableError
from ml_backend.champion import Champion, Segmenting
from ml_backend.label_config import parse_label_config
from ml_backend.label_studio import LabelStudio
from ml_backend.predictor import Predictor
from ml_backend.results import prediction_result

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
        failed: slice ("study_0255 slice 12") -> why it has no prediction there.
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
        push = _Push(catalog, client, project_id, report)
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
                _LOG.warning("no prediction of %s: %s", _name(one), error)
                report.failed[_name(one)] = str(error)
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
    ) -> None:
        self._catalog = catalog
        self._predictor = Predictor(catalog)
        self._client = client
        self._report = report
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
        self._config = parse_label_config(self._project.label_config)
        self._task_of = catalog.tasks_of_project(self._project.uid)

    def rest(self, report_progress: OnProgress) -> None:
        """Every open slice whose task lacks the version."""
        if self._client is None:
            return
        lacking = [one for one in self._catalog.open_slices() if self._lacks(one)]
        for done, chunk in enumerate(_chunks(lacking)):
            report_progress(0.9 + 0.1 * done * _SLICES_A_CHUNK / len(lacking), "pushing pre-labels")
            self.some(chunk)

    def some(self, slices: Sequence[SliceRecord]) -> None:
        """Those of the slices whose task lacks the version, in one request."""
        if self._client is None:
            return
        version = self._report.model_version
        rows = []
        for one in slices:
            known = self._predictor.known(one, version) if self._lacks(one) else None
            if known is not None:
                known = self._predictor.shown(one, known)
                result = prediction_result(known.label_map, known.score, version, self._config)
                rows.append((one, {"task": self._task_of[one.id], **result}))
        try:
            self._store(rows)
        except ServiceUnavailableError as error:
            self.failure, self._client = error, None

    def _lacks(self, slice_record: SliceRecord) -> bool:
        task_id = self._task_of.get(slice_record.id)
        return task_id in self._there and self._report.model_version not in self._there[task_id]

    def _store(self, rows: Sequence[tuple[SliceRecord, dict[str, object]]]) -> None:
        client = self._client
        if client is None or not rows:
            return
        try:
            client.add_predictions(self._project.id, [row for _, row in rows])
        except InputError as error:
            # One bad row (a task deleted this moment) makes Label Studio refuse all of them.
            if len(rows) > 1:
                for row in rows:
                    self._store([row])
            else:
                self._report.failed[_name(rows[0][0])] = str(error)
            return
        self._report.pushed += len(rows)
        for one, _ in rows:
            task_id = self._task_of[one.id]
            self._there[task_id] |= {self._report.model_version}


def _chunks(slices: Sequence[SliceRecord]) -> Iterator[Sequence[SliceRecord]]:
    for start in range(0, len(slices), _SLICES_A_CHUNK):
        yield slices[start : start + _SLICES_A_CHUNK]


def _name(slice_record: SliceRecord) -> str:
    return f"{slice_record.study_name} slice {slice_record.index}"
