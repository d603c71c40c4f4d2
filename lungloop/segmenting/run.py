"""Segments inputs one at a time; a bad one is an entry in the report, the rest is done."""

import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from chestct.dicom_source import read_headers
from chestct.errors import InputError, LungLoopError
from chestct.formats.archives import is_archive_name, unpacked
from chestct.formats.dicom_seg import MadeBy, write_dicom_seg
from chestct.formats.images import write_label_map_png
from chestct.formats.layouts import discover
from chestct.formats.nifti import write_label_map_nifti
from chestct.geometry import Geometry
from chestct.intensity import as_picture
from chestct.labels import Label
from chestct.prediction import SlicePrediction, fraction_of_lung
from chestct.render import montage, overlay, png_bytes
from chestct.segmenting import Segmenting
from chestct.severity import severity_of_predictions
from chestct.study import FailedInput, Study
from lungloop.segmenting.inputs import SegmentInput, find_inputs

# Enough slices to judge a study at a glance, few enough for one screen.
_SLICES_ON_MONTAGE = 24


def segment_inputs(
    inputs: Sequence[SegmentInput],
    out: Path,
    segmenter: Segmenting,
    on_done: Callable[[int, str], None] = lambda done, name: None,
) -> list[dict[str, Any]]:
    """Writes each input's label map and overlay, and `report.json` over all of them.

    Args:
        inputs: as `find_inputs` gives them.
        out: created where missing.
        on_done: called after each input with the count so far and its name.
    Returns:
        The report: per input `input`, and `kind`, `model_version`, `percent`, `severity`, `label_map`,
        `overlay` and, where a study came as DICOM, `dicom_seg` (paths below `out`), `notes` (sentences,
        where there are any), `seconds`, or `error`.
        An archive has an entry for each input in it, an array or a TIFF of several pages one for each
        slice.
    Raises:
        InputError: `out` cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(out, f"cannot be made: {error.strerror}") from error
    report = []
    for done, one in enumerate(inputs, start=1):
        report += _entries(one, out, segmenter)
        on_done(done, one.path.name)
    _write(out / "report.json", json.dumps(report, indent=2, ensure_ascii=False).encode())
    return report


def _entries(one: SegmentInput, out: Path, segmenter: Segmenting) -> list[dict[str, Any]]:
    if one.error is None and one.path.is_file() and is_archive_name(one.path):
        return list(_entries_of_archive(one, out, segmenter))
    started = time.perf_counter()
    try:
        entries = list(_segment(one, out, segmenter))
    except (LungLoopError, OSError, MemoryError) as error:
        return [{"input": str(one.path), "error": _reason(error, one.path)}]
    seconds = (time.perf_counter() - started) / len(entries)
    return [{**entry, "seconds": round(seconds, 3)} for entry in entries]


def _entries_of_archive(one: SegmentInput, out: Path, segmenter: Segmenting) -> Iterator[dict[str, Any]]:
    """The archive's tree mirrored below its name; what it is unpacked into is never named."""
    try:
        with unpacked(one.path) as folder:
            for inner in find_inputs([folder], out):
                for entry in _entries(replace(inner, stem=one.stem / inner.stem), out, segmenter):
                    for key in {"input", "error"} & set(entry):
                        entry[key] = entry[key].replace(str(folder), str(one.path))
                    yield entry
    except (LungLoopError, OSError) as error:
        yield {"input": str(one.path), "error": _reason(error, one.path)}


def _reason(error: Exception, path: Path) -> str:
    same = isinstance(error, InputError) and error.source == str(path)
    return (error.reason if same and isinstance(error, InputError) else str(error)) or type(error).__name__


