"""The files that come of a slice or a study: label maps and pictures for people."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.dicom_source import read_headers
from chestct.errors import InputError
from chestct.files import write_atomic
from chestct.formats.dicom_seg import MadeBy, write_dicom_seg
from chestct.formats.images import write_label_map_png
from chestct.formats.nifti import write_label_map_nifti
from chestct.geometry import Geometry
from chestct.intensity import as_picture
from chestct.prediction import SlicePrediction
from chestct.render.overlay import montage, overlay, png_bytes
from chestct.render.uncertainty import uncertainty_picture
from chestct.study import Study

Picture = npt.NDArray[np.uint8]
# Enough slices to judge a study at a glance, few enough for one screen.
_SLICES_ON_MONTAGE = 24


def write_image(
    stem: Path, study: Study, index: int, prediction: SlicePrediction, *, uncertainty: bool
) -> dict[str, Path]:
    """A slice's label map and pictures as PNG, at its own size.

    Args:
        uncertainty: with a picture of it, where the model gives any.
    Returns:
        The files by their keys in the report.
    """
    written = {"label_map": _beside(stem, ".label.png")}
    write_label_map_png(written["label_map"], prediction.label_map)
    uncertain = _uncertainty(study, index, prediction) if uncertainty else None
    return written | _write_pictures(stem, _overlay(study, index, prediction), uncertain)


def write_study(
    stem: Path, study: Study, geometry: Geometry, predictions: Sequence[SlicePrediction], *, uncertainty: bool
) -> dict[str, Path]:
    """A study's label map as NIfTI, and contact sheets of its slices; as `write_image`."""
    written = {"label_map": _beside(stem, ".label.nii.gz")}
    view = np.stack([prediction.label_map for prediction in predictions])
    write_label_map_nifti(written["label_map"], view, geometry)
    on_sheet = np.unique(np.linspace(0, len(view) - 1, _SLICES_ON_MONTAGE).round().astype(int))
    overlays = [_overlay(study, index, predictions[index]) for index in on_sheet]
    maps = [_uncertainty(study, index, predictions[index]) for index in on_sheet] if uncertainty else []
    uncertain = [picture for picture in maps if picture is not None]
    return written | _write_pictures(stem, montage(overlays), montage(uncertain) if uncertain else None)


def write_dicom(
    stem: Path, study: Study, version: str, predictions: Sequence[SlicePrediction], out: Path
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


def _write_pictures(stem: Path, overlays: Picture, uncertain: Picture | None) -> dict[str, Path]:
    pictures = {"overlay": overlays} if uncertain is None else {"overlay": overlays, "doubt": uncertain}
    written = {key: _beside(stem, f".{key}.png") for key in pictures}
    for key, path in written.items():
        # Can be made again: not worth the wait for the disk once a slice.
        write_atomic(path, png_bytes(pictures[key]), durable=False)
    return written


def _overlay(study: Study, index: int, prediction: SlicePrediction) -> Picture:
    return overlay(as_picture(study.slices[index], study.intensity), prediction.label_map)


def _uncertainty(study: Study, index: int, prediction: SlicePrediction) -> Picture | None:
    if prediction.uncertainty is None:
        return None
    return uncertainty_picture(as_picture(study.slices[index], study.intensity), prediction.uncertainty)


def _beside(stem: Path, ending: str) -> Path:
    # Not with_suffix: "case.1" is a name, ".1" is no ending.
    return stem.with_name(stem.name + ending)
