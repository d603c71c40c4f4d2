"""Requests for a retrain: the truth of what was asked, whatever the queue has lost."""

import sqlalchemy as sa

from chestct.catalog import tables, timestamps
from chestct.catalog.records import RequestState, RetrainRequest
from chestct.catalog.splits import SPLITS_TOPIC
from chestct.catalog.store import Store
from chestct.errors import InputError, NotFoundError

_rows = tables.retrain_requests


class RequestStore(Store):
    """Asking, and a job's taking and answering of what was asked."""

    def add(self, by: str) -> RetrainRequest:
        """Ask for a retrain, pending until a job takes it."""
        values = {"requested_by": by, "requested_at": timestamps.now(), "state": RequestState.PENDING.value}
        with self._database.writing() as connection:
            added = connection.execute(sa.insert(_rows).values(values).returning(_rows.c.id)).scalar_one()
            return _requests(connection, _rows.c.id == added)[0]

    def all(self, state: RequestState | None = None) -> list[RetrainRequest]:
        """Requests in the order they were made, of one state or all."""
        with self._database.reading() as connection:
            return _requests(connection, sa.true() if state is None else _rows.c.state == state.value)

    def pending(self) -> list[RetrainRequest]:
        """Requests that no job has taken yet."""
        return self.all(RequestState.PENDING)

    def claim(self, job_id: str) -> list[RetrainRequest]:
        """Make all pending requests this job's; each goes to one job only.

        Returns:
            Everything that is this job's now: a job that runs again gets its own back.
        """
        # In turn with changes of the splits: a job's snapshot must not miss a patient just frozen.
        with self._database.writing(SPLITS_TOPIC) as connection:
            connection.execute(
                sa.update(_rows)
                .where(_rows.c.state == RequestState.PENDING.value)
                .values(state=RequestState.RUNNING.value, job_id=job_id)
            )
            return _requests(connection, _running(job_id))

    def finish(self, job_id: str, state: RequestState, outcome: str) -> list[RetrainRequest]:
        """Answer everything that a job has taken; idempotent.

        Args:
            state: DONE or FAILED.
            outcome: one sentence for the people who asked.
        Raises:
            InputError: another state.
        """
        if state not in (RequestState.DONE, RequestState.FAILED):
            raise InputError("state", f"is {state}; a request finishes as done or failed")
        values: dict[str, str | None] = {
            "state": state.value,
            "outcome": outcome,
            "finished_at": timestamps.now(),
        }
        return self._change_running(job_id, values)

    def release(self, job_id: str) -> list[RetrainRequest]:
        """Put what a job that died had taken back to pending."""
        return self._change_running(job_id, {"state": RequestState.PENDING.value, "job_id": None})

    def get(self, request_id: int) -> RetrainRequest:
        """One request.

        Raises:
            NotFoundError: there is none of this id.
        """
        with self._database.reading() as connection:
            requests = _requests(connection, _rows.c.id == request_id)
        if not requests:
            raise NotFoundError(f"the catalog has no retrain request {request_id}")
        return requests[0]

    def _change_running(self, job_id: str, values: dict[str, str | None]) -> list[RetrainRequest]:
        with self._database.writing() as connection:
            statement = sa.update(_rows).where(_running(job_id)).values(values).returning(_rows.c.id)
            changed = connection.execute(statement).scalars().all()
            return _requests(connection, _rows.c.id.in_(changed))


def _running(job_id: str) -> sa.ColumnElement[bool]:
    return (_rows.c.state == RequestState.RUNNING.value) & (_rows.c.job_id == job_id)


def _requests(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> list[RetrainRequest]:
    rows = connection.execute(sa.select(_rows).where(condition).order_by(_rows.c.id)).mappings()
    return [RetrainRequest(**{**row, "state": RequestState(row["state"])}) for row in rows]
