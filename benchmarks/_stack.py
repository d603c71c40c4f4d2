"""A real stack for experiments: `lungloop up` in a home of its own, asked through the product's own parts."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from chestct.catalog.catalog import Catalog
from chestct.job_queue import JobQueue
from chestct.settings import Settings
from ml_backend.label_studio.client import LabelStudio
from ml_backend.label_studio.label_config import parse_label_config
from ml_backend.label_studio.results import read_label_map

_CHECKOUT = Path(__file__).parents[1]
_READY_SECONDS, _STOP_SECONDS, _POLL_SECONDS = 3600.0, 120.0, 0.5
# Between a job's end and the one that it asks for the queue looks idle for a moment.
_IDLE_FOR_SECONDS = 4.0
_TASKS_A_PAGE = 100
# Settings that an experiment may be run with: they reach the stack, all others are left out.
_OURS = frozenset(
    f"LUNGLOOP_{name}"
    for name in (
        "RETRAIN_STEPS",
        "STRATEGY",
        "CONTROL_PERCENT",
        "BLANK_PERCENT",
        "TRAIN_SEED",
        "TEST_PERCENT",
    )
)


@contextmanager
def running_stack(home: Path, weights: Path) -> Iterator[Settings]:
    """Starts the stack of a home and waits until it is ready; the settings that reach it; stops it."""
    environment = {
        **{
            name: value
            for name, value in os.environ.items()
            if name in _OURS or not name.startswith("LUNGLOOP_")
        },
        "LUNGLOOP_HOME": str(home),
        "LUNGLOOP_WEIGHTS_DIR": str(weights),
    }
    command = [sys.executable, "-m", "lungloop", "up", "--wait-minutes", "120"]
    command += ["--port", str(_free_port()), "--label-studio-port", str(_free_port())]
    ready = threading.Event()
    process = subprocess.Popen(
        command,
        cwd=_CHECKOUT,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )

    def follow() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            sys.stderr.write(f"  {line}")
            if line.startswith("Ready"):
                ready.set()
        ready.set()

    threading.Thread(target=follow, daemon=True).start()
    try:
        ready.wait(_READY_SECONDS)
        if process.poll() is not None or not (home / "stack.json").is_file():
            raise RuntimeError(f"the stack of {home} did not start; see {home / 'logs'}")
        yield Settings.load(environment)
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGINT)
        process.wait(_STOP_SECONDS)


def wait_until_idle(settings: Settings, idle_seconds: float = _IDLE_FOR_SECONDS) -> None:
    """Until no job has waited or run for a while: syncs, orders and pre-annotation are done."""
    queue, idle_since = JobQueue(settings.redis_url), None
    while idle_since is None or time.monotonic() - idle_since < idle_seconds:
        state = queue.status()
        busy = state["queued"] or state["running"]
        idle_since = None if busy else idle_since or time.monotonic()
        time.sleep(_POLL_SECONDS)
    queue.close()


def start_training(settings: Settings, client: LabelStudio, catalog: Catalog) -> tuple[str, float]:
    """Presses Start Training and waits; the outcome's sentence, and the seconds that it took."""
    before = {request.id for request in catalog.requests.all()}
    started = time.monotonic()
    # The button of Label Studio 1.23 asks this, which sends START_TRAINING to the backend's webhook.
    client.http.json("POST", f"/api/ml/{settings.ml_backend_id}/train", json={})
    while True:
        time.sleep(_POLL_SECONDS)
        new = [request for request in catalog.requests.all() if request.id not in before]
        if new and new[0].state not in ("pending", "running"):
            return new[0].outcome or str(new[0].state), time.monotonic() - started


def shown_prelabels(
    settings: Settings, client: LabelStudio, catalog: Catalog
) -> tuple[str, dict[int, npt.NDArray[np.uint8]]]:
    """What Label Studio shows now: the project's version, and slice id -> (H, W) uint8 label map.

    Only slices that hold a prediction of that version; of a project whose tasks are slices.
    """
    project = client.project(int(settings.project_id or 0))
    config, shown = parse_label_config(project.label_config), {}
    parameters: dict[str, Any] = {"project": project.id, "fields": "all", "include": "id,predictions"}
    parameters |= {"resolve_uri": "false", "page_size": _TASKS_A_PAGE}
    page, seen, total = 1, 0, 1
    while seen < total:
        answer = client.http.json("GET", "/api/tasks", params={**parameters, "page": page})
        for task in answer["tasks"]:
            rows = [row for row in task["predictions"] if row["model_version"] == project.model_version]
            slice_record = catalog.tasks.slice_of(project.uid, task["id"])
            if rows and slice_record is not None:
                newest = max(rows, key=lambda row: row["id"])
                size = (slice_record.height, slice_record.width)
                shown[slice_record.id] = read_label_map(newest["result"], config, *size)
        page, seen, total = page + 1, seen + len(answer["tasks"]), answer["total"]
        if not answer["tasks"]:
            break
    return project.model_version, shown


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
