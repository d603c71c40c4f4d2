"""A running local stack as tests and picture scripts use it: started, asked, stopped."""

import json
import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import httpx
import pytest
import torch

from chestct.catalog.catalog import Catalog
from chestct.model.weights import load_version, save_version
from chestct.settings import Settings
from lungloop.context import shipped_version

CHECKOUT = Path(__file__).resolve().parents[2]
LABEL_STUDIO = CHECKOUT / ".venv-label-studio" / "bin" / "label-studio"
_READY_SECONDS = 1200


@dataclass
class Stack:
    """A running stack and the ways into it."""

    home: Path
    environment: dict[str, str]
    facts: dict[str, Any]
    ready_line: str
    process: subprocess.Popen[str]

    def lungloop(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Runs a command of ours as a user would."""
        done = subprocess.run(
            [sys.executable, "-m", "lungloop", *arguments],
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=900,
        )
        if check and done.returncode != 0:
            raise AssertionError(f"lungloop {arguments} exited {done.returncode}: {done.stderr[-2000:]}")
        return done

    def json(self, *arguments: str) -> Any:
        """The JSON value that a reporting command prints."""
        return json.loads(self.lungloop(*arguments, "--json").stdout)

    @property
    def login(self) -> tuple[str, str]:
        """User and password that the Ready line prints."""
        secrets = json.loads((self.home / "secrets.json").read_text())
        return secrets["user"], secrets["password"]

    @property
    def label_studio(self) -> httpx.Client:
        """Label Studio's API with the stack's token."""
        return httpx.Client(
            base_url=self.facts["label_studio_url"],
            headers={"Authorization": f"Token {self.facts['label_studio_token']}"},
            timeout=60,
        )

    def catalog(self) -> Catalog:
        """The stack's own database and storage."""
        return Catalog.open(self.facts["database_url"], str(self.home / "storage"), create=False)

    def tasks(self) -> list[dict[str, Any]]:
        """Every task with its predictions and annotations."""
        with self.label_studio as client:
            answer = client.get(
                "/api/tasks/",
                params={"project": self.facts["project_id"], "fields": "all", "page_size": 500},
            )
            answer.raise_for_status()
            return answer.json()["tasks"]


def missing(what: str) -> None:
    """Skips with the reason, except where CI installs the part first: there it is a failure."""
    if os.environ.get("CI") == "true":
        pytest.fail(f"{what} is missing, and .ci/run should have installed it")
    pytest.skip(f"{what} is missing")


def wait_until(what: str, condition: Callable[[], Any], seconds: float = 60, every: float = 0.5) -> Any:
    """The first true value of `condition`, or a failure that says what never came."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = condition()
        if value:
            return value
        time.sleep(every)
    raise AssertionError(f"after {seconds} s still not so: {what}")


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def copy_weights(weights: Path, to: Path) -> None:
    """The shipped versions only: what retraining made in this checkout stays out."""
    for shipped in weights.glob("base-*"):
        shutil.copytree(shipped, to / shipped.name)


def make_weak_weights(weights: Path, to: Path) -> None:
    """The newest shipped version with noise in its decoder, as `base-0`: phantoms have something to teach it.

    The shipped one was fitted on phantoms, and the gate rightly refuses what a few steps more make of it.
    Of a phantom's lesions this one finds 0.67 by Dice where the shipped one finds 0.93.
    """
    card, tensors = load_version(weights, shipped_version(replace(Settings.load({}), weights_dir=weights)))
    generator = torch.Generator().manual_seed(4)
    for name, tensor in tensors.items():
        if name.startswith(("decoder", "segmentation_head")) and tensor.ndim == 4:
            tensor += tensor.std() * torch.randn(tensor.shape, generator=generator)
    save_version(to, tensors, replace(card, version="base-0", parents=()))


def start_stack(home: Path, data: Path | None, weights: Path, **extra: str) -> Stack:
    """Starts `lungloop up` in a home of its own and waits for its Ready line; without data it is a demo."""
    if not LABEL_STUDIO.exists():
        missing("Label Studio's environment .venv-label-studio (run `make label-studio`)")
    environment = {
        **{key: value for key, value in os.environ.items() if not key.startswith("LUNGLOOP_")},
        "LUNGLOOP_HOME": str(home),
        "LUNGLOOP_WEIGHTS_DIR": str(weights),
        **extra,
    }
    command = [
        sys.executable, "-m", "lungloop", "up", *(() if data is None else ("--data", str(data))),
        "--port", str(free_port()), "--label-studio-port", str(free_port()),
    ]  # fmt: skip
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    lines: list[str] = []
    ready = threading.Event()

    def read() -> None:
        assert process.stdout is not None
        with process.stdout:
            for line in process.stdout:
                lines.append(line)
                if line.startswith("Ready"):
                    ready.set()
        ready.set()

    threading.Thread(target=read, daemon=True).start()
    ready.wait(_READY_SECONDS)
    ready_lines = [line for line in lines if line.startswith("Ready")]
    if not ready_lines:
        process.kill()
        raise AssertionError(f"no Ready line within {_READY_SECONDS} s:\n{''.join(lines)[-6000:]}")
    facts = json.loads((home / "stack.json").read_text())
    return Stack(home, environment, facts, ready_lines[0], process)


def stop_stack(stack: Stack) -> None:
    """Orderly, as a user would; a stack that does not stop is a failure."""
    stack.lungloop("down", check=False)
    try:
        stack.process.wait(60)
    except subprocess.TimeoutExpired:
        stack.process.kill()
        raise
