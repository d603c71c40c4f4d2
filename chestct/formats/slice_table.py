"""`slices.csv`: the table of patients and splits that comes with prepared slice data sets."""

import csv
from pathlib import Path

from chestct.errors import InputError
from chestct.files import reading, refusing
from chestct.labels import Split

NAME = "slices.csv"
# The data sets' own words for the side of a patient; what tuned nothing may test.
_SPLITS = {"train": Split.TRAIN, "test": Split.TEST, "dev-validation": Split.TEST}


def columns(folder: Path) -> frozenset[str]:
    """Column names of the folder's table; none where there is no readable table."""
    path = folder / NAME
    if not path.is_file():
        return frozenset()
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            return frozenset(file.readline(4096).strip().split(","))
    except (OSError, UnicodeDecodeError):
        return frozenset()


def rows(folder: Path, expected: frozenset[str]) -> list[dict[str, str]]:
    """All rows as column to text.

    Raises:
        InputError: there is no table, it is damaged, or a column is missing.
    """
    path = folder / NAME
    damaged = refusing(path, (UnicodeDecodeError, csv.Error), "is no table in UTF-8 with commas ({error})")
    with reading(path), damaged, path.open(encoding="utf-8-sig", newline="") as file:
        reader = csv.DictReader(file)
        missing = expected - set(reader.fieldnames or ())
        if missing:
            raise InputError(
                path, f"lacks the columns {sorted(missing)}; it has {reader.fieldnames or 'none'}"
            )
        # A row cut short holds None instead of text.
        return [{name: value or "" for name, value in row.items() if name} for row in reader]


def split(path: Path, text: str) -> Split:
    """The side of the frozen line that the table names."""
    if text not in _SPLITS:
        raise InputError(path, f"names the split {text!r}; expected one of {', '.join(_SPLITS)}")
    return _SPLITS[text]


def number(path: Path, text: str) -> int:
    """A slice number of the table."""
    if not text.isdecimal():
        raise InputError(path, f"numbers a slice {text!r}; expected a whole number of 0 or more")
    return int(text)
