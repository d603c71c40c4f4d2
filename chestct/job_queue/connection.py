"""The connection to Redis (or Valkey): short time-outs, and errors in the project's words."""

import re
from collections.abc import Iterator
from contextlib import contextmanager

import redis
from redis import exceptions
from redis.backoff import NoBackoff
from redis.retry import Retry

from chestct.errors import ServiceUnavailableError, SettingsError

# RQ's JSON serializer: whoever can write to the queue must not be able to run code by a pickle.
SERIALIZER = "rq.serializers.JSONSerializer"

# Label Studio 1.23 gives a webhook 1.0 s (WEBHOOK_TIMEOUT of its settings), so an unreachable queue must
# be noticed well before that.
CONNECT_SECONDS = 0.4
ANSWER_SECONDS = 2.0


def connect(redis_url: str | None) -> redis.Redis:
    """A client that gives up quickly and does not retry; connects on first use.

    Raises:
        ServiceUnavailableError: no URL is configured.
        SettingsError: the URL is not one that Redis clients understand.
    """
    if not redis_url:
        raise ServiceUnavailableError(
            "the queue", "no address is configured; run `lungloop up`, or set LUNGLOOP_REDIS_URL"
        )
    try:
        return redis.Redis.from_url(
            redis_url,
            socket_connect_timeout=CONNECT_SECONDS,
            socket_timeout=ANSWER_SECONDS,
            # redis-py 8 retries for several seconds unless told not to.
            retry=Retry(NoBackoff(), 0),
        )
    except ValueError as error:
        raise SettingsError(
            f"LUNGLOOP_REDIS_URL is {without_password(redis_url)!r}; expected redis://HOST:PORT/NUMBER"
        ) from error


def without_password(url: str) -> str:
    """The URL as it may be shown and logged."""
    return re.sub(r"//[^@/]*@", "//***@", url)


@contextmanager
def queue_errors(redis_url: str | None) -> Iterator[None]:
    """Translates an unreachable Redis into ServiceUnavailableError."""
    try:
        yield
    except (exceptions.ConnectionError, exceptions.TimeoutError) as error:
        address = without_password(redis_url or "")
        raise ServiceUnavailableError(
            "the queue", f"{address} does not answer ({error}); run `lungloop up` or start the Redis there"
        ) from error
