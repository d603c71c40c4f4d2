"""The model as Label Studio's ML protocol sees it, in the shape of label-studio-ml 2.x.

`setup()`, `predict(tasks, context, **kwargs)` and `fit(event, data, **kwargs)`: our own server calls
it, and so does the adapter for those who serve it with label-studio-ml.
"""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import Release, SliceRecord
from chestct.errors import InputError, LungLoopError, ServiceUnavailableError
from chestct.job_queue import JobQueue
from chestct.settings import Settings
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import LabelConfig, parse_label_config
from ml_backend.label_studio.provision import ANNOTATION_EVENTS
from ml_backend.label_studio.results import failed_result
from ml_backend.label_studio.task_pictures import TaskPictures
from ml_backend.metrics import Counters
from ml_backend.prelabelling.champion import Champion, load_with_torch
from ml_backend.prelabelling.compose import compose_prelabel
from ml_backend.prelabelling.predictor import OutOfTimeError, Predictor
from ml_backend.prelabelling.worklist import OrderChoices

_LOG = logging.getLogger(__name__)

Json = dict[str, Any]

# Label Studio 1.23 waits 100 s for /predict and then stores nothing at all.
PREDICT_SECONDS = 90.0
START_TRAINING = "START_TRAINING"
_NO_MODEL = "no model"


@dataclass(frozen=True)
class Backend:
    """What every request shares; made once a process.

    Args:
        settings: addresses and limits.
        catalog: slices, predictions, requests.
        champion: the models that serve.
        predictor: computes what is missing, once.
        pictures: which slice a task shows.
        queue: where jobs are enqueued; None where none is configured.
        counters: for /metrics.
        predict_seconds: how long one /predict may take.
    """

    settings: Settings
    catalog: Catalog
    champion: Champion
    predictor: Predictor
    pictures: TaskPictures
    queue: JobQueue | None
    counters: Counters
    predict_seconds: float = PREDICT_SECONDS

    @classmethod
    def build(cls, settings: Settings, catalog: Catalog, champion: Champion | None = None) -> "Backend":
        """The backend that the settings describe."""
        client = (
            LabelStudio.from_settings(settings)
            if settings.label_studio_url and settings.label_studio_token
            else None
        )
        files_root = settings.label_studio_files_root
        return cls(
            settings,
            catalog,
            champion or Champion(catalog, load_with_torch(settings)),
            Predictor(catalog),
            TaskPictures(catalog, Path(files_root) if files_root else None, client),
            JobQueue(settings.redis_url) if settings.redis_url else None,
            Counters(),
        )


