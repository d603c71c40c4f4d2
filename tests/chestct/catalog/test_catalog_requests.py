import pytest

from chestct.catalog.records import RequestState
from chestct.errors import InputError, NotFoundError


def test_requests_wait_until_one_job_takes_them_all(catalog):
    first = catalog.add_retrain_request("a")
    second = catalog.add_retrain_request("b")
    assert (first.state, first.requested_by, first.job_id) == (RequestState.PENDING, "a", None)
    assert catalog.pending_retrain_requests() == [first, second]
    taken = catalog.claim_retrain_requests("job-1")
    assert [(request.id, request.state, request.job_id) for request in taken] == [
        (first.id, RequestState.RUNNING, "job-1"),
        (second.id, RequestState.RUNNING, "job-1"),
    ]
    assert catalog.pending_retrain_requests() == []
    assert catalog.claim_retrain_requests("job-2") == []


def test_a_job_that_runs_again_gets_its_own_requests_back_and_new_ones(catalog):
    first = catalog.add_retrain_request("a")
    catalog.claim_retrain_requests("job-1")
    second = catalog.add_retrain_request("b")
    assert [request.id for request in catalog.claim_retrain_requests("job-1")] == [first.id, second.id]


def test_a_finished_request_says_what_came_of_it_for_good(catalog):
    asked = catalog.add_retrain_request("a")
    catalog.claim_retrain_requests("job-1")
    waiting = catalog.add_retrain_request("b")
    (done,) = catalog.finish_retrain_requests("job-1", RequestState.DONE, "v2 promoted")
    assert (done.id, done.state, done.outcome) == (asked.id, RequestState.DONE, "v2 promoted")
    assert done.finished_at is not None
    assert catalog.finish_retrain_requests("job-1", RequestState.FAILED, "again") == []
    assert catalog.retrain_request(asked.id) == done
    assert catalog.retrain_requests() == [done, waiting]


def test_what_a_dead_job_had_taken_can_wait_again(catalog):
    asked = catalog.add_retrain_request("a")
    catalog.claim_retrain_requests("job-1")
    assert catalog.release_retrain_requests("job-1") == [asked]
    assert catalog.pending_retrain_requests() == [asked]


def test_a_request_finishes_as_done_or_failed_only(catalog):
    with pytest.raises(InputError):
        catalog.finish_retrain_requests("job-1", RequestState.PENDING, "")


def test_an_unknown_request_is_named(catalog):
    with pytest.raises(NotFoundError, match="99"):
        catalog.retrain_request(99)
