"""`lungloop up`: from nothing to a line that begins with `Ready`, and back to nothing."""

import dataclasses
import threading
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from chestct.catalog.catalog import Catalog
from chestct.errors import SettingsError
from chestct.settings import Settings
from lungloop.console import progress, say
from lungloop.context import open_catalog
from lungloop.stack import label_studio, services, stack_file
from lungloop.stack.credentials import Credentials, load_or_create
from lungloop.stack.home_lock import hold
from lungloop.stack.pidfiles import end_leftovers
from lungloop.stack.ports import LOOPBACK, any_free_port, require_free
from lungloop.stack.signals import StopRequested, stop_on_signals
from lungloop.stack.supervisor import Supervisor
from lungloop.stack.work import bring_in, predict_what_is_open
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.tasks import create_missing_tasks


@dataclass(frozen=True)
class UpOptions:
    """What `lungloop up` was asked for.

    Args:
        data: folders or files to import; none means phantoms where the catalog is empty.
        layout: of `data`.
        tasks: what a task shows, of TASK_KINDS; None = as the settings say.
        language: of the labelling configuration, of LANGUAGES; None = as the settings say.
        port, label_studio_port: of the backend with its pages, and of Label Studio.
        label_studio_environment: where Label Studio is installed; None = beside the product's own.
        wait_minutes: for pre-annotation, before the stack says Ready all the same.
    """

    data: tuple[Path, ...]
    layout: str
    tasks: str | None
    language: str | None
    port: int
    label_studio_port: int
    label_studio_environment: Path | None
    wait_minutes: float


def run(options: UpOptions, ready: Callable[[str], None]) -> None:
    """Starts everything and keeps it running until a signal asks to stop.

    Args:
        options: see UpOptions.
        ready: told the line that begins with `Ready`.
    Raises:
        AlreadyRunningError, PortTakenError: nothing was started.
        ServiceUnavailableError: something does not start; what had started is ended again.
    """
    home = Settings.load().home
    with hold(home), stop_on_signals():
        supervisor = Supervisor(home, say)
        try:
            _clear_the_way(home, options)
            _start(supervisor, options, ready)
            threading.Event().wait()
        except StopRequested:
            say("stopping")
        finally:
            stack_file.remove(home)
            supervisor.stop()
    say(f"stopped; everything is kept in {home}")


def _clear_the_way(home: Path, options: UpOptions) -> None:
    leftovers = end_leftovers(home)
    if leftovers:
        say(f"ended what an interrupted stack had left running: {', '.join(leftovers)}")
    # Settings would otherwise take addresses from it.
    stack_file.remove(home)
    require_free(options.label_studio_port, "Label Studio", "--label-studio-port")
    require_free(options.port, "the backend", "--port")


def _settings(options: UpOptions, chosen: Settings, login: Credentials, queue_port: int | None) -> Settings:
    """Shared by every part of this stack."""
    if chosen.label_studio_url is not None:
        raise SettingsError(
            "LUNGLOOP_LABEL_STUDIO_URL is set, but `up` starts a Label Studio of its own: unset it, or run "
            "`lungloop serve`, `worker` and `connect` against the one you have"
        )
    if "://" in chosen.storage_url:
        raise SettingsError(
            f"LUNGLOOP_STORAGE_URL is {chosen.storage_url}; the Label Studio that `up` starts serves slices "
            "from a local folder only: unset it or name a folder"
        )
    storage = Path(chosen.storage_url).resolve()
    return dataclasses.replace(
        chosen,
        storage_url=str(storage),
        redis_url=chosen.redis_url or f"redis://:{login.queue_password}@{LOOPBACK}:{queue_port}/0",
        label_studio_url=f"http://{LOOPBACK}:{options.label_studio_port}",
        label_studio_token=login.token,
        label_studio_files_root=str(storage.parent),
        backend_url=f"http://{LOOPBACK}:{options.port}",
        tasks=options.tasks or chosen.tasks,
        language=options.language or chosen.language,
    )


def _start(supervisor: Supervisor, options: UpOptions, ready: Callable[[str], None]) -> None:
    settings = Settings.load()
    login = load_or_create(settings.home)
    # A queue of our own, unless the settings name one.
    queue_port = any_free_port() if settings.redis_url is None else None
    settings = _settings(options, settings, login, queue_port)
    program = services.label_studio_program(options.label_studio_environment)
    if queue_port is not None:
        supervisor.start(services.queue_service(settings.home, queue_port, login.queue_password))
        supervisor.wait_until_ready(services.QUEUE)
    supervisor.start(services.label_studio_service(settings, options.label_studio_port, login, program))
    supervisor.watch()
    with open_catalog(settings, create=True) as catalog:
        # Label Studio takes half a minute for its first start: the studies come in meanwhile.
        release_name = bring_in(catalog, settings, options.data, options.layout)
        _wait_for_label_studio(supervisor)
        settings = _connect(supervisor, catalog, settings, options.port, release_name)
        for name, queue in ((services.QUICK_WORKER, "quick"), (services.TRAIN_WORKER, "train")):
            supervisor.start(services.worker_service(settings, name, queue))
        stack_file.write(settings, stack_file.LOCAL)
        predict_what_is_open(catalog, settings, options.wait_minutes * 60.0)
    ready(
        f"Ready  Label Studio: {settings.label_studio_url}/projects/{settings.project_id}  "
        f"user: {login.user}  password: {login.password}  pages: {settings.backend_url}/  "
        "(Ctrl-C or `lungloop down` stops)"
    )


def _connect(
    supervisor: Supervisor, catalog: Catalog, settings: Settings, port: int, release_name: str
) -> Settings:
    """The project, the backend that knows it, and the tasks; the settings with Label Studio's ids."""
    client = LabelStudio.from_settings(settings)
    project = label_studio.ensure_project(client, settings)
    settings = dataclasses.replace(settings, project_id=project.id)
    supervisor.start(services.backend_service(settings, port))
    supervisor.wait_until_ready(services.BACKEND)
    backend_id = label_studio.connect_backend(client, project.id, settings, release_name)
    say("tasks for what Label Studio does not show yet")
    create_missing_tasks(catalog, client, project.id, Path(str(settings.label_studio_files_root)))
    client.close()
    return dataclasses.replace(settings, ml_backend_id=backend_id)


def _wait_for_label_studio(supervisor: Supervisor) -> None:
    with progress("Label Studio starts (the first start takes about 35 s)") as update:
        supervisor.wait_until_ready(services.LABEL_STUDIO, update)
