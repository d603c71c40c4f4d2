"""Studies graded one at a time; a bad one is an entry in the report, the rest is done."""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError, LungLoopError
from chestct.formats.images import read_label_map_png
from chestct.formats.layouts import discover
from chestct.formats.nifti import is_nifti_name, read_label_map_nifti, refuse_other_geometry
from chestct.inference.segmenter import Segmenter
from chestct.labels import LESIONS, Label
from chestct.progress import OnProgress, Progress, unheard
from chestct.severity.grading import Severity, SeverityRule, severity_of, severity_of_predictions
from chestct.study import FailedInput, Study

# How a study becomes its severity: by a model, or by masks that were given.
Grading = Callable[[Study], Severity]


def grade_inputs(
    paths: Sequence[Path], grading: Grading, on_progress: OnProgress = unheard
) -> list[dict[str, Any]]:
    """The severity of every study in the paths.

    Args:
        paths: files and folders, read as `chestct.formats.layouts.discover` reads them.
        grading: of `by_model` or `by_mask`.
        on_progress: told each input, by name.
    Returns:
        Per study `input`, `name`, `kind` ("study", or "image" for pictures, which have no grade), the keys of
        `Severity.as_dict` and `seconds`; or `input` and `error`.
    """
    report = []
    for done, study in enumerate(_studies(paths), start=1):
        report.append(_entry(study, grading))
        on_progress(Progress(done, None, Path(report[-1]["input"]).name))
    return report


def by_model(segmenter: Segmenter, rule: SeverityRule) -> Grading:
    """The model segments every slice, and its masks are graded."""

    def graded(study: Study) -> Severity:
        return severity_of_predictions(
            segmenter.segment_study(study.slices, study.intensity, slices_apart_mm=study.slices_apart_mm),
            study.geometry,
            study.intensity,
            rule=rule,
            calibration=segmenter.involvement_calibration,
            model_version=segmenter.version,
        )

    return graded


def by_mask(mask: Path, rule: SeverityRule) -> Grading:
    """The label map in that file is graded instead of a model's; it must lie on the study's voxels."""
    return lambda study: severity_of(label_maps_for(study, mask), study.geometry, study.intensity, rule=rule)


def label_maps_for(study: Study, mask: Path) -> npt.NDArray[np.uint8]:
    """A given label map of a study.

    Args:
        mask: NIfTI of the study's shape and affine; for a single picture also a PNG of its size.
    Returns:
        (S, H, W) uint8, values of Label, radiological view.
    Raises:
        InputError: unreadable, other values than 0 to 3, another place than the study's, or a mask of
            lesions alone, which says nothing of the lung.
    """
    if is_nifti_name(mask):
        label_maps, geometry = read_label_map_nifti(mask)
        if study.geometry is not None:
            refuse_other_geometry(mask, geometry, study.geometry)
    else:
        label_maps = read_label_map_png(mask)[None]
    shape = (len(study.slices), *study.slices[0].shape)
    if label_maps.shape != shape:
        raise InputError(mask, f"is of {label_maps.shape}, its study of {shape}; they must agree")
    values = {int(value) for value in Label if value and (label_maps == value).any()}
    if len(values) == 1 and values <= set(LESIONS):
        (value,) = values
        raise InputError(
            mask,
            f"is a mask of 0 and {value}; expected a label map of 0 background, 1 ground-glass, "
            "2 consolidation, 3 lung, because a share of the lung needs the lung",
        )
    return label_maps


def _studies(paths: Sequence[Path]) -> Iterator[Study | FailedInput]:
    """Studies whose slices are of one size; pictures of several sizes come one by one."""
    try:
        for study in discover(paths):
            if isinstance(study, FailedInput) or len({pixels.shape for pixels in study.slices}) == 1:
                yield study
                continue
            names = study.slice_names or tuple(str(index) for index in range(len(study.slices)))
            for name, pixels in zip(names, study.slices, strict=True):
                yield Study(
                    name=f"{study.name}/{name}",
                    patient=study.patient,
                    slices=(pixels,),
                    intensity=study.intensity,
                    source=study.source / name,
                )
    except InputError as error:  # of a single path; of several it comes as FailedInput
        yield FailedInput(Path(error.source), error.reason)


def _entry(study: Study | FailedInput, grading: Grading) -> dict[str, Any]:
    entry: dict[str, Any] = {"input": str(study.source)}
    if isinstance(study, FailedInput):
        return {**entry, "error": study.reason}
    started = time.perf_counter()
    try:
        severity = grading(study)
    except (LungLoopError, OSError, MemoryError) as error:
        return {**entry, "error": str(error) or type(error).__name__}
    return {
        **entry,
        "name": study.name,
        "kind": "image" if study.geometry is None else "study",
        **severity.as_dict(),
        "seconds": round(time.perf_counter() - started, 3),
    }
