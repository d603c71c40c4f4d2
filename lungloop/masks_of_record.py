"""`import --masks`: masks that lie apart from their studies, joined by name."""

import dataclasses
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import numpy as np
import numpy.typing as npt

from chestct import candidates
from chestct.errors import InputError
from chestct.formats.images import is_picture_name, read_label_map_png, read_mask_picture
from chestct.formats.nifti import (
    is_nifti_name,
    nifti_stem,
    read_label_map_nifti,
    read_mask_nifti,
    refuse_other_geometry,
)
from chestct.study import FailedInput, Study

_Candidates = npt.NDArray[np.uint8]
# `study_0255_mask.nii.gz`, `000.label.png`, `000_labels.png`, or just the study's own name.
_ENDINGS = ("_mask", "_masks", "_label", "_labels", "_seg", ".label", ".mask", "-mask", "-label", "")
_NAMES_OF_LABEL_MAPS = ("label", "labels")


def with_masks(found: Iterable[Study | FailedInput], masks: Path) -> Iterator[Study | FailedInput]:
    """The same studies with their masks as labels of record.

    A file whose name says "label" is a label map of 0 to 3, any other a mask of 0 and one value.

    Args:
        found: as `discover` yields it.
        masks: a folder that is searched through, or one file for the only study.
    Yields:
        Studies; one whose mask is damaged or does not fit comes as FailedInput.
    Raises:
        InputError: there is no such file or folder, or no mask in it.
    """
    files = _files(masks)
    for study in found:
        if isinstance(study, FailedInput):
            yield study
            continue
        try:
            given = _of_volume(study, files) if study.geometry else _of_pictures(study, files)
        except InputError as error:
            yield FailedInput(study.source, f"its mask cannot be used: {error}")
            continue
        yield dataclasses.replace(study, candidates=given) if given else study


def _files(masks: Path) -> dict[str, Path]:
    """Name of the study or slice -> its mask."""
    if masks.is_file():
        return {"": masks}
    listed = sorted(masks.rglob("*")) if masks.is_dir() else []
    paths = [path for path in listed if is_nifti_name(path) or is_picture_name(path)]
    if not paths:
        raise InputError(masks, "holds no mask; expected a mask file, or a folder of .nii.gz or .png masks")
    return {_name(path): path for path in paths}


def _name(path: Path) -> str:
    stem = _stem(path)
    return next(stem.removesuffix(ending) for ending in _ENDINGS if stem.endswith(ending))


def _stem(path: Path) -> str:
    return nifti_stem(path) if is_nifti_name(path) else path.stem


def _is_label_map(path: Path) -> bool:
    return _stem(path).lower().endswith(_NAMES_OF_LABEL_MAPS)


def _of_volume(study: Study, files: Mapping[str, Path]) -> dict[int, _Candidates]:
    path = files.get("") or files.get(_stem(study.source))
    if path is None or study.geometry is None:
        return {}
    if _is_label_map(path):
        label_map, geometry = read_label_map_nifti(path)
        maps = candidates.from_given_label_map(label_map)
    else:
        lesion, geometry = read_mask_nifti(path)
        maps = candidates.from_masks(lesion, None)
    refuse_other_geometry(path, geometry, study.geometry)
    return dict(enumerate(maps))


def _of_pictures(study: Study, files: Mapping[str, Path]) -> dict[int, _Candidates]:
    found = {}
    for index, (name, pixels) in enumerate(zip(study.slice_names, study.slices, strict=True)):
        path = files.get("") or files.get(Path(name).stem)
        if path is None:
            continue
        if _is_label_map(path):
            one = candidates.from_given_label_map(read_label_map_png(path))
        else:
            one = candidates.from_masks(read_mask_picture(path), None)
        if one.shape != pixels.shape:
            raise InputError(path, f"has the shape {one.shape}, its picture {pixels.shape}; they must agree")
        found[index] = one
    return found
