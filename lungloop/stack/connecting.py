"""`lungloop connect`: the same provisioning as `up`, for services that somebody else runs."""

import dataclasses
from pathlib import Path

from chestct.errors import SettingsError
from chestct.settings import Settings
from lungloop.context import ensure_release, open_catalog
from lungloop.stack import label_studio, stack_file
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.tasks import create_missing_tasks


def connect_label_studio(settings: Settings, *, with_backend: bool) -> dict[str, object]:
    """Makes the project, connects the backend, creates the tasks that are missing.

    The ids that Label Studio gave go to `stack.json` in the home, where every other part of this
    installation finds them.

    Args:
        settings: must name Label Studio, its token, and the backend's address as Label Studio sees it.
        with_backend: False before the backend runs, because it wants to know the project.
    Returns:
        What was written to stack.json.
    """
    client = LabelStudio.from_settings(settings)
    files_root = settings.label_studio_files_root
    if files_root is None:
        raise SettingsError(
            "LUNGLOOP_LABEL_STUDIO_FILES_ROOT is not set; expected Label Studio's "
            "LOCAL_FILES_DOCUMENT_ROOT, as this machine sees it"
        )
    with open_catalog(settings, create=True) as catalog:
        name = ensure_release(catalog, settings).name
        project = label_studio.ensure_project(client, settings)
        settings = dataclasses.replace(settings, project_id=project.id, ml_backend_id=None)
        if with_backend:
            if settings.backend_url is None:
                raise SettingsError("LUNGLOOP_BACKEND_URL is not set; expected where Label Studio reaches it")
            backend_id = label_studio.connect_backend(client, project.id, settings, name)
            settings = dataclasses.replace(settings, ml_backend_id=backend_id)
            create_missing_tasks(catalog, client, project.id, Path(files_root))
    client.close()
    settings.home.mkdir(parents=True, exist_ok=True)
    return stack_file.write(settings, stack_file.CONNECTED)
