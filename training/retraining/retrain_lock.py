"""One retrain at a time in one home, whoever started it."""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chestct.errors import ServiceUnavailableError


@contextmanager
def only_one(folder: Path, timeout_seconds: float) -> Iterator[None]:
    """Waits until no other process holds the folder's lock; the lock ends with its process.

    Raises:
        ServiceUnavailableError: another retrain holds it for longer than that.
    """
    folder.mkdir(parents=True, exist_ok=True)
    ends_at = time.monotonic() + timeout_seconds
    with (folder / "lock").open("w") as file:
        while True:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                break
            except BlockingIOError as error:
                if time.monotonic() >= ends_at:
                    raise ServiceUnavailableError(
                        "the training", f"another retrain still runs in {folder}; wait for it or stop it"
                    ) from error
            time.sleep(0.2)
        yield
