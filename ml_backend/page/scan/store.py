"""Where uploads lie: one private folder each below the home, found by its id alone, deleted in time.

The folders are the queue and the state as well: a second process, or the same one after a restart,
sees what waits, takes it and goes on. Nothing here reaches the catalog.
"""

import re
import secrets
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from chestct.errors import NotFoundError
from chestct.files import PRIVATE, exclusive_lock
from ml_backend.page.scan.record import Scan, read_scan

_ID = re.compile(r"[0-9a-f]{32}")
_BEING_DELETED = ".deleted-"


class ScanStore:
    """The scans of this installation.

    Args:
        root: folder of the scans; made, and closed to other users, at the first upload.
        keep_seconds: how long a scan is kept, counted from its upload.
        clock: seconds since 1970.
    """

    def __init__(self, root: Path, keep_seconds: float, clock: Callable[[], float] = time.time) -> None:
        self.root = root
        self.keep_seconds = keep_seconds
        self.clock = clock

    def create(self) -> tuple[Scan, Path]:
        """A new scan's record (not yet written, so that nobody takes up half an upload) and folder."""
        self.root.mkdir(parents=True, exist_ok=True)
        self.root.chmod(0o700)
        scan_id = secrets.token_hex(16)
        folder = self.root / scan_id
        folder.mkdir(mode=0o700)
        now = self.clock()
        return Scan(scan_id, now, now + self.keep_seconds), folder

    def find(self, scan_id: str) -> tuple[Scan, Path]:
        """A scan and its folder.

        Raises:
            NotFoundError: there is none, or no longer.
        """
        # The form is checked before the disk is asked: an id never becomes another path.
        folder = self.root / scan_id
        scan = read_scan(folder) if _ID.fullmatch(scan_id) else None
        if scan is None or scan.expires_at <= self.clock():
            raise NotFoundError("this scan does not exist, or was deleted when its time was over")
        return scan, folder

    def delete(self, folder: Path) -> None:
        """Deletes a scan; whoever works on it finds its folder gone and stops."""
        retired = folder.with_name(f"{_BEING_DELETED}{folder.name}")
        try:
            folder.rename(retired)
        except FileNotFoundError:
            return
        shutil.rmtree(retired, ignore_errors=True)

    def sweep(self) -> None:
        """Deletes every scan whose time is over, and what earlier deletions or uploads left behind."""
        for folder in self._folders():
            if folder.name.startswith(_BEING_DELETED):
                shutil.rmtree(folder, ignore_errors=True)
                continue
            scan = read_scan(folder)
            try:
                # An upload that still comes in, or broke off, has no record yet: its folder's age counts.
                expires_at = scan.expires_at if scan else folder.stat().st_mtime + self.keep_seconds
            except FileNotFoundError:
                continue
            if expires_at <= self.clock():
                self.delete(folder)

    def is_empty(self) -> bool:
        """Whether nothing is kept at all."""
        return not any(self._folders())

    def unfinished(self) -> list[tuple[Scan, Path]]:
        """Scans with work to do, the oldest first."""
        scans = ((read_scan(folder), folder) for folder in self._folders())
        return sorted(
            ((scan, folder) for scan, folder in scans if scan is not None and scan.is_unfinished),
            key=lambda entry: (entry[0].created_at, entry[0].id),
        )

    def ahead_of(self, scan: Scan) -> int:
        """How many scans will be worked on before this one."""
        return sum(
            (other.created_at, other.id) < (scan.created_at, scan.id) for other, _ in self.unfinished()
        )

    @contextmanager
    def taken(self) -> Iterator[tuple[Scan, Path] | None]:
        """The next scan to work on, held against other processes for the length of the block."""
        for _, folder in self.unfinished():
            with ExitStack() as held:
                try:
                    lock = held.enter_context(exclusive_lock(folder / "lock", mode=PRIVATE))
                except FileNotFoundError:
                    continue
                # Between the look and the lock another process may have finished it.
                fresh = read_scan(folder) if lock else None
                if fresh is not None and fresh.is_unfinished:
                    yield fresh, folder
                    return
        yield None

    def _folders(self) -> list[Path]:
        try:
            return [entry for entry in self.root.iterdir() if entry.is_dir()]
        except FileNotFoundError:
            return []
