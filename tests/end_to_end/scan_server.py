"""A running `lungloop serve` alone: no Label Studio, no queue, no catalog before it."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import httpx
from running_stack import free_port

_READY_SECONDS = 120


@dataclass(frozen=True)
class ScanServer:
    """Where it answers, and what its commands need.

    Args:
        url: without a slash at its end.
        home: its LUNGLOOP_HOME.
        environment: of its process.
    """

    url: str
    home: Path
    environment: dict[str, str]

    def segment(self, *inputs: Path, out: Path) -> None:
        """`lungloop segment` as a user would call it, with the same model."""
        command = [sys.executable, "-m", "lungloop", "segment", *map(str, inputs), "--out", str(out)]
        subprocess.run(command, env=self.environment, check=True, capture_output=True, timeout=300)


@contextmanager
def serving(home: Path, weights: Path) -> Iterator[ScanServer]:
    """Starts it in a home of its own, waits until it answers, and stops it."""
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("LUNGLOOP_")},
        "LUNGLOOP_HOME": str(home),
        "LUNGLOOP_WEIGHTS_DIR": str(weights),
    }
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    command = [sys.executable, "-m", "lungloop", "serve", "--port", str(port)]
    with (home / "serve.log").open("w") as log:
        process = subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT)
        try:
            _wait_until_it_answers(f"http://127.0.0.1:{port}/health", process, home / "serve.log")
            yield ScanServer(f"http://127.0.0.1:{port}", home, environment)
        finally:
            process.terminate()
            try:
                process.wait(30)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(10)


def _wait_until_it_answers(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _READY_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            if httpx.get(address, timeout=5).status_code == 200:
                return
        except httpx.TransportError:
            time.sleep(0.3)
    raise AssertionError(f"lungloop serve does not answer:\n{log.read_text()[-3000:]}")
