"""From a database URL to an SQLAlchemy engine that behaves the same on SQLite and PostgreSQL."""

import json
import math
import ssl
from collections.abc import Callable
from typing import Any

import pg8000
import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError

from chestct.errors import SettingsError

# How long one writer waits for another before the user is told; well above any transaction here.
LOCK_TIMEOUT_SECONDS = 15
# pg8000 uses one socket time-out for everything; a lock wait must end before it does.
_SOCKET_TIMEOUT_SECONDS = 4 * LOCK_TIMEOUT_SECONDS

_SQLITE_BEGIN = "sqlite_begin"


def normal_url(database_url: str) -> URL:
    """The URL with our driver named: pg8000 for PostgreSQL, Python's own for SQLite.

    Raises:
        SettingsError: it is not the URL of a SQLite file or of a PostgreSQL database.
    """
    try:
        url = make_url(database_url)
    except ArgumentError as error:
        raise SettingsError(
            f"LUNGLOOP_DATABASE_URL is {database_url!r}; expected sqlite:////path/to/file or "
            "postgresql://user:password@host/database"
        ) from error
    if url.drivername in ("postgres", "postgresql", "postgresql+pg8000"):
        return url.set(drivername="postgresql+pg8000")
    if url.drivername in ("sqlite", "sqlite+pysqlite"):
        if url.database in (None, "", ":memory:"):
            raise SettingsError(
                "LUNGLOOP_DATABASE_URL names SQLite without a file; several processes share the catalog, "
                "so give a path: sqlite:////path/to/catalog.sqlite3"
            )
        return url
    raise SettingsError(
        f"LUNGLOOP_DATABASE_URL uses {url.drivername!r}; expected sqlite:// or postgresql:// (driver pg8000)"
    )


def build_engine(url: URL) -> sa.Engine:
    """Engine whose connections wait for locks, and on SQLite hold foreign keys and whole commits."""
    if url.get_backend_name() == "sqlite":
        engine = sa.create_engine(
            url, json_serializer=_json_text, connect_args={"timeout": LOCK_TIMEOUT_SECONDS}
        )
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
        return engine
    url, ssl_context = _without_sslmode(url)
    engine = sa.create_engine(
        url,
        json_serializer=_json_text,
        pool_pre_ping=True,
        connect_args={
            "timeout": _SOCKET_TIMEOUT_SECONDS,
            "ssl_context": ssl_context,
            "startup_params": {"lock_timeout": f"{LOCK_TIMEOUT_SECONDS}s"},
        },
    )
    # The stubs name the parameter; SQLAlchemy gives it by position.
    engine.dialect.do_ping = _telling_resets(engine.dialect)  # pyright: ignore[reportAttributeAccessIssue]
    return engine


def _telling_resets(dialect: sa.Dialect) -> Callable[[Any], bool]:
    """The dialect's ping, which names a reset connection as the dialect knows a lost one.

    pg8000 1.31 wraps what fails while it sends, but lets a reset through that it meets while it reads;
    SQLAlchemy 2.1 then takes a server that restarted for a bug.
    """
    ping = dialect.do_ping

    def do_ping(dbapi_connection: Any) -> bool:
        try:
            return ping(dbapi_connection)
        except OSError as error:
            raise pg8000.InterfaceError(f"network error: {error}") from error

    return do_ping


def for_writing(engine: sa.Engine) -> sa.Engine:
    """The same connections, for transactions that write.

    On SQLite they begin IMMEDIATE: one that reads first and writes later would fail at once, without
    waiting, where another wrote in between.
    """
    return engine.execution_options(**{_SQLITE_BEGIN: "BEGIN IMMEDIATE"})


def _prepare_sqlite(dbapi_connection: Any, _record: object) -> None:
    # Python's sqlite3 begins transactions by its own guess; we begin them ourselves.
    dbapi_connection.isolation_level = None
    dbapi_connection.execute("PRAGMA foreign_keys = ON")
    # A reader's correction must outlive a power cut, which WAL's usual NORMAL does not promise.
    dbapi_connection.execute("PRAGMA synchronous = FULL")


def _begin_sqlite(connection: sa.Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get(_SQLITE_BEGIN, "BEGIN"))


def _without_sslmode(url: URL) -> tuple[URL, ssl.SSLContext | bool | None]:
    """libpq's `sslmode`, which URLs of hosted databases carry, as what pg8000 takes.

    None (no mode given) encrypts where the server offers it, as libpq's default does.
    """
    mode = url.query.get("sslmode")
    rest = url.difference_update_query(["sslmode"])
    if mode == "disable":
        return rest, False
    if mode not in ("require", "verify-ca", "verify-full"):
        return rest, None
    context = ssl.create_default_context()
    if mode != "verify-full":
        context.check_hostname = False
    if mode == "require":  # libpq's meaning: encrypted, to whomever
        context.verify_mode = ssl.CERT_NONE
    return rest, context


def _json_text(value: Any) -> str:
    return json.dumps(_plain(value), allow_nan=False)


def _plain(value: Any) -> Any:
    """JSON knows neither NaN nor NumPy's numbers, and PostgreSQL refuses both: NaN becomes null."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if hasattr(value, "item") and not isinstance(value, str | bytes):
        value = value.item()
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
