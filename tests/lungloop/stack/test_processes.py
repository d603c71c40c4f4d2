"""A process is who it was only if it started when it did; ending reaches whole groups and strays."""

import dataclasses
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from lungloop.stack.processes import end, identify, is_alive, marked_with

SLEEPER = (sys.executable, "-c", "import time; time.sleep(60)")
STUBBORN = (
    sys.executable,
    "-c",
    "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); "
    "print(1, flush=True); time.sleep(60)",
)


@pytest.fixture
def sleeper() -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(SLEEPER, start_new_session=True) as process:
        yield process
        process.kill()


def test_a_living_process_is_itself(sleeper: subprocess.Popen[bytes]) -> None:
    known = identify(sleeper.pid)
    assert known is not None
    assert is_alive(known)


def test_a_process_with_a_reused_id_is_a_stranger_and_is_not_ended(sleeper: subprocess.Popen[bytes]) -> None:
    known = identify(sleeper.pid)
    assert known is not None
    of_yesterday = dataclasses.replace(known, started_at="1")
    end([of_yesterday], grace_seconds=0.2)
    assert not is_alive(of_yesterday)
    assert sleeper.poll() is None


def test_a_process_that_has_ended_is_gone_even_as_a_zombie() -> None:
    process = subprocess.Popen((sys.executable, "-c", ""))
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert identify(process.pid) is None
    process.wait()


def test_what_ignores_the_polite_word_is_killed() -> None:
    with subprocess.Popen(STUBBORN, start_new_session=True, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        known = identify(process.pid)
        assert known is not None
        end([known], grace_seconds=0.3)
        assert process.wait(5) == -signal.SIGKILL


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="reads /proc")  # noqa: PTH112 - evaluated at import
def test_a_grandchild_that_left_its_group_is_found_by_its_mark() -> None:
    leave = f"import subprocess, sys; subprocess.Popen({SLEEPER!r}, start_new_session=True)"
    environment = {**os.environ, "LUNGLOOP_TEST_MARK": "here"}
    subprocess.run((sys.executable, "-c", leave), env=environment, check=True)
    deadline = time.monotonic() + 5
    while not (found := marked_with("LUNGLOOP_TEST_MARK", "here")) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert len(found) == 1
    assert marked_with("LUNGLOOP_TEST_MARK", "elsewhere") == []
    end(found, grace_seconds=5)
    assert marked_with("LUNGLOOP_TEST_MARK", "here") == []
