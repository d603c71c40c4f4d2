"""Atomic files, locks that end with their process, and what the system refuses in one sentence."""

import fcntl
import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, BinaryIO

from chestct.errors import InputError

# The rights of a file that only its owner may read: tokens, patients' pictures.
PRIVATE = 0o600
_POLL_SECONDS = 0.05


def write_atomic(
    path: Path, content: bytes | str, *, mode: int = 0o666, durable: bool = True, parents: bool = False
) -> None:
    """Replaces a file in one step; see `atomic_file`.

    Args:
        content: text is written as UTF-8.
        parents: whether folders that are missing are made.
    """
    if parents:
        path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_file(path, mode=mode, durable=durable) as file:
        file.write(content.encode() if isinstance(content, str) else content)


@contextmanager
def atomic_file(path: Path, *, mode: int = 0o666, durable: bool = True) -> Iterator[BinaryIO]:
    """A file to write to that takes the place of `path` when the block ends without an error.

    Whoever opens `path`, also after a crash, finds the old content or the new one. A killed process leaves a
    hidden `.<name>.<random>.part` beside it.

    Args:
        mode: its rights, less what the process's umask takes away.
        durable: whether the new content, and the name, survive a power cut as well; costs two waits for
            the disk (4 to 11 ms), too much for what is written once a slice and can be made again.
    Raises:
        OSError: the folder is missing or cannot be written to, the disk is full.
    """
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            if durable:
                file.flush()
                os.fsync(descriptor)
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)
    if durable:
        sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Waits until the names in a folder are on the disk."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def exclusive_lock(
    path: Path, timeout_seconds: float | None = 0.0, *, mode: int = 0o666, parents: bool = False
) -> Iterator[IO[str] | None]:
    """Holds a lock file against other processes and threads until the block ends.

    The lock is the kernel's: it ends with the process, however that ends.

    Args:
        path: made where missing, never deleted.
        timeout_seconds: how long to wait for whoever holds it; None for ever.
        mode: its rights where it is made.
        parents: whether folders that are missing are made.
    Yields:
        The file, to be read and appended to; None where another held it all the time.
    Raises:
        OSError: the file cannot be opened.
    """
    if parents:
        path.parent.mkdir(parents=True, exist_ok=True)
    ends_at = None if timeout_seconds is None else time.monotonic() + timeout_seconds
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, mode), "a+") as file:
        while not (ours := _locked(file)) and (ends_at is None or time.monotonic() < ends_at):
            time.sleep(_POLL_SECONDS)
        yield file if ours else None


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what the operating system refuses a reader into one sentence that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(path, "does not exist") from error
    except IsADirectoryError as error:
        raise InputError(path, "is a folder; expected a file") from error
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from error


@contextmanager
def refusing(path: Path | str, damaged: tuple[type[Exception], ...], reason: str) -> Iterator[None]:
    """Turns what a decoder raises for a damaged file into one sentence that names the file.

    Args:
        damaged: what the decoder raises; an InputError, which is a sentence already, passes.
        reason: of the sentence; `{error}` becomes the first line of what the decoder said.
    """
    try:
        yield
    except InputError:
        raise
    except damaged as error:
        said = str(error).partition("\n")[0][:300] or type(error).__name__
        raise InputError(path, reason.replace("{error}", said)) from error


@contextmanager
def writing(path: Path) -> Iterator[None]:
    """Turns what the operating system refuses a writer into one sentence that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(path, "cannot be written: its folder does not exist") from error
    except OSError as error:
        reason = f"cannot be written: {error.strerror or error}; name a place that can"
        raise InputError(path, reason) from error
