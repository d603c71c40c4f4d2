"""What a reader sees of a folder: visible entries in the order a person would count them."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

from chestct.errors import InputError
from chestct.files import reading
from chestct.study import FailedInput

_DIGITS = re.compile("([0-9]+)")
# What unpackers on macOS leave beside the real folder.
_LEFTOVERS = frozenset({"__MACOSX"})
# Folders whose files are masks of the slices beside them, not images of a patient.
MASK_FOLDERS = frozenset({"mask", "masks", "label", "labels"})
_MASK_ENDINGS = tuple(
    f"{mark}{word}"
    for mark in "._-"
    for word in ("mask", "masks", "msk", "seg", "label", "labels", "overlay", "doubt")
)
_MASK_ARRAY = re.compile(r"(test_)?masks?([_.-].*)?\.npy")


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


def is_mask_name(path: Path) -> bool:
    """Whether a file's name says that it is a mask or a result, not an image of a patient."""
    name = path.name.lower()
    stem = name.removesuffix(".gz").rsplit(".", 1)[0]
    return stem.endswith(_MASK_ENDINGS) or _MASK_ARRAY.fullmatch(name) is not None


def folders_below(
    folder: Path,
    skip: Path | None = None,
    is_leaf: Callable[[Path], bool] = lambda folder: False,
    _entered: set[Path] | None = None,
) -> Iterator[tuple[Path, list[Path] | InputError]]:
    """A folder and those below it with their visible files, or why they cannot be listed.

    Folders of masks are passed over; links in a circle are entered once.

    Args:
        skip: a resolved folder below the first one that is passed over as well.
        is_leaf: whether a folder's subfolders are left out.
    """
    entered = set() if _entered is None else _entered
    try:
        with reading(folder):
            real = folder.resolve()
        if real in entered or (entered and real == skip):
            return
        entered.add(real)
        entries = visible(folder)
    except InputError as error:
        yield folder, error
        return
    yield folder, [entry for entry in entries if not entry.is_dir()]
    if not is_leaf(folder):
        for entry in entries:
            if entry.is_dir() and entry.name.lower() not in MASK_FOLDERS:
                yield from folders_below(entry, skip, is_leaf, entered)


def failed(path: Path, error: InputError) -> FailedInput:
    """An input that failed; the reason names another file (a mask, a table) where that is at fault."""
    return FailedInput(path, error.reason if error.source == str(path) else str(error))
