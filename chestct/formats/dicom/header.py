"""What the tags of a DICOM file say, read without its pixels."""

import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pydicom
from pydicom.config import disable_value_validation
from pydicom.errors import InvalidDicomError
from pydicom.filereader import read_file_meta_info
from pydicom.uid import UID, DeflatedExplicitVRLittleEndian, ImplicitVRLittleEndian

from chestct.errors import InputError
from chestct.files import reading, refusing
from chestct.formats.dicom.files import has_magic

_TAGS = [
    "ImageType", "SOPClassUID", "SOPInstanceUID", "Modality", "SeriesDescription", "PatientID",
    "SliceThickness", "ConvolutionKernel", "StudyInstanceUID", "SeriesInstanceUID", "SeriesNumber",
    "AcquisitionNumber", "InstanceNumber", "ImagePositionPatient", "ImageOrientationPatient",
    "SamplesPerPixel", "NumberOfFrames", "Rows", "Columns", "PixelSpacing", "RescaleIntercept",
    "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence",
]  # fmt: skip
# What pydicom 3.0 raises for damaged files, beside OSError.
DAMAGED = (
    InvalidDicomError, ValueError, KeyError, TypeError, AttributeError, IndexError, EOFError,
    NotImplementedError, RuntimeError, RecursionError, MemoryError, struct.error, zlib.error,
)  # fmt: skip
# No scanner is this long; NaN compares as false and is no place either.
_FAR_MM = 1e6
# Twice the longest enhanced CT that the NIfTI reader would take; deflated files may claim more.
_MAX_INFLATED_BYTES = 2**31


@dataclass(frozen=True)
class Header:
    """One DICOM image, or one frame of an enhanced multi-frame CT.

    Args:
        path: its file.
        frame: index of the frame in the file; None for a file of one image.
        patient_id: PatientID as it stands in the file; leaves the reader only as a pseudonym.
        sop_class: what kind of object it is; empty where the file does not say.
        modality: "CT", "MR", "SR", ...; empty where the file does not say.
        orientation: ImageOrientationPatient, direction cosines of a row and of a column (LPS).
        position_mm: ImagePositionPatient, centre of the first pixel (LPS).
        spacing_mm: PixelSpacing, between rows and between columns.
        size: (rows, columns).
        has_rescale: whether the tags tell how stored numbers become HU.
    """

    path: Path
    frame: int | None
    patient_id: str
    study_uid: str
    series_uid: str
    instance_uid: str
    sop_class: UID
    modality: str
    image_type: tuple[str, ...]
    description: str
    kernel: str
    series_number: int
    acquisition: str
    instance_number: int
    orientation: tuple[float, ...] | None
    position_mm: tuple[float, ...] | None
    spacing_mm: tuple[float, ...] | None
    thickness_mm: float | None
    size: tuple[int, int]
    samples: int
    has_rescale: bool


def read_headers(path: Path) -> list[Header]:
    """The image of a file, or the frames of an enhanced CT.

    Raises:
        InputError: not DICOM, or cut off within its tags.
    """
    dataset = read_dataset(path, stop_before_pixels=True, specific_tags=_TAGS)
    with refusing(path, DAMAGED, "has damaged tags ({error}); export it again"):
        frames = int(dataset.get("NumberOfFrames") or 1)
        single = frames == 1 and "PerFrameFunctionalGroupsSequence" not in dataset
        # Frames of a film or of a dose grid are no slices and say nowhere where they lie.
        if single or dataset.get("Modality") != "CT":
            return [_header(path, None, dataset, dataset)]
        return [
            _header(path, index, dataset, groups)
            for index, groups in enumerate(_groups_of_frames(path, dataset, frames))
        ]


def read_dataset(path: Path, **options: Any) -> pydicom.Dataset:
    """A file's tags (and pixels, still encoded).

    Args:
        path: the file; one without the DICM mark is read where it holds an object's own tags.
        options: of `pydicom.dcmread`.
    Raises:
        InputError: not DICOM or cut off.
    """
    no_dicom = "is no DICOM file, or one that was cut off ({error}); export it again"
    with reading(path), refusing(path, DAMAGED, no_dicom):
        _refuse_inflated(path)
        dataset = pydicom.dcmread(path, force=True, **options)
        if "SOPClassUID" not in dataset and "MediaStorageSOPClassUID" in dataset.file_meta:
            dataset.SOPClassUID = dataset.file_meta.MediaStorageSOPClassUID
        if "SOPClassUID" in dataset or "Rows" in dataset:
            if "TransferSyntaxUID" not in dataset.file_meta:
                # pydicom guesses it only while it reads; a file without a header is implicit.
                dataset.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian
            return dataset
    cut_off = "was cut off before its first tags" if has_magic(path) else "is no DICOM file"
    raise InputError(path, f"{cut_off}, whatever its name says; export it again")


