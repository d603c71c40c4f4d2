"""What a file is, told by its first bytes; its name says nothing."""

import gzip
import struct
import zlib
from pathlib import Path

_HEADER_BYTES = 352
_NIFTI_HEADERS = (348, 540)
_MAGIC = (
    (0, b"\x89PNG\r\n\x1a\n", ".png"),
    (0, b"\xff\xd8\xff", ".jpg"),
    (0, b"II*\0", ".tif"),
    (0, b"MM\0*", ".tif"),
    (0, b"PK\x03\x04", ".zip"),
    (0, b"\x93NUMPY", ".npy"),
    (128, b"DICM", ".dcm"),
    # DICOM from before its preamble: the first element is of group 0002 or 0008.
    (0, b"\x02\x00\x00\x00", ".dcm"),
    (0, b"\x08\x00\x05\x00", ".dcm"),
    (0, b"\x08\x00\x08\x00", ".dcm"),
)


def ending_of(path: Path) -> str | None:
    """The file name ending under which our readers know this content, None where it is unknown.

    Args:
        path: a file of any name; at most a few hundred bytes of it are read or unpacked.
    """
    with path.open("rb") as file:
        head = file.read(_HEADER_BYTES)
    if head.startswith(b"\x1f\x8b"):
        return ".nii.gz" if _is_nifti(_unpacked(path)) else None
    if _is_nifti(head):
        return ".nii"
    return next(
        (ending for offset, magic, ending in _MAGIC if head[offset : offset + len(magic)] == magic), None
    )


def _is_nifti(head: bytes) -> bool:
    return len(head) >= 4 and any(struct.unpack(f"{order}i", head[:4])[0] in _NIFTI_HEADERS for order in "<>")


def _unpacked(path: Path) -> bytes:
    try:
        with gzip.open(path, "rb") as stream:
            return stream.read(_HEADER_BYTES)
    except (OSError, EOFError, zlib.error):
        return b""