def _segment(one: SegmentInput, out: Path, segmenter: Segmenting) -> Iterator[dict[str, Any]]:
    if one.error is not None:
        raise InputError(one.path, one.error)
    study = one.dicom.read() if one.dicom else next(discover([one.path]))
    if isinstance(study, FailedInput):
        raise InputError(study.source, study.reason)
    predictions = segmenter.segment_study(
        study.slices, study.intensity, slices_apart_mm=study.slices_apart_mm
    )
    if study.geometry is not None:
        (out / one.stem).parent.mkdir(parents=True, exist_ok=True)
        written = _write_study(out / one.stem, study, study.geometry, predictions)
        entry = _entry(str(one.path), study, segmenter, predictions, written, out)
        yield entry | _write_dicom(out / one.stem, study, segmenter.version, predictions, out)
        return
    for index, prediction in enumerate(predictions):
        alone = len(predictions) == 1
        stem = out / one.stem if alone else out / one.stem / f"{index:03d}"
        stem.parent.mkdir(parents=True, exist_ok=True)
        written = _write_image(stem, study, index, prediction)
        name = str(one.path) if alone else f"{one.path}[{index}]"
        yield _entry(name, study, segmenter, [prediction], written, out)


def _entry(
    name: str,
    study: Study,
    segmenter: Segmenting,
    predictions: Sequence[SlicePrediction],
    written: tuple[Path, Path],
    out: Path,
) -> dict[str, Any]:
    label_maps = np.stack([prediction.label_map for prediction in predictions])
    entry = {
        "input": name,
        "kind": "image" if study.geometry is None else "study",
        "model_version": segmenter.version,
        "percent": {
            "ground_glass": round(100 * fraction_of_lung(label_maps, (Label.GROUND_GLASS,)), 2),
            "consolidation": round(100 * fraction_of_lung(label_maps, (Label.CONSOLIDATION,)), 2),
        },
        "severity": None if study.geometry is None else _severity(study, predictions, segmenter),
        "label_map": written[0].relative_to(out).as_posix(),
        "overlay": written[1].relative_to(out).as_posix(),
    }
    return {**entry, "notes": list(study.notes)} if study.notes else entry


def _severity(study: Study, predictions: Sequence[SlicePrediction], segmenter: Segmenting) -> dict[str, Any]:
    """Of a study; a slice has no grade."""
    return severity_of_predictions(
        predictions,
        study.geometry,
        study.intensity,
        calibration=segmenter.involvement_calibration,
        model_version=segmenter.version,
    ).as_dict()


def _write_image(stem: Path, study: Study, index: int, prediction: SlicePrediction) -> tuple[Path, Path]:
    label_path, overlay_path = _beside(stem, ".label.png"), _beside(stem, ".overlay.png")
    picture = as_picture(study.slices[index], study.intensity)
    write_label_map_png(label_path, prediction.label_map)
    _write(overlay_path, png_bytes(overlay(picture, prediction.label_map)))
    return label_path, overlay_path


def _write_study(
    stem: Path, study: Study, geometry: Geometry, predictions: list[SlicePrediction]
) -> tuple[Path, Path]:
    label_path, overlay_path = _beside(stem, ".label.nii.gz"), _beside(stem, ".overlay.png")
    view = np.stack([prediction.label_map for prediction in predictions])
    write_label_map_nifti(label_path, view, geometry)
    shown = np.unique(np.linspace(0, len(view) - 1, _SLICES_ON_MONTAGE).round().astype(int))
    overlays = [overlay(as_picture(study.slices[index], study.intensity), view[index]) for index in shown]
    _write(overlay_path, png_bytes(montage(overlays)))
    return label_path, overlay_path


def _write_dicom(
    stem: Path, study: Study, version: str, predictions: list[SlicePrediction], out: Path
) -> dict[str, Any]:
    """A DICOM SEG beside the NIfTI of a study that came as DICOM; where it cannot be, a note says why."""
    if study.geometry is None or not study.dicom_files:
        return {}
    path = _beside(stem, ".label.dcm")
    view = np.stack([prediction.label_map for prediction in predictions])
    try:
        headers = read_headers(study.dicom_files)
        write_dicom_seg(path, view, study.geometry, headers, MadeBy.model(version))
    except InputError as error:
        return {"notes": [*study.notes, f"no DICOM SEG was written: the study {error.reason}"]}
    return {"dicom_seg": path.relative_to(out).as_posix()}


def _beside(stem: Path, ending: str) -> Path:
    # Not with_suffix: "case.1" is a name, ".1" is no ending.
    return stem.with_name(stem.name + ending)


def _write(path: Path, content: bytes) -> None:
    """Written beside and renamed: a result is whole or not there."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    beside.write_bytes(content)
    beside.replace(path)
