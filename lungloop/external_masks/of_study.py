"""Partial labels for the slices of one study, out of mask files."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError
from chestct.formats.images import is_picture_name, read_mask_values
from chestct.formats.kaggle import MaskPartialLabels, is_array_name, name_of_masks, read_mask_array
from chestct.formats.nifti import is_nifti_name, nifti_stem, read_mask_values_nifti
from chestct.geometry import Geometry
from chestct.study import Study
from lungloop.external_masks.index import MaskFiles, is_label_map_name
from lungloop.external_masks.targets import (
    LABEL_MAP,
    MaskLabels,
    Target,
    partial_labels_of_targets,
    targets_of_values,
)

_PartialLabels = dict[int, npt.NDArray[np.uint8]]


def partial_labels_for(study: Study, files: MaskFiles, labels: MaskLabels | None) -> _PartialLabels:
    """Slice index -> partial labels of each slice that has a mask.

    Raises:
        InputError: a mask is damaged, does not fit the study, or holds what nobody explained.
    """
    names = _names(study)
    whole = files.single or files.of(*names, name_of_masks(study.source.stem))
    if study.geometry is not None:
        if whole is not None and is_nifti_name(whole):
            return _of_volume(study.geometry, whole, labels)
        if whole is not None and is_array_name(whole):
            raise InputError(
                whole, "is an array without a place in the patient; expected .nii.gz for a volume"
            )
        return _of_pictures_of_a_volume(study, files, labels)
    if whole is not None and is_nifti_name(whole):
        raise InputError(
            whole,
            "is a volume, but its study is loose pictures without a place in the patient; expected pictures",
        )
    if whole is not None and is_array_name(whole):
        return _of_array(study, whole, labels)
    pages = read_mask_values(whole) if whole is not None and is_picture_name(whole) else []
    if whole is not None and len(pages) == len(study.slices):
        return _of_pages(study, [(whole, page) for page in pages], labels)
    return _of_named_pictures(study, files, labels)


def _names(study: Study) -> tuple[str, ...]:
    source = nifti_stem(study.source) if is_nifti_name(study.source) else study.source.name
    return source, study.source.stem, study.name


def _of_volume(geometry: Geometry, path: Path, labels: MaskLabels | None) -> _PartialLabels:
    values = read_mask_values_nifti(path, geometry)
    partial_labels = _partial_labels_of(path, values, labels)
    return {} if partial_labels is None else dict(enumerate(partial_labels))


def _of_pictures_of_a_volume(study: Study, files: MaskFiles, labels: MaskLabels | None) -> _PartialLabels:
    """A folder named like the study with one picture a slice, in counting order."""
    pictures = [files.single] if files.single else []
    for name in _names(study):
        pictures = pictures or files.pictures_in(name)
    if not pictures:
        return {}
    pages = [(path, page) for path in pictures for page in read_mask_values(path)]
    if len(pages) != len(study.slices):
        raise InputError(
            pictures[0].parent,
            f"holds {len(pages)} masks for the {len(study.slices)} slices of {study.name}; expected one a "
            "slice, or a .nii.gz mask",
        )
    return _of_pages(study, pages, labels)


def _of_named_pictures(study: Study, files: MaskFiles, labels: MaskLabels | None) -> _PartialLabels:
    by_slice: _PartialLabels = {}
    for index, name in enumerate(study.slice_names):
        path = files.of(Path(name).stem, folder=study.source.name)
        if path is not None and is_picture_name(path):
            pages = read_mask_values(path)
            if len(pages) > 1:
                raise InputError(path, f"holds {len(pages)} pages; expected the mask of one slice")
            by_slice |= _of_pages(study, [(path, pages[0])], labels, first=index)
    return by_slice


def _of_pages(
    study: Study,
    pages: list[tuple[Path, npt.NDArray[np.integer]]],
    labels: MaskLabels | None,
    first: int = 0,
) -> _PartialLabels:
    by_slice: _PartialLabels = {}
    for index, (path, values) in enumerate(pages, start=first):
        if values.shape != study.slices[index].shape:
            raise InputError(
                path,
                f"has the shape {values.shape}, its picture {study.slices[index].shape}; they must agree",
            )
        partial_labels = _partial_labels_of(path, values, labels)
        if partial_labels is not None:
            by_slice[index] = partial_labels
    return by_slice


def _of_array(study: Study, path: Path, labels: MaskLabels | None) -> _PartialLabels:
    """(N, H, W, 4) in Kaggle's order, or (N, H, W) values."""
    shape = (len(study.slices), *study.slices[0].shape)
    array = read_mask_array(path, shape)
    if array.ndim == len(shape):
        slices = [(path, np.asarray(plane)) for plane in array]
        return _of_pages(study, slices, labels)
    if labels is not None:
        raise InputError(path, "holds Kaggle's four channels, whose order is fixed; leave --mask-labels out")
    return dict(MaskPartialLabels(array))


def _partial_labels_of(
    path: Path, values: npt.NDArray[np.integer], labels: MaskLabels | None
) -> npt.NDArray[np.uint8] | None:
    label_map = is_label_map_name(path)
    targets = targets_of_values(path, values, labels, is_label_map=label_map)
    meant = labels if labels is not None else LABEL_MAP if label_map else {"1": Target.LESION}
    return partial_labels_of_targets(targets, frozenset(meant.values()))
