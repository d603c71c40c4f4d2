"""DICOM files written by pydicom, as small as the standard allows."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
import pytest
from pydicom.dataset import FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

AXIAL = (1.0, 0.0, 0.0, 0.0, 1.0, 0.0)


def uid(*parts: object) -> str:
    """The same UID for the same words."""
    return generate_uid(entropy_srcs=[str(part) for part in parts])


def dataset(
    pixels: np.ndarray | None,
    position: tuple[float, float, float],
    orientation: tuple[float, ...] = AXIAL,
    patient: str = "MRN-1",
    study: str = "study",
    series: str = "series",
    **tags: Any,
) -> pydicom.Dataset:
    """One CT image; stored = HU + 1024, pixels (rows, columns) uint16; a tag of None is left out."""
    made = pydicom.Dataset()
    made.file_meta = FileMetaDataset()
    made.file_meta.TransferSyntaxUID = tags.pop("TransferSyntaxUID", ExplicitVRLittleEndian)
    values: dict[str, Any] = {
        "SOPClassUID": CTImageStorage,
        "SOPInstanceUID": uid(patient, study, series, position, tags.get("InstanceNumber")),
        "Modality": "CT",
        "ImageType": ["ORIGINAL", "PRIMARY", "AXIAL"],
        "PatientName": "Secret^Name",
        "PatientID": patient,
        "StudyInstanceUID": uid(study),
        "SeriesInstanceUID": uid(study, series),
        "SeriesNumber": 1,
        "ImagePositionPatient": list(position),
        "ImageOrientationPatient": list(orientation),
        "PixelSpacing": [0.5, 0.75],
        "SliceThickness": 2.5,
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": 16,
        "BitsStored": 16,
        "HighBit": 15,
        "PixelRepresentation": 0,
        "RescaleSlope": 1,
        "RescaleIntercept": -1024,
        **tags,
    }
    if pixels is not None:
        made.Rows, made.Columns = pixels.shape
        made.PixelData = pixels.astype("<u2").tobytes()
    for name, value in values.items():
        if value is not None:
            setattr(made, name, value)
    made.file_meta.MediaStorageSOPClassUID = made.SOPClassUID
    made.file_meta.MediaStorageSOPInstanceUID = made.SOPInstanceUID
    return made


def save(made: pydicom.Dataset, path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save_as(path, enforce_file_format=True)
    return path


@pytest.fixture
def write_image() -> Callable[..., Path]:
    """`write_image(path, pixels, position, ...)`; see `dataset`."""

    def write(path: Path, *args: Any, **tags: Any) -> Path:
        return save(dataset(*args, **tags), path)

    return write


@pytest.fixture
def write_series() -> Callable[..., np.ndarray]:
    """Writes a volume of (S, rows, columns) HU + 1024, files named against the order of positions."""

    def write(
        folder: Path,
        count: int = 4,
        spacing: float = 2.5,
        orientation: tuple[float, ...] = AXIAL,
        stem: str = "IM",
        seed: int = 0,
        step: tuple[float, float, float] | None = None,
        skip: tuple[int, ...] = (),
        size: tuple[int, int] = (6, 8),
        **tags: Any,
    ) -> np.ndarray:
        stored = np.random.default_rng(seed).integers(0, 3000, (count, *size)).astype(np.uint16)
        normal = np.cross(orientation[:3], orientation[3:])
        along = np.asarray(step if step is not None else normal * spacing)
        for index in range(count):
            if index not in skip:
                position = tuple(float(number) for number in np.array([-10.0, -20.0, 30.0]) + index * along)
                made = dataset(stored[index], position, orientation, InstanceNumber=count - index, **tags)
                save(made, folder / f"{stem}{count - index:03d}.dcm")
        return stored

    return write
