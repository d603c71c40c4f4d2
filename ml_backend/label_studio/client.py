"""The part of Label Studio's API that the loop uses, as typed calls.

Observed with Label Studio 1.23.2: `/api/tasks/ID/annotations/` leaves skipped annotations out, the
task list does not; and `include=` reaches into the annotations of a task, so that ids and times of
all of them come without their masks.
"""

import json
from collections.abc import Iterator, Sequence
from itertools import count
from typing import Any

import httpx

from chestct.errors import InputError, NotFoundError, ServiceUnavailableError
from chestct.settings import Settings
from ml_backend.label_studio.http import SERVICE, LabelStudioHttp
from ml_backend.label_studio.rows import (
    Annotation,
    AnnotationState,
    Project,
    StoredPrediction,
    TaskState,
    read_annotation,
    read_prediction,
    read_project,
    read_task,
)

Json = dict[str, Any]

_TASKS_A_PAGE = 200
_NEW_TASKS_A_REQUEST = 500
# The user of HTTP Basic that Label Studio sends to the backend; only the password is a secret.
BACKEND_USER = "lungloop"
_ANNOTATED = {
    "conjunction": "or",
    "items": [
        {"filter": f"filter:tasks:{field}", "operator": "greater", "type": "Number", "value": 0}
        for field in ("total_annotations", "cancelled_annotations")
    ],
}


