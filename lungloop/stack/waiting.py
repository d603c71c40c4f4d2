"""Waiting for what workers do."""

import time

from chestct.catalog.catalog import Catalog
from chestct.job_queue import JobQueue
from chestct.progress import Progress
from lungloop.console import progress

_POLL_SECONDS = 0.5
# Between a job's end and a retry of it the queue looks idle for a moment.
_IDLE_FOR_SECONDS = 2.0


def wait_for_preannotation(catalog: Catalog, queue: JobQueue, timeout_seconds: float) -> int:
    """Waits until no pre-annotation waits or runs; returns how many slices still lack a prediction."""
    deadline, idle_since = time.monotonic() + timeout_seconds, None
    with progress("pre-annotation") as update:
        while time.monotonic() < deadline:
            counts, now = catalog.counts(), time.monotonic()
            update(Progress(counts["predicted"], counts["slices"], "slices"))
            state = queue.status()
            busy = state["queued"] or any(job["kind"] == "preannotate" for job in state["jobs"])
            idle_since = None if busy else idle_since or now
            if idle_since is not None and now - idle_since >= _IDLE_FOR_SECONDS:
                break
            time.sleep(_POLL_SECONDS)
    counts = catalog.counts()
    return counts["slices"] - counts["predicted"]
