"""Releases: which version serves what, and the studies that a version learned from."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_STATES = "state IN ('champion', 'challenger', 'refused', 'retired', 'open studies')"
_KINDS = "kind IN ('promotion', 'rollback')"
_VERSION_COLUMNS = "version, state, parent, snapshot, created_at, decision"
_CHANGE_COLUMNS = "id, version, kind, changed_at"


def upgrade() -> None:
    """Every change of champion so far becomes a release that one version serves whole."""
    if op.get_bind().dialect.name == "sqlite":
        _rebuild()
    else:
        _alter()
    _one_version_in("champion")
    _one_version_in("open studies")
    op.create_table(
        "version_studies",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("study_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.PrimaryKeyConstraint("version", "study_id", name="pk_version_studies"),
        sa.ForeignKeyConstraint(["version"], ["versions.version"], name="fk_version_studies_version"),
        sa.ForeignKeyConstraint(["study_id"], ["studies.id"], name="fk_version_studies_study_id"),
    )


def _alter() -> None:
    op.drop_index("uq_versions_champion", "versions")
    op.drop_constraint("ck_versions_state", "versions", type_="check")
    op.create_check_constraint("ck_versions_state", "versions", _STATES)
    op.add_column("champion_changes", sa.Column("open_version", sa.Text()))
    op.create_foreign_key(
        "fk_champion_changes_open_version", "champion_changes", "versions", ["open_version"], ["version"]
    )


def _rebuild() -> None:
    """SQLite changes no constraint of a table that exists: new ones take the rows and the names.

    The changes go first, so that no row of theirs ever names a version that is gone; renaming a table
    renames it in the keys that point to it.
    """
    op.create_table(
        "versions_rebuilt",
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("parent", sa.Text()),
        sa.Column("snapshot", sa.Text()),
        sa.Column("created_at", sa.Text(), nullable=False),
        sa.Column("decision", sa.JSON(none_as_null=True)),
        sa.PrimaryKeyConstraint("version", name="pk_versions"),
        sa.CheckConstraint(_STATES, name="ck_versions_state"),
    )
    op.create_table(
        "champion_changes_rebuilt",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("version", sa.Text(), nullable=False),
        sa.Column("open_version", sa.Text()),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_champion_changes"),
        sa.ForeignKeyConstraint(
            ["version"], ["versions_rebuilt.version"], name="fk_champion_changes_version"
        ),
        sa.ForeignKeyConstraint(
            ["open_version"], ["versions_rebuilt.version"], name="fk_champion_changes_open_version"
        ),
        sa.CheckConstraint(_KINDS, name="ck_champion_changes_kind"),
    )
    for table, columns in (("versions", _VERSION_COLUMNS), ("champion_changes", _CHANGE_COLUMNS)):
        op.execute(f"INSERT INTO {table}_rebuilt ({columns}) SELECT {columns} FROM {table}")
    op.drop_table("champion_changes")
    op.drop_table("versions")
    op.rename_table("versions_rebuilt", "versions")
    op.rename_table("champion_changes_rebuilt", "champion_changes")


def _one_version_in(state: str) -> None:
    """The database itself holds that there is never more than one champion, and one beside it."""
    only_these = sa.text(f"state = '{state}'")
    op.create_index(
        f"uq_versions_{state.replace(' ', '_')}",
        "versions",
        ["state"],
        unique=True,
        sqlite_where=only_these,
        postgresql_where=only_these,
    )
