"""One retrain at a time in one home, whoever started it."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chestct.errors import ServiceUnavailableError
from chestct.files import exclusive_lock


@contextmanager
def only_one(folder: Path, timeout_seconds: float) -> Iterator[None]:
    """Waits until no other process holds the folder's lock.

    Raises:
        ServiceUnavailableError: another retrain holds it for longer than that.
    """
    with exclusive_lock(folder / "lock", timeout_seconds, parents=True) as lock:
        if lock is None:
            raise ServiceUnavailableError(
                "the training", f"another retrain still runs in {folder}; wait for it or stop it"
            )
        yield
