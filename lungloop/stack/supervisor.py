"""Keeps the programs of the stack running, and ends them in order."""

import signal
import subprocess
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from chestct.errors import ServiceUnavailableError
from chestct.progress import OnProgress, Progress, unheard
from lungloop.stack import pidfiles
from lungloop.stack.processes import ProcessIdentity, end, identify, marked_with, send, wait_until_gone
from lungloop.stack.service import Service, last_error, log_path, spawn

_POLL_SECONDS = 0.2
_SLOWEST_RESTART_SECONDS = 30.0
# A service that ran this long before it died was well: the next restart is quick again.
_WELL_AFTER_SECONDS = 60.0
_QUESTION_EVERY_SECONDS = 10.0
_HUNG_AFTER_SECONDS = 120.0
# RQ finishes its job on the first SIGTERM and drops it on a second one that comes more than a second later.
_SECOND_WORD_SECONDS = 4.0
_LAST_WORD_SECONDS = 8.0


@dataclass
class _Running:
    service: Service
    process: subprocess.Popen[bytes]
    identity: ProcessIdentity | None
    started_at: float
    restarts: int = 0
    restart_at: float | None = None
    asked_at: float = 0.0
    answered_at: float = field(default_factory=time.monotonic)
    has_answered: bool = False

    @property
    def patience_seconds(self) -> float:
        """How long silence is no hang: a start (migrations, a busy machine) may take its own limit."""
        return _HUNG_AFTER_SECONDS if self.has_answered else self.service.ready_within_seconds


class Supervisor:
    """Starts services, restarts what dies or hangs, stops all of them in the reverse order.

    Args:
        home: logs, pidfiles and the services' working folder.
        say: tells the user what happens.
    """

    def __init__(self, home: Path, say: Callable[[str], None]) -> None:
        self._home = home
        self._run_dir = home / "run"
        self._run_dir.mkdir(parents=True, exist_ok=True)
        self._say = say
        self._running: dict[str, _Running] = {}
        self._lock = threading.Lock()
        self._stopping = threading.Event()
        self._watcher = threading.Thread(target=self._watch, name="supervisor", daemon=True)

    def start(self, service: Service) -> None:
        """Starts a service and returns at once; see `wait_until_ready`."""
        with self._lock:
            self._running[service.name] = self._spawn(service, restarts=0)

    def wait_until_ready(self, name: str, on_wait: OnProgress = unheard) -> None:
        """Waits until the service answers.

        Args:
            name: of a started service.
            on_wait: called now and then with the seconds waited so far.
        Raises:
            ServiceUnavailableError: it ended or did not answer in time; carries its last log lines.
        """
        running = self._running[name]
        limit = running.service.ready_within_seconds
        while not running.service.is_ready():
            waited = time.monotonic() - running.started_at
            if running.process.poll() is not None:
                raise self._failed(name, f"ended with code {running.process.returncode} while starting")
            if waited > limit:
                raise self._failed(name, f"did not answer within {limit:.0f} seconds")
            on_wait(Progress(waited, None, "seconds"))
            time.sleep(_POLL_SECONDS)
        running.answered_at, running.has_answered = time.monotonic(), True

    def watch(self) -> None:
        """From now on, restarts in the background what dies."""
        self._watcher.start()

    def stop(self) -> None:
        """Ends every service, the last started first, and their children; safe to call twice."""
        self._stopping.set()
        if self._watcher.is_alive():
            self._watcher.join()
        with self._lock:
            for name, running in reversed(self._running.items()):
                _end_gently(running)
                pidfiles.remove(self._run_dir, name)
            self._running.clear()
        end(marked_with(pidfiles.MARK, str(self._home)), _LAST_WORD_SECONDS)

    def _spawn(self, service: Service, restarts: int) -> _Running:
        try:
            process = spawn(service, self._home)
        except OSError as error:
            raise ServiceUnavailableError(
                service.name, f"cannot start {service.command[0]}: {error}"
            ) from error
        identity = identify(process.pid)
        if identity is not None:
            pidfiles.write(self._run_dir, service.name, identity)
        return _Running(service, process, identity, time.monotonic(), restarts)

    def _failed(self, name: str, what: str) -> ServiceUnavailableError:
        log = log_path(self._home, name)
        return ServiceUnavailableError(name, f"{what}; the end of {log}:\n{last_error(self._home, name)}")

    def _watch(self) -> None:
        while not self._stopping.wait(_POLL_SECONDS):
            for name in list(self._running):
                with self._lock:
                    if not self._stopping.is_set():
                        self._look_after(name)

    def _look_after(self, name: str) -> None:
        running, now = self._running[name], time.monotonic()
        if running.restart_at is not None:
            if now >= running.restart_at:
                self._restart(running)
        elif running.process.poll() is not None:
            well = now - running.started_at > _WELL_AFTER_SECONDS
            running.restarts = 1 if well else running.restarts + 1
            delay = min(2.0 ** (running.restarts - 1), _SLOWEST_RESTART_SECONDS)
            running.restart_at = now + delay
            self._say(
                f"{name} ended with code {running.process.returncode}; restarting it in {delay:.0f} s "
                f"(see {log_path(self._home, name)})"
            )
        elif now - running.asked_at > _QUESTION_EVERY_SECONDS:
            running.asked_at = now
            self._ask(running)

    def _ask(self, running: _Running) -> None:
        if running.service.is_ready():
            running.answered_at, running.has_answered = time.monotonic(), True
        elif time.monotonic() - running.answered_at > running.patience_seconds:
            self._say(
                f"{running.service.name} has not answered for {running.patience_seconds:.0f} s; restarting it"
            )
            _end_gently(running)

    def _restart(self, running: _Running) -> None:
        try:
            self._running[running.service.name] = self._spawn(running.service, running.restarts)
        except ServiceUnavailableError as error:
            running.restart_at = time.monotonic() + _SLOWEST_RESTART_SECONDS
            self._say(str(error))


def _end_gently(running: _Running) -> None:
    """SIGTERM to the program, again to its whole group, then SIGKILL."""
    process = running.identity
    if process is None or running.process.poll() is not None:
        return
    running.process.terminate()
    for patience, number in ((_SECOND_WORD_SECONDS, signal.SIGTERM), (_LAST_WORD_SECONDS, signal.SIGKILL)):
        if not wait_until_gone([process], patience):
            break
        send(process, number)
    running.process.wait()
