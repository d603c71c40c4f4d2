"""A PostgreSQL of the test run's own: free loopback port, folder and password, gone afterwards."""

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pg8000.native

# Debian keeps the server's programs off the PATH.
_DEBIAN = Path("/usr/lib/postgresql")
_START_SECONDS = 30


class PostgresMissingError(Exception):
    """This machine has no PostgreSQL that a test may start."""


@contextmanager
def running_postgres() -> Iterator[str]:
    """URL of a fresh server, without a database's name at its end."""
    folder = _programs()
    as_user = _unprivileged()
    root = Path(tempfile.mkdtemp(prefix="lungloop-postgres-"))
    password = secrets.token_hex(8)
    try:
        (root / "password").write_text(password)
        for path in (root, root / "password"):
            if as_user:
                shutil.chown(path, as_user["user"], as_user["group"])
        _initialise(folder, root, as_user)
        port = _free_port()
        options = f"-h 127.0.0.1 -p {port} -c unix_socket_directories= -c fsync=off -c max_connections=60"
        with (root / "log").open("wb") as log:
            server = subprocess.Popen(
                [folder / "postgres", "-D", root / "data", *options.split()],
                stdout=log,
                stderr=log,
                cwd=root,
                **as_user,
            )
        try:
            _wait(server, port, password, root / "log")
            yield f"postgresql://lungloop:{password}@127.0.0.1:{port}"
        finally:
            server.send_signal(signal.SIGQUIT)  # PostgreSQL's "immediate" shutdown: nothing is worth keeping
            server.wait(20)
    finally:
        shutil.rmtree(root)


def _programs() -> Path:
    found = shutil.which("postgres")
    if found:
        return Path(found).parent
    installed = sorted(_DEBIAN.glob("*/bin/postgres"), key=lambda path: int(path.parts[-3]))
    if not installed:
        raise PostgresMissingError("no `postgres` on the PATH or in /usr/lib/postgresql; install postgresql")
    return installed[-1].parent


def _unprivileged() -> dict[str, str]:
    """PostgreSQL refuses to run as root: then it runs as the user that its package made."""
    if os.geteuid() != 0:
        return {}
    try:
        pwd.getpwnam("postgres")
    except KeyError:
        raise PostgresMissingError("as root, PostgreSQL needs the user `postgres`") from None
    return {"user": "postgres", "group": "postgres"}


def _initialise(folder: Path, root: Path, as_user: dict[str, str]) -> None:
    flags = ["--username=lungloop", "--auth=scram-sha-256", "--encoding=UTF8", "--locale=C", "--no-sync"]
    subprocess.run(
        [folder / "initdb", "-D", root / "data", f"--pwfile={root / 'password'}", *flags],
        check=True,
        capture_output=True,
        cwd=root,
        **as_user,
    )


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _wait(server: "subprocess.Popen[bytes]", port: int, password: str, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            pg8000.native.Connection(
                "lungloop", host="127.0.0.1", port=port, password=password, database="postgres", timeout=5
            ).close()
            return
        except (pg8000.native.InterfaceError, pg8000.native.DatabaseError) as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"PostgreSQL did not start: {log.read_text()}") from error
            time.sleep(0.05)
