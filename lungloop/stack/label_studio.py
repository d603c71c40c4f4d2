"""What a local Label Studio needs on top of `ml_backend.label_studio.provision`: a memory across starts."""

import hashlib
import json
from pathlib import Path
from typing import Any

from chestct.errors import NotFoundError, SettingsError
from chestct.files import PRIVATE, write_atomic
from chestct.settings import LANGUAGES, TASK_KINDS, Settings
from lungloop.console import say
from ml_backend.label_studio import provision
from ml_backend.label_studio.client import LabelStudio, Project

# Slices and studies are two projects: what readers did in one stays when they go on in the other.
PROJECT_TITLES = {"slice": "LungLoop", "study": "LungLoop studies"}
_NOTE = "label-studio-project.json"
_CONFIGS = Path(__file__).resolve().parents[2] / "annotation_configs"
_OURS = "http://127.0.0.1:"
# sha256 of slice.xml and slice.ru.xml before they showed the heat map: still ours to change.
_SHIPPED_BEFORE = frozenset(
    {
        "b17ad328eed6a9165c8015e36ca6384f2e0a2e6ba3314fb9a6295aa492d1a4f6",
        "f4f3973b8c02d341b1c8398e8cd5aa36f4f53b19b16fa84f8c44b678634176de",
    }
)


def ensure_project(client: LabelStudio, settings: Settings) -> Project:
    """The project that readers work in, made where it is missing.

    It is remembered by id and time of creation: people rename projects, and Label Studio gives the id
    of a deleted project again. `settings.tasks` chooses between the project of slices and that of
    studies; without it the one that was in use last goes on.
    """
    note = settings.home / _NOTE
    notes = _read_notes(note)
    kind = task_kind(settings)
    pictures = pictures_folder(settings)
    # Label Studio refuses a storage whose folder does not exist.
    pictures.mkdir(parents=True, exist_ok=True)
    project = provision.ensure_project(
        client,
        PROJECT_TITLES[kind],
        shipped_config(kind, settings.language or LANGUAGES[0]),
        str(pictures),
        _remembered(client, notes.get(kind)),
    )
    if settings.language is not None:
        project = _speak(client, project, kind, settings.language)
    write_atomic(
        note,
        json.dumps({**notes, "in_use": kind, kind: {"project_id": project.id, "uid": project.uid}}),
        mode=PRIVATE,
    )
    return project


def task_kind(settings: Settings) -> str:
    """What a task shows, one of TASK_KINDS: as the settings say, else as the home did before."""
    return settings.tasks or _read_notes(settings.home / _NOTE).get("in_use", TASK_KINDS[0])


def shipped_config(kind: str, language: str) -> str:
    """A labelling configuration of ours, as XML.

    Args:
        kind: one of TASK_KINDS.
        language: one of LANGUAGES.
    """
    ending = "" if language == LANGUAGES[0] else f".{language}"
    return (_CONFIGS / f"{kind}{ending}.xml").read_text(encoding="utf-8")


def _speak(client: LabelStudio, project: Project, kind: str, language: str) -> Project:
    """Changes the language where the configuration is one of ours; one that readers changed is theirs."""
    wanted, now = shipped_config(kind, language), project.label_config.strip()
    if now == wanted.strip():
        return project
    if now not in [shipped_config(kind, shipped).strip() for shipped in LANGUAGES] and not _shipped_before(
        now
    ):
        say(
            f"the project's labelling configuration is its readers' own and stays as it is; paste "
            f"annotation_configs/{kind}.{language}.xml there to change its language"
        )
        return project
    client.update_project(project.id, label_config=wanted)
    return client.project(project.id)


def _shipped_before(config: str) -> bool:
    return hashlib.sha256(f"{config}\n".encode()).hexdigest() in _SHIPPED_BEFORE


def connect_backend(client: LabelStudio, project_id: int, settings: Settings, release_name: str) -> int:
    """Connects the running backend; the row of one that listened elsewhere before becomes its row."""
    url = str(settings.backend_url).rstrip("/")
    rows = client.backends(project_id)
    if rows and all(row["url"].rstrip("/") != url for row in rows):
        row_id = int(rows[0]["id"])
        provision.set_backend(client, project_id, url, release_name, settings.backend_key, row_id)
    # A hook to where nobody listens costs the reader a second at each submit.
    for hook in client.http.json("GET", "/api/webhooks/", params={"project": project_id}):
        if hook["url"].startswith(_OURS) and not hook["url"].startswith(f"{url}/"):
            client.http.json("DELETE", f"/api/webhooks/{hook['id']}/")
    return provision.connect_backend(client, project_id, url, release_name, settings.backend_key)


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


def _read_notes(note: Path) -> dict[str, Any]:
    """Kind of task -> its project's id and uid, and which is `in_use`; empty where nothing was noted."""
    try:
        notes = json.loads(note.read_text())
    except (OSError, ValueError):
        return {}
    if not isinstance(notes, dict):
        return {}
    # Before there were study tasks, the note was that of the one project.
    notes = {TASK_KINDS[0]: notes} if "project_id" in notes else notes
    return notes if notes.get("in_use", TASK_KINDS[0]) in TASK_KINDS else {}


def _remembered(client: LabelStudio, noted: Any) -> int | None:
    try:
        project = client.project(int(noted["project_id"]))
        return project.id if project.uid == noted["uid"] else None
    except (ValueError, KeyError, TypeError, NotFoundError):
        return None  # never made, or deleted since
