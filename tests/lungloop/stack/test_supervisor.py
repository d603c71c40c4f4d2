"""The supervisor restarts what dies, ends all it started; a successor ends what a killed one left."""

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from chestct.errors import ServiceUnavailableError
from lungloop.stack import pidfiles
from lungloop.stack.pidfiles import end_leftovers
from lungloop.stack.processes import identify
from lungloop.stack.service import Service, log_path
from lungloop.stack.supervisor import Supervisor

LEAVE_A_CHILD = """
import pathlib, subprocess, sys, time

child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
note = pathlib.Path(sys.argv[1])
note.with_suffix(".new").write_text(str(child.pid))
note.with_suffix(".new").rename(note)
time.sleep(60)
"""
TOUCH_AND_SLEEP = "import pathlib, sys, time; pathlib.Path(sys.argv[1]).touch(); time.sleep(60)"


def sleeper(home: Path, name: str = "sleeper") -> Service:
    """A program that is ready once its file is there."""
    started = home / f"{name}.started"
    return Service(
        name,
        (sys.executable, "-c", TOUCH_AND_SLEEP, str(started)),
        {},
        started.exists,
        ready_within_seconds=10,
    )


def eventually(condition: Callable[[], object], seconds: float = 8) -> bool:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if condition():
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def said() -> list[str]:
    return []


@pytest.fixture
def supervisor(tmp_path: Path, said: list[str]) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path, said.append)
    yield supervisor
    supervisor.stop()


def test_a_ready_service_is_noted_and_a_stopped_one_is_forgotten(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(sleeper(tmp_path))
    supervisor.wait_until_ready("sleeper")
    assert list(pidfiles.running(tmp_path / "run")) == ["sleeper"]
    supervisor.stop()
    assert pidfiles.running(tmp_path / "run") == {}


def test_a_service_that_dies_is_restarted(supervisor: Supervisor, tmp_path: Path, said: list[str]) -> None:
    supervisor.start(sleeper(tmp_path))
    supervisor.wait_until_ready("sleeper")
    supervisor.watch()
    first = pidfiles.running(tmp_path / "run")["sleeper"]
    os.kill(first.pid, 9)
    assert eventually(lambda: pidfiles.running(tmp_path / "run").get("sleeper", first) != first)
    assert said[0].startswith("sleeper ended with code -9; restarting it in 1 s")


def test_a_service_that_ends_while_starting_is_an_error_with_its_last_words(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    supervisor.start(
        Service("brief", (sys.executable, "-c", "raise SystemExit('no port')"), {}, lambda: False)
    )
    with pytest.raises(
        ServiceUnavailableError, match=r"brief: ended with code 1 while starting(.|\n)*no port"
    ):
        supervisor.wait_until_ready("brief")
    assert "no port" in log_path(tmp_path, "brief").read_text()


def test_a_service_that_never_answers_is_an_error(supervisor: Supervisor) -> None:
    command = (sys.executable, "-c", "import time; time.sleep(60)")
    supervisor.start(Service("mute", command, {}, lambda: False, ready_within_seconds=0.3))
    with pytest.raises(ServiceUnavailableError, match="did not answer within 0 seconds"):
        supervisor.wait_until_ready("mute")


def test_a_program_that_is_not_there_is_an_error(supervisor: Supervisor) -> None:
    with pytest.raises(ServiceUnavailableError, match="cannot start /not/there"):
        supervisor.start(Service("absent", ("/not/there",), {}, lambda: True))


def test_stopping_reaches_children_of_services_and_nobody_else(
    supervisor: Supervisor, tmp_path: Path
) -> None:
    note = tmp_path / "child.pid-note"
    with subprocess.Popen((sys.executable, "-c", "import time; time.sleep(60)")) as stranger:
        supervisor.start(Service("parent", (sys.executable, "-c", LEAVE_A_CHILD, str(note)), {}, note.exists))
        supervisor.wait_until_ready("parent")
        grandchild = int(note.read_text())
        supervisor.stop()
        assert identify(grandchild) is None
        assert stranger.poll() is None
        stranger.kill()


def test_a_successor_ends_what_a_killed_supervisor_left(tmp_path: Path) -> None:
    killed = Supervisor(tmp_path, lambda sentence: None)
    killed.start(sleeper(tmp_path))
    killed.wait_until_ready("sleeper")
    process = killed._running["sleeper"].process
    assert end_leftovers(tmp_path) == ["sleeper"]
    assert process.wait(5) == -15
    assert end_leftovers(tmp_path) == []


def test_a_note_of_a_process_that_is_long_gone_ends_nobody(tmp_path: Path) -> None:
    run_dir = tmp_path / "run"
    run_dir.mkdir()
    (run_dir / "queue.pid").write_text(f'{{"pid": {os.getpid()}, "started_at": "1"}}')
    (run_dir / "damaged.pid").write_text("{")
    assert end_leftovers(tmp_path) == []
    assert list(run_dir.glob("*.pid")) == []
