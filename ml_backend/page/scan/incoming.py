"""From a browser's form to files in a private folder, streamed: nothing is held in memory."""

import re
import shutil
import unicodedata
from pathlib import Path
from typing import IO, Any

from flask import Request
from werkzeug.datastructures import FileStorage
from werkzeug.exceptions import BadRequest, RequestEntityTooLarge, ServiceUnavailable
from werkzeug.formparser import parse_form_data

from ml_backend.page.scan.kinds import ending_of
from ml_backend.page.scan.record import Failure, Upload

# A long series has some 1,500 files.
_MOST_FILES = 3000
# Bounds werkzeug's buffer of file parts too (3.1), so it must hold several of its 64 KiB reads.
_MOST_TEXT_BYTES = 2**20
# Volumes are unpacked and label maps written: an upload needs about three times its size.
_ROOM_FACTOR, _ROOM_LEFT_BYTES = 3, 256 * 2**20
_MOST_NAME_CHARACTERS = 120
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
    _refuse_without_room(folder, call.content_length or most_bytes, most_bytes)
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
    sent = [one for _, listed in files.lists() for one in listed]
    uploads, failures = [], []
    for one in sent:
        path = Path(str(one.stream.name))
        if one.filename or path.stat().st_size:
            kept = _kept(folder, path, shown_name(one))
            (uploads if isinstance(kept, Upload) else failures).append(kept)
    if not uploads and not failures:
        raise NoFile
    return tuple(uploads), tuple(failures)


def shown_name(one: FileStorage) -> str:
    """The last part of a sender's file name, fit to be shown."""
    name = re.split(r"[\\/]", one.filename or "")[-1]
    printable = "".join(part for part in name if unicodedata.category(part)[0] != "C").strip()
    return printable[-_MOST_NAME_CHARACTERS:] or "unnamed"


def _refuse_without_room(folder: Path, expected_bytes: int, most_bytes: int) -> None:
    if expected_bytes > most_bytes:
        raise RequestEntityTooLarge
    if shutil.disk_usage(folder).free < _ROOM_FACTOR * expected_bytes + _ROOM_LEFT_BYTES:
        raise NoRoom


def _kept(folder: Path, path: Path, name: str) -> Upload | Failure:
    """The file under an ending of its content; the slices of a DICOM series share a folder."""
    if not path.stat().st_size:
        path.unlink()
        return Failure(name, "is empty")
    ending = ending_of(path)
    if ending is None:
        path.unlink()
        return Failure(name, UNKNOWN_KIND)
    place = path.parent / "dicom" if ending == ".dcm" else path.parent
    place.mkdir(exist_ok=True)
    moved = path.rename(place / f"{path.name}{ending}")
    return Upload(name, moved.relative_to(folder).as_posix())
