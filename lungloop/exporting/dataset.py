"""Corrected masks as a dataset: pictures or volumes, masks, and one `dataset.csv` that says whose.

A mask holds exactly what the reader submitted: 0 where nothing was marked, 1 ground-glass,
2 consolidation, 3 lung where the reader drew lung. Predicted lungs are never mixed in.
"""

import csv
import os
import shutil
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionState
from chestct.errors import InputError
from chestct.progress import OnProgress, Progress, unheard
from lungloop.exporting.coco import CocoWriter
from lungloop.exporting.dicom_seg import DicomSegWriter
from lungloop.exporting.nifti import NiftiWriter
from lungloop.exporting.npy import NpyWriter
from lungloop.exporting.png import PngWriter
from lungloop.exporting.rows import COLUMNS, FormatWriter, LeftOutError, Line, Row

ExportFormat = Literal["png", "nifti", "npy", "coco", "dicom-seg"]
FORMATS: tuple[ExportFormat, ...] = get_args(ExportFormat)
_WRITERS: dict[ExportFormat, Callable[[Catalog, Path], FormatWriter]] = {
    "png": PngWriter,
    "nifti": NiftiWriter,
    "npy": NpyWriter,
    "coco": CocoWriter,
    "dicom-seg": DicomSegWriter,
}


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote; `warnings` are sentences about what was left out and why."""

    rows: int
    studies: int
    warnings: tuple[str, ...]


def export_dataset(
    catalog: Catalog,
    out: Path,
    file_format: ExportFormat,
    *,
    all_versions: bool = False,
    on_progress: OnProgress = unheard,
) -> ExportReport:
    """Writes the corrected slices of the catalog as a dataset.

    Written beside `out` and swapped in at the end, so that `out` is either the old export or the new.

    Args:
        catalog: where the corrections are.
        out: folder to make; an earlier export there is replaced, anything else is left alone.
        file_format: one of FORMATS.
        all_versions: every submitted version of a correction, not only the one that counts for each slice:
            the newest, unless a reader marked another as ground truth, so that an export is what a
            retrain learns from.
        on_progress: told each study, by name.
    Raises:
        InputError: `out` holds something that is not an export, or the format is unknown.
    """
    if file_format not in FORMATS:
        raise InputError("--format", f"is {file_format!r}; expected one of {', '.join(FORMATS)}")
    _refuse_foreign(out)
    beside = out.with_name(f"{out.name}.partial-{os.getpid()}")
    shutil.rmtree(beside, ignore_errors=True)
    beside.mkdir(parents=True)
    try:
        report = _write(catalog, beside, _WRITERS[file_format](catalog, beside), all_versions, on_progress)
        _swap(beside, out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return report


def _refuse_foreign(out: Path) -> None:
    if out.is_file():
        raise InputError(out, "is a file; name a folder for the export")
    if out.is_dir() and any(out.iterdir()) and not (out / "dataset.csv").is_file():
        raise InputError(out, "holds files that are not an export of ours; name an empty or a new folder")


def _swap(beside: Path, out: Path) -> None:
    retired = out.with_name(f"{out.name}.replaced-{os.getpid()}")
    if out.exists():
        out.rename(retired)
    beside.rename(out)
    shutil.rmtree(retired, ignore_errors=True)


def _write(
    catalog: Catalog,
    folder: Path,
    writer: FormatWriter,
    all_versions: bool,
    on_progress: OnProgress,
) -> ExportReport:
    warnings: list[str] = []
    lines: list[Line] = []
    by_study = _rows_by_study(catalog, all_versions)
    studies = [study for study in catalog.studies.all() if study.id in by_study]
    for done, study in enumerate(studies, start=1):
        try:
            lines.extend(writer.add(study, by_study[study.id]))
        except LeftOutError as error:
            warnings.append(str(error))
        on_progress(Progress(done, len(studies), study.name))
    writer.finish()
    with (folder / "dataset.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        table.writerows(lines)
    (folder / "README.md").write_text(_LEGEND.format(of_format=f"{writer.legend}\n\n" * bool(writer.legend)))
    return ExportReport(len(lines), len({line[0] for line in lines}), tuple(warnings))


def _rows_by_study(catalog: Catalog, all_versions: bool) -> dict[int, list[Row]]:
    corrections = chosen = catalog.corrections.chosen()
    if all_versions:
        corrections = [row for row in catalog.corrections.all() if row.state is CorrectionState.SUBMITTED]
    chosen_ids = {correction.id for correction in chosen}
    by_study: dict[int, list[Row]] = defaultdict(list)
    for correction in corrections:
        record = catalog.slices.get(correction.slice_id)
        by_study[record.study_id].append(Row(correction, record, correction.id in chosen_ids))
    for rows in by_study.values():
        rows.sort(key=lambda row: (row.slice.index, row.correction.id))
    return dict(by_study)


_LEGEND = """# Corrected chest CT masks

`dataset.csv` has one row per corrected slice; `image` and `mask` are relative to this folder.

Mask values: 0 nothing marked, 1 ground-glass, 2 consolidation, 3 lung (only where a reader drew lung).
A mask holds exactly what the reader submitted.

{of_format}`slice` counts from 0 in the order in which the study's file stores its slices. Rows with `split` =
`test` belong to patients held out of training: keep them out of yours if you compare with LungLoop's figures.

Made by research software, not a medical device. The images keep the licence of their source.
"""
