"""Which DICOM instances a study's slices came from: what a DICOM result must say about its source.

Only the attributes named here are ever read. Whose images they are travels from files at hand into a
result beside them, never into the catalog's storage: see docs/adr/0014-dicom-seg.md.
"""

import json
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pydicom
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError

from chestct.errors import InputError
from chestct.files import refusing

_IDENTITY = (
    "SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID",
    "PositionReferenceIndicator", "Modality",
)  # fmt: skip
_PLACE = (
    "Rows", "Columns", "PixelSpacing", "ImageOrientationPatient", "ImagePositionPatient", "SliceThickness",
)  # fmt: skip
# What an archive files a result under.
PATIENT_AND_STUDY = (
    "PatientID", "PatientName", "PatientBirthDate", "PatientSex", "PatientIdentityRemoved",
    "DeidentificationMethod", "StudyID", "StudyDate", "StudyTime", "AccessionNumber",
)  # fmt: skip
_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
_FRAMES = ("NumberOfFrames",)
# What the catalog may keep: where the instances lie, not whose they are.
KEPT = (*_IDENTITY, *_PLACE, *_LOSSY, *_FRAMES)
_NEEDED = (
    *(keyword for keyword in _IDENTITY if keyword not in ("PositionReferenceIndicator", "Modality")),
    *(keyword for keyword in _PLACE if keyword != "SliceThickness"),
)
_UTF_8 = "ISO_IR 192"
_METHOD = "Patient and study attributes left out by LungLoop"


def read_headers(files: Sequence[Path]) -> list[Dataset]:
    """What a result needs of each file (KEPT and PATIENT_AND_STUDY), text in UTF-8, in the order given.

    Raises:
        InputError: a file is no readable DICOM.
    """
    return [_header_of(path) for path in files]


def pseudonymous(headers: Sequence[Dataset], patient: str) -> list[Dataset]:
    """Copies that name the patient by a pseudonym and say nothing else of them or their study.

    Args:
        patient: the pseudonym; "" to say nothing at all.
    """
    copies = []
    for header in headers:
        copy = Dataset()
        for keyword in (*KEPT, "SpecificCharacterSet"):
            if keyword in header:
                copy[keyword] = header[keyword]
        if patient:
            copy.PatientID = patient
            copy.PatientIdentityRemoved = "YES"
            copy.DeidentificationMethod = _METHOD
        copies.append(copy)
    return copies


def require_place(headers: Sequence[Dataset], source: Path | str) -> None:
    """Checks that results can be placed on these instances.

    Args:
        source: named in the error.
    Raises:
        InputError: an attribute is missing, or the instances are not of one series and size.
    """
    if not headers:
        raise InputError(source, "has no DICOM instances that a result could refer to")
    if any(int(header.get("NumberOfFrames") or 1) > 1 for header in headers):
        raise InputError(
            source,
            "came from an enhanced CT (many frames in one file), and a DICOM SEG is written for one file a "
            "slice only; NIfTI holds the same masks",
        )
    missing = sorted({keyword for header in headers for keyword in _NEEDED if not header.get(keyword)})
    if missing:
        raise InputError(
            source,
            f"came from DICOM files without {', '.join(missing)}, so no DICOM result can refer to them; "
            "NIfTI holds the same masks",
        )
    series = {(str(header.SeriesInstanceUID), int(header.Rows), int(header.Columns)) for header in headers}
    if len(series) > 1:
        raise InputError(source, "came from DICOM files of several series or sizes; expected one")


def to_bytes(headers: Sequence[Dataset]) -> bytes:
    """Headers as JSON (the DICOM JSON model), what all share written once; equal headers, equal bytes."""
    each = [header.to_json_dict() for header in headers]
    first = each[0] if each else {}
    shared = {tag: value for tag, value in first.items() if all(header.get(tag) == value for header in each)}
    own = [{tag: value for tag, value in header.items() if tag not in shared} for header in each]
    return json.dumps({"shared": shared, "instances": own}, sort_keys=True).encode()


def from_bytes(data: bytes, source: str) -> list[Dataset]:
    """What `to_bytes` wrote.

    Raises:
        InputError: it is something else.
    """
    damaged = (ValueError, KeyError, TypeError, AttributeError)
    with refusing(source, damaged, "holds no DICOM headers of ours: {error}"):
        document = json.loads(data)
        return [Dataset.from_json({**document["shared"], **own}) for own in document["instances"]]


def _header_of(path: Path) -> Dataset:
    wanted: list[Any] = [*KEPT, *PATIENT_AND_STUDY]
    damaged = (InvalidDicomError, OSError, ValueError, TypeError, AttributeError, KeyError)
    with refusing(path, damaged, "is no readable DICOM file: {error}"), warnings.catch_warnings():
        # Values that break a rule of their type are kept as they are; the study was read with them.
        warnings.simplefilter("ignore")
        dataset = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=wanted)
        dataset.decode()
        attributes: dict[str, Any] = dataset.to_json_dict()
    header = Dataset.from_json(attributes)
    # The JSON model is UTF-8, whatever the file's own character set was.
    header.SpecificCharacterSet = _UTF_8
    return header
