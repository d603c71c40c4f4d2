"""One program of the stack: how it is started, when it is ready, what it wrote last."""

import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from lungloop.stack.pidfiles import MARK

# Logs are appended to; a log past this is set aside at the next start, one generation is kept.
_LARGEST_LOG_BYTES = 10_000_000
_LINES_OF_AN_ERROR = 12


@dataclass(frozen=True)
class Service:
    """What the supervisor needs to know of a program.

    Args:
        name: of its log and its pidfile, and in `lungloop status`.
        command: program and arguments.
        environment: variables on top of the supervisor's own.
        is_ready: quick question whether it answers now; called from the supervisor's thread.
        ready_within_seconds: how long a start may take before it counts as failed.
    """

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    is_ready: Callable[[], bool]
    ready_within_seconds: float = 60.0


def spawn(service: Service, home: Path) -> subprocess.Popen[bytes]:
    """Starts the program in a session of its own, so that Ctrl-C reaches only the supervisor.

    Raises:
        OSError: the program cannot be run.
    """
    path = log_path(home, service.name)
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.exists() and path.stat().st_size > _LARGEST_LOG_BYTES:
        path.rename(path.with_suffix(".log.1"))
    with path.open("ab") as log:
        return subprocess.Popen(
            service.command,
            env={**os.environ, **service.environment, MARK: str(home)},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            cwd=home,
            start_new_session=True,
        )


def log_path(home: Path, name: str) -> Path:
    """Where the service of this name writes."""
    return home / "logs" / f"{name}.log"


def last_error(home: Path, name: str) -> str:
    """The last lines of the service's log, for an error message."""
    path = log_path(home, name)
    lines = path.read_text(errors="replace").splitlines() if path.exists() else []
    return "\n".join(f"    {line}" for line in lines[-_LINES_OF_AN_ERROR:])
