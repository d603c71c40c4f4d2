"""Predictions ahead of time: computed for what lacks one, pushed to where readers work."""

import logging
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import SliceRecord
from chestct.errors import InputError, LungLoopError, ServiceUnavailableError
from chestct.inference.segmenter import Segmenter
from chestct.progress import OnProgress, Progress, part_of, unheard
from chestct.severity.interval import InvolvementCalibration
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.prelabelling.champion import Champion
from ml_backend.prelabelling.next_tasks import bring_next
from ml_backend.prelabelling.open_tasks import OpenTasks, bring_scores
from ml_backend.prelabelling.predictor import Predictor
from ml_backend.prelabelling.prelabels import prelabels, slice_name
from ml_backend.prelabelling.worklist import OrderChoices, Places, least_score, update_worklist

_LOG = logging.getLogger(__name__)

# Readers get the first pre-labels early, and a promotion meanwhile is seen between two chunks.
_SLICES_A_CHUNK = 25
# Enough for readers until all is computed. Each of them is asked for its place once more when the order is
# settled, one request each; the rest arrives in its place, 25 in a request.
_MOST_EARLY_TASKS = 50


@dataclass
class PreannotateReport:
    """What was done.

    Args:
        model_version: the champion whose predictions these are.
        computed: slices that the model looked at; others were known.
        pushed: predictions that Label Studio gained.
        placed: predictions there whose score was brought to the order of work.
        failed: slice ("study_0255 slice 12"), or study where tasks show studies -> why it has no
            prediction there.
    """

    model_version: str
    computed: int = 0
    pushed: int = 0
    placed: int = 0
    failed: dict[str, str] = field(default_factory=dict)


def preannotate(
    catalog: Catalog,
    champion: Champion,
    client: LabelStudio | None,
    project_id: int | None,
    on_progress: OnProgress = unheard,
    choices: OrderChoices | None = None,
) -> PreannotateReport:
    """Gives every slice a prediction of the champion, and every open task its pre-label and its place.

    A study task is pre-labelled once all its slices are predicted. The first tasks are pre-labelled early,
    by the model's confidence; once everything is computed the order is settled, and Label Studio serves it.

    Older predictions stay in Label Studio: an annotation names the prediction that it started
    from, and Label Studio 1.23 refuses a reader's submit where that one was deleted meanwhile.
    It shows the reader the one whose version is the project's `model_version`.

    Args:
        catalog: slices without a prediction, and where predictions are kept.
        champion: the model.
        client, project_id: where open tasks are pre-labelled; None only computes.
        on_progress: told the fraction done and the stage.
        choices: what people chose about the order.
    Raises:
        NotFoundError: there is no champion.
        WeightsError: its weights cannot be used.
        ServiceUnavailableError: Label Studio did not answer; everything was computed and kept all
            the same, and the next run pushes it.
    """
    choices = choices or OrderChoices()
    # Before anything is shown: whether a slice gets a pre-label must not depend on who asks first.
    catalog.allocations.allocate([one.id for one in catalog.slices.open()], choices.shares)
    while True:
        segmenter = champion.segmenter()
        report = PreannotateReport(segmenter.version)
        push = _Push(catalog, client, project_id, report, segmenter.involvement_calibration)
        if _compute(catalog, champion, segmenter, push, report, on_progress):
            break
        _LOG.info("preannotate: %s was replaced meanwhile, starting again", segmenter.version)
    places = update_worklist(catalog, segmenter.version, choices, segmenter.involvement_calibration)
    push.rest(on_progress, places)
    on_progress(Progress(1.0, stage="done"))
    if push.failure is not None:
        raise push.failure
    places.keep(catalog)
    _LOG.info("preannotate: %s", report)
    return report


