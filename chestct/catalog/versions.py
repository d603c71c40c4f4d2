"""Model versions and the one champion among them."""

from typing import Any

import sqlalchemy as sa

from chestct.catalog import tables, timestamps
from chestct.catalog.records import VersionRecord, VersionState
from chestct.catalog.store import Store
from chestct.errors import InputError, NotFoundError

_TOPIC = "versions"
_PROMOTION, _ROLLBACK = "promotion", "rollback"


class VersionStore(Store):
    """Registering, promoting, refusing and going back; each change is one transaction."""

    def register(
        self,
        version: str,
        parent: str | None,
        snapshot: str | None,
        state: VersionState = VersionState.CHALLENGER,
    ) -> VersionRecord:
        """Make a version known; registering it again (a job that runs twice) changes nothing.

        Args:
            parent: the version that training started from.
            snapshot: id of the data that trained it.
        Raises:
            InputError: the version is known with another parent or snapshot, or `state` is CHAMPION,
                which only `set_champion` gives.
        """
        if state is VersionState.CHAMPION:
            raise InputError(version, "cannot be registered as champion; register it, then set_champion")
        with self._database.writing(_TOPIC) as connection:
            self._add(connection, version, state, parent=parent, snapshot=snapshot)
            kept = _required(connection, version)
        if (kept.parent, kept.snapshot) != (parent, snapshot):
            raise InputError(
                version,
                f"is registered with the parent {kept.parent!r} and the snapshot {kept.snapshot!r}, not "
                f"{parent!r} and {snapshot!r}; a new model needs a new version name",
            )
        return kept

    def champion(self) -> VersionRecord | None:
        """The version that serves now; None before the first."""
        with self._database.reading() as connection:
            return _champion(connection)

    def get(self, version: str) -> VersionRecord:
        """One version.

        Raises:
            NotFoundError: it was never registered.
        """
        with self._database.reading() as connection:
            return _required(connection, version)

    def all(self) -> list[VersionRecord]:
        """All versions, the oldest first."""
        query = sa.select(tables.versions).order_by(tables.versions.c.created_at, tables.versions.c.version)
        return [_version_record(row) for row in self._database.rows(query)]

    def set_champion(self, version: str, decision: dict[str, Any] | None = None) -> VersionRecord:
        """Make a version the champion and retire the old one, at once for everybody.

        Args:
            decision: why; None keeps what was decided before.
        Raises:
            NotFoundError: the version was never registered.
        """
        with self._database.writing(_TOPIC) as connection:
            return _switch(connection, _required(connection, version), decision, _PROMOTION)

    def refuse(self, version: str, decision: dict[str, Any]) -> VersionRecord:
        """Record that a version may not serve, and why.

        Raises:
            NotFoundError: the version was never registered.
            InputError: it is the champion.
        """
        with self._database.writing(_TOPIC) as connection:
            if _required(connection, version).state is VersionState.CHAMPION:
                raise InputError(version, "is the champion; promote another version or roll back first")
            _change(connection, version, VersionState.REFUSED, decision)
            return _required(connection, version)

    def ensure_base(self, version: str) -> VersionRecord:
        """Make the shipped version known, and champion where there is none.

        Returns:
            The champion afterwards.
        """
        with self._database.writing(_TOPIC) as connection:
            self._add(connection, version, VersionState.CHALLENGER)
            champion = _champion(connection)
            if champion is not None:
                return champion
            return _switch(connection, _required(connection, version), None, _PROMOTION)

    def rollback(self) -> VersionRecord:
        """Undo the newest promotion that still stands.

        Returns:
            The champion afterwards.
        Raises:
            NotFoundError: no champion came before the present one.
        """
        with self._database.writing(_TOPIC) as connection:
            standing = _standing_promotions(connection)
            if len(standing) < 2:
                raise NotFoundError("no champion came before the present one; see `lungloop models list`")
            return _switch(connection, _required(connection, standing[-2]), None, _ROLLBACK)

    def _add(
        self, connection: sa.Connection, version: str, state: VersionState, **origin: str | None
    ) -> None:
        values = {"version": version, "state": state.value, "created_at": timestamps.now(), **origin}
        self._database.add_new(connection, tables.versions, values)


def _switch(
    connection: sa.Connection, chosen: VersionRecord, decision: dict[str, Any] | None, kind: str
) -> VersionRecord:
    old = _champion(connection)
    if old is None or old.version != chosen.version:
        if old is not None:
            _change(connection, old.version, VersionState.RETIRED, None)
        connection.execute(
            sa.insert(tables.champion_changes).values(
                version=chosen.version, kind=kind, changed_at=timestamps.now()
            )
        )
    _change(connection, chosen.version, VersionState.CHAMPION, decision)
    return _required(connection, chosen.version)


def _change(
    connection: sa.Connection, version: str, state: VersionState, decision: dict[str, Any] | None
) -> None:
    values: dict[str, Any] = {"state": state.value}
    if decision is not None:
        values["decision"] = decision
    connection.execute(sa.update(tables.versions).where(tables.versions.c.version == version).values(values))


def _standing_promotions(connection: sa.Connection) -> list[str]:
    """Promotions in their order, without those that a rollback has undone; the last is the champion."""
    changes = tables.champion_changes
    standing: list[str] = []
    query = sa.select(changes.c.version, changes.c.kind).order_by(changes.c.id)
    for version, kind in connection.execute(query):
        if kind == _PROMOTION:
            standing.append(version)
        else:
            standing.pop()
    return standing


def _champion(connection: sa.Connection) -> VersionRecord | None:
    return _find(connection, tables.versions.c.state == VersionState.CHAMPION.value)


def _required(connection: sa.Connection, version: str) -> VersionRecord:
    record = _find(connection, tables.versions.c.version == version)
    if record is None:
        raise NotFoundError(f"the catalog has no model version {version!r}; see `lungloop models list`")
    return record


def _find(connection: sa.Connection, condition: sa.ColumnElement[bool]) -> VersionRecord | None:
    row = connection.execute(sa.select(tables.versions).where(condition)).mappings().first()
    return None if row is None else _version_record(row)


def _version_record(row: sa.RowMapping) -> VersionRecord:
    return VersionRecord(**{**row, "state": VersionState(row["state"])})
