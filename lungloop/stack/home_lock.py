"""One `lungloop up` for one home, and a note of who it is."""

import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chestct.errors import SettingsError
from chestct.files import exclusive_lock
from lungloop.stack.processes import ProcessIdentity, identify, read_living

_POLL_SECONDS = 0.1


class AlreadyRunningError(SettingsError):
    """Another `lungloop up` holds this home."""

    def __init__(self, home: Path, supervisor: ProcessIdentity | None) -> None:
        who = f"process {supervisor.pid}" if supervisor else "another process"
        super().__init__(
            f"a stack already runs on {home} ({who}): use it (`lungloop status`), stop it with "
            "`lungloop down`, or set LUNGLOOP_HOME to another folder"
        )


@contextmanager
def hold(home: Path) -> Iterator[None]:
    """Holds the home until the block ends.

    Raises:
        AlreadyRunningError: another process holds it.
    """
    path = _lock_path(home)
    # Patients' pictures lie in it: for its owner only, where we make it.
    home.mkdir(mode=0o700, parents=True, exist_ok=True)
    path.parent.mkdir(exist_ok=True)
    with exclusive_lock(path) as lock:
        if lock is None:
            raise AlreadyRunningError(home, holder(home))
        lock.truncate(0)
        me = identify(os.getpid())
        lock.write(json.dumps({"pid": os.getpid(), "started_at": me.started_at if me else ""}))
        lock.flush()
        yield
        lock.truncate(0)


def holder(home: Path) -> ProcessIdentity | None:
    """The supervisor that runs on this home, None where none does."""
    return read_living(_lock_path(home))


def wait_until_released(home: Path, timeout_seconds: float) -> bool:
    """Waits for the supervisor of this home to be gone; False where it still runs."""
    deadline = time.monotonic() + timeout_seconds
    while holder(home) is not None:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _lock_path(home: Path) -> Path:
    return home / "run" / "up.lock"