class LabelStudio:
    """A client of one Label Studio.

    Every call raises ServiceUnavailableError where Label Studio does not answer or refuses the
    token, NotFoundError where the thing is gone, InputError where it refuses what was sent.
    """

    def __init__(self, url: str, token: str, transport: httpx.BaseTransport | None = None) -> None:
        self.http = LabelStudioHttp(url, token, transport)

    @classmethod
    def from_settings(cls, settings: Settings) -> "LabelStudio":
        """The Label Studio that the settings name.

        Raises:
            ServiceUnavailableError: they name none.
        """
        if not settings.label_studio_url or not settings.label_studio_token:
            raise ServiceUnavailableError(
                SERVICE,
                "no address or token is configured; run `lungloop up`, or set LUNGLOOP_LABEL_STUDIO_URL "
                "and LUNGLOOP_LABEL_STUDIO_TOKEN",
            )
        return cls(settings.label_studio_url, settings.label_studio_token)

    def close(self) -> None:
        """Gives the connections back."""
        self.http.close()

    def release(self) -> str:
        """Label Studio's version; a light call to see whether it answers."""
        return str(self.http.json("GET", "/api/version").get("release", ""))

    def project(self, project_id: int) -> Project:
        """One project."""
        return read_project(self.http.json("GET", f"/api/projects/{project_id}/"))

    def update_project(self, project_id: int, **fields: object) -> None:
        """Changes fields of a project (`model_version`, `label_config`, ...)."""
        self.http.json("PATCH", f"/api/projects/{project_id}/", json=fields)

    def backends(self, project_id: int) -> list[Json]:
        """The ML backends of a project."""
        return self.http.json("GET", "/api/ml", params={"project": project_id}) or []

    def create_tasks(self, project_id: int, data: Sequence[Json]) -> list[int]:
        """One task for each `data`, in that order; their ids."""
        task_ids: list[int] = []
        for start in range(0, len(data), _NEW_TASKS_A_REQUEST):
            batch = [{"data": of_task} for of_task in data[start : start + _NEW_TASKS_A_REQUEST]]
            path = f"/api/projects/{project_id}/import"
            answer = self.http.json("POST", path, params={"return_task_ids": "true"}, json=batch)
            created = answer.get("task_ids") or []
            if len(created) != len(batch):
                raise InputError(f"Label Studio {path}", f"made {len(created)} tasks of {len(batch)}")
            task_ids += created
        return task_ids

    def task_data(self, project_id: int) -> Iterator[tuple[int, Json]]:
        """Id and `data` of every task."""
        for task in self._tasks(project_id, "id,data"):
            yield int(task["id"]), task.get("data") or {}

    def task_states(
        self, project_id: int, task_ids: Sequence[int] | None = None, *, with_data: bool = False
    ) -> dict[int, TaskState]:
        """How far each task is, and the scores of its predictions.

        Args:
            task_ids: only these. Each task comes with the masks of its predictions (1.23.2 leaves them out
                for annotations only), so ask for as few as will do.
            with_data: whether `data` is needed; it is empty otherwise.
        """
        columns = "id,predictions,is_labeled,overlap" + (",data" if with_data else "")
        queries: list[str | None] = [None]
        if task_ids is not None:
            starts = range(0, len(task_ids), _TASKS_A_PAGE)
            queries = [_only(*task_ids[start : start + _TASKS_A_PAGE]) for start in starts]
        rows = (row for query in queries for row in self._tasks(project_id, columns, query))
        return {task.id: task for task in map(read_task, rows)}

    def update_task(self, task_id: int, **fields: object) -> None:
        """Changes fields of a task (`overlap`, `data`: the whole of it, for the old one is replaced)."""
        self.http.json("PATCH", f"/api/tasks/{task_id}/", json=fields)

    def one_task_data(self, project_id: int, task_id: int) -> Json:
        """`data` of one task."""
        # The list, not /api/tasks/ID: that one asks the backend for predictions where there are none.
        for task in self._tasks(project_id, "id,data", _only(task_id)):
            return task.get("data") or {}
        raise NotFoundError(f"Label Studio has no task {task_id} in the project {project_id}")

    def set_score(self, prediction_id: int, score: float) -> None:
        """Gives a stored prediction another rank in the worklist.

        Observed with 1.23.2: the next task follows at once, except that a reader who was served a task
        already is served it again until it is answered.

        Raises:
            NotFoundError: the prediction, or its task, is gone.
        """
        self.http.json("PATCH", f"/api/predictions/{prediction_id}/", json={"score": score})

    def add_predictions(self, project_id: int, predictions: Sequence[Json]) -> dict[int, str]:
        """Stores predictions (`task`, `result`, `score`, `model_version`), in one request if none is refused.

        One bad row (a task deleted this moment) makes Label Studio refuse all of them, so each is then sent
        alone.

        Returns:
            Task id -> why its prediction is refused.
        """
        path, refused = f"/api/projects/{project_id}/import/predictions", {}
        try:
            created = self.http.json("POST", path, json=list(predictions))["created"] if predictions else 0
            if created != len(predictions):
                raise InputError(
                    f"Label Studio {path}", f"stored {created} predictions of {len(predictions)}"
                )
        except InputError as error:
            if len(predictions) == 1:
                return {predictions[0]["task"]: str(error)}
            for prediction in predictions:
                refused |= self.add_predictions(project_id, [prediction])
        return refused

    def prediction(self, prediction_id: int) -> StoredPrediction | None:
        """A stored prediction; None where it is gone."""
        try:
            return read_prediction(self.http.json("GET", f"/api/predictions/{prediction_id}/"))
        except NotFoundError:
            return None

    def annotation_states(self, project_id: int, task_id: int | None = None) -> Iterator[AnnotationState]:
        """Every annotation there is, of one task or of all, skipped ones included, without the masks."""
        query = json.dumps({"filters": _ANNOTATED}) if task_id is None else _only(task_id)
        for task in self._tasks(project_id, "id,annotations,updated_at,was_cancelled", query):
            for row in task.get("annotations") or []:
                yield AnnotationState(
                    int(row["id"]), int(task["id"]), str(row["updated_at"]), bool(row.get("was_cancelled"))
                )

    def annotation(self, annotation_id: int) -> Annotation | None:
        """One annotation with its masks; None where it is gone."""
        try:
            return read_annotation(self.http.json("GET", f"/api/annotations/{annotation_id}/"))
        except NotFoundError:
            return None

    def _tasks(self, project_id: int, include: str, query: str | None = None) -> Iterator[Json]:
        parameters: Json = {"project": project_id, "fields": "all", "include": include}
        parameters |= {"resolve_uri": "false", "page_size": _TASKS_A_PAGE}
        if query is not None:
            parameters["query"] = query
        seen = 0
        for page in count(1):
            answer = self.http.json("GET", "/api/tasks", params={**parameters, "page": page})
            yield from answer["tasks"]
            seen += len(answer["tasks"])
            if not answer["tasks"] or seen >= answer["total"]:
                return


def _only(*task_ids: int) -> str:
    return json.dumps({"selectedItems": {"all": False, "included": list(task_ids)}})
