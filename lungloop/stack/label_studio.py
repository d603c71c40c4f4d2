"""What a local Label Studio needs on top of `ml_backend.provision`: a memory across starts."""

import json
from pathlib import Path

from chestct.errors import NotFoundError, SettingsError
from chestct.settings import Settings
from lungloop.stack.credentials import write_private
from ml_backend import provision
from ml_backend.label_studio import LabelStudio, Project

PROJECT_TITLE = "LungLoop"
_CONFIG = Path(__file__).resolve().parents[2] / "annotation_configs" / "slice.xml"
_OURS = "http://127.0.0.1:"


def ensure_project(client: LabelStudio, settings: Settings) -> Project:
    """The project that readers work in, made where it is missing.

    It is remembered by id and time of creation: people rename projects, and Label Studio gives the id
    of a deleted project again.
    """
    note = settings.home / "label-studio-project.json"
    pictures = pictures_folder(settings)
    # Label Studio refuses a storage whose folder does not exist.
    pictures.mkdir(parents=True, exist_ok=True)
    project = provision.ensure_project(
        client, PROJECT_TITLE, _CONFIG.read_text(encoding="utf-8"), str(pictures), _remembered(client, note)
    )
    write_private(note, json.dumps({"project_id": project.id, "uid": project.uid}))
    return project


def connect_backend(client: LabelStudio, project_id: int, settings: Settings, champion: str) -> int:
    """Connects the running backend; the row of one that listened elsewhere before becomes its row."""
    url = str(settings.backend_url).rstrip("/")
    rows = client.backends(project_id)
    if rows and all(row["url"].rstrip("/") != url for row in rows):
        client.set_backend(project_id, url, champion, settings.backend_key, int(rows[0]["id"]))
    # A hook to where nobody listens costs the reader a second at each submit.
    for hook in client.http.json("GET", "/api/webhooks/", params={"project": project_id}):
        if hook["url"].startswith(_OURS) and not hook["url"].startswith(f"{url}/"):
            client.http.json("DELETE", f"/api/webhooks/{hook['id']}/")
    return provision.connect_backend(client, project_id, url, champion, settings.backend_key)


def pictures_folder(settings: Settings) -> Path:
    """The part of the storage that Label Studio may serve.

    Raises:
        SettingsError: the storage is not a local folder below Label Studio's document root.
    """
    storage, root = Path(settings.storage_url), Path(settings.label_studio_files_root or settings.home)
    if "://" in settings.storage_url or not storage.is_relative_to(root) or storage == root:
        raise SettingsError(
            f"LUNGLOOP_STORAGE_URL is {settings.storage_url!r}; Label Studio serves slices only from a "
            f"folder below {root} (LUNGLOOP_LABEL_STUDIO_FILES_ROOT)"
        )
    return storage / "picture"


def _remembered(client: LabelStudio, note: Path) -> int | None:
    try:
        remembered = json.loads(note.read_text())
        project = client.project(int(remembered["project_id"]))
    except (OSError, ValueError, KeyError, TypeError, NotFoundError):
        return None  # never made, or deleted since
    return project.id if project.uid == remembered.get("uid") else None
