import pytest

from chestct.catalog.records import RequestState
from chestct.errors import InputError, NotFoundError


def test_requests_wait_until_one_job_takes_them_all(catalog):
    first = catalog.requests.add("a")
    second = catalog.requests.add("b")
    assert (first.state, first.requested_by, first.job_id) == (RequestState.PENDING, "a", None)
    assert catalog.requests.pending() == [first, second]
    taken = catalog.requests.claim("job-1")
    assert [(request.id, request.state, request.job_id) for request in taken] == [
        (first.id, RequestState.RUNNING, "job-1"),
        (second.id, RequestState.RUNNING, "job-1"),
    ]
    assert catalog.requests.pending() == []
    assert catalog.requests.claim("job-2") == []


def test_a_job_that_runs_again_gets_its_own_requests_back_and_new_ones(catalog):
    first = catalog.requests.add("a")
    catalog.requests.claim("job-1")
    second = catalog.requests.add("b")
    assert [request.id for request in catalog.requests.claim("job-1")] == [first.id, second.id]


def test_a_finished_request_says_what_came_of_it_for_good(catalog):
    asked = catalog.requests.add("a")
    catalog.requests.claim("job-1")
    waiting = catalog.requests.add("b")
    (done,) = catalog.requests.finish("job-1", RequestState.DONE, "v2 promoted")
    assert (done.id, done.state, done.outcome) == (asked.id, RequestState.DONE, "v2 promoted")
    assert done.finished_at is not None
    assert catalog.requests.finish("job-1", RequestState.FAILED, "again") == []
    assert catalog.requests.get(asked.id) == done
    assert catalog.requests.all() == [done, waiting]


def test_what_a_dead_job_had_taken_can_wait_again(catalog):
    asked = catalog.requests.add("a")
    catalog.requests.claim("job-1")
    assert catalog.requests.release("job-1") == [asked]
    assert catalog.requests.pending() == [asked]


def test_a_request_finishes_as_done_or_failed_only(catalog):
    with pytest.raises(InputError):
        catalog.requests.finish("job-1", RequestState.PENDING, "")


def test_an_unknown_request_is_named(catalog):
    with pytest.raises(NotFoundError, match="99"):
        catalog.requests.get(99)
