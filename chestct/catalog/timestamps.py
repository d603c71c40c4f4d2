"""Times as text of one fixed width in UTC, so that the order of the text is the order of time."""

from datetime import UTC, datetime

from chestct.errors import InputError


def now() -> str:
    """The present moment, like "2026-03-01T09:30:00.000000Z"."""
    return _text(datetime.now(UTC))


def utc_text(given: str) -> str:
    """Any ISO 8601 time in the catalog's form; one without a zone is taken as UTC.

    Raises:
        InputError: it is no ISO 8601 time.
    """
    try:
        moment = datetime.fromisoformat(given)
    except ValueError as error:
        raise InputError(
            "time", f"{given!r} is not ISO 8601; expected the likes of 2026-03-01T09:30:00Z"
        ) from error
    return _text(moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC))


def _text(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