@contextmanager
def quietly() -> Iterator[None]:
    """pydicom warns, and logs values of tags, where they bend the standard; scanners do so daily.

    A logged value may be a patient's name.
    """
    with warnings.catch_warnings(), disable_value_validation():
        warnings.simplefilter("ignore")
        yield


def _refuse_inflated(path: Path) -> None:
    """A deflated file is inflated whole by pydicom, so its size is measured first, piece by piece."""
    if not has_magic(path):
        return
    meta = read_file_meta_info(path)
    if meta.get("TransferSyntaxUID") != DeflatedExplicitVRLittleEndian:
        return
    inflater, size = zlib.decompressobj(-zlib.MAX_WBITS), 0
    with path.open("rb") as file:
        # The group length counts from behind itself: 128 + 4 + 12 bytes before the rest of the group.
        file.seek(128 + 4 + 12 + int(meta.FileMetaInformationGroupLength))
        while (piece := inflater.unconsumed_tail or file.read(2**20)) and not inflater.eof:
            size += len(inflater.decompress(piece, 2**22))
            if size > _MAX_INFLATED_BYTES:
                raise InputError(
                    path, f"inflates to more than {_MAX_INFLATED_BYTES // 2**20} MiB; is it a CT image?"
                )


def _header(path: Path, frame: int | None, file: pydicom.Dataset, image: pydicom.Dataset) -> Header:
    """`file` says whose it is, `image` where it lies: the same, or the groups of a frame as one."""
    return Header(
        path=path,
        frame=frame,
        patient_id=str(file.get("PatientID") or "").strip(),
        study_uid=str(file.get("StudyInstanceUID") or ""),
        series_uid=str(file.get("SeriesInstanceUID") or ""),
        instance_uid=str(file.get("SOPInstanceUID") or ""),
        sop_class=UID(str(file.get("SOPClassUID") or "")),
        modality=str(file.get("Modality") or "").strip().upper(),
        image_type=tuple(str(word).upper() for word in _many(file.get("ImageType"))),
        description=str(file.get("SeriesDescription") or ""),
        kernel=" ".join(str(word) for word in _many(image.get("ConvolutionKernel"))),
        series_number=_whole(file, "SeriesNumber"),
        acquisition=str(file.get("AcquisitionNumber") or ""),
        instance_number=_whole(file, "InstanceNumber"),
        orientation=_numbers(image.get("ImageOrientationPatient"), 6),
        position_mm=_numbers(image.get("ImagePositionPatient"), 3),
        spacing_mm=_numbers(image.get("PixelSpacing"), 2),
        thickness_mm=float(image.get("SliceThickness") or 0) or None,
        size=(int(file.get("Rows") or 0), int(file.get("Columns") or 0)),
        samples=int(file.get("SamplesPerPixel") or 1),
        has_rescale="RescaleIntercept" in image,
    )


def _groups_of_frames(path: Path, dataset: pydicom.Dataset, frames: int) -> Iterator[pydicom.Dataset]:
    """For each frame one dataset with the tags that its own and the shared functional groups hold."""
    per_frame = dataset.get("PerFrameFunctionalGroupsSequence") or []
    if len(per_frame) != frames:
        raise InputError(
            path,
            f"holds {frames} frames in one file and says of {len(per_frame)} where they lie; expected an "
            "enhanced CT, or one file a slice",
        )
    shared = list(dataset.get("SharedFunctionalGroupsSequence") or [])[:1]
    for own in per_frame:
        together = pydicom.Dataset()
        for groups in (*shared, own):
            for element in groups:
                if element.VR == "SQ" and len(element.value) == 1:
                    together.update(element.value[0])
        yield together


def _many(value: Any) -> list[Any]:
    if value is None:
        return []
    return [value] if isinstance(value, str) else list(value)


def _numbers(value: Any, count: int) -> tuple[float, ...] | None:
    """So many numbers that can be places, or None."""
    numbers = tuple(float(number) for number in _many(value))
    return numbers if len(numbers) == count and all(abs(number) < _FAR_MM for number in numbers) else None


def _whole(dataset: pydicom.Dataset, name: str) -> int:
    """A number that only orders things, so a damaged one counts as 0."""
    try:
        return int(dataset.get(name) or 0)
    except (ValueError, TypeError):
        return 0
