"""Corrected masks as a dataset: pictures or volumes, masks, and one `dataset.csv` that says whose.

A mask holds exactly what the reader submitted: 0 where nothing was marked, 1 ground-glass,
2 consolidation, 3 lung where the reader drew lung. Predicted lungs are never mixed in.
"""

import csv
import os
import shutil
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionRecord, CorrectionState, SliceRecord, StudyRecord
from chestct.errors import InputError
from chestct.formats.nifti import write_label_map_nifti, write_volume_nifti
from chestct.intensity import Intensity
from chestct.render import png_bytes

COLUMNS = (
    "study",
    "slice",
    "patient",
    "annotator",
    "updated_at",
    "lead_time_seconds",
    "model_version",
    "changed_fraction",
    "split",
    "image",
    "mask",
)
FORMATS = ("png", "nifti")


@dataclass(frozen=True)
class ExportReport:
    """What an export wrote; `warnings` are sentences about what was left out and why."""

    rows: int
    studies: int
    warnings: tuple[str, ...]


@dataclass(frozen=True)
class _Row:
    """One line of dataset.csv before its paths are known."""

    correction: CorrectionRecord
    slice: SliceRecord


def export_dataset(
    catalog: Catalog, out: Path, file_format: str, *, all_versions: bool = False
) -> ExportReport:
    """Writes the corrected slices of the catalog as a dataset.

    Written beside `out` and swapped in at the end, so that `out` is either the old export or the new.

    Args:
        catalog: where the corrections are.
        out: folder to make; an earlier export there is replaced, anything else is left alone.
        file_format: "png" (a picture and a mask per slice) or "nifti" (a volume and a mask per study).
        all_versions: every submitted version of a correction, not only the newest of each slice.
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
        report = _write(catalog, beside, file_format, all_versions)
        _swap(beside, out)
    finally:
        shutil.rmtree(beside, ignore_errors=True)
    return report


def newest_per_slice(corrections: Iterable[CorrectionRecord]) -> dict[int, CorrectionRecord]:
    """The correction that counts for each slice id: the newest one, whoever made it."""
    newest: dict[int, CorrectionRecord] = {}
    for correction in sorted(corrections, key=lambda one: (one.annotation_updated_at, one.id)):
        newest[correction.slice_id] = correction
    return newest


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


def _write(catalog: Catalog, folder: Path, file_format: str, all_versions: bool) -> ExportReport:
    current = newest_per_slice(catalog.current_corrections())
    chosen = (
        [one for one in catalog.all_corrections() if one.state is CorrectionState.SUBMITTED]
        if all_versions
        else list(current.values())
    )
    by_study: dict[int, list[_Row]] = defaultdict(list)
    for correction in chosen:
        found = catalog.slice(correction.slice_id)
        by_study[found.study_id].append(_Row(correction, found))

    warnings: list[str] = []
    lines: list[list[object]] = []
    for study in catalog.studies():
        rows = sorted(by_study.get(study.id, []), key=lambda row: (row.slice.index, row.correction.id))
        if not rows:
            continue
        newest_ids = {one.id for one in current.values()}
        if file_format == "nifti" and study.geometry is None:
            warnings.append(
                f"{study.name}: loose pictures have no place in a patient, so no NIfTI can be written; "
                "export them with --format png"
            )
            continue
        write = _write_nifti_study if file_format == "nifti" else _write_png_study
        lines.extend(write(catalog, folder, study, rows, newest_ids))
    with (folder / "dataset.csv").open("w", newline="") as stream:
        table = csv.writer(stream)
        table.writerow(COLUMNS)
        table.writerows(lines)
    (folder / "README.md").write_text(_LEGEND)
    return ExportReport(len(lines), len({line[0] for line in lines}), tuple(warnings))


def _line(row: _Row, image: str, mask: str) -> list[object]:
    correction = row.correction
    return [
        row.slice.study_name,
        row.slice.index,
        row.slice.patient,
        correction.annotator,
        correction.annotation_updated_at,
        "" if correction.lead_time_seconds is None else f"{correction.lead_time_seconds:.3f}",
        correction.model_version or "",
        "" if correction.changed_fraction is None else f"{correction.changed_fraction:.6f}",
        row.slice.split.value,
        image,
        mask,
    ]


def _mask_name(row: _Row, newest_ids: set[int]) -> str:
    """The newest mask carries the slice's plain name; older ones say which version they are."""
    plain = f"{row.slice.index:04d}"
    return f"{plain}.png" if row.correction.id in newest_ids else f"{plain}.version-{row.correction.id}.png"


