"""What a worker does beside its jobs, in a thread: no request may be lost, nothing may pile up."""

import logging
import threading
from collections.abc import Sequence

from rq import Queue
from rq.job import Job, JobStatus
from rq.registry import clean_registries
from rq.scheduler import RQScheduler
from rq.worker_registration import clean_worker_registry

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import RequestState
from chestct.errors import ServiceUnavailableError
from chestct.job_queue import names
from chestct.job_queue.connection import SERIALIZER, queue_errors
from chestct.job_queue.queue import JobQueue, JobState, job_of_waiting_requests
from chestct.settings import Settings

_LOG = logging.getLogger(__name__)

TICK_SECONDS = 5.0
# One sync a period however many workers share the queue: whoever sets this key enqueues it.
_SYNC_TURN = "lungloop:sync-turn"


class Housekeeping:
    """Cleans registries, requeues what was lost, serves retries and the periodic sync.

    Args:
        queues: names of the queues that this worker serves.
    """

    def __init__(self, settings: Settings, queues: Sequence[str], tick_seconds: float = TICK_SECONDS) -> None:
        self._settings, self._queue_names, self._tick_seconds = settings, tuple(queues), tick_seconds
        self._job_queue = JobQueue(settings.redis_url)
        self._queues = [
            Queue(name, connection=self._job_queue.connection, serializer=SERIALIZER) for name in queues
        ]
        self._missing_before: set[str] = set()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="housekeeping", daemon=True)

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Ends the thread, after the pass it is in."""
        self._stopped.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)
        self._job_queue.close()

    def tick(self, burst: bool = False) -> None:
        """One pass; a burst worker does not start periodic work."""
        with queue_errors(self._settings.redis_url):
            for queue in self._queues:
                # A worker that died with its job leaves it `started`; this requeues or fails it.
                clean_registries(queue)
                clean_worker_registry(queue)
            self._requeue_lost_jobs()
            self._enqueue_due_retries()
        if names.TRAIN in self._queue_names:
            self._serve_waiting_requests()
        if names.QUICK in self._queue_names and not burst:
            self._enqueue_periodic_sync()

    def _run(self) -> None:
        while not self._stopped.wait(self._tick_seconds):
            try:
                self.tick()
            except ServiceUnavailableError as error:
                _LOG.warning("housekeeping waits: %s", error)
            # Whatever it is, the next pass may succeed; without this thread no sync would ever start again.
            except Exception:  # noqa: BLE001 - logged with its trace
                _LOG.exception("housekeeping could not finish its pass")

    def _requeue_lost_jobs(self) -> None:
        """A worker killed between taking a job and starting it leaves the job `queued` in no list.

        Such a job would swallow every later request of its name. What is in none in two passes in a row
        is put back; one pass alone may see a job on its way.
        """
        missing: dict[str, Queue] = {}
        for queue in self._queues:
            held = set(queue.job_ids) | set(queue.started_job_registry.get_job_ids(cleanup=False))
            for key in self._job_queue.connection.scan_iter("rq:job:*"):
                job_id = key.decode().removeprefix("rq:job:")
                if ":" in job_id or job_id in held:
                    continue
                origin, status = self._job_queue.connection.hmget(key, "origin", "status")
                if origin == queue.name.encode() and status == JobStatus.QUEUED.value.encode():
                    missing[job_id] = queue
        for job_id in missing.keys() & self._missing_before:
            queue = missing.pop(job_id)
            _LOG.warning("job %s was lost by a killed worker; it is queued again", job_id)
            queue.intermediate_queue.remove(job_id)
            queue.enqueue_job(Job.fetch(job_id, connection=queue.connection, serializer=SERIALIZER))
        self._missing_before = set(missing)

    def _enqueue_due_retries(self) -> None:
        # RQ's scheduler would be one more forked process; its one useful call does in a thread.
        scheduler = RQScheduler(
            self._queues,
            connection=self._job_queue.connection,
            serializer=SERIALIZER,
            logging_level="WARNING",
        )
        if scheduler.acquire_locks():
            try:
                scheduler.enqueue_scheduled_jobs()
            finally:
                scheduler.release_locks()

    def _serve_waiting_requests(self) -> None:
        """Requests outlive the queue: those stored while it was down, or lost by it, get their job here."""
        with Catalog.open(self._settings.database_url, self._settings.storage_url) as catalog:
            taken_by = {request.job_id for request in catalog.requests.all(RequestState.RUNNING)}
            for job_id in filter(None, taken_by):
                job_state = self._job_queue.job_state(job_id)
                if job_state is JobState.DEAD:
                    self._give_up(catalog, job_id)
                elif job_state is JobState.UNKNOWN:
                    catalog.requests.release(job_id)
            waiting = job_of_waiting_requests(catalog.requests)
            if waiting is not None and self._job_queue.job_state(waiting) is JobState.DEAD:
                catalog.requests.claim(waiting)
                self._give_up(catalog, waiting)
            self._job_queue.ensure_retrain(catalog.requests)

    def _give_up(self, catalog: Catalog, job_id: str) -> None:
        # It has used up its retries: queued again it would only take down the next worker too.
        error = self._job_queue.last_error(job_id) or "it was killed"
        outcome = f"the retrain ended without an answer ({error.rstrip('; ')}); see the worker's log"
        catalog.requests.finish(job_id, RequestState.FAILED, outcome)

    def _enqueue_periodic_sync(self) -> None:
        # A local stack writes stack.json after its workers have started, hence the second look.
        if self._settings.project_id is None and Settings.load().project_id is None:
            return
        with queue_errors(self._settings.redis_url):
            period = max(1, self._settings.sync_seconds)
            if self._job_queue.connection.set(_SYNC_TURN, b"1", nx=True, ex=period):
                self._job_queue.enqueue_sync()
