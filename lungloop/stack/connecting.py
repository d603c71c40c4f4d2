"""`lungloop connect`: the same provisioning as `up`, for services that somebody else runs."""

import dataclasses
import json
from pathlib import Path

from chestct.errors import SettingsError
from chestct.files import PRIVATE, write_atomic
from chestct.settings import Settings
from lungloop.context import open_catalog, shipped_version
from lungloop.stack import label_studio
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
    known: dict[str, object] = {
        "label_studio_url": settings.label_studio_url,
        "backend_url": settings.backend_url,
        "page_url": f"{settings.backend_url}/",
    }
    with open_catalog(settings, create=True) as catalog:
        champion = catalog.versions.ensure_base(shipped_version(settings)).version
        project = label_studio.ensure_project(client, settings)
        settings = dataclasses.replace(settings, project_id=project.id)
        known["project_id"] = project.id
        if with_backend:
            if settings.backend_url is None:
                raise SettingsError("LUNGLOOP_BACKEND_URL is not set; expected where Label Studio reaches it")
            known["ml_backend_id"] = label_studio.connect_backend(client, project.id, settings, champion)
            create_missing_tasks(catalog, client, project.id, Path(files_root))
    client.close()
    settings.home.mkdir(parents=True, exist_ok=True)
    write_atomic(settings.home / "stack.json", json.dumps(known, indent=2), mode=PRIVATE)
    return known
