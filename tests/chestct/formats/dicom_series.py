"""Tiny DICOM CT series for tests, written with pydicom alone."""

from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian, generate_uid

from chestct.geometry import Geometry

Triple = tuple[float, float, float]

# Directions (LPS) in which columns and rows grow, and the step from slice to slice in mm.
TILT = np.deg2rad(15.0)
SERIES: dict[str, tuple[Triple, Triple, Triple]] = {
    "axial, feet first": ((1, 0, 0), (0, 1, 0), (0, 0, 5)),
    "axial, head first": ((1, 0, 0), (0, 1, 0), (0, 0, -5)),
    "axial, prone": ((-1, 0, 0), (0, -1, 0), (0, 0, 5)),
    "coronal": ((1, 0, 0), (0, 0, -1), (0, 5, 0)),
    "sagittal": ((0, 1, 0), (0, 0, -1), (-5, 0, 0)),
    "oblique": (
        (1, 0, 0),
        (0, float(np.cos(TILT)), float(np.sin(TILT))),
        (0, float(-5 * np.sin(TILT)), float(5 * np.cos(TILT))),
    ),
    "tilted gantry": ((1, 0, 0), (0, float(np.cos(TILT)), float(np.sin(TILT))), (0, 0, 5)),
}
ROWS, COLUMNS, SLICES = 4, 5, 3
BETWEEN_ROWS_MM, BETWEEN_COLUMNS_MM = 0.75, 0.5
ORIGIN = np.array([-90.5, 40.25, -120.0])


def write_series(folder: Path, directions: tuple[Triple, Triple, Triple], **changed: object) -> list[Path]:
    """One file a slice, in the order of the step; `changed` sets attributes, None leaves them out."""
    folder.mkdir(parents=True, exist_ok=True)
    across, down, step = (np.array(one, float) for one in directions)
    shared = {
        "StudyInstanceUID": generate_uid(),
        "SeriesInstanceUID": generate_uid(),
        "FrameOfReferenceUID": generate_uid(),
        "PatientID": "P-7",
        "PatientName": "Иванов^Иван",
        "PatientBirthDate": "19500101",
        "PatientSex": "M",
        "StudyID": "S1",
        "StudyDate": "20260301",
        "StudyTime": "093000",
        "AccessionNumber": "A1",
        "ReferringPhysicianName": "Secret^Doctor",
        "InstitutionName": "Secret Hospital",
        "SliceThickness": 1.0,
        "RescaleIntercept": -1024,
        "RescaleSlope": 1,
        **changed,
    }
    files = []
    for index in range(SLICES):
        header = Dataset()
        header.SpecificCharacterSet = "ISO_IR 144"
        header.SOPClassUID = CTImageStorage
        header.SOPInstanceUID = generate_uid()
        header.Modality = "CT"
        for keyword, value in shared.items():
            if value is not None:
                setattr(header, keyword, value)
        header.Rows, header.Columns = ROWS, COLUMNS
        header.PixelSpacing = [BETWEEN_ROWS_MM, BETWEEN_COLUMNS_MM]
        header.ImageOrientationPatient = [float(f"{value:.12g}") for value in (*across, *down)]
        header.ImagePositionPatient = [float(f"{value:.10g}") for value in ORIGIN + index * step]
        header.InstanceNumber = index + 1
        header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
        header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 1
        values = np.arange(ROWS * COLUMNS, dtype="<i2").reshape(ROWS, COLUMNS) + 100 * index
        header.PixelData = values.tobytes()
        header.file_meta = FileMetaDataset()
        header.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        header.file_meta.MediaStorageSOPClassUID = CTImageStorage
        header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
        files.append(folder / f"{index:02d}.dcm")
        pydicom.dcmwrite(files[-1], header, enforce_file_format=True)
    return files


def geometry_of(directions: tuple[Triple, Triple, Triple]) -> Geometry:
    """How a reader of (row, column, slice) arrays would place the series, by hand."""
    across, down, step = (np.array(one, float) for one in directions)
    affine = np.eye(4)
    affine[:3, 0], affine[:3, 1] = down * BETWEEN_ROWS_MM, across * BETWEEN_COLUMNS_MM
    affine[:3, 2], affine[:3, 3] = step, ORIGIN
    return Geometry((ROWS, COLUMNS, SLICES), np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)
