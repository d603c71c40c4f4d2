"""Checks of a running stack: do its parts know each other?"""

from collections.abc import Iterator
from contextlib import contextmanager

from chestct.catalog.records import Release
from chestct.errors import InputError
from chestct.job_queue import JobQueue
from chestct.settings import Settings
from lungloop.context import open_catalog
from lungloop.diagnosis.finding import Check, FaultError, SkippedError
from lungloop.stack import pidfiles, services
from lungloop.stack.label_studio import pictures_folder
from ml_backend.label_studio.client import LabelStudio

_AGAIN = "stop the stack and start it again: `lungloop down`, then `lungloop up`"
_PICTURE_BYTES = 64 * 2**20


def _queue(settings: Settings) -> str:
    if settings.redis_url is None:
        raise SkippedError("no stack runs")
    JobQueue(settings.redis_url).ping()
    return "answers"


def _workers(settings: Settings) -> str:
    running = pidfiles.running(settings.home / "run")
    if not running:
        raise SkippedError("no local stack runs")
    missing = [name for name in services.ALL if name not in running]
    if missing:
        raise FaultError(f"not running: {', '.join(missing)}", f"see {settings.home / 'logs'}; {_AGAIN}")
    return f"{len(running)} programs run"


def _token(settings: Settings) -> str:
    with _label_studio(settings) as (client, project_id):
        project = client.project(project_id)
        return f"Label Studio {client.release()} takes the token; project {project.id} is {project.title!r}"


def _backend_row(settings: Settings) -> str:
    with _label_studio(settings) as (client, project_id), open_catalog(settings) as catalog:
        release = catalog.versions.release()
        name = None if release is None else release.name
        rows = [row for row in client.backends(project_id) if row["id"] == settings.ml_backend_id]
        if not rows:
            raise FaultError("the project has no row for our backend", _AGAIN)
        titles = {
            "the backend's title": rows[0]["title"],
            "the project": client.project(project_id).model_version,
        }
        strays = [f"{who} says {title!r}" for who, title in titles.items() if title != name]
        if strays:
            raise FaultError(
                f"what serves is {name!r}, but {' and '.join(strays)}: the worklist is then random",
                "lungloop models promote " + _serving_again(release),
            )
        return f"Label Studio orders the worklist by {name}"


def _serving_again(release: Release | None) -> str:
    """Arguments of the command that lets Label Studio follow and changes nothing else."""
    if release is None:
        return "VERSION"
    return f"{release.open_version} --open-studies" if release.open_version else release.default


def _webhooks(settings: Settings) -> str:
    with _label_studio(settings) as (client, project_id):
        wanted = f"{str(settings.backend_url).rstrip('/')}/webhook"
        hooks = client.http.json("GET", "/api/webhooks/", params={"project": project_id})
        if not any(hook["url"] == wanted and hook["is_active"] for hook in hooks):
            raise FaultError(
                f"no active webhook to {wanted}", f"{_AGAIN}; until then corrections come with the sync"
            )
        return f"corrections are announced at {wanted}"


def _storage(settings: Settings) -> str:
    with _label_studio(settings) as (client, project_id):
        folder = str(pictures_folder(settings))
        storages = client.http.json("GET", "/api/storages/localfiles/", params={"project": project_id})
        if folder not in [storage["path"] for storage in storages]:
            raise FaultError(f"no local files storage covers {folder}: pictures answer 404", _AGAIN)
        address = next((data.get("image") for _, data in client.task_data(project_id)), None)
        if address is None:
            return f"{folder} is covered; there is no task yet"
        try:
            client.http.bytes(str(address), _PICTURE_BYTES)
        except InputError as error:
            raise FaultError(f"a task's picture cannot be fetched: {error}", _AGAIN) from error
        return f"{folder} is covered, and a task's picture was fetched"


@contextmanager
def _label_studio(settings: Settings) -> Iterator[tuple[LabelStudio, int]]:
    if settings.label_studio_url is None or settings.project_id is None:
        raise SkippedError("no stack runs")
    client = LabelStudio.from_settings(settings)
    try:
        yield client, settings.project_id
    finally:
        client.close()


STACK_CHECKS: dict[str, Check] = {
    "queue": _queue,
    "programs": _workers,
    "Label Studio's token": _token,
    "champion in Label Studio": _backend_row,
    "webhook": _webhooks,
    "pictures": _storage,
}
