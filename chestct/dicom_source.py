"""Which DICOM instances a study's slices came from: what a DICOM result must say about its source.

Only the attributes of KEPT are ever read, and only they travel further: into the catalog's storage and
into a DICOM SEG. See docs/adr/0014-dicom-seg.md for what patient data that is and why.
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

_IDENTITY = (
    "SOPClassUID",
    "SOPInstanceUID",
    "StudyInstanceUID",
    "SeriesInstanceUID",
    "FrameOfReferenceUID",
    "PositionReferenceIndicator",
    "Modality",
)
_PLACE = (
    "Rows",
    "Columns",
    "PixelSpacing",
    "ImageOrientationPatient",
    "ImagePositionPatient",
    "SliceThickness",
)
# What an archive files a result under. Two type 2 attributes of the General Study module are among them
# only because a result that leaves them empty is sorted out by hand at many sites.
_PATIENT_AND_STUDY = (
    "PatientID",
    "PatientName",
    "PatientBirthDate",
    "PatientSex",
    "PatientIdentityRemoved",
    "DeidentificationMethod",
    "StudyID",
    "StudyDate",
    "StudyTime",
    "AccessionNumber",
)
_LOSSY = ("LossyImageCompression", "LossyImageCompressionRatio", "LossyImageCompressionMethod")
KEPT = (*_IDENTITY, *_PLACE, *_PATIENT_AND_STUDY, *_LOSSY)
_NEEDED = (
    *(keyword for keyword in _IDENTITY if keyword not in ("PositionReferenceIndicator", "Modality")),
    *(keyword for keyword in _PLACE if keyword != "SliceThickness"),
)
_UTF_8 = "ISO_IR 192"


def read_headers(files: Sequence[Path]) -> list[Dataset]:
    """The kept attributes of each file, without pixels, text in UTF-8, in the order given.

    Raises:
        InputError: a file is no readable DICOM.
    """
    return [_kept_of(path) for path in files]


def require_place(headers: Sequence[Dataset], source: Path | str) -> None:
    """Checks that results can be placed on these instances.

    Args:
        source: named in the error.
    Raises:
        InputError: an attribute is missing, or the instances are not of one series and size.
    """
    if not headers:
        raise InputError(source, "has no DICOM instances that a result could refer to")
    missing = sorted({keyword for header in headers for keyword in _NEEDED if not header.get(keyword)})
    if missing:
        raise InputError(
            source,
            f"came from DICOM files without {', '.join(missing)}, so no DICOM result can refer to them; "
            "export NIfTI instead",
        )
    series = {(str(one.SeriesInstanceUID), int(one.Rows), int(one.Columns)) for one in headers}
    if len(series) > 1:
        raise InputError(source, "came from DICOM files of several series or sizes; expected one")


def to_bytes(headers: Sequence[Dataset]) -> bytes:
    """Headers as JSON (the DICOM JSON model), what all share written once; equal headers, equal bytes."""
    each = [header.to_json_dict() for header in headers]
    first = each[0] if each else {}
    shared = {tag: value for tag, value in first.items() if all(one.get(tag) == value for one in each)}
    own = [{tag: value for tag, value in one.items() if tag not in shared} for one in each]
    return json.dumps({"shared": shared, "instances": own}, sort_keys=True).encode()


def from_bytes(data: bytes, source: str) -> list[Dataset]:
    """What `to_bytes` wrote.

    Raises:
        InputError: it is something else.
    """
    try:
        document = json.loads(data)
        return [Dataset.from_json({**document["shared"], **own}) for own in document["instances"]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(source, f"holds no DICOM headers of ours: {error}") from error


def _kept_of(path: Path) -> Dataset:
    try:
        with warnings.catch_warnings():
            # Values that break a rule of their type are kept as they are; the study was read with them.
            warnings.filterwarnings("ignore", category=UserWarning, module="pydicom")
            found = pydicom.dcmread(path, stop_before_pixels=True, force=True, specific_tags=list(KEPT))
            found.decode()
            kept: dict[str, Any] = found.to_json_dict()
    except (InvalidDicomError, OSError, ValueError, TypeError, AttributeError, KeyError) as error:
        raise InputError(path, f"is no readable DICOM file: {error}") from error
    header = Dataset.from_json(kept)
    # The JSON model is UTF-8, whatever the file's own character set was.
    header.SpecificCharacterSet = _UTF_8
    return header
