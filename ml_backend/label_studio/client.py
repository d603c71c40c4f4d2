"""The part of Label Studio's API that the loop uses, as typed calls.

Observed with Label Studio 1.23.2: `/api/tasks/ID/annotations/` leaves skipped annotations out, the
task list does not; and `include=` reaches into the annotations of a task, so that ids and times of
all of them come without their masks.
"""

import json
from collections.abc import Iterator, Sequence
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
_ANNOTATION_ACTIONS = [
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
]
_HIDDEN_IN_LIST = [
    f"tasks:{column}"
    for column in (
        "inner_id",
        "completed_at",
        "total_predictions",
        "avg_lead_time",
        "annotations_results",
        "annotations_ids",
        "predictions_results",
        "file_upload",
        "storage_filename",
        "created_at",
        "updated_at",
        "updated_by",
        "draft_exists",
        "data.images",
        "data.doubt",
    )
]
_HIDDEN_WHILE_READING = [
    f"tasks:{column}"
    for column in (
        "id",
        "cancelled_annotations",
        "annotators",
        "predictions_score",
        "predictions_model_versions",
        "data.image",
    )
]
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

    # --- projects

    def project(self, project_id: int) -> Project:
        """One project."""
        return read_project(self.http.json("GET", f"/api/projects/{project_id}/"))

    def projects(self) -> list[Project]:
        """Every project that the token can see."""
        listed = self.http.json("GET", "/api/projects/", params={"page_size": 1000})["results"]
        return [read_project(row) for row in listed]

    def create_project(self, title: str, label_config: str) -> Project:
        """A project that serves the least certain slice first and shows predictions.

        Raises:
            InputError: Label Studio finds fault with the configuration or the title.
        """
        self.validate_label_config(label_config)
        fields = {
            "title": title,
            "label_config": label_config,
            "sampling": "Uncertainty sampling",
            "show_collab_predictions": True,
        }
        return self.project(self.http.json("POST", "/api/projects/", json=fields)["id"])

    def update_project(self, project_id: int, **fields: object) -> None:
        """Changes fields of a project (`model_version`, `label_config`, ...)."""
        self.http.json("PATCH", f"/api/projects/{project_id}/", json=fields)

    def delete_project(self, project_id: int) -> None:
        """Deletes a project with all that is in it."""
        self.http.json("DELETE", f"/api/projects/{project_id}/")

    def validate_label_config(self, label_config: str) -> None:
        """Raises InputError where Label Studio finds fault with a configuration."""
        self.http.json("POST", "/api/projects/validate/", json={"label_config": label_config})

    def ensure_view(self, project_id: int, title: str = "Slices") -> None:
        """A Data Manager view: without one a task opened by its address shows no predictions.

        It shows what a reader goes by (study, slice, confidence) and hides Label Studio's book-keeping.
        """
        if not self.http.json("GET", "/api/dm/views/", params={"project": project_id}):
            hidden = {"explore": _HIDDEN_IN_LIST, "labeling": [*_HIDDEN_IN_LIST, *_HIDDEN_WHILE_READING]}
            view = {"title": title, "hiddenColumns": hidden}
            self.http.json("POST", "/api/dm/views/", json={"project": project_id, "data": view})

    def ensure_local_files(self, project_id: int, folder: str, title: str) -> None:
        """Lets Label Studio serve the files of a folder below its document root."""
        known = self.http.json("GET", "/api/storages/localfiles/", params={"project": project_id})
        if folder not in [storage["path"] for storage in known]:
            fields = {"project": project_id, "path": folder, "title": title, "use_blob_urls": True}
            self.http.json("POST", "/api/storages/localfiles/", json=fields)

    # --- tasks

    def create_tasks(self, project_id: int, data: Sequence[Json]) -> list[int]:
        """One task for each `data`, in that order; their ids."""
        task_ids: list[int] = []
        for start in range(0, len(data), _NEW_TASKS_A_REQUEST):
            batch = [{"data": one} for one in data[start : start + _NEW_TASKS_A_REQUEST]]
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
        if task_ids is None:
            return {task.id: task for task in map(read_task, self._tasks(project_id, columns))}
        found: dict[int, TaskState] = {}
        for start in range(0, len(task_ids), _TASKS_A_PAGE):
            query = _only(*task_ids[start : start + _TASKS_A_PAGE])
            found |= {task.id: task for task in map(read_task, self._tasks(project_id, columns, query))}
        return found

    def update_task(self, task_id: int, **fields: object) -> None:
        """Changes fields of a task (`overlap`, `data`: the whole of it, for the old one is replaced)."""
        self.http.json("PATCH", f"/api/tasks/{task_id}/", json=fields)

    def one_task_data(self, project_id: int, task_id: int) -> Json:
        """`data` of one task."""
        # The list, not /api/tasks/ID: that one asks the backend for predictions where there are none.
        for task in self._tasks(project_id, "id,data", _only(task_id)):
            return task.get("data") or {}
        raise NotFoundError(f"Label Studio has no task {task_id} in the project {project_id}")

    # --- predictions

    def set_score(self, prediction_id: int, score: float) -> None:
        """Gives a stored prediction another place in the order of work.

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

    # --- annotations

    def annotation_states(self, project_id: int, task_id: int | None = None) -> Iterator[AnnotationState]:
        """Every annotation there is, skipped ones included, without the masks.

        Args:
            project_id: the project.
            task_id: only those of one task.
        """
        query = json.dumps({"filters": _ANNOTATED}) if task_id is None else _only(task_id)
        for task in self._tasks(project_id, "id,annotations,updated_at,was_cancelled", query):
            for one in task.get("annotations") or []:
                yield AnnotationState(
                    int(one["id"]), int(task["id"]), str(one["updated_at"]), bool(one.get("was_cancelled"))
                )

    def annotation(self, annotation_id: int) -> Annotation | None:
        """One annotation with its masks; None where it is gone."""
        try:
            found = self.http.json("GET", f"/api/annotations/{annotation_id}/")
        except NotFoundError:
            return None
        return read_annotation(found)

    # --- the backend's own row

    def backends(self, project_id: int) -> list[Json]:
        """The ML backends of a project."""
        return self.http.json("GET", "/api/ml", params={"project": project_id}) or []

    def set_backend(
        self, project_id: int, url: str, title: str, key: str | None, backend_id: int | None = None
    ) -> int:
        """Creates the backend's row, or changes it; Label Studio calls /health and /setup meanwhile.

        Args:
            project_id, url: both are checked on every change, so both are always sent.
            title: must be the champion's version: uncertainty sampling orders by the predictions
                whose version equals the project's `model_version`, which follows this title.
            key: what the backend wants to be shown; None where it wants nothing.
            backend_id: the row to change; None creates one.
        Returns:
            The row's id.
        """
        fields: Json = {"project": project_id, "url": url, "title": title, "is_interactive": False}
        fields |= {"auth_method": "NONE"}
        if key:
            fields |= {"auth_method": "BASIC_AUTH", "basic_auth_user": BACKEND_USER, "basic_auth_pass": key}
        if backend_id is None:
            return int(self.http.json("POST", "/api/ml", json=fields)["id"])
        self.http.json("PATCH", f"/api/ml/{backend_id}", json=fields)
        return backend_id

    def ensure_webhook(self, project_id: int, url: str, key: str | None) -> None:
        """The hook for annotations at `url`, with the key.

        Label Studio makes one of its own with the backend's row, but for every action and without
        the key, and makes none where it refuses private addresses for hooks only.
        """
        fields: Json = {
            "project": project_id,
            "url": url,
            "send_payload": True,
            "send_for_all_actions": False,
            "actions": _ANNOTATION_ACTIONS,
            "headers": {"Authorization": f"Token {key}"} if key else {},
            "is_active": True,
        }
        hooks = self.http.json("GET", "/api/webhooks/", params={"project": project_id})
        known = [hook["id"] for hook in hooks if hook["url"] == url]
        if known:
            self.http.json("PATCH", f"/api/webhooks/{known[0]}/", json=fields)
        else:
            self.http.json("POST", "/api/webhooks/", json=fields)

    def _tasks(self, project_id: int, include: str, query: str | None = None) -> Iterator[Json]:
        parameters: Json = {
            "project": project_id,
            "fields": "all",
            "include": include,
            "resolve_uri": "false",
            "page_size": _TASKS_A_PAGE,
        }
        if query is not None:
            parameters["query"] = query
        page, seen = 1, 0
        while True:
            answer = self.http.json("GET", "/api/tasks", params={**parameters, "page": page})
            yield from answer["tasks"]
            seen += len(answer["tasks"])
            if not answer["tasks"] or seen >= answer["total"]:
                return
            page += 1


def _only(*task_ids: int) -> str:
    return json.dumps({"selectedItems": {"all": False, "included": list(task_ids)}})
