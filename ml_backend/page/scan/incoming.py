"""From a browser's form to files in a private folder, streamed: nothing is held in memory."""

import gzip
import re
import shutil
import struct
import unicodedata
import zlib
from pathlib import Path
from typing import IO, Any

from flask import Request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, ServiceUnavailable
from werkzeug.formparser import parse_form_data

from ml_backend.page.scan.record import Failure, Upload

# A long series has some 1,500 files.
_MOST_FILES = 3000
# Bounds werkzeug's buffer of file parts too (3.1), so it must hold several of its 64 KiB reads.
_MOST_TEXT_BYTES = 2**20
# Volumes are unpacked and label maps written: an upload needs about three times its size.
_ROOM_FACTOR, _ROOM_LEFT_BYTES = 3, 256 * 2**20
_MOST_NAME_CHARACTERS = 120
# What a file is, is told by its first bytes; its name says nothing.
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
UNKNOWN_KIND = (
    "is of an unknown kind; expected a picture (PNG, JPEG), a study (NIfTI, DICOM) or a zip archive of those"
)


class NoRoom(ServiceUnavailable):
    """The disk is too full for what is announced."""


class NoFile(BadRequest):
    """The form holds no file."""


class BrokenForm(BadRequest):
    """The body ends too early, or is no form."""


def receive(call: Request, folder: Path, most_bytes: int) -> tuple[tuple[Upload, ...], tuple[Failure, ...]]:
    """Takes the files of a multipart form.

    Args:
        call: nothing of whose body was read yet.
        folder: the scan's; files are put below it under numbers.
        most_bytes: of the whole body.
    Returns:
        The files whose content is of a kind that we read, and the others with the reason.
    Raises:
        HTTPException: RequestEntityTooLarge, NoRoom, NoFile, BrokenForm.
    """
    expected_bytes = call.content_length or most_bytes
    if expected_bytes > most_bytes:
        raise RequestEntityTooLarge
    if shutil.disk_usage(folder).free < _ROOM_FACTOR * expected_bytes + _ROOM_LEFT_BYTES:
        raise NoRoom
    arriving = folder / "upload"
    arriving.mkdir()
    opened: list[IO[bytes]] = []

    def next_file(*_: Any, **__: Any) -> IO[bytes]:
        opened.append((arriving / f"{len(opened) + 1:05d}").open("w+b"))
        return opened[-1]

    try:
        # Not request.files: that would go through the application's limit and a shared temporary folder.
        _, _, files = parse_form_data(
            call.environ,
            stream_factory=next_file,
            max_form_memory_size=_MOST_TEXT_BYTES,
            max_content_length=most_bytes,
            max_form_parts=_MOST_FILES,
            silent=False,
        )
    except ValueError as error:
        raise BrokenForm from error
    finally:
        for file in opened:
            file.close()
    uploads, failures = [], []
    for sent in (file for _, listed in files.lists() for file in listed):
        path = Path(str(sent.stream.name))
        if sent.filename or path.stat().st_size:
            kept = _kept(folder, path, shown_name(sent))
            (uploads if isinstance(kept, Upload) else failures).append(kept)
    if not uploads and not failures:
        raise NoFile
    return tuple(uploads), tuple(failures)


def shown_name(sent: FileStorage) -> str:
    """The last part of a sender's file name, fit to be shown."""
    name = re.split(r"[\\/]", sent.filename or "")[-1]
    printable = "".join(part for part in name if unicodedata.category(part)[0] != "C").strip()
    return printable[-_MOST_NAME_CHARACTERS:] or "unnamed"


def _kept(folder: Path, path: Path, name: str) -> Upload | Failure:
    """The file under an ending of its content; the slices of a DICOM series share a folder."""
    ending = ending_of(path)
    if ending is None:
        reason = UNKNOWN_KIND if path.stat().st_size else "is empty"
        path.unlink()
        return Failure(name, reason)
    series = path.parent / "dicom" if ending == ".dcm" else path.parent
    series.mkdir(exist_ok=True)
    moved = path.rename(series / f"{path.name}{ending}")
    return Upload(name, moved.relative_to(folder).as_posix())


def ending_of(path: Path) -> str | None:
    """The ending under which our readers know this content, by its first bytes; None where it is unknown."""
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
