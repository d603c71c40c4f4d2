"""Zip archives that nobody vouches for, unpacked into a temporary folder.

Everything is judged by the archive's own list before a byte is written, and counted again while it
is written: names cannot leave the folder, links and nested archives are refused, a bomb stops early.
One bad member refuses the whole archive: who builds one trap may build two.
"""

import re
import shutil
import stat
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from chestct.errors import InputError
from chestct.files import reading, refusing

# Nested archives by name; .nii.gz is a volume and .xlsx a table, whatever they are inside.
_ARCHIVE_SUFFIXES = (".zip", ".7z", ".rar", ".tar", ".tgz", ".tar.gz", ".tar.bz2", ".tar.xz")
_ZIP_MAGIC = b"PK\x03\x04"
_NOT_NESTED = (".xlsx",)
_LEFTOVERS = frozenset({"__MACOSX", ".DS_Store", "Thumbs.db"})
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]")
_DRIVE = re.compile(r"^[A-Za-z]:")
_LONGEST_NAME_BYTES = 200
_PIECE_BYTES = 2**20
_ENCRYPTED = 0x1
# APPNOTE 4.3.14 to 4.3.16: the end record, with a comment of up to 64 KiB, and what zip64 puts before it.
_END, _LOCATOR, _LOCATOR_BYTES, _END64_BYTES = b"PK\x05\x06", b"PK\x06\x07", 20, 56
_TAIL_BYTES = 2**16 + 22 + _LOCATOR_BYTES + _END64_BYTES
# 46 bytes, a name of up to 200 and room for times and owners.
_LIST_BYTES_A_FILE = 400
# What zipfile and the decompressors below it raise for damaged archives (3.11).
_DAMAGED = (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError, NotImplementedError)


@dataclass(frozen=True)
class ArchiveLimits:
    """What an archive may cost.

    Args:
        files: members; a day of a scanner has fewer.
        total_bytes: of all members unpacked; four long studies of 512 x 512 x 2000 as int16.
        ratio: unpacked / packed. CT compresses 2 to 4 times, a label map of air up to 500 times.
        ratio_free_bytes: up to so much unpacked the ratio does not matter.
        free_fraction: of the free disk that may be filled.
    """

    files: int = 20_000
    total_bytes: int = 4 * 2**30
    ratio: float = 200.0
    ratio_free_bytes: int = 128 * 2**20
    free_fraction: float = 0.8


LIMITS = ArchiveLimits()


def is_archive_name(path: Path) -> bool:
    """Whether the name promises a zip archive."""
    return path.name.lower().endswith(".zip")


@contextmanager
def unpacked(path: Path, limits: ArchiveLimits = LIMITS, within: Path | None = None) -> Iterator[Path]:
    """A folder named like the archive, with what the archive holds; gone when the context ends.

    Args:
        path: the archive.
        limits: what it may cost.
        within: where the folder is made; the system's place for temporary files by default.
    Raises:
        InputError: not a zip, damaged, encrypted, too large, or a member that must not be unpacked.
    """
    with tempfile.TemporaryDirectory(prefix="lungloop-", dir=within, ignore_cleanup_errors=True) as temporary:
        folder = Path(temporary) / (_printable(path.stem) or "archive")
        unreadable = "is no readable zip archive ({error}); pack or download it again"
        with reading(path), refusing(path, _DAMAGED, unreadable):
            folder.mkdir()
            _refuse_a_long_list(path, limits)
            with zipfile.ZipFile(path) as archive:
                _unpack(path, archive, folder, limits)
        yield folder