class LungLoopModel:
    """One project's view of the backend; light, made for each request.

    Args:
        backend: what is shared.
        label_config: the project's XML; None for calls that need none.
    """

    def __init__(self, backend: Backend, label_config: str | None = None) -> None:
        self._backend = backend
        self._label_config = label_config

    def setup(self) -> str:
        """The name of the release, after a look at the configuration.

        Raises:
            NotFoundError: there is no champion yet.
            LabelConfigError: the project lacks a tag or label that predictions need.
        """
        if self._label_config:
            parse_label_config(self._label_config)
        return self._backend.champion.release().name

    def predict(
        self, tasks: Sequence[Any], context: Mapping[str, Any] | None = None, **kwargs: object
    ) -> list[Json]:
        """A prediction for each task, in order; exactly as many as tasks, whatever fails.

        Label Studio 1.23 drops a whole batch whose count is wrong. A task that cannot be predicted
        gets `failed_result`, its reason is logged and counted.

        Args:
            tasks: as Label Studio sends them.
            context: of interactive pre-labelling, which brushes do not use.
            kwargs: of other versions of the protocol, not used.
        """
        backend = self._backend
        deadline = backend.predictor.clock() + backend.predict_seconds
        name = _NO_MODEL
        try:
            config = parse_label_config(self._label_config or "")
            release = backend.champion.release()
            name = release.name
        except LungLoopError as error:
            _LOG.error("none of %d tasks could be predicted: %s", len(tasks), error)
            backend.counters.add("lungloop_predicted_tasks_total", len(tasks), outcome="failed")
            return [failed_result(name) for _ in tasks]
        results, late = [], 0
        for task in tasks:
            try:
                results.append(self._predict_one(task, config, release, deadline))
            except OutOfTimeError:
                late += 1
                results.append(failed_result(name))
            # One broken task must not cost the others their predictions.
            except Exception as error:  # noqa: BLE001 - logged with its trace below
                self._log_failure(task, error)
                results.append(failed_result(name))
        if late:
            self._leave_to_a_job(late)
        return results

    def fit(self, event: str, data: Mapping[str, Any], **kwargs: object) -> Json:
        """An event of Label Studio: enqueues jobs and returns at once; nothing is fitted here.

        Args:
            event: the webhook's action.
            data: the webhook's body.
        Raises:
            ServiceUnavailableError: the queue does not answer. Nothing is lost: requests are kept in
                the catalog and the next sync reads Label Studio.
        """
        backend = self._backend
        action = event if event in (*ANNOTATION_EVENTS, START_TRAINING) else "other"
        backend.counters.add("lungloop_webhooks_total", action=action)
        if action == "other":
            return {"status": "ignored"}
        project_id = _id_of(data.get("project"))
        ours = backend.settings.project_id
        if None not in (project_id, ours) and project_id != ours:
            return {"status": "ignored", "detail": f"project {project_id} is not the readers' project"}
        if event == START_TRAINING:
            return self._request_retrain()
        task_ids = _task_ids(data)
        # A deletion names no task, and many tasks are read quicker together than one by one.
        task_id = task_ids.pop() if len(task_ids) == 1 else None
        return {"status": "queued", "job": self._queue().enqueue_sync(task_id)}

    def _predict_one(self, task: Any, config: LabelConfig, release: Release, deadline: float) -> Json:
        """All pictures of the task or none: one that is missing would look like one without disease."""
        if not isinstance(task, Mapping):
            raise InputError("task", f"is {type(task).__name__}, expected an object")
        backend, key = self._backend, config.image_key
        find_all, find = backend.pictures.find_all, backend.pictures.find
        pictures = find_all(task, key) if config.shows_studies else [find(task, key)]
        slices = [picture for picture in pictures if isinstance(picture, SliceRecord)]
        # The pictures of a task are of one study, or of none that the catalog knows.
        segmenter = backend.champion.segmenter(release.version_of(slices[0].study_id if slices else None))
        predictions = [backend.predictor.predict(picture, segmenter, deadline) for picture in pictures]
        outcome = "computed" if any(prediction.computed for prediction in predictions) else "known"
        backend.counters.add("lungloop_predicted_tasks_total", outcome=outcome)
        if slices and not config.shows_studies and backend.catalog.allocations.of_slice(slices[0].id) is None:
            # Label Studio may ask before any job has drawn.
            backend.catalog.allocations.allocate([slices[0].id], OrderChoices.of(backend.settings).shares)
        calibration = segmenter.involvement_calibration
        return compose_prelabel(backend.catalog, config, release.name, predictions, calibration)

    def _log_failure(self, task: Any, error: Exception) -> None:
        task_id = task.get("id") if isinstance(task, Mapping) else None
        expected = isinstance(error, LungLoopError)
        _LOG.error("task %s was not predicted: %s", task_id, error, exc_info=None if expected else error)
        self._backend.counters.add("lungloop_predicted_tasks_total", outcome="failed")

    def _leave_to_a_job(self, late: int) -> None:
        self._backend.counters.add("lungloop_predicted_tasks_total", late, outcome="late")
        _LOG.warning("%d tasks were left to a job: %g s were over", late, self._backend.predict_seconds)
        try:
            self._queue().enqueue_preannotate()
        except ServiceUnavailableError as error:
            _LOG.error("the job could not be enqueued: %s", error)

    def _request_retrain(self) -> Json:
        ticket = self._queue().request_retrain(self._backend.catalog.requests, "button")
        return {"status": "queued", "request": ticket.request_id, "job": ticket.job_id}

    def _queue(self) -> JobQueue:
        return self._backend.queue or JobQueue(None)  # which says that no address is configured


def _id_of(named: object) -> int | None:
    """Id of a project or task as the webhook sends it: an object, or its bare id."""
    number = named.get("id") if isinstance(named, Mapping) else named
    return number if isinstance(number, int) and not isinstance(number, bool) else None


def _task_ids(data: Mapping[str, Any]) -> set[int]:
    annotations = data.get("annotation")
    rows = annotations if isinstance(annotations, list) else [annotations]
    task_ids = [_id_of(row.get("task")) for row in rows if isinstance(row, Mapping)]
    return {task_id for task_id in task_ids if task_id is not None}
