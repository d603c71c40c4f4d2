"""What the supervisor has started, on disk, so that the next one can end what a killed one left."""

import json
from pathlib import Path

from chestct.files import write_atomic
from lungloop.stack.processes import ProcessIdentity, end, marked_with, read_living

# Every process of a stack carries its home in this variable (see `processes.marked_with`).
MARK = "LUNGLOOP_STACK_OF"
_GRACE_SECONDS = 10.0


def write(run_dir: Path, name: str, process: ProcessIdentity) -> None:
    """Notes a service's process, in one step."""
    entry = {"pid": process.pid, "started_at": process.started_at}
    write_atomic(run_dir / f"{name}.pid", json.dumps(entry), durable=False)


def remove(run_dir: Path, name: str) -> None:
    """Forgets a service that has ended."""
    (run_dir / f"{name}.pid").unlink(missing_ok=True)


def running(run_dir: Path) -> dict[str, ProcessIdentity]:
    """Service name -> its living process; notes of dead processes are passed over."""
    noted = {path.stem: read_living(path) for path in sorted(run_dir.glob("*.pid"))}
    return {name: process for name, process in noted.items() if process is not None}


def end_leftovers(home: Path) -> list[str]:
    """Ends what an earlier, killed supervisor of this home left running; returns the names."""
    run_dir = home / "run"
    named = running(run_dir)
    unnamed = [process for process in marked_with(MARK, str(home)) if process not in named.values()]
    end([*named.values(), *unnamed], _GRACE_SECONDS)
    for path in run_dir.glob("*.pid"):
        path.unlink(missing_ok=True)
    return [*named, *(f"process {process.pid}" for process in unnamed)]
