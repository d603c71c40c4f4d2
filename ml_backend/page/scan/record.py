"""What is known of one upload, as its folder's `scan.json` holds it."""

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from chestct.files import write_atomic


class Phase(StrEnum):
    """How far a scan is; a scan in one of the first three still has work to do."""

    WAITING = "waiting"
    READING = "reading"
    SEGMENTING = "segmenting"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True)
class Upload:
    """One file that a browser sent.

    Args:
        name: as the sender calls it; shown, never used as a path.
        file: where it lies, relative to the scan's folder; made up by us.
    """

    name: str
    file: str


@dataclass(frozen=True)
class Failure:
    """A file, or a study inside one, that cannot be used, and why in a sentence."""

    name: str
    reason: str


@dataclass(frozen=True)
class Scan:
    """One upload and the work on it.

    Args:
        id: 32 random hexadecimal digits; who knows them may see the scan.
        created_at: seconds since 1970.
        expires_at: when the folder is deleted, whatever happened until then.
        uploads: the files, in the order sent.
        studies: how many were read so far; they are numbered from 1.
        done_studies: how many of them are segmented.
        slices_done, slices_total: over all studies; the total is known once reading is over.
        seconds_left: None until the first slices have shown how long one takes.
        error: why it failed; empty otherwise, and where the log has the details.
    """

    id: str
    created_at: float
    expires_at: float
    phase: Phase = Phase.WAITING
    uploads: tuple[Upload, ...] = ()
    failures: tuple[Failure, ...] = ()
    studies: int = 0
    done_studies: int = 0
    slices_done: int = 0
    slices_total: int = 0
    seconds_left: float | None = None
    model_version: str = ""
    error: str = ""

    @property
    def share_done(self) -> float:
        """Share of the slices that are segmented, in [0, 1]."""
        return self.slices_done / self.slices_total if self.slices_total else 0.0

    @property
    def is_unfinished(self) -> bool:
        """Whether work on it waits or runs."""
        return self.phase not in (Phase.DONE, Phase.FAILED)


def publish(folder: Path, scan: Scan) -> Scan:
    """Replaces `scan.json` in one step; from now on the scan is seen as it is here.

    Raises:
        FileNotFoundError: the folder was deleted meanwhile.
    """
    write_json(folder / "scan.json", asdict(scan))
    return scan


def read_scan(folder: Path) -> Scan | None:
    """The folder's record; None where the folder is gone, was never finished, or is damaged."""
    stored = read_json(folder / "scan.json")
    try:
        uploads = tuple(Upload(**upload) for upload in stored["uploads"])
        failures = tuple(Failure(**failure) for failure in stored["failures"])
        return Scan(**{**stored, "phase": Phase(stored["phase"]), "uploads": uploads, "failures": failures})
    except (KeyError, TypeError, ValueError):
        return None


def write_json(path: Path, value: Any) -> None:
    """Another process sees the old value or the new one; progress comes too often to wait for the disk."""
    write_atomic(path, json.dumps(value, ensure_ascii=False), durable=False)


def read_json(path: Path) -> Any:
    """The file's value; None where it is missing or no JSON."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
