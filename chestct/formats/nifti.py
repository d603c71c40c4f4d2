"""NIfTI studies, masks and label maps."""

import gzip
import logging
from pathlib import Path

import nibabel as nib
import nibabel.orientations as orientations
import numpy as np
import numpy.typing as npt

from chestct.errors import InputError
from chestct.files import write_atomic, writing
from chestct.formats.nifti_stream import Slab, open_nifti
from chestct.geometry import Geometry
from chestct.intensity import Intensity, as_hu
from chestct.labels import Label
from chestct.study import Study

SUFFIXES = (".nii.gz", ".nii")
# Every chest CT holds air and lung; the darkest voxel of one is far below this.
_NO_AIR_ABOVE_HU = -300
_HIGHEST_LABEL = int(max(Label))

_log = logging.getLogger(__name__)


def is_nifti_name(path: Path) -> bool:
    """Whether the name promises NIfTI."""
    return path.name.lower().endswith(SUFFIXES)


def nifti_stem(path: Path) -> str:
    """`study_0001` of `study_0001.nii.gz`."""
    for suffix in SUFFIXES:
        if path.name.lower().endswith(suffix):
            return path.name[: -len(suffix)]
    return path.stem


def read_nifti(path: Path) -> Study:
    """One study from one file, slices int16 HU in the radiological view.

    A file that stores unscaled uint8 is a rendered picture and becomes `Intensity.PICTURE`; every
    other type is taken as HU, also where its values lie in 0..255 (a warning is logged where no
    voxel is dark enough to be air, as with scanner values that were never rescaled to HU).

    Raises:
        InputError: the file cannot be used; the reason is one sentence.
    """
    source = open_nifti(path)
    picture = source.dtype == np.uint8 and source.scaling is None
    if picture:
        stored = source.read(lambda slab: slab, np.uint8)
    else:
        stored = source.read(as_hu, np.int16)
        darkest = int(stored.min())
        if darkest > _NO_AIR_ABOVE_HU:
            _log.warning(
                "%s: the darkest voxel is %d HU, a chest CT in HU holds air near -1000", path, darkest
            )
    name = nifti_stem(path)
    return Study(
        name=name,
        patient=name,
        slices=tuple(np.ascontiguousarray(part) for part in source.geometry.to_view(stored)),
        intensity=Intensity.PICTURE if picture else Intensity.HU,
        source=path,
        geometry=source.geometry,
    )


def read_mask_nifti(path: Path) -> tuple[npt.NDArray[np.bool_], Geometry]:
    """A binary mask: 0 and one other value (1 in MosMedData, 255 elsewhere).

    Returns:
        (S, H, W) booleans in the radiological view, and the file's geometry.
    """
    source = open_nifti(path)
    seen: set[float] = set()

    def to_mask(slab: Slab) -> Slab:
        seen.update(np.unique(slab).tolist())
        if len(seen - {0}) > 1:
            raise ValueError(
                f"holds the values {_some(seen)}; expected a mask of 0 and one other value "
                "(a label map is named ..._labels.nii.gz)"
            )
        return slab != 0

    mask = source.geometry.to_view(source.read(to_mask, np.bool_))
    return np.ascontiguousarray(mask, dtype=np.bool_), source.geometry


def read_label_map_nifti(path: Path) -> tuple[npt.NDArray[np.uint8], Geometry]:
    """A label map as `write_label_map_nifti` leaves it.

    Returns:
        (S, H, W) uint8 values of Label in the radiological view, and the file's geometry.
    Raises:
        InputError: unreadable, or a voxel is none of 0, 1, 2, 3.
    """
    source = open_nifti(path)
    label_map = source.geometry.to_view(source.read(_to_labels, np.uint8))
    return np.ascontiguousarray(label_map, dtype=np.uint8), source.geometry