def _compute(
    catalog: Catalog,
    champion: Champion,
    segmenter: Segmenter,
    push: "_Push",
    report: PreannotateReport,
    on_progress: OnProgress,
) -> bool:
    """Computes all that is missing, open slices first; False where another champion took over."""
    predictor = Predictor(catalog)
    missing = catalog.predictions.missing(segmenter.version, open_only=True)
    open_ids = {one.id for one in missing}
    missing += [one for one in catalog.predictions.missing(segmenter.version) if one.id not in open_ids]
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
            on_progress(Progress(0.9 * done / len(missing), stage="predicting"))
        push.early([one for one in chunk if one.id in open_ids])
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
        self._early = 0
        self._stored: set[int] = set()
        self._stored_early: frozenset[int] = frozenset()
        self._scores: Mapping[int, float] = {}
        self.failure: ServiceUnavailableError | None = None
        if client is None or project_id is None:
            self._client = None
            return
        try:
            self._project = client.project(project_id)
            config = parse_label_config(self._project.label_config)
            self._there = client.task_states(self._project.id, with_data=config.shows_uncertainty)
        except ServiceUnavailableError as error:
            self.failure, self._client = error, None
            return
        self._prelabels = prelabels(catalog, self._project, config)
        self._tasks = OpenTasks(catalog, client, self._there, config, report.failed)

    def early(self, slices: Sequence[SliceRecord]) -> None:
        """Tasks for readers to begin with, while the order is not settled."""
        if self._early < _MOST_EARLY_TASKS:
            self._early += self._some(slices)
            self._stored_early = frozenset(self._stored)

    def rest(self, on_progress: OnProgress, places: Places) -> None:
        """Every task with an open slice that lacks the version, and all of them in their places."""
        client = self._client
        if client is None:
            return
        version = self._report.model_version
        self._scores = places.scores
        slices = self._catalog.slices.open()
        try:
            self._some(slices, part_of(on_progress, 0.9, 0.06, "pushing pre-labels"))
            if self._client is None:
                return
            tasks = self._prelabels.tasks_of(slices)
            if places.is_new:
                self._place(client, tasks, part_of(on_progress, 0.96, 0.03, "ordering"))
            else:
                self._report.placed += bring_next(
                    self._catalog, client, self._project.id, self._prelabels, places, self._report.failed
                )
            if self._prelabels.shows_slices:
                half_read = self._half_read(slices)
                self._push_half_read(half_read)
                shown = {task: self._prelabels.slices_of(task)[0] for task in tasks}
                shown |= {self._prelabels.tasks_of([one])[0]: one.id for one in half_read}
                self._tasks.show_uncertainties(shown, version)
                self._tasks.ask_two_readers(shown)
        except ServiceUnavailableError as error:
            self.failure, self._client = error, None

    def _some(self, slices: Sequence[SliceRecord], on_progress: OnProgress = unheard) -> int:
        """Those tasks of the slices that lack the version and whose prediction is known; how many."""
        if self._client is None:
            return 0
        lacking = [task_id for task_id in self._prelabels.tasks_of(slices) if self._lacks(task_id)]
        size, before = self._prelabels.tasks_a_request, self._report.pushed
        for start in range(0, len(lacking), size):
            on_progress(Progress(start, len(lacking)))
            try:
                self._store(list(self._rows(lacking[start : start + size])))
            except ServiceUnavailableError as error:
                self.failure, self._client = error, None
                break
        return self._report.pushed - before

    def _half_read(self, open_slices: Sequence[SliceRecord]) -> list[SliceRecord]:
        """Slices that one of two readers has read: done for the catalog, still open for the second reader."""
        open_ids = {one.id for one in open_slices}
        drawn = self._catalog.allocations.all().items()
        twice = [
            self._catalog.slices.get(one) for one, lot in drawn if lot.read_twice and one not in open_ids
        ]
        return [
            one
            for one in twice
            for task_id in self._prelabels.tasks_of([one])
            if task_id in self._there and not self._there[task_id].is_labeled
        ]

    def _push_half_read(self, half_read: Sequence[SliceRecord]) -> None:
        """In front of everything: the first reader is never served them again, the second one soon."""
        first = min(self._scores.values(), default=1.0)
        self._scores = {**self._scores, **{one.id: first / 2 for one in half_read}}
        self._some(half_read)

    def _place(self, client: LabelStudio, task_ids: Sequence[int], on_progress: OnProgress) -> None:
        """Brings stored scores to the order, those that are served first first."""
        version = self._report.model_version
        if self._early:
            # What was pushed in this run came without its ids, and those pushed early are to be moved.
            self._there |= client.task_states(self._project.id, sorted(self._stored_early))
        wanted = {
            task_id: score
            for task_id in task_ids
            if task_id in self._there
            and (score := least_score(self._prelabels.slices_of(task_id), self._scores)) is not None
        }
        self._report.placed += bring_scores(
            client, self._there, version, wanted, self._report.failed, on_progress
        )

    def _rows(self, task_ids: Sequence[int]) -> Iterator[dict[str, Any]]:
        for task_id in task_ids:
            score = least_score(self._prelabels.slices_of(task_id), self._scores) if self._scores else None
            result = self._prelabels.result(task_id, self._report.model_version, self._calibration, score)
            if result is not None:
                yield {"task": task_id, **result}

    def _lacks(self, task_id: int) -> bool:
        return (
            task_id in self._there
            and task_id not in self._stored
            and self._report.model_version not in self._there[task_id].scores
        )

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
        self._stored |= {row["task"] for row in rows}


def _chunks(slices: Sequence[SliceRecord]) -> Iterator[Sequence[SliceRecord]]:
    for start in range(0, len(slices), _SLICES_A_CHUNK):
        yield slices[start : start + _SLICES_A_CHUNK]