def _refuse_a_long_list(path: Path, limits: ArchiveLimits) -> None:
    """zipfile reads the whole list before anybody can count it, so its size is looked at first."""
    with path.open("rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - _TAIL_BYTES))
        tail = file.read()
    end = tail.rfind(_END)
    if end < 0 or len(tail) < end + 16:
        return  # no zip: zipfile says so
    size = int.from_bytes(tail[end + 12 : end + 16], "little")
    locator = end - _LOCATOR_BYTES
    if locator >= _END64_BYTES and tail[locator : locator + 4] == _LOCATOR:
        record = tail[locator - _END64_BYTES : locator]
        size = max(size, int.from_bytes(record[40:48], "little"))
    if size > limits.files * _LIST_BYTES_A_FILE:
        raise InputError(path, f"lists more than the {limits.files} files that are read; split it")


def _unpack(path: Path, archive: zipfile.ZipFile, folder: Path, limits: ArchiveLimits) -> None:
    members = _judged(path, archive.infolist(), limits)
    _refuse_a_full_disk(path, sum(member.file_size for member in members.values()), folder, limits)
    left = limits.total_bytes
    for place, member in members.items():
        target = folder.joinpath(*place.parts)
        target.parent.mkdir(parents=True, exist_ok=True)
        name = _quoted(member)
        damaged = f"has the damaged or unreadable member {name} ({{error}}); pack or download it again"
        with refusing(path, _DAMAGED, damaged):
            left -= _write(path, archive, member, target, left)


def _judged(
    path: Path, listed: list[zipfile.ZipInfo], limits: ArchiveLimits
) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """Where each file goes below the folder; nothing has been unpacked yet."""
    if len(listed) > limits.files:
        raise InputError(path, f"holds {len(listed)} files; at most {limits.files} are read, split it")
    members: dict[PurePosixPath, zipfile.ZipInfo] = {}
    taken: set[str] = set()
    for member in listed:
        place = _place(path, member)
        if place is None:
            continue
        _refuse_kind(path, member)
        if str(place).casefold() in taken:
            raise InputError(path, f"holds the name {_quoted(member)} twice; pack it again")
        taken.add(str(place).casefold())
        members[place] = member
    claimed = sum(member.file_size for member in members.values())
    packed = max(1, path.stat().st_size)
    if claimed > limits.total_bytes or (
        claimed > limits.ratio_free_bytes and claimed > limits.ratio * packed
    ):
        largest = max(members.values(), key=lambda member: member.file_size)
        raise InputError(
            path,
            f"would unpack {packed} bytes to {claimed} ({_quoted(largest)} alone to {largest.file_size}); at "
            f"most {limits.total_bytes} bytes and {limits.ratio:g} times its size are unpacked",
        )
    return members


def _place(path: Path, member: zipfile.ZipInfo) -> PurePosixPath | None:
    """Where a member goes; None for folders and what unpackers leave behind.

    Raises:
        InputError: its name would leave the folder.
    """
    # zipfile cuts names at a NUL and turns the separators of this system only.
    name = member.orig_filename.replace("\\", "/")
    parts = [part for part in name.split("/") if part not in ("", ".")]
    if name.startswith("/") or _DRIVE.match(name) or ".." in parts:
        raise InputError(
            path, f"holds {_quoted(member)}, a name that leads outside of the archive; it is not unpacked"
        )
    if name.endswith("/") or not parts or _LEFTOVERS.intersection(parts):
        return None
    return PurePosixPath(*(_printable(part) or "_" for part in parts))


def _refuse_kind(path: Path, member: zipfile.ZipInfo) -> None:
    mode = member.external_attr >> 16
    if mode and stat.S_IFMT(mode) not in (0, stat.S_IFREG):
        kind = "a link" if stat.S_ISLNK(mode) else "no regular file"
        raise InputError(path, f"holds {_quoted(member)}, which is {kind}; it is not unpacked")
    if member.flag_bits & _ENCRYPTED:
        raise InputError(
            path, f"holds {_quoted(member)} encrypted; unpack it with its password and give the folder"
        )
    if member.filename.lower().endswith(_ARCHIVE_SUFFIXES):
        _refuse_nested(path, member)


def _refuse_nested(path: Path, member: zipfile.ZipInfo) -> None:
    raise InputError(
        path, f"holds {_quoted(member)}, an archive inside the archive; unpack it and give the folder"
    )


def _refuse_a_full_disk(path: Path, claimed: int, folder: Path, limits: ArchiveLimits) -> None:
    free = shutil.disk_usage(folder).free
    if claimed > limits.free_fraction * free:
        raise InputError(
            path,
            f"needs {claimed} bytes unpacked and {folder.parent.parent} has {free} free; make room, or set "
            "TMPDIR to a larger disk",
        )


def _write(path: Path, archive: zipfile.ZipFile, member: zipfile.ZipInfo, target: Path, left: int) -> int:
    """Bytes written, which never come to more than what is left."""
    size = 0
    with archive.open(member) as source, target.open("wb") as file:
        while piece := source.read(_PIECE_BYTES):
            if size == 0 and piece.startswith(_ZIP_MAGIC) and not target.name.lower().endswith(_NOT_NESTED):
                _refuse_nested(path, member)
            size += len(piece)
            if size > left:
                raise InputError(path, f"unpacks {_quoted(member)} to more than it claims; it is not read")
            file.write(piece)
    return size


def _printable(name: str) -> str:
    """A name that any file system takes, with its ending."""
    clean = _UNPRINTABLE.sub("_", name).encode("utf-8", "replace")
    if len(clean) > _LONGEST_NAME_BYTES:
        clean = clean[: _LONGEST_NAME_BYTES // 2] + clean[-_LONGEST_NAME_BYTES // 2 :]
    return clean.decode("utf-8", "ignore")


def _quoted(member: zipfile.ZipInfo) -> str:
    """A member's name for a sentence."""
    return repr(member.orig_filename[:120])
