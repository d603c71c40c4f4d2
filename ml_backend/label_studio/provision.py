"""A Label Studio project made ready for the loop; doing it again changes only what differs."""

from contextlib import suppress
from typing import Any

from chestct.errors import NotFoundError
from ml_backend.label_studio.client import BACKEND_USER, LabelStudio
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.rows import Project, read_project

ANNOTATION_EVENTS = (
    "ANNOTATION_CREATED",
    "ANNOTATIONS_CREATED",
    "ANNOTATION_UPDATED",
    "ANNOTATIONS_DELETED",
)
_HIDDEN_IN_LIST = (
    "inner_id completed_at total_predictions avg_lead_time annotations_results annotations_ids "
    "predictions_results file_upload storage_filename created_at updated_at updated_by draft_exists "
    "data.images data.doubt"
)
_HIDDEN_WHILE_READING = (
    "id cancelled_annotations annotators predictions_score predictions_model_versions data.image"
)


def ensure_project(
    client: LabelStudio, title: str, label_config: str, pictures_folder: str, project_id: int | None = None
) -> Project:
    """The project of this id, or one of this title, or a new one; served from a folder of pictures.

    Args:
        title: the project's name, 3 letters at least.
        label_config: for a new project only: a project's own configuration is its readers' affair.
        pictures_folder: what Label Studio may serve, below its document root.
        project_id: as remembered from an earlier run.
    Raises:
        InputError: Label Studio finds fault with the configuration or the title.
    """
    project = _existing_project(client, title, project_id)
    if project is None:
        parse_label_config(label_config)
        project = _create_project(client, title, label_config)
    shows_studies = parse_label_config(project.label_config or label_config).shows_studies
    _ensure_view(client, project.id, "Studies" if shows_studies else "Slices")
    _ensure_local_files(client, project.id, pictures_folder)
    return project


def connect_backend(
    client: LabelStudio,
    project_id: int,
    backend_url: str,
    version: str,
    backend_key: str | None,
    backend_id: int | None = None,
) -> int:
    """Makes the running backend, and this release of its models, what the project works with.

    Called again after a promotion: uncertainty sampling and pre-labels use the predictions whose
    version is both the title of the backend's row and the project's `model_version`.
    Label Studio calls /health and /setup meanwhile, so the backend must be up.

    Args:
        backend_url: where Label Studio reaches the backend.
        version: the release's name.
        backend_id: the backend's row, where its id is stored already.
    Returns:
        Id of the backend's row; see `set_backend` for the others.
    """
    rows = {int(row["id"]): str(row["url"]).rstrip("/") for row in client.backends(project_id)}
    if backend_id not in rows:
        backend_id = next((row for row, url in rows.items() if url == backend_url.rstrip("/")), None)
    backend_id = set_backend(client, project_id, backend_url, version, backend_key, backend_id)
    _ensure_webhook(client, project_id, backend_url.rstrip("/") + "/webhook", backend_key)
    client.update_project(project_id, model_version=version)
    return backend_id


def set_backend(
    client: LabelStudio, project_id: int, url: str, version: str, key: str | None, backend_id: int | None
) -> int:
    """Creates the backend's row, or changes it; Label Studio calls /health and /setup meanwhile.

    Args:
        project_id, url: both are checked on every change, so both are always sent.
        key: what the backend wants to be shown; None where it wants nothing.
        backend_id: the row to change; None creates one.
    Returns:
        The row's id.
    """
    fields: dict[str, Any] = {"project": project_id, "url": url, "title": version, "is_interactive": False}
    fields["auth_method"] = "NONE"
    if key:
        fields |= {"auth_method": "BASIC_AUTH", "basic_auth_user": BACKEND_USER, "basic_auth_pass": key}
    if backend_id is None:
        return int(client.http.json("POST", "/api/ml", json=fields)["id"])
    client.http.json("PATCH", f"/api/ml/{backend_id}", json=fields)
    return backend_id


def _existing_project(client: LabelStudio, title: str, project_id: int | None) -> Project | None:
    if project_id is not None:
        with suppress(NotFoundError):
            return client.project(project_id)
    projects = client.http.json("GET", "/api/projects/", params={"page_size": 1000})["results"]
    return next((read_project(row) for row in projects if row["title"] == title), None)


def _create_project(client: LabelStudio, title: str, label_config: str) -> Project:
    """A project that serves the least certain slice first and shows predictions."""
    client.http.json("POST", "/api/projects/validate/", json={"label_config": label_config})
    fields = {
        "title": title,
        "label_config": label_config,
        "sampling": "Uncertainty sampling",
        "show_collab_predictions": True,
    }
    return client.project(client.http.json("POST", "/api/projects/", json=fields)["id"])


def _ensure_view(client: LabelStudio, project_id: int, title: str) -> None:
    """A Data Manager view: without one a task opened by its address shows no predictions.

    It shows what a reader goes by (study, slice, confidence) and hides Label Studio's book-keeping.
    """
    if client.http.json("GET", "/api/dm/views/", params={"project": project_id}):
        return
    in_list = [f"tasks:{column}" for column in _HIDDEN_IN_LIST]
    in_tasks = [*in_list, *(f"tasks:{column}" for column in _HIDDEN_WHILE_READING)]
    view = {"title": title, "hiddenColumns": {"explore": in_list, "labeling": in_tasks}}
    client.http.json("POST", "/api/dm/views/", json={"project": project_id, "data": view})


def _ensure_local_files(client: LabelStudio, project_id: int, folder: str) -> None:
    """Lets Label Studio serve the files of a folder below its document root."""
    storages = client.http.json("GET", "/api/storages/localfiles/", params={"project": project_id})
    if folder not in [storage["path"] for storage in storages]:
        fields = {"project": project_id, "path": folder, "title": "LungLoop slices", "use_blob_urls": True}
        client.http.json("POST", "/api/storages/localfiles/", json=fields)


def _ensure_webhook(client: LabelStudio, project_id: int, url: str, key: str | None) -> None:
    """The hook for annotations at `url`, with the key.

    Label Studio makes one of its own with the backend's row, but for every action and without
    the key, and makes none where it refuses private addresses for hooks only.
    """
    fields = {
        "project": project_id,
        "url": url,
        "send_payload": True,
        "send_for_all_actions": False,
        "actions": list(ANNOTATION_EVENTS),
        "headers": {"Authorization": f"Token {key}"} if key else {},
        "is_active": True,
    }
    hooks = client.http.json("GET", "/api/webhooks/", params={"project": project_id})
    same_url = [hook["id"] for hook in hooks if hook["url"] == url]
    if same_url:
        client.http.json("PATCH", f"/api/webhooks/{same_url[0]}/", json=fields)
    else:
        client.http.json("POST", "/api/webhooks/", json=fields)
