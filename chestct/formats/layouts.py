"""Finds the studies in what a user points at, one at a time, whatever the layout.

A folder that is a known data set is read as one. In any other folder the DICOM files of all depths
are studies by their tags; then it is walked: each NIfTI file is a study, each Kaggle array is one,
the pictures directly in a folder are one study, an archive is read like a folder. Hidden files are
ignored. Files and folders whose names say mask, label or result (`*_mask.nii.gz`, `*.label.png`,
`labels/`) are not studies; a file that is named itself is read whatever its name.
"""

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Literal, get_args

from chestct.errors import InputError
from chestct.formats.archives import is_archive_name, unpacked
from chestct.formats.covid_ct_seg import is_covid_ct_seg, read_covid_ct_seg
from chestct.formats.dicom import dicom_files_below, is_dicom, read_dicom
from chestct.formats.folders import MASK_FOLDERS, failed, reading, visible
from chestct.formats.images import is_mask_name, is_picture_name, read_image_folder, read_image_study
from chestct.formats.kaggle import is_array_name, is_mask_array_name, read_kaggle
from chestct.formats.medseg import is_medseg, read_medseg
from chestct.formats.mosmed import is_mosmed, read_mosmed
from chestct.formats.nifti import is_nifti_name, read_nifti
from chestct.study import FailedInput, Study

Found = Study | FailedInput

Layout = Literal["auto", "nifti", "dicom", "kaggle", "images", "mosmed", "covid-ct-seg", "medseg"]
LAYOUTS: tuple[Layout, ...] = get_args(Layout)
_DATA_SETS: dict[str, tuple[Callable[[Path], bool], Callable[[Path], Iterator[Found]]]] = {
    "mosmed": (is_mosmed, read_mosmed),
    "covid-ct-seg": (is_covid_ct_seg, read_covid_ct_seg),
    "medseg": (is_medseg, read_medseg),
}
_EXPECTED = "expected .nii.gz, .nii, .dcm, .npy, .png, .jpg, .tif or .zip files, or a folder of them"


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
        raise InputError("paths", f"are missing; {_EXPECTED}")
    return _with_unique_names(_read_all(paths, layout))


def _read_all(paths: Sequence[Path], layout: str) -> Iterator[Found]:
    # Files of one series may be named one by one (`*.dcm`); they are read where the first one stands.
    dicom = [path for path in paths if layout in ("auto", "dicom") and is_dicom(path)]
    for path in paths:
        if path in dicom:
            if path == dicom[0]:
                yield from read_dicom(dicom, path)
            continue
        try:
            yield from _read(path, layout)
        except InputError as error:
            if len(paths) == 1:
                raise
            yield failed(path, error)


def _read(path: Path, layout: str) -> Iterator[Found]:
    with reading(path):
        path.stat()
    data_set = _data_set(path) if layout == "auto" else _DATA_SETS.get(layout, (None, None))[1]
    if path.is_file() and is_archive_name(path):
        yield from _read_archive(path, layout)
    elif data_set is not None:
        yield from data_set(path)
    elif path.is_dir():
        empty = True
        for found in _read_folder(path, layout):
            empty = False
            yield found
        if empty:
            wanted = "" if layout == "auto" else f" for the layout {layout!r}"
            raise InputError(path, f"holds nothing to read{wanted}; {_EXPECTED}")
    else:
        yield _read_file(path, layout)


def _read_folder(folder: Path, layout: str) -> Iterator[Found]:
    if layout in ("auto", "dicom"):
        yield from read_dicom(dicom_files_below(folder), folder)
    yield from _walk(folder, layout, set())


def _read_archive(path: Path, layout: str) -> Iterator[Found]:
    """What an archive holds, under the archive's own name; it is unpacked only while it is read."""
    with unpacked(path) as folder:
        try:
            for found in _read(folder, layout):
                yield _as_member(found, folder, path)
        except InputError as error:
            yield _as_member(failed(Path(error.source), error), folder, path)


def _as_member(found: Found, folder: Path, archive: Path) -> Found:
    """`/tmp/x/case/a.png` is `case.zip/a.png` to the user."""
    source = archive / found.source.relative_to(folder) if found.source != folder else archive
    if isinstance(found, FailedInput):
        return FailedInput(source, found.reason.replace(str(folder), str(archive)))
    return dataclasses.replace(found, source=source)


def _walk(folder: Path, layout: str, seen: set[Path]) -> Iterator[Found]:
    """A folder's studies, then those of its subfolders; links in a circle are entered once."""
    with reading(folder):
        real = folder.resolve()
    if real in seen:
        return
    seen.add(real)
    data_set = _data_set(folder) if layout == "auto" else None
    try:
        entries = visible(folder)
        if data_set is not None:
            yield from data_set(folder)
            return
    except InputError as error:
        yield failed(folder, error)
        return
    files = [entry for entry in entries if not entry.is_dir()]
    for file in files:
        if is_archive_name(file):
            try:
                yield from _read_archive(file, layout)
            except InputError as error:
                yield failed(file, error)
    if layout in ("auto", "nifti"):
        yield from (
            _read_file(file, layout) for file in files if is_nifti_name(file) and not is_mask_name(file)
        )
    if layout in ("auto", "kaggle"):
        yield from (
            _read_file(file, layout)
            for file in files
            if is_array_name(file) and not is_mask_array_name(file) and not is_mask_name(file)
        )
    if layout in ("auto", "images"):
        yield from read_image_folder(folder)
    for entry in entries:
        if entry.is_dir() and entry.name.lower() not in MASK_FOLDERS:
            yield from _walk(entry, layout, seen)


def _data_set(folder: Path) -> Callable[[Path], Iterator[Found]] | None:
    return next((read for matches, read in _DATA_SETS.values() if matches(folder)), None)


def _read_file(path: Path, layout: str) -> Found:
    try:
        if layout == "nifti" or (layout == "auto" and is_nifti_name(path)):
            return read_nifti(path)
        if layout == "kaggle" or (layout == "auto" and is_array_name(path)):
            return read_kaggle(path)
        if layout == "images" or (layout == "auto" and is_picture_name(path)):
            return read_image_study(path)
    except InputError as error:
        return failed(path, error)
    return FailedInput(path, f"is of an unknown kind; {_EXPECTED}")


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
