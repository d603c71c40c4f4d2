"""Model versions, and the release: which of them serve."""

from collections.abc import Iterable
from typing import Any

import sqlalchemy as sa

from chestct.catalog import releases, tables, timestamps
from chestct.catalog.records import Release, VersionRecord, VersionState, versions_in
from chestct.catalog.store import Store
from chestct.errors import InputError, NotFoundError

_TOPIC = "versions"
# What only a promotion gives, and how a sentence says it.
_SERVING = {VersionState.CHAMPION: "the champion", VersionState.OPEN_STUDIES: "serving the open studies"}


class VersionStore(Store):
    """Registering, promoting, refusing and going back; each change is one transaction."""

    def register(
        self,
        version: str,
        parent: str | None,
        snapshot: str | None,
        state: VersionState = VersionState.CHALLENGER,
        *,
        study_ids: Iterable[int] = (),
    ) -> VersionRecord:
        """Make a version known; registering it again (a job that runs twice) changes nothing.

        Args:
            parent: the version that training started from.
            snapshot: id of the data that trained it.
            study_ids: the studies that it learned from, as far as they are known.
        Raises:
            InputError: the version is known with another parent, snapshot or other studies, its name holds
                a "+", or `state` is one that only a promotion gives.
        """
        if state in _SERVING:
            raise InputError(
                version,
                f"cannot be registered as {_SERVING[state]}; register it, then set_champion or "
                "serve_open_studies",
            )
        if len(versions_in(version)) > 1:
            raise InputError(version, "is no version name: a + joins the versions of a release")
        with self._database.writing(_TOPIC) as connection:
            self._add(connection, version, state, parent=parent, snapshot=snapshot)
            kept = _required(connection, version)
            if (kept.parent, kept.snapshot) != (parent, snapshot):
                raise InputError(
                    version,
                    f"is registered with the parent {kept.parent!r} and the snapshot {kept.snapshot!r}, not "
                    f"{parent!r} and {snapshot!r}; a new model needs a new version name",
                )
            self._keep_studies(connection, version, study_ids)
        return kept

    def release(self) -> Release | None:
        """What serves now; None before the first champion."""
        with self._database.reading() as connection:
            return releases.current_release(connection)

    def required_release(self) -> Release:
        """What serves now.

        Raises:
            NotFoundError: there is no champion yet.
        """
        release = self.release()
        if release is None:
            raise NotFoundError("there is no champion yet; `lungloop up` makes the shipped weights champion")
        return release

    def version_of(self, release_name: str, study_id: int) -> str:
        """The version that serves a study under a release of now or before, by its name."""
        with self._database.reading() as connection:
            return releases.version_of(connection, release_name, study_id)

    def studies_of(self, version: str) -> frozenset[int]:
        """The studies that a version learned from; empty where that was not kept."""
        with self._database.reading() as connection:
            return _studies_of(connection, version)

    def champion(self) -> VersionRecord | None:
        """The default of the release; None before the first."""
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
        """Make a version serve everything and retire what served before, at once for everybody.

        Args:
            decision: why; None keeps what was decided before.
        Raises:
            NotFoundError: the version was never registered.
        """
        with self._database.writing(_TOPIC) as connection:
            _required(connection, version)
            releases.switch(connection, version, None, releases.PROMOTION)
            return _decided(connection, version, decision)

    def serve_open_studies(
        self, version: str, study_ids: Iterable[int] = (), decision: dict[str, Any] | None = None
    ) -> VersionRecord:
        """Let a version pre-label the studies that it learned from; the champion serves all others.

        Args:
            study_ids: those studies; none where they were kept before.
            decision: why; None keeps what was decided before.
        Raises:
            NotFoundError: the version was never registered, or there is no champion.
            InputError: it is the champion, nobody knows what it learned from, or other studies were kept.
        """
        with self._database.writing(_TOPIC) as connection:
            if _required(connection, version).state is VersionState.CHAMPION:
                raise InputError(version, "is the champion and serves everything; promote another one first")
            champion = _champion(connection)
            if champion is None:
                raise NotFoundError("there is no champion to serve all other studies; promote one first")
            self._keep_studies(connection, version, study_ids)
            if not _studies_of(connection, version):
                raise InputError(version, "is not known to have learned from any study of this catalog")
            releases.switch(connection, champion.version, version, releases.PROMOTION)
            return _decided(connection, version, decision)

    def refuse(self, version: str, decision: dict[str, Any]) -> VersionRecord:
        """Record that a version may not serve, and why.

        Raises:
            NotFoundError: the version was never registered.
            InputError: it serves.
        """
        with self._database.writing(_TOPIC) as connection:
            state = _required(connection, version).state
            if state in _SERVING:
                raise InputError(version, f"is {_SERVING[state]}; promote another version or roll back first")
            return _decided(connection, version, decision, VersionState.REFUSED)

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
            releases.switch(connection, version, None, releases.PROMOTION)
            return _required(connection, version)

    def rollback(self) -> VersionRecord:
        """Undo the newest promotion that still stands: back to the release before, both parts of it.

        Returns:
            The champion afterwards.
        Raises:
            NotFoundError: no release came before the present one.
        """
        with self._database.writing(_TOPIC) as connection:
            default, open_version = releases.release_before(connection)
            releases.switch(connection, default, open_version, releases.ROLLBACK)
            return _required(connection, default)

    def _add(
        self, connection: sa.Connection, version: str, state: VersionState, **origin: str | None
    ) -> None:
        values = {"version": version, "state": state.value, "created_at": timestamps.now(), **origin}
        self._database.add_new(connection, tables.versions, values)

    def _keep_studies(self, connection: sa.Connection, version: str, study_ids: Iterable[int]) -> None:
        """Once and for all: the name of a release must go on saying which version made a pre-label."""
        wanted, kept = set(study_ids), _studies_of(connection, version)
        if kept and wanted and wanted != kept:
            raise InputError(
                version,
                f"learned from {len(kept)} studies by what was kept, not from these {len(wanted)}; "
                "a new model needs a new version name",
            )
        rows = [{"version": version, "study_id": study_id} for study_id in sorted(wanted - kept)]
        self._database.add_all(connection, tables.version_studies, rows)


def _decided(
    connection: sa.Connection,
    version: str,
    decision: dict[str, Any] | None,
    state: VersionState | None = None,
) -> VersionRecord:
    """The version with its decision, and in another state where one is given."""
    values: dict[str, Any] = {} if state is None else {"state": state.value}
    if decision is not None:
        values["decision"] = decision
    if values:
        connection.execute(
            sa.update(tables.versions).where(tables.versions.c.version == version).values(values)
        )
    return _required(connection, version)


def _studies_of(connection: sa.Connection, version: str) -> frozenset[int]:
    learned = tables.version_studies
    query = sa.select(learned.c.study_id).where(learned.c.version == version)
    return frozenset(connection.execute(query).scalars())


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
