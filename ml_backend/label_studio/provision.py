"""A Label Studio project made ready for the loop; again changes only what differs."""

from chestct.errors import NotFoundError
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.rows import Project


def ensure_project(
    client: LabelStudio, title: str, label_config: str, pictures_folder: str, project_id: int | None = None
) -> Project:
    """The project of this id, or one of this title, or a new one; served from a folder of pictures.

    Args:
        client: the Label Studio.
        title: the project's name, 3 letters at least.
        label_config: for a new project only: a project's own configuration is its readers' affair.
        pictures_folder: what Label Studio may serve, below its document root.
        project_id: as remembered from an earlier run.
    """
    project = _known(client, title, project_id)
    if project is None:
        parse_label_config(label_config)
        project = client.create_project(title, label_config)
    shows_studies = parse_label_config(project.label_config or label_config).shows_studies
    client.ensure_view(project.id, "Studies" if shows_studies else "Slices")
    client.ensure_local_files(project.id, pictures_folder, "LungLoop slices")
    return project


def connect_backend(
    client: LabelStudio,
    project_id: int,
    backend_url: str,
    version: str,
    backend_key: str | None,
    backend_id: int | None = None,
) -> int:
    """Makes the running backend, and this version of its model, what the project works with.

    Called again after a promotion: uncertainty sampling and pre-labels use the predictions whose
    version is both the title of the backend's row and the project's `model_version`.
    Label Studio calls /health and /setup meanwhile, so the backend must be up.

    Args:
        backend_url: where Label Studio reaches the backend.
        version: the champion.
        backend_key: what the backend wants to be shown.
        backend_id: the backend's row, where it is known already.
    Returns:
        Id of the backend's row.
    """
    rows = {int(row["id"]): str(row["url"]).rstrip("/") for row in client.backends(project_id)}
    if backend_id not in rows:
        backend_id = next((row for row, url in rows.items() if url == backend_url.rstrip("/")), None)
    backend_id = client.set_backend(project_id, backend_url, version, backend_key, backend_id)
    client.ensure_webhook(project_id, backend_url.rstrip("/") + "/webhook", backend_key)
    client.update_project(project_id, model_version=version)
    return backend_id


def _known(client: LabelStudio, title: str, project_id: int | None) -> Project | None:
    if project_id is not None:
        try:
            return client.project(project_id)
        except NotFoundError:
            pass
    return next((project for project in client.projects() if project.title == title), None)
