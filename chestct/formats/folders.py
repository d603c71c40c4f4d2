"""What a reader sees of a folder: visible entries in the order a person would count them."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from chestct.errors import InputError
from chestct.study import FailedInput

_DIGITS = re.compile("([0-9]+)")
# What unpackers on macOS leave beside the real folder.
_LEFTOVERS = frozenset({"__MACOSX"})
# Folders whose files are masks of the slices beside them, not images of a patient.
MASK_FOLDERS = frozenset({"mask", "masks", "label", "labels"})


def natural_key(name: str) -> tuple[tuple[int, int, str], ...]:
    """Sort key that puts `slice_2` before `slice_10`; the raw name breaks ties."""
    parts = tuple(
        (0, int(part), "") if part.isdecimal() else (1, 0, part.casefold())
        for part in _DIGITS.split(name)
        if part
    )
    return (*parts, (-1, 0, name))


def visible(folder: Path) -> list[Path]:
    """Entries of a folder in natural order, without hidden ones.

    Raises:
        InputError: the folder cannot be listed.
    """
    with reading(folder):
        entries = [
            entry
            for entry in folder.iterdir()
            if not entry.name.startswith(".") and entry.name not in _LEFTOVERS
        ]
    return sorted(entries, key=lambda entry: natural_key(entry.name))


def failed(path: Path, error: InputError) -> FailedInput:
    """An input that failed; the reason names another file (a mask, a table) where that is at fault."""
    return FailedInput(path, error.reason if error.source == str(path) else str(error))


@contextmanager
def reading(path: Path) -> Iterator[None]:
    """Turns what the operating system refuses into one sentence that names the file."""
    try:
        yield
    except FileNotFoundError as error:
        raise InputError(path, "does not exist") from error
    except IsADirectoryError as error:
        raise InputError(path, "is a folder; expected a file") from error
    except OSError as error:
        raise InputError(path, f"cannot be read: {error.strerror or error}") from error