def read_mask_values_nifti(path: Path, study: Geometry) -> npt.NDArray[np.int16]:
    """A mask made elsewhere on its study's grid, also where its axes run another way.

    Returns:
        (S, H, W) whole numbers as stored, in the study's radiological view.
    Raises:
        InputError: unreadable, numbers that are no labels, or voxels that are not the study's.
    """
    source = open_nifti(path)
    stored = source.read(_to_whole_numbers, np.int16)
    # A viewer may write the same voxels with its own order and direction of axes.
    turn = orientations.ornt_transform(
        orientations.io_orientation(source.geometry.affine), orientations.io_orientation(study.affine)
    )
    turned = orientations.apply_orientation(stored, turn)
    affine = source.geometry.affine @ orientations.inv_ornt_aff(turn, source.geometry.stored_shape)
    shape = (turned.shape[0], turned.shape[1], turned.shape[2])
    refuse_other_geometry(path, Geometry(shape, affine), study)
    return np.ascontiguousarray(study.to_view(turned), dtype=np.int16)


def write_label_map_nifti(path: Path, view: npt.NDArray[np.uint8], geometry: Geometry) -> None:
    """A label map with its study's shape and affine: uint8, unscaled, bit-exact.

    Args:
        path: ends in .nii.gz or .nii; written atomically.
        view: (S, H, W) uint8 values of Label, radiological view.
        geometry: the study's.
    Raises:
        InputError: wrong name, shape, type or values.
    """
    if not is_nifti_name(path):
        raise InputError(path, "is no name of a NIfTI file; expected .nii.gz or .nii")
    if view.shape != geometry.view_shape or view.dtype != np.uint8 or view.max() > _HIGHEST_LABEL:
        raise InputError(
            path,
            f"would get a {view.dtype} label map of {view.shape} up to {view.max()}; expected uint8 of "
            f"{geometry.view_shape} with the values 0 to {_HIGHEST_LABEL}",
        )
    write_volume_nifti(path, view, geometry)


def write_volume_nifti(path: Path, view: npt.NDArray[np.generic], geometry: Geometry) -> None:
    """A volume of the radiological view as the geometry stores it; equal content gives equal bytes.

    Args:
        path: ends in .nii.gz or .nii; written atomically.
        view: (S, H, W), int16 HU or uint8.
        geometry: whose view it is.
    """
    image = nib.Nifti1Image(geometry.to_stored(view), geometry.affine)
    image.header.set_xyzt_units("mm")
    content = image.to_bytes()
    if path.name.lower().endswith(".gz"):
        # Level 1: volumes are noise to gzip, higher levels cost seconds and gain 1 %.
        content = gzip.compress(content, compresslevel=1, mtime=0)
    with writing(path):
        write_atomic(path, content, durable=False)


def refuse_other_geometry(path: Path, mask: Geometry, study: Geometry) -> None:
    """A mask must lie on its study's voxels: the same shape, corners within half a voxel.

    Raises:
        InputError: it does not.
    """
    if mask.stored_shape != study.stored_shape:
        raise InputError(
            path, f"has {mask.stored_shape} voxels, its study {study.stored_shape}; they must agree"
        )
    far = [length - 1 for length in study.stored_shape]
    corners = np.array([[i, j, k, 1] for i in (0, far[0]) for j in (0, far[1]) for k in (0, far[2])], float)
    apart_mm = np.linalg.norm((corners @ (mask.affine - study.affine).T)[:, :3], axis=1).max()
    if apart_mm > min(study.spacing_mm) / 2:
        raise InputError(
            path, f"lies up to {apart_mm:.1f} mm beside its study (other affine); they must agree"
        )


def _to_whole_numbers(slab: Slab) -> Slab:
    numbers = slab.astype(np.int16)
    if not np.array_equal(numbers, slab):
        raise ValueError(
            f"holds the values {_some(set(np.unique(slab).tolist()))}; expected whole numbers, one for each "
            "class (a mask that was resampled smoothly must be thresholded first)"
        )
    return numbers


def _to_labels(slab: Slab) -> Slab:
    labels = slab.astype(np.uint8)
    if not np.array_equal(labels, slab) or labels.max() > _HIGHEST_LABEL:
        raise ValueError(
            f"holds the values {_some(set(np.unique(slab).tolist()))}; expected a label map of 0 to "
            f"{_HIGHEST_LABEL} (background, ground-glass, consolidation, lung)"
        )
    return labels


def _some(values: set[float]) -> str:
    """The first few values, for a message."""
    listed = sorted(values)
    return ", ".join(f"{value:g}" for value in listed[:6]) + (", ..." if len(listed) > 6 else "")
