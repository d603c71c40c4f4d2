"""The folder layout of MosMedData, which the project's phantoms share.

    studies/CT-1/study_0255.nii.gz            int16 HU
    masks/study_0255_mask.nii.gz              binary: ground-glass and consolidation as one
    labels/study_0255_labels.nii.gz           full label map 0 to 3 (phantoms only)
    dataset_registry.xlsx or .csv             study_id, category, ...

Each study is a patient of its own. Source: MosMedData README (1,110 studies, 1,110 patients).
"""

import csv
import dataclasses
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import closing
from pathlib import Path

import numpy as np
import numpy.typing as npt
from openpyxl import load_workbook
from openpyxl.utils.exceptions import InvalidFileException

from chestct import partial_labels
from chestct.errors import InputError
from chestct.files import reading, refusing
from chestct.formats.folders import failed, natural_key, visible
from chestct.formats.nifti import (
    SUFFIXES,
    is_nifti_name,
    nifti_stem,
    read_label_map_nifti,
    read_mask_nifti,
    read_nifti,
    refuse_other_geometry,
)
from chestct.geometry import Geometry
from chestct.labels import SeverityGrade
from chestct.study import FailedInput, Study

REGISTRY_NAMES = ("dataset_registry.xlsx", "dataset_registry.csv")
_GRADES = {grade.value: grade for grade in SeverityGrade}
# The real registry has 1,111 rows of four cells; more than this is not one.
_MAX_REGISTRY_ROWS = 100_000
# What openpyxl 3.1 and the zip and XML readers below it raise for damaged workbooks.
_DAMAGED = (zipfile.BadZipFile, InvalidFileException, SyntaxError, KeyError, IndexError, ValueError)


def is_mosmed(folder: Path) -> bool:
    """Whether a folder is laid out like MosMedData (or is its registry with masks only)."""
    return (folder / "studies").is_dir() or any((folder / name).is_file() for name in REGISTRY_NAMES)


def read_mosmed(folder: Path) -> Iterator[Study | FailedInput]:
    """Studies one at a time, in the order of their names, grades from the registry where it knows them.

    Raises:
        InputError: there is no study in the folder.
    """
    paths = _study_paths(folder / "studies") if (folder / "studies").is_dir() else []
    if not paths:
        raise InputError(
            folder, "holds no studies; expected studies/CT-1/study_0001.nii.gz and so on (MosMedData)"
        )
    grades: Mapping[str, SeverityGrade] = {}
    for name in REGISTRY_NAMES:
        if (folder / name).is_file():
            try:
                grades = read_registry(folder / name)
                break
            except InputError as error:
                yield FailedInput(folder / name, f"{error.reason}; grades come from the folder names instead")
    for path in paths:
        try:
            yield _read_study(folder, path, grades)
        except InputError as error:
            yield failed(path, error)


def read_registry(path: Path) -> dict[str, SeverityGrade]:
    """Study name to grade, from `dataset_registry.xlsx` or `.csv`.

    Raises:
        InputError: unreadable, or without the columns study_id and category.
    """
    rows = _workbook_rows(path) if path.suffix == ".xlsx" else _csv_rows(path)
    header = [str(cell or "").strip().lower() for cell in next(rows, ())]
    if "study_id" not in header or "category" not in header:
        raise InputError(path, f"has the columns {header}; expected study_id and category")
    identity, category = header.index("study_id"), header.index("category")
    grades = {}
    for row in rows:
        if len(row) > max(identity, category) and str(row[category] or "").strip() in _GRADES:
            grades[_study_name(row[identity])] = _GRADES[str(row[category]).strip()]
    return grades


def _study_name(identity: object) -> str:
    """`study_0255` of 255, "255" or "study_0255"."""
    text = str(identity).strip()
    return f"study_{int(text):04d}" if text.isdecimal() else text


def _csv_rows(path: Path) -> Iterator[tuple[object, ...]]:
    no_text = "is not UTF-8 text; expected a table with commas"
    with reading(path), refusing(path, (UnicodeDecodeError,), no_text):
        text = path.read_text(encoding="utf-8-sig")
    with refusing(path, (csv.Error,), "is no table ({error}); expected commas"):
        yield from (tuple(row) for row in csv.reader(text.splitlines()))


def _workbook_rows(path: Path) -> Iterator[tuple[object, ...]]:
    with reading(path), refusing(path, _DAMAGED, "is no readable workbook ({error}); expected .xlsx"):
        workbook = load_workbook(path, read_only=True, data_only=True)
        with closing(workbook):
            sheet = workbook.worksheets[0]
            yield from sheet.iter_rows(values_only=True, max_row=_MAX_REGISTRY_ROWS)


def _study_paths(studies: Path) -> list[Path]:
    """NIfTI files below studies/, in natural order of their names: CT-x folders are only grades."""
    found = [
        path
        for entry in visible(studies)
        for path in (visible(entry) if entry.is_dir() else [entry])
        if is_nifti_name(path)
    ]
    return sorted(found, key=lambda path: natural_key(path.name))


def _read_study(folder: Path, path: Path, grades: Mapping[str, SeverityGrade]) -> Study:
    study = read_nifti(path)
    found = _reference_labels(folder, nifti_stem(path), study.geometry) if study.geometry else {}
    return dataclasses.replace(
        study, grade=grades.get(study.name, _GRADES.get(path.parent.name)), partial_labels=found
    )


def _reference_labels(folder: Path, stem: str, study: Geometry) -> dict[int, npt.NDArray[np.uint8]]:
    """Candidate maps of every slice: of the full label map where there is one, else of the mask."""
    for suffix in SUFFIXES:
        path = folder / "labels" / f"{stem}_labels{suffix}"
        if path.is_file():
            label_map, geometry = read_label_map_nifti(path)
            refuse_other_geometry(path, geometry, study)
            return dict(enumerate(partial_labels.from_label_map(label_map)))
    for suffix in SUFFIXES:
        path = folder / "masks" / f"{stem}_mask{suffix}"
        if path.is_file():
            lesion, geometry = read_mask_nifti(path)
            refuse_other_geometry(path, geometry, study)
            return dict(enumerate(partial_labels.from_masks(lesion, None)))
    return {}
