"""The jobs that may be requested of the workers: each request is coalesced with one that already waits."""

import time
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Protocol

from rq import Queue, Retry, Worker
from rq.job import JobStatus

from chestct.catalog.records import RetrainRequest
from chestct.job_queue import names
from chestct.job_queue.connection import SERIALIZER, connect, queue_errors
from chestct.job_queue.enqueue import JobSpec, enqueue_once, fetch, status_of
from chestct.job_queue.state import queue_state, waiting_or_running

# Label Studio may be starting or restarting: its own start takes up to 33 s (observed with 1.23).
_RETRY_QUICK = Retry(max=5, interval=[5, 15, 60, 120, 300])
# A retrain resumes from its work folder, so a killed worker costs little; errors that would only
# repeat are not retried (training.jobs sees to it). In front: its work is half done, and those who
# asked first wait longest.
_RETRY_TRAIN = Retry(max=3, enqueue_at_front=True)

# No retry: the next periodic sync is one.
_SYNC = JobSpec(names.SYNC, timeout_seconds=600)
_PREANNOTATE = JobSpec(names.PREANNOTATE, timeout_seconds=6 * 3600, retry=_RETRY_QUICK)
_FOLLOW_CHAMPION = JobSpec(names.FOLLOW_CHAMPION, timeout_seconds=900, retry=_RETRY_QUICK)
# No retry: the next corrections request it again.
_ORDER = JobSpec(names.ORDER, timeout_seconds=600)
_RETRAIN = JobSpec(names.RETRAIN, timeout_seconds=24 * 3600, retry=_RETRY_TRAIN)
# A cell goes on from its last finished round.
_SIMULATE_CELL = JobSpec(names.SIMULATE_CELL, timeout_seconds=24 * 3600, retry=Retry(max=3))


@dataclass(frozen=True)
class RetrainTicket:
    """What became of a request to retrain.

    Args:
        request_id: row of the request in the catalog, whose outcome can be watched.
        job_id: the one job that will serve it; None where a running job claimed it meanwhile.
        coalesced: True where that job was there already.
    """

    request_id: int
    job_id: str | None
    coalesced: bool


class JobState(StrEnum):
    """What has become of a job."""

    ALIVE = "alive"
    DEAD = "dead"
    UNKNOWN = "unknown"  # ended well, or lost with the queue's data


class RetrainRequests(Protocol):
    """Where requests are kept: the catalog's `requests`."""

    def add(self, by: str, /) -> RetrainRequest: ...

    def pending(self) -> list[RetrainRequest]: ...


def job_of_waiting_requests(requests: RetrainRequests) -> str | None:
    """Id of the one job that serves all requests that wait, None where none waits.

    The oldest of them names it: every request finds the same id, and a running job's requests no longer
    wait, so those made while it runs find the next id.
    """
    pending = requests.pending()
    return f"retrain-{min(request.id for request in pending)}" if pending else None


