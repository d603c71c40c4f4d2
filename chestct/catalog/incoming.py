"""A study on its way in: checked, named by its content and written slice by slice."""

import hashlib
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct import dicom_source
from chestct.acquisition.fingerprint import fingerprint
from chestct.catalog import pixels
from chestct.catalog.storage import DICOM_SOURCE, PARTIAL_LABELS, PICTURE, PIXELS, Storage
from chestct.errors import InputError
from chestct.intensity import Intensity, as_picture
from chestct.partial_labels import UNKNOWN
from chestct.study import Study

# Stands for the fingerprint of a picture that is lost or damaged.
UNKNOWN_FINGERPRINT = 0
_DTYPES = {Intensity.HU: np.dtype(np.int16), Intensity.PICTURE: np.dtype(np.uint8)}


@dataclass(frozen=True)
class Identity:
    """What makes a study the same study: its pixels, what they mean and where they lie.

    Neither name, path nor patient is part of it: the same scan found twice must not end up on
    both sides of the train/test line.
    """

    key: str
    slice_keys: tuple[str, ...]


def identify(study: Study) -> Identity:
    """Check every slice and hash it, one at a time in memory.

    Raises:
        InputError: no slice, a wrong type or shape, or reference labels that fit no slice.
    """
    if not study.name or not study.patient or "\0" in study.name + study.patient:
        raise InputError(study.source, f"needs a name and a patient; has {study.name!r}, {study.patient!r}")
    if len(study.slices) == 0:
        raise InputError(study.source, "holds no slice")
    if study.slice_names and len(study.slice_names) != len(study.slices):
        raise InputError(study.source, f"names {len(study.slice_names)} slices but holds {len(study.slices)}")
    stray = sorted(index for index in study.partial_labels if not 0 <= index < len(study.slices))
    if stray:
        raise InputError(study.source, f"labels the slices {stray}, but holds only {len(study.slices)}")
    slice_keys = tuple(_checked_key(study, index) for index in range(len(study.slices)))
    digest = hashlib.sha256(study.intensity.value.encode())
    if study.geometry is not None:
        digest.update(repr(tuple(int(size) for size in study.geometry.stored_shape)).encode())
        digest.update(np.ascontiguousarray(study.geometry.affine, dtype="<f8").tobytes())
    for slice_key in slice_keys:
        digest.update(slice_key.encode())
    return Identity(digest.hexdigest(), slice_keys)


def _checked_key(study: Study, index: int) -> str:
    array = study.slices[index]
    expected = _DTYPES[study.intensity]
    if array.dtype != expected or array.ndim != 2 or array.size == 0:
        raise InputError(
            study.source,
            f"slice {index} is {array.dtype} of shape {array.shape}; expected {expected} (H, W)",
        )
    record = study.partial_labels.get(index)
    if record is not None:
        if record.dtype != np.uint8 or record.shape != array.shape:
            raise InputError(
                study.source,
                f"the labels of slice {index} are {record.dtype} of shape {record.shape}; "
                f"expected uint8 {array.shape}",
            )
        if record.min() < 1 or record.max() > UNKNOWN:
            raise InputError(
                study.source,
                f"the labels of slice {index} hold {record.min()} to {record.max()}; "
                "candidates are 1 to 15, one bit a class",
            )
    return pixels.array_key(array)


def write_slice(storage: Storage, study: Study, index: int, slice_key: str) -> dict[str, Any]:
    """Store one slice's files and return its row, without ids."""
    array = study.slices[index]
    height, width = array.shape
    picture = as_picture(array, study.intensity)
    picture_path = storage.write_bytes(PICTURE, pixels.to_png(picture), "png")
    pixels_path = picture_path
    if study.intensity is Intensity.HU:
        pixels_path = storage.write_bytes(PIXELS, pixels.to_npz(array.astype(np.int16, copy=False)), "npz")
    record = study.partial_labels.get(index)
    return {
        "index": index,
        "key": slice_key,
        "width": width,
        "height": height,
        "pixels_path": pixels_path,
        "picture_path": picture_path,
        "name": study.slice_names[index] if study.slice_names else None,
        "record_path": None if record is None else write_reference_labels(storage, record),
        "reviewed": False,
        "fingerprint": kept_fingerprint(picture),
    }


def kept_fingerprint(picture: npt.NDArray[np.uint8]) -> int:
    """The fingerprint of a (H, W) uint8 picture in [-2 ** 63, 2 ** 63): SQL has no unsigned 64 bits."""
    unsigned = fingerprint(picture)
    return unsigned - 2**64 if unsigned >= 2**63 else unsigned


def write_reference_labels(storage: Storage, partial_labels: npt.NDArray[np.uint8]) -> str:
    """Store a (H, W) uint8 candidate map losslessly."""
    return storage.write_bytes(PARTIAL_LABELS, pixels.to_png(partial_labels), "png")


def write_dicom_source(storage: Storage, study: Study) -> str | None:
    """Store where a DICOM study's instances lie, not whose they are; None for what is no DICOM."""
    if not study.dicom_files:
        return None
    headers = dicom_source.pseudonymous(dicom_source.read_headers(study.dicom_files), "")
    return storage.write_bytes(DICOM_SOURCE, dicom_source.to_bytes(headers), "json")
