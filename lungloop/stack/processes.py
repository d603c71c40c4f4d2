"""Processes by an identity that survives the reuse of process ids, and how to end them."""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")
_POLL_SECONDS = 0.05


@dataclass(frozen=True)
class ProcessIdentity:
    """A process id alone may belong to a stranger after a reboot; with its start time it cannot."""

    pid: int
    started_at: str


def identify(pid: int) -> ProcessIdentity | None:
    """The living process of this id; None where there is none (or only a zombie)."""
    started_at = _start_time_linux(pid) if _PROC.joinpath("self", "stat").exists() else _start_time_ps(pid)
    return None if started_at is None else ProcessIdentity(pid, started_at)


def is_alive(process: ProcessIdentity) -> bool:
    """True while this very process runs."""
    return identify(process.pid) == process


def read_living(path: Path) -> ProcessIdentity | None:
    """The process that was noted in this file, where it still runs.

    None too for a note half-written by a machine that lost power: the mark finds that process.
    """
    try:
        note = json.loads(path.read_text())
        process = ProcessIdentity(int(note["pid"]), str(note["started_at"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return process if is_alive(process) else None


def marked_with(variable: str, value: str) -> list[ProcessIdentity]:
    """Processes that were started with this environment variable (Linux; elsewhere none are found).

    RQ's work horses leave their worker's process group, so groups alone do not find everything.
    """
    entry = f"{variable}={value}".encode()
    marked = []
    for folder in _PROC.glob("[0-9]*") if _PROC.is_dir() else ():
        try:
            environment = (folder / "environ").read_bytes()
        except OSError:
            continue  # another user's, or gone since the listing
        process = identify(int(folder.name)) if entry in environment.split(b"\0") else None
        if process is not None and process.pid != os.getpid():
            marked.append(process)
    return marked


def send(process: ProcessIdentity, number: signal.Signals) -> None:
    """Signals the process's group where it leads one, else the process alone; silent where it is gone."""
    if not is_alive(process):
        return
    try:
        if os.getpgid(process.pid) == process.pid:
            os.killpg(process.pid, number)
        else:
            os.kill(process.pid, number)
    except ProcessLookupError:
        pass  # it ended between the look and the signal


def wait_until_gone(processes: Iterable[ProcessIdentity], timeout_seconds: float) -> list[ProcessIdentity]:
    """Waits for the processes to end; returns those that still run after the time-out."""
    deadline = time.monotonic() + timeout_seconds
    alive = [process for process in processes if is_alive(process)]
    while alive and time.monotonic() < deadline:
        time.sleep(_POLL_SECONDS)
        alive = [process for process in alive if is_alive(process)]
    return alive


def end(processes: Iterable[ProcessIdentity], grace_seconds: float) -> None:
    """Asks the processes to end, and kills those that have not after the grace."""
    processes = list(processes)
    for process in processes:
        send(process, signal.SIGTERM)
    stubborn = wait_until_gone(processes, grace_seconds)
    for process in stubborn:
        send(process, signal.SIGKILL)
    wait_until_gone(stubborn, grace_seconds)


def _start_time_linux(pid: int) -> str | None:
    try:
        # The command name stands in brackets and may hold anything, brackets too.
        fields = (_PROC / str(pid) / "stat").read_text().rpartition(")")[2].split()
    except (OSError, UnicodeDecodeError):
        return None
    state, start_ticks = fields[0], fields[19]
    return None if state in "ZX" else start_ticks


def _start_time_ps(pid: int) -> str | None:
    answer = subprocess.run(
        ["ps", "-o", "state=,lstart=", "-p", str(pid)], capture_output=True, text=True, check=False
    )
    state, _, started_at = answer.stdout.strip().partition(" ")
    return None if not state or state.startswith("Z") else started_at.strip()