class JobQueue:
    """The queue as the backend and the command line see it.

    Nothing connects until the first call; every call raises ServiceUnavailableError within about
    half a second where Redis does not answer.

    Args:
        redis_url: redis://HOST:PORT/NUMBER, None where no queue was set up.
    Raises:
        ServiceUnavailableError: `redis_url` is None.
        SettingsError: it is not a Redis URL.
    """

    def __init__(self, redis_url: str | None) -> None:
        self.redis_url = redis_url
        self.connection = connect(redis_url)
        self._quick = Queue(names.QUICK, connection=self.connection, serializer=SERIALIZER)
        self._train = Queue(names.TRAIN, connection=self.connection, serializer=SERIALIZER)

    def ping(self) -> None:
        """Raises ServiceUnavailableError where the queue does not answer."""
        with queue_errors(self.redis_url):
            self.connection.ping()

    def close(self) -> None:
        """Gives the connections back."""
        self.connection.close()

    def request_retrain(
        self, requests: RetrainRequests, requested_by: str, *, force: bool = False, sync_first: bool = True
    ) -> RetrainTicket:
        """Requests the one retrain job.

        The request is stored in the catalog before the queue is touched: where the queue is down
        the error says so, and a worker serves the request once it is back. However many requests
        wait, there is one job for them; requests made while a retrain runs share one further job.

        Args:
            requested_by: who requests it ("button", "cli", "policy", ...).
            force: train even where no correction is new.
            sync_first: request a sync too; the retrain waits for it before it takes its snapshot.
        """
        request = requests.add(requested_by)
        with queue_errors(self.redis_url):
            if sync_first:
                self.enqueue_sync()
            job_id, created = self.ensure_retrain(requests)
            if force and job_id is not None and (job := fetch(self.connection, job_id)):
                job.meta["forced"] = True
                job.save_meta()
        return RetrainTicket(request.id, job_id, coalesced=not created)

    def ensure_retrain(self, requests: RetrainRequests) -> tuple[str | None, bool]:
        """One queued job where requests wait: the job's id (None where none waits), and whether it is new."""
        job_id = job_of_waiting_requests(requests)
        if job_id is None:
            return None, False
        with queue_errors(self.redis_url):
            return enqueue_once(self._train, _RETRAIN, job_id, again_while_running=False)

    def enqueue_sync(self, task_id: int | None = None) -> str:
        """Reconciles one task's corrections, or everything; the id of the waiting job."""
        if task_id is None:
            return self._enqueue_quick(_SYNC, "sync-all")
        return self._enqueue_quick(_SYNC, f"sync-task-{int(task_id)}", int(task_id))

    def enqueue_preannotate(self) -> str:
        """Predicts what lacks a prediction of the release; the id of the waiting job."""
        return self._enqueue_quick(_PREANNOTATE, "preannotate")

    def enqueue_order(self) -> str:
        """Orders what readers are served next anew; the id of the waiting job."""
        return self._enqueue_quick(_ORDER, "order")

    def enqueue_follow_champion(self, version: str) -> str:
        """Makes Label Studio follow a release, by its name; the id of the waiting job."""
        # Job ids hold letters, digits, `_` and `-` only; names may hold dots and a plus too.
        name = "follow-" + "".join(letter if letter.isalnum() else "-" for letter in version)
        return self._enqueue_quick(_FOLLOW_CHAMPION, name, version)

    def enqueue_simulate_cell(self, job_id: str, folder: str, strategy: str, seed: int) -> str:
        """One strategy at one seed of the simulation in a folder that workers reach; the id of its job.

        Args:
            job_id: the same for the same cell; requested again while it waits or runs, it is one job.
        """
        with queue_errors(self.redis_url):
            cell = (folder, strategy, int(seed))
            return enqueue_once(self._train, _SIMULATE_CELL, job_id, *cell, again_while_running=False)[0]

    def has_training_worker(self) -> bool:
        """Whether somebody listens to the queue of trainings; without, what is requested there waits."""
        with queue_errors(self.redis_url):
            return Worker.count(queue=self._train) > 0

    def status(self) -> dict[str, Any]:
        """Counts of `queued`, `running`, `failed`; of the running job `kind`, `progress`, `seconds_left`."""
        with queue_errors(self.redis_url):
            return queue_state((self._train, self._quick))

    def wait_for_sync(self, timeout_seconds: float) -> bool:
        """Waits until no sync that was requested by now is left; False where time ran out."""
        with queue_errors(self.redis_url):
            awaited = set(waiting_or_running(self._quick, names.SYNC))
            ends_at = time.monotonic() + timeout_seconds
            while awaited and time.monotonic() < ends_at:
                time.sleep(0.2)
                awaited &= set(waiting_or_running(self._quick, names.SYNC))
        return not awaited

    def job_state(self, job_id: str) -> JobState:
        """Whether a job still waits or runs."""
        with queue_errors(self.redis_url):
            status = status_of(self.connection, job_id)
        if status is None:
            return JobState.UNKNOWN
        dead = (JobStatus.FAILED, JobStatus.STOPPED, JobStatus.CANCELED)
        return JobState.DEAD if status in dead else JobState.ALIVE

    def last_error(self, job_id: str) -> str:
        """The last line of what a failed job left, empty where it left nothing."""
        with queue_errors(self.redis_url):
            job = fetch(self.connection, job_id)
            result = job.latest_result() if job else None
        lines = ((result.exc_string if result else None) or "").strip().splitlines()
        return lines[-1] if lines else ""

    def _enqueue_quick(self, spec: JobSpec, name: str, *arguments: str | int) -> str:
        with queue_errors(self.redis_url):
            return enqueue_once(self._quick, spec, name, *arguments)[0]
