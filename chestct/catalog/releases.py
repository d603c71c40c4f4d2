"""Releases: which version serves which study, and the way back through what served before.

Wherever the catalog is asked by a model version, a release's name ("base-4+v0003") will do: of each study it
stands for the version that serves it. Version names hold no "+", and the studies that a version learned from
never change, so the name alone says it, of older releases too.
"""

import sqlalchemy as sa

from chestct.catalog import tables, timestamps
from chestct.catalog.records import Release, VersionState, versions_in
from chestct.errors import NotFoundError

PROMOTION, ROLLBACK = "promotion", "rollback"


def made_by(rows: sa.FromClause, release_name: str) -> sa.ColumnElement[bool]:
    """A condition on rows: they are of the version that serves their study.

    Args:
        rows: with `model_version`, and `slice_id` or `study_id`.
        release_name: may be the name of a single version.
    """
    default, *others = versions_in(release_name)
    by_default = rows.c.model_version == default
    if not others:
        return by_default
    # Asked row by row: most questions are of one slice, and a list of all slices would be made for each.
    learned, slices = tables.version_studies.alias(), tables.slices.alias()
    learned_from = sa.select(learned.c.study_id).where(learned.c.version == others[0])
    if "study_id" in rows.c:
        learned_from = learned_from.where(learned.c.study_id == rows.c.study_id)
    else:
        of_slice = (slices.c.id == rows.c.slice_id) & (slices.c.study_id == learned.c.study_id)
        learned_from = learned_from.where(of_slice)
    is_learned = learned_from.correlate(rows).exists()
    return (by_default & ~is_learned) | ((rows.c.model_version == others[0]) & is_learned)


def version_of(connection: sa.Connection, release_name: str, study_id: int) -> str:
    """The version that serves a study under a release, which may be an older one."""
    learned = tables.version_studies
    default, *others = versions_in(release_name)
    for version in others:
        here = (learned.c.version == version) & (learned.c.study_id == study_id)
        if connection.execute(sa.select(learned.c.study_id).where(here)).first() is not None:
            return version
    return default


def current_release(connection: sa.Connection) -> Release | None:
    """What serves now, in one look; None before the first champion."""
    versions, learned = tables.versions, tables.version_studies
    of_other = (learned.c.version == versions.c.version) & (
        versions.c.state == VersionState.OPEN_STUDIES.value
    )
    serving = (VersionState.CHAMPION.value, VersionState.OPEN_STUDIES.value)
    query = (
        sa.select(versions.c.version, versions.c.state, learned.c.study_id)
        .outerjoin(learned, of_other)
        .where(versions.c.state.in_(serving))
    )
    rows = connection.execute(query).all()
    default = next((row.version for row in rows if row.state == VersionState.CHAMPION.value), None)
    if default is None:
        return None
    others = [row for row in rows if row.state == VersionState.OPEN_STUDIES.value]
    return Release(
        default,
        others[0].version if others else None,
        frozenset(row.study_id for row in others if row.study_id is not None),
    )


def switch(connection: sa.Connection, default: str, open_version: str | None, kind: str) -> None:
    """Make these two serve and retire the others; a release that serves already makes no history."""
    before = current_release(connection)
    if before is None or (before.default, before.open_version) != (default, open_version):
        # First nobody serves: the database allows one of each kind at every step.
        for version in () if before is None else before.versions:
            _set_state(connection, version, VersionState.RETIRED)
        connection.execute(
            sa.insert(tables.champion_changes).values(
                version=default, open_version=open_version, kind=kind, changed_at=timestamps.now()
            )
        )
    _set_state(connection, default, VersionState.CHAMPION)
    if open_version is not None:
        _set_state(connection, open_version, VersionState.OPEN_STUDIES)


def release_before(connection: sa.Connection) -> tuple[str, str | None]:
    """Champion and other version of the release before the newest that still stands.

    Raises:
        NotFoundError: none came before.
    """
    changes = tables.champion_changes
    # Without those that a rollback has undone; the last is the present one.
    standing: list[tuple[str, str | None]] = []
    query = sa.select(changes.c.version, changes.c.open_version, changes.c.kind).order_by(changes.c.id)
    for version, open_version, kind in connection.execute(query):
        if kind == PROMOTION:
            standing.append((version, open_version))
        else:
            standing.pop()
    if len(standing) < 2:
        raise NotFoundError("no champion came before the present one; see `lungloop models list`")
    return standing[-2]


def _set_state(connection: sa.Connection, version: str, state: VersionState) -> None:
    versions = tables.versions
    connection.execute(sa.update(versions).where(versions.c.version == version).values(state=state.value))
