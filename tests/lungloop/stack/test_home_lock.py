"""One stack for one home."""

import subprocess
import sys
from pathlib import Path

import pytest

from lungloop.stack.home_lock import AlreadyRunningError, hold, holder, wait_until_released

HOLD = """
import pathlib, sys
from lungloop.stack.home_lock import hold

with hold(pathlib.Path(sys.argv[1])):
    print(1, flush=True)
    sys.stdin.read()
"""


def test_a_second_up_on_the_same_home_names_the_first(tmp_path: Path) -> None:
    command = (sys.executable, "-c", HOLD, str(tmp_path))
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdin is not None
        assert first.stdout is not None
        first.stdout.readline()
        known = holder(tmp_path)
        assert known is not None
        assert known.pid == first.pid
        with pytest.raises(AlreadyRunningError, match=f"process {first.pid}"), hold(tmp_path):
            pass
        assert not wait_until_released(tmp_path, 0.2)
        first.kill()
    assert wait_until_released(tmp_path, 5)
    with hold(tmp_path):
        pass


def test_two_homes_do_not_know_of_each_other(tmp_path: Path) -> None:
    with hold(tmp_path / "one"), hold(tmp_path / "two"):
        assert holder(tmp_path / "one") is not None


def test_a_home_made_for_patients_is_its_owners_only(tmp_path: Path) -> None:
    with hold(tmp_path / "home"):
        assert (tmp_path / "home").stat().st_mode & 0o777 == 0o700


def test_nobody_holds_a_home_that_was_let_go(tmp_path: Path) -> None:
    with hold(tmp_path):
        pass
    assert holder(tmp_path) is None
    assert holder(tmp_path / "never") is None
