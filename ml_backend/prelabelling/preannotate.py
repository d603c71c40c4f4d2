"""Predictions ahead of time: computed for what lacks one, stored where readers work."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass, field

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import Release, SliceRecord
from chestct.derived.grade_resolution import Calibrations
from chestct.errors import LungLoopError, ServiceUnavailableError
from chestct.progress import OnProgress, Progress, part_of, unheard
from ml_backend.label_studio.client import LabelStudio
from ml_backend.prelabelling.champion import Champion
from ml_backend.prelabelling.next_tasks import bring_scores
from ml_backend.prelabelling.open_tasks import OpenTasks, slice_name, store_early
from ml_backend.prelabelling.predictor import Predictor
from ml_backend.prelabelling.slice_tasks import ask_second_readers, half_read_slices, show_uncertainties
from ml_backend.prelabelling.worklist import HEAD, OrderChoices, Worklist, update_worklist

_LOG = logging.getLogger(__name__)

# Readers get the first pre-labels early, and a promotion meanwhile is seen between two chunks.
_SLICES_A_CHUNK = 25
# Enough for readers until all is computed. Each of them is moved once more when the worklist is there, one
# request each; the rest arrives at its rank, 25 in a request.
_EARLY_TASKS = 50


@dataclass
class PreannotateReport:
    """What was done.

    Args:
        model_version: the release whose predictions these are, by its name.
        computed: slices that its versions predicted in this run.
        pushed: predictions that Label Studio gained.
        placed: predictions there whose score was brought to the worklist.
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
    """Gives every slice a prediction of the version that serves it, and every open task pre-label and rank.

    A study task is pre-labelled once all its slices are predicted. The first tasks are pre-labelled early,
    by the model's confidence; once all is computed the worklist is updated, and Label Studio serves it.

    Older predictions stay in Label Studio: an annotation names the prediction that it started
    from, and Label Studio 1.23 refuses a reader's submit where that one was deleted meanwhile.
    It shows the reader the one whose version is the project's `model_version`; so all are stored under
    the release's name, whichever version made them. What one version goes on serving is not computed
    again for a new release.

    Args:
        catalog: slices without a prediction, and where predictions are kept.
        champion: the models that serve.
        client, project_id: where open tasks are pre-labelled; None only computes.
        on_progress: receives the fraction done and the stage.
        choices: what people chose about the order.
    Raises:
        NotFoundError: there is no champion.
        WeightsError: its weights cannot be used.
        ServiceUnavailableError: Label Studio did not answer; everything was computed and kept all
            the same, and the next run pushes it.
    """
    choices = choices or OrderChoices()
    # Before anything is shown: whether a slice gets a pre-label must not depend on who asks first.
    catalog.allocations.allocate([slice_record.id for slice_record in catalog.slices.open()], choices.shares)
    release, report, early = _predict_all(catalog, champion, client, project_id, on_progress)
    calibrations = champion.calibrations(release)
    worklist = update_worklist(catalog, release.name, choices, calibrations)
    if client is not None and project_id is not None:
        tasks = OpenTasks(catalog, client, project_id, report.failed)
        _store(tasks, release, calibrations, worklist, early, report, on_progress)
    worklist.keep(catalog)
    on_progress(Progress(1.0, stage="done"))
    _LOG.info("preannotate: %s", report)
    return report


def _predict_all(
    catalog: Catalog,
    champion: Champion,
    client: LabelStudio | None,
    project_id: int | None,
    on_progress: OnProgress,
) -> tuple[Release, PreannotateReport, set[int]]:
    """Predicts by the release of the end, which may be another one than at the beginning.

    Returns:
        That release, what was done so far, and the tasks whose pre-label is stored already.
    """
    while True:
        release = champion.release()
        calibrations = champion.calibrations(release)
        report, early = PreannotateReport(release.name), set[int]()
        answers = True
        for slices in _predict_missing(catalog, champion, release, report, on_progress):
            if client is not None and project_id is not None and answers and len(early) < _EARLY_TASKS:
                stored = store_early(catalog, client, project_id, release, calibrations, slices)
                answers = stored is not None
                early |= stored or set()
        if champion.release() == release:
            report.pushed = len(early)
            return release, report, early
        _LOG.info("preannotate: %s was replaced meanwhile, starting again", release.name)


def _predict_missing(
    catalog: Catalog,
    champion: Champion,
    release: Release,
    report: PreannotateReport,
    on_progress: OnProgress,
) -> Iterator[list[SliceRecord]]:
    """Computes all that is missing, open slices first; ends early where another release took over.

    Yields:
        The open slices of each chunk, once they are tried.
    """
    predictor = Predictor(catalog)
    missing = catalog.predictions.missing(release.name, open_only=True)
    open_ids = {slice_record.id for slice_record in missing}
    everything = catalog.predictions.missing(release.name)
    missing += [slice_record for slice_record in everything if slice_record.id not in open_ids]
    for start in range(0, len(missing), _SLICES_A_CHUNK):
        if champion.release() != release:
            return
        chunk = missing[start : start + _SLICES_A_CHUNK]
        for done, slice_record in enumerate(chunk, start + 1):
            segmenter = champion.segmenter(release.version_of(slice_record.study_id))
            try:
                report.computed += predictor.predict(slice_record, segmenter, float("inf")).computed
            except ServiceUnavailableError:
                raise
            except LungLoopError as error:
                _LOG.warning("no prediction of %s: %s", slice_name(slice_record), error)
                report.failed[slice_name(slice_record)] = str(error)
            on_progress(Progress(0.9 * done / len(missing), stage="predicting"))
        if tried := [slice_record for slice_record in chunk if slice_record.id in open_ids]:
            yield tried


def _store(
    tasks: OpenTasks,
    release: Release,
    calibrations: Calibrations,
    worklist: Worklist,
    early: set[int],
    report: PreannotateReport,
    on_progress: OnProgress,
) -> None:
    """Every task with an open slice that lacks the release, and all of them at their rank."""
    name, scores = release.name, worklist.scores
    states, slices = tasks.states(), tasks.catalog.slices.open()
    ranked = tasks.ranked(worklist, slices)
    half_read = [] if tasks.config.shows_studies else half_read_slices(tasks, states, slices)
    # In front of everything: the first reader is never served them again, the second one soon.
    front = min(scores.values(), default=1.0) / 2
    scores |= {slice_record.id: front for slice_record in half_read}
    slices_of = tasks.showing([*slices, *half_read])
    lacking = {
        task_id: shown
        for task_id, shown in slices_of.items()
        if task_id in states and task_id not in early and name not in states[task_id].scores
    }
    on_pushed = part_of(on_progress, 0.9, 0.06, "pushing pre-labels")
    on_moved = part_of(on_progress, 0.96, 0.03, "ordering")
    report.pushed += len(tasks.store(lacking, release, calibrations, scores, on_pushed))
    # The first ones anew: what was pushed in this run came without its ids.
    moved = states if worklist.is_new else tasks.states(list(ranked)[: HEAD + 1])
    report.placed += bring_scores(tasks, worklist, ranked, moved, on_moved)
    if not tasks.config.shows_studies:
        show_uncertainties(tasks, states, slices_of, name)
        ask_second_readers(tasks, states, slices_of)
