"""What is decided of a retrain so far, on disk, so that it can be killed and run again; one at a time."""

import json
import re
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chestct.errors import ServiceUnavailableError
from chestct.files import exclusive_lock, write_atomic

_PLAN, _DECISION = "plan.json", "decision.json"
_NUMBERED = re.compile(r"v(\d+)-")


@dataclass(frozen=True)
class RetrainPlan:
    """Decided before the fit begins, and the same however often the job is run again.

    Args:
        champion: the version that training starts from.
        snapshot: id of the data.
        version: name of the version to be.
    """

    champion: str
    snapshot: str
    version: str


class WorkFolder:
    """The folder of one retrain: its plan, its checkpoint, its decision."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def plan(self) -> RetrainPlan | None:
        """The plan of an earlier run of this job, None where there was none."""
        stored = _read(self.path / _PLAN)
        return None if stored is None else RetrainPlan(**stored)

    def keep_plan(self, plan: RetrainPlan) -> None:
        """Writes the plan, for good."""
        _write(self.path / _PLAN, asdict(plan))

    def decision(self) -> dict[str, Any] | None:
        """What the gate said in an earlier run of this job."""
        return _read(self.path / _DECISION)

    def keep_decision(self, decision: dict[str, Any]) -> None:
        """Writes what the gate said, before the version is saved."""
        _write(self.path / _DECISION, decision)

    def start_over(self) -> None:
        """Forgets plan and decision; a checkpoint of another fit is ignored by the fit itself."""
        for name in (_DECISION, _PLAN):
            (self.path / name).unlink(missing_ok=True)


def next_version(snapshot_id: str, taken: Iterable[str]) -> str:
    """The name of the next version: sorts after all others, and says which data made it.

    >>> next_version("abcdef0123456789", ["base-1", "v0001-11111111"])
    'v0002-abcdef01'
    """
    numbers = [int(found.group(1)) for name in taken if (found := _NUMBERED.match(name))]
    return f"v{max(numbers, default=0) + 1:04d}-{snapshot_id[:8]}"


def _read(path: Path) -> dict[str, Any] | None:
    return json.loads(path.read_text()) if path.is_file() else None


def _write(path: Path, content: dict[str, Any]) -> None:
    write_atomic(path, json.dumps(content, indent=1), parents=True)


@contextmanager
def only_one(folder: Path, timeout_seconds: float) -> Iterator[None]:
    """Waits until no other process holds the folder's lock.

    Raises:
        ServiceUnavailableError: another retrain holds it for longer than that.
    """
    with exclusive_lock(folder / "lock", timeout_seconds, parents=True) as lock:
        if lock is None:
            raise ServiceUnavailableError(
                "the training", f"another retrain still runs in {folder}; wait for it or stop it"
            )
        yield
