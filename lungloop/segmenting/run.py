"""Segments inputs one at a time; a bad one is an entry in the report, the rest is done."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from chestct.errors import InputError, LungLoopError
from chestct.files import write_atomic
from chestct.formats.archives import unpacked
from chestct.formats.folders import failed
from chestct.formats.sources import Kind
from chestct.inference.segmenter import Segmenter
from chestct.labels import Label
from chestct.prediction import SlicePrediction, fraction_of_lung
from chestct.progress import OnProgress, Progress, unheard
from chestct.severity.grading import severity_of_predictions
from chestct.study import Study
from lungloop.segmenting.inputs import SegmentInput, find_inputs
from lungloop.segmenting.results import write_dicom, write_image, write_study


@dataclass(frozen=True)
class _Run:
    """What is wanted of every input: where results go, by which model, with its uncertainty or not."""

    out: Path
    segmenter: Segmenter
    uncertainty: bool


def segment_inputs(
    inputs: Sequence[SegmentInput],
    out: Path,
    segmenter: Segmenter,
    on_progress: OnProgress = unheard,
    *,
    uncertainty: bool = False,
) -> list[dict[str, Any]]:
    """Writes each input's label map and overlay, and `report.json` over all of them.

    Args:
        inputs: as `find_inputs` gives them.
        out: created where missing.
        on_progress: told each input, by name.
        uncertainty: with a picture of what the model is unsure of beside each overlay.
    Returns:
        The report: per input `input`, and `kind`, `model_version`, `percent`, `severity`, `label_map`,
        `overlay`, `doubt` where it was asked for and, where a study came as DICOM, `dicom_seg` (paths below
        `out`), `notes` (sentences, where there are any), `seconds`, or `error`.
        An archive has an entry for each input in it, an array or a TIFF of several pages one for each
        slice.
    Raises:
        InputError: `out` cannot be written.
    """
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(out, f"cannot be made: {error.strerror}") from error
    run = _Run(out, segmenter, uncertainty)
    report = []
    for done, item in enumerate(inputs, start=1):
        report += _entries(item, run)
        on_progress(Progress(done, len(inputs), item.path.name))
    write_atomic(out / "report.json", json.dumps(report, indent=2, ensure_ascii=False))
    return report


def _entries(item: SegmentInput, run: _Run) -> list[dict[str, Any]]:
    if item.error is None and item.source.kind is Kind.ARCHIVE:
        return list(_entries_of_archive(item, run))
    started = time.perf_counter()
    try:
        entries = list(_segment(item, run))
    except (LungLoopError, OSError, MemoryError) as error:
        return [{"input": str(item.path), "error": _reason(error, item.path)}]
    seconds = (time.perf_counter() - started) / len(entries)
    return [{**entry, "seconds": round(seconds, 3)} for entry in entries]


def _entries_of_archive(item: SegmentInput, run: _Run) -> Iterator[dict[str, Any]]:
    """The archive's tree mirrored below its name; what it is unpacked into is never named."""
    try:
        with unpacked(item.path) as folder:
            for inner in find_inputs([folder], run.out):
                for entry in _entries(replace(inner, stem=item.stem / inner.stem), run):
                    for key in {"input", "error"} & set(entry):
                        entry[key] = entry[key].replace(str(folder), str(item.path))
                    yield entry
    except (LungLoopError, OSError) as error:
        yield {"input": str(item.path), "error": _reason(error, item.path)}


def _reason(error: Exception, path: Path) -> str:
    if isinstance(error, InputError):
        return failed(path, error).reason
    return str(error) or type(error).__name__


def _segment(item: SegmentInput, run: _Run) -> Iterator[dict[str, Any]]:
    if item.error is not None:
        raise InputError(item.path, item.error)
    study = item.source.study()
    out, segmenter = run.out, run.segmenter
    predictions = segmenter.segment_study(
        study.slices, study.intensity, slices_apart_mm=study.slices_apart_mm
    )
    if study.geometry is not None:
        (out / item.stem).parent.mkdir(parents=True, exist_ok=True)
        written = write_study(
            out / item.stem, study, study.geometry, predictions, uncertainty=run.uncertainty
        )
        entry = _entry(str(item.path), study, segmenter, predictions, written, out)
        yield entry | write_dicom(out / item.stem, study, segmenter.version, predictions, out)
        return
    for index, prediction in enumerate(predictions):
        alone = len(predictions) == 1
        stem = out / item.stem if alone else out / item.stem / f"{index:03d}"
        stem.parent.mkdir(parents=True, exist_ok=True)
        written = write_image(stem, study, index, prediction, uncertainty=run.uncertainty)
        name = str(item.path) if alone else f"{item.path}[{index}]"
        yield _entry(name, study, segmenter, [prediction], written, out)


def _entry(
    name: str,
    study: Study,
    segmenter: Segmenter,
    predictions: Sequence[SlicePrediction],
    written: Mapping[str, Path],
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
        **{key: path.relative_to(out).as_posix() for key, path in written.items()},
    }
    return {**entry, "notes": list(study.notes)} if study.notes else entry


def _severity(study: Study, predictions: Sequence[SlicePrediction], segmenter: Segmenter) -> dict[str, Any]:
    """Of a study; a slice has no grade."""
    return severity_of_predictions(
        predictions,
        study.geometry,
        study.intensity,
        calibration=segmenter.involvement_calibration,
        model_version=segmenter.version,
    ).as_dict()
