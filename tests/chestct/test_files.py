"""Files are whole or not there, whatever happens; a lock has one holder and ends with its process."""

import os
import random
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from chestct.errors import InputError
from chestct.files import PRIVATE, atomic_file, exclusive_lock, reading, write_atomic, writing

SIZE = 4 * 2**20
WRITE_FOR_EVER = f"""
import pathlib, sys
from chestct.files import write_atomic

path = pathlib.Path(sys.argv[1])
for number in range(10**9):
    write_atomic(path, bytes([number % 256]) * {SIZE}, durable=bool(number % 2))
    print(number, flush=True)
"""
HOLD_FOR_EVER = """
import pathlib, sys
from chestct.files import exclusive_lock

with exclusive_lock(pathlib.Path(sys.argv[1])) as lock:
    print(lock is not None, flush=True)
    sys.stdin.read()
"""


def running(script: str, path: Path) -> subprocess.Popen[str]:
    command = (sys.executable, "-c", script, str(path))
    return subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def test_a_kill_in_the_middle_of_writes_leaves_a_whole_file(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    draw = random.Random(0)
    for _ in range(8):
        with running(WRITE_FOR_EVER, path) as writer:
            assert writer.stdout is not None
            writer.stdout.readline()
            time.sleep(draw.uniform(0.0, 0.05))
            writer.send_signal(signal.SIGKILL)
        content = path.read_bytes()
        assert len(content) == SIZE
        assert content == content[:1] * SIZE


def test_an_error_while_writing_leaves_the_old_file_and_nothing_beside_it(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_atomic(path, "old")
    with pytest.raises(RuntimeError), atomic_file(path) as file:
        file.write(b"new")
        raise RuntimeError
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_text_is_utf_8_and_missing_folders_are_made_where_asked_for(tmp_path: Path) -> None:
    write_atomic(tmp_path / "deep/er/a.txt", "лёгкое", parents=True)
    assert (tmp_path / "deep/er/a.txt").read_bytes() == "лёгкое".encode()
    with pytest.raises(FileNotFoundError):
        write_atomic(tmp_path / "gone/a.txt", "x")


def test_a_private_file_is_its_owners_alone_also_where_a_public_one_lay(tmp_path: Path) -> None:
    path, umask = tmp_path / "secret", os.umask(0o022)
    try:
        write_atomic(path, "x")
        assert stat.S_IMODE(path.stat().st_mode) == 0o644
        write_atomic(path, "y", mode=PRIVATE)
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(umask)


def test_writers_at_the_same_time_do_not_mix(tmp_path: Path) -> None:
    path = tmp_path / "a.bin"
    letters = [bytes([65 + number]) * 2**20 for number in range(8)]
    threads = [threading.Thread(target=write_atomic, args=(path, letter)) for letter in letters]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert path.read_bytes() in letters
    assert list(tmp_path.iterdir()) == [path]


def test_a_lock_excludes_another_process_until_it_dies(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with running(HOLD_FOR_EVER, path) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "True\n"
        with exclusive_lock(path) as lock:
            assert lock is None
        started = time.monotonic()
        with exclusive_lock(path, 0.3) as lock:
            assert lock is None
        assert time.monotonic() - started >= 0.3
        threading.Timer(0.2, holder.kill).start()
        with exclusive_lock(path, None) as lock:
            assert lock is not None


def test_a_lock_excludes_another_thread_and_its_file_keeps_what_is_written(tmp_path: Path) -> None:
    with exclusive_lock(tmp_path / "run/lock", parents=True) as lock:
        assert lock is not None
        lock.write("me")
        with exclusive_lock(tmp_path / "run/lock") as second:
            assert second is None
    assert (tmp_path / "run/lock").read_text() == "me"


def test_what_the_system_refuses_is_one_sentence_for_readers_and_one_for_writers(tmp_path: Path) -> None:
    for error, read, write in (
        (
            FileNotFoundError(2, "No such file"),
            "does not exist",
            "cannot be written: its folder does not exist",
        ),
        (IsADirectoryError(21, "Is a directory"), "is a folder", "cannot be written: Is a directory"),
        (
            PermissionError(13, "Permission denied"),
            "cannot be read: Permission",
            "cannot be written: Permission",
        ),
        (OSError(28, "No space left on device"), "cannot be read: No space", "cannot be written: No space"),
    ):
        with pytest.raises(InputError, match=read), reading(tmp_path):
            raise error
        with pytest.raises(InputError, match=write), writing(tmp_path):
            raise error
