"""Reads the studies in what a user points at, one at a time, whatever the layout."""

import dataclasses
from collections.abc import Iterator, Sequence
from pathlib import Path

from chestct.errors import InputError
from chestct.formats.archives import unpacked
from chestct.formats.folders import failed
from chestct.formats.images import read_pictures
from chestct.formats.sources import EXPECTED, LAYOUTS, Kind, Source, find_sources
from chestct.study import FailedInput, Study

Found = Study | FailedInput


def discover(paths: Sequence[Path], layout: str = "auto") -> Iterator[Found]:
    """Studies of all paths, lazily; what cannot be read comes as FailedInput and the rest goes on.

    Args:
        paths: files and folders.
        layout: one of LAYOUTS; "auto" tells by content.
    Yields:
        Studies whose names (and patients, where the source names none) differ within the batch.
    Raises:
        InputError: unknown layout, or no path at all (at the call); the only path is missing or
            holds nothing to read (while iterating; of several paths it comes as FailedInput).
    """
    if layout not in LAYOUTS:
        raise InputError("layout", f"{layout!r} is unknown; expected one of {', '.join(LAYOUTS)}")
    if not paths:
        raise InputError("paths", f"are missing; {EXPECTED}")
    return _with_unique_names(_read_all(paths, layout))


def _read_all(paths: Sequence[Path], layout: str) -> Iterator[Found]:
    for source in find_sources(paths, layout):
        if source.kind is Kind.NOTHING and len(paths) == 1:
            raise InputError(source.path, source.reason)
        try:
            yield from _read(source, layout)
        except InputError as error:
            if list(paths) == [source.path] and source.read is None:
                raise
            yield failed(source.path, error)


def _read(source: Source, layout: str) -> Iterator[Found]:
    if source.reason:
        yield FailedInput(source.path, source.reason)
    elif source.read is not None:
        yield source.study()
    elif source.data_set is not None:
        yield from source.data_set.read(source.path)
    elif source.kind is Kind.ARCHIVE:
        yield from _read_archive(source.path, layout)
    else:
        yield from read_pictures(source.path, source.files)


def _read_archive(path: Path, layout: str) -> Iterator[Found]:
    """What an archive holds, under the archive's own name; it is unpacked only while it is read."""
    with unpacked(path) as folder:
        try:
            for found in _read_all([folder], layout):
                yield _as_member(found, folder, path)
        except InputError as error:
            yield _as_member(failed(Path(error.source), error), folder, path)


def _as_member(found: Found, folder: Path, archive: Path) -> Found:
    """`/tmp/x/case/a.png` is `case.zip/a.png` to the user."""
    source = archive / found.source.relative_to(folder) if found.source != folder else archive
    if isinstance(found, FailedInput):
        return FailedInput(source, found.reason.replace(str(folder), str(archive)))
    return dataclasses.replace(found, source=source)


def _with_unique_names(found: Iterator[Found]) -> Iterator[Found]:
    """Renames a study whose name was taken: with its folder before it, then with a number."""
    taken: set[str] = set()
    for item in found:
        if isinstance(item, Study) and item.name in taken:
            name = base = f"{item.source.parent.name}-{item.name}"
            count = 2
            while name in taken:
                name, count = f"{base}-{count}", count + 1
            # A source that names no patient uses the study's name: strangers must not become one.
            patient = name if item.patient == item.name else item.patient
            item = dataclasses.replace(item, name=name, patient=patient)
        if isinstance(item, Study):
            taken.add(item.name)
        yield item
