"""Transactions, and the translation of what a database says into what a user can act on."""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import sqlalchemy as sa
from sqlalchemy import exc
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.dialects.postgresql import ARRAY

from chestct.catalog.engines import LOCK_TIMEOUT_SECONDS, build_engine, for_writing, normal_url
from chestct.errors import ServiceUnavailableError

# SQLSTATE classes that say "not now" or "not with this URL", as opposed to a fault of ours:
# connection, authorisation, no such database, rollback, resources, lock not available, shutdown.
_UNAVAILABLE_CLASSES = ("08", "28", "3D", "40", "53", "55", "57")


class Database:
    """One database and its two kinds of transaction.

    Never carry one across a fork: both drivers forbid sharing connections between processes.
    """

    def __init__(self, database_url: str) -> None:
        self.url = normal_url(database_url)
        self._engine = build_engine(self.url)
        self._writing_engine = for_writing(self._engine)

    @property
    def is_sqlite(self) -> bool:
        return self.url.get_backend_name() == "sqlite"

    @contextmanager
    def reading(self) -> Iterator[sa.Connection]:
        """A transaction that sees one state and changes nothing.

        Raises:
            ServiceUnavailableError: the database does not answer.
        """
        with self._translated(), self._engine.begin() as connection:
            yield connection

    @contextmanager
    def writing(self, topic: str | None = None) -> Iterator[sa.Connection]:
        """A transaction that is kept whole or not at all.

        Args:
            topic: writers of one topic wait for each other, for decisions that rest on several rows.
                SQLite has one writer at a time anyway.
        Raises:
            ServiceUnavailableError: the database does not answer, or another writer held it for longer
                than 15 seconds.
        """
        with self._translated(), self._writing_engine.begin() as connection:
            if topic is not None and not self.is_sqlite:
                number = int.from_bytes(hashlib.sha256(topic.encode()).digest()[:8], "big", signed=True)
                connection.execute(sa.select(sa.func.pg_advisory_xact_lock(number)))
            yield connection

    def rows(self, query: sa.Executable) -> Sequence[sa.RowMapping]:
        """All rows of a query, in a transaction of its own."""
        with self.reading() as connection:
            return connection.execute(query).mappings().all()

    def row(self, query: sa.Executable) -> sa.RowMapping | None:
        """The first row of a query, in a transaction of its own; None where it has none."""
        with self.reading() as connection:
            return connection.execute(query).mappings().first()

    def add_new(self, connection: sa.Connection, table: sa.Table, values: dict[str, Any]) -> bool:
        """Insert a row unless one with the same unique key is there; whether it was inserted."""
        insert = sqlite.insert(table) if self.is_sqlite else postgresql.insert(table)
        first_key = next(iter(table.primary_key.columns))
        statement = insert.values(values).on_conflict_do_nothing().returning(first_key)
        return connection.execute(statement).first() is not None

    def add_all(
        self,
        connection: sa.Connection,
        table: sa.Table,
        rows: Sequence[dict[str, Any]],
        *,
        keep_known: bool = False,
    ) -> None:
        """Insert many rows in few statements.

        Args:
            keep_known: pass over rows whose unique key is there already, instead of failing.
        """
        if not rows:
            return
        if self.is_sqlite:
            insert = sqlite.insert(table)
            connection.execute(insert.on_conflict_do_nothing() if keep_known else insert, rows)
            return
        # pg8000 makes one round trip a row of such a list; an array for each column travels at once.
        columns = [table.c[name] for name in rows[0]]
        values = [
            sa.func.unnest(sa.bindparam(column.name, [row[column.name] for row in rows], ARRAY(column.type)))
            for column in columns
        ]
        into = postgresql.insert(table).from_select([column.name for column in columns], sa.select(*values))
        connection.execute(into.on_conflict_do_nothing() if keep_known else into)

    def close(self) -> None:
        """Give all connections back."""
        self._engine.dispose()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except exc.TimeoutError as error:
            raise ServiceUnavailableError(
                "the database", f"all connections are in use: {error}; try again"
            ) from error
        except exc.DBAPIError as error:
            reason = self._unavailable(error)
            if reason is None:
                raise
            raise ServiceUnavailableError("the database", reason) from error

    def _unavailable(self, error: exc.DBAPIError) -> str | None:
        """What the user can do about it; None where the error is no matter of availability."""
        said = error.orig.args[0] if error.orig is not None and error.orig.args else str(error)
        address = self.url.render_as_string(hide_password=True)
        if isinstance(said, dict):  # pg8000 gives the server's fields
            if not str(said.get("C", "")).startswith(_UNAVAILABLE_CLASSES):
                return None
            if said.get("C") == "55P03":
                return f"{address} stayed locked for {LOCK_TIMEOUT_SECONDS} s by another process; try again"
            return f"{address} answered: {said.get('M')}; check LUNGLOOP_DATABASE_URL and the server"
        if isinstance(error, exc.IntegrityError | exc.ProgrammingError | exc.DataError):
            return None
        if "locked" in str(said):
            return (
                f"{address} stayed locked for {LOCK_TIMEOUT_SECONDS} s by another process; "
                "see `lungloop status` for what runs, then try again"
            )
        return f"{address}: {said}; check LUNGLOOP_DATABASE_URL, the server or the file's rights and disk"
