"""The state of an installation at this moment, in the words of `lungloop status --json`."""

import http.client
from typing import Any

from rq import Worker

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import Release
from chestct.derived.learning import learning_of
from chestct.errors import LungLoopError
from chestct.job_queue import JobQueue
from chestct.job_queue.names import QUICK, TRAIN
from chestct.learning.sentences import sentences as learning_sentences
from chestct.reader_study.figures import estimates_of
from chestct.reader_study.sentences import sentences
from chestct.settings import Settings
from lungloop.context import open_catalog
from lungloop.serving_release import release_entry
from lungloop.stack import home_lock, pidfiles, services
from lungloop.stack.answers import http_status

_NO_COUNTS: dict[str, int] = dict.fromkeys(
    ("studies", "slices", "predicted", "corrected", "graded", "accepted", "open"), 0
)
_NOTHING_KNOWN = {"counts": _NO_COUNTS, "readers": None, "test_readings": None, "learning": None}
# Nothing is known of a queue that does not answer: null, never a zero that looks like an answer.
_NO_QUEUE = dict.fromkeys(("queued", "running", "failed", "kind", "progress", "seconds_left", "stage"))


def state_of(settings: Settings) -> dict[str, Any]:
    """What runs, the queue, what serves and the counts; never fails because something is down.

    Returns:
        `services` (name -> "up" or "down"), `queue`, `champion`, `release` (null where nothing serves),
        `counts`, `readers` (null where the database does not answer), `test_readings` (of own test
        patients; null likewise), `learning` (what retrains brought; null likewise), `home` and the addresses.
    """
    known = _catalog(settings)
    release: Release | None = None if known is None else known.pop("release")
    queue = _queue(settings)
    workers = _workers(settings, queue is not None)
    up = {
        "database": known is not None,
        services.QUEUE: queue is not None,
        services.LABEL_STUDIO: _is_healthy(settings.label_studio_url),
        services.BACKEND: _is_healthy(settings.backend_url),
        services.QUICK_WORKER: services.QUICK_WORKER in workers,
        services.TRAIN_WORKER: services.TRAIN_WORKER in workers,
    }
    return {
        "services": {name: "up" if is_up else "down" for name, is_up in up.items()},
        "queue": {**_NO_QUEUE, "jobs": []} if queue is None else queue,
        "champion": None if release is None else release.default,
        "release": None if release is None else release_entry(release),
        **(_NOTHING_KNOWN if known is None else known),
        "home": str(settings.home),
        "label_studio_url": settings.label_studio_url,
        "backend_url": settings.backend_url,
    }


def _catalog(settings: Settings) -> dict[str, Any] | None:
    """What the catalog says, opened once; None where it does not answer."""
    try:
        with open_catalog(settings) as catalog:
            readings = catalog.reader_log.readings()
            estimates = estimates_of(readings, catalog.reader_log.pairs(readings))
            return {
                "release": catalog.versions.release(),
                "counts": catalog.counts(),
                "readers": {**estimates.as_dict(), "sentences": sentences(estimates)},
                "test_readings": catalog.own_test_readings.state().as_dict(),
                "learning": _learning(catalog, settings),
            }
    except LungLoopError:
        return None


def _learning(catalog: Catalog, settings: Settings) -> dict[str, Any] | None:
    try:
        learning = learning_of(catalog, settings.weights_dir)
    except LungLoopError:  # the storage may be away while the database answers
        return None
    return {**learning.as_dict(), "sentences": learning_sentences(learning)}


def _queue(settings: Settings) -> dict[str, Any] | None:
    try:
        queue = JobQueue(settings.redis_url)
        state = queue.status()
    except LungLoopError:
        return None
    queue.close()
    return state


def _workers(settings: Settings, queue_answers: bool) -> set[str]:
    """Our own workers by their processes; where no local stack runs, whoever registered at the queue."""
    if home_lock.holder(settings.home) is not None or not queue_answers:
        return set(pidfiles.running(settings.home / "run"))
    connection = JobQueue(settings.redis_url).connection
    served = {name for worker in Worker.all(connection=connection) for name in worker.queue_names()}
    connection.close()
    names = {QUICK: services.QUICK_WORKER, TRAIN: services.TRAIN_WORKER}
    return {names[queue] for queue in served if queue in names}


def _is_healthy(url: str | None) -> bool:
    """True where the service's health is answered without a fault of its own."""
    status = http_status(f"{url.rstrip('/')}/health") if url else None
    return status is not None and status < http.client.INTERNAL_SERVER_ERROR