def _label_map(catalog: Catalog, row: _Row) -> np.ndarray:
    key = row.correction.label_map_path
    if key is None:
        raise InputError(
            f"correction {row.correction.id}", "is submitted but has no mask; run `lungloop sync`"
        )
    return catalog.storage.read_label_map(key)


def _write_png_study(
    catalog: Catalog, folder: Path, study: StudyRecord, rows: list[_Row], newest_ids: set[int]
) -> list[list[object]]:
    lines = []
    images, masks = Path("images") / study.name, Path("masks") / study.name
    (folder / images).mkdir(parents=True)
    (folder / masks).mkdir(parents=True)
    for row in rows:
        image, mask = images / f"{row.slice.index:04d}.png", masks / _mask_name(row, newest_ids)
        (folder / image).write_bytes(catalog.storage.read_bytes(row.slice.picture_path))
        (folder / mask).write_bytes(png_bytes(_label_map(catalog, row)))
        lines.append(_line(row, image.as_posix(), mask.as_posix()))
    return lines


def _write_nifti_study(
    catalog: Catalog, folder: Path, study: StudyRecord, rows: list[_Row], newest_ids: set[int]
) -> list[list[object]]:
    """The study's volume and one mask volume; slices that nobody corrected are 0 in the mask."""
    geometry = study.geometry
    if geometry is None:
        raise InputError(study.name, "has no geometry, so no NIfTI can be written")
    image, mask = Path("images") / f"{study.name}.nii.gz", Path("masks") / f"{study.name}.nii.gz"
    (folder / "images").mkdir(exist_ok=True)
    (folder / "masks").mkdir(exist_ok=True)
    view = np.zeros(geometry.view_shape, np.uint8)
    lines = []
    for row in rows:
        if row.correction.id in newest_ids:
            view[row.slice.index] = _label_map(catalog, row)
            lines.append(_line(row, image.as_posix(), mask.as_posix()))
        else:
            older = Path("masks") / study.name / _mask_name(row, newest_ids)
            (folder / older).parent.mkdir(exist_ok=True)
            (folder / older).write_bytes(png_bytes(_label_map(catalog, row)))
            lines.append(_line(row, image.as_posix(), older.as_posix()))
    pixels = np.stack([catalog.read_pixels(one) for one in catalog.slices(study_id=study.id)])
    dtype = np.int16 if study.intensity is Intensity.HU else np.uint8
    write_volume_nifti(folder / image, pixels.astype(dtype), geometry)
    write_label_map_nifti(folder / mask, view, geometry)
    return lines


_LEGEND = """# Corrected chest CT masks

`dataset.csv` has one row per corrected slice; `image` and `mask` are relative to this folder.

Mask values: 0 nothing marked, 1 ground-glass, 2 consolidation, 3 lung (only where a reader drew lung).
A mask holds exactly what the reader submitted. In NIfTI masks, slices without a row were not
corrected: their zeros mean "not looked at", not "healthy". `slice` counts from 0 in the order in
which the study's file stores its slices. Rows with `split` = `test` belong to patients held out
of training: keep them out of yours if you compare with LungLoop's figures.

Made by research software, not a medical device. The images keep the licence of their source.
"""
