"""Our own queue server starts, takes only its password, and outlives its own death with what it was told."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from lungloop.stack import services
from lungloop.stack.answers import answers_http, answers_ping
from lungloop.stack.ports import any_free_port
from lungloop.stack.supervisor import Supervisor


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    supervisor = Supervisor(tmp_path, lambda sentence: None)
    yield supervisor
    supervisor.stop()


def test_what_the_queue_was_told_survives_a_restart(supervisor: Supervisor, tmp_path: Path) -> None:
    port = any_free_port()
    supervisor.start(services.queue_service(tmp_path, port, "secret"))
    supervisor.wait_until_ready(services.QUEUE)
    with redis.Redis(port=port, password="secret") as client:
        client.set("job", "asked for")
    assert not answers_ping(port, "wrong")
    supervisor.stop()
    assert not answers_ping(port, "secret")

    again = Supervisor(tmp_path, lambda sentence: None)
    try:
        again.start(services.queue_service(tmp_path, port, "secret"))
        again.wait_until_ready(services.QUEUE)
        with redis.Redis(port=port, password="secret") as client:
            assert client.get("job") == b"asked for"
    finally:
        again.stop()


def test_a_port_without_a_server_does_not_answer() -> None:
    port = any_free_port()
    assert not answers_ping(port, "")
    assert not answers_http(port, "/health")
