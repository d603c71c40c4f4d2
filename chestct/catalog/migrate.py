"""Bringing a database to the newest schema: one process at a time, whole or not at all."""

import sqlite3
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory

from chestct.catalog.database import Database
from chestct.catalog.engines import LOCK_TIMEOUT_SECONDS
from chestct.errors import ServiceUnavailableError
from chestct.files import exclusive_lock

# The newest revision, so that opening an up-to-date catalog reads one row and no script.
HEAD = "0007"
_SCRIPTS = Path(__file__).parent / "migrations"


def migrate(database: Database, *, create: bool = True) -> None:
    """Make the schema the newest; safe to call from many processes at once, quick when it is.

    Args:
        create: whether a database that holds no catalog gets one.
    Raises:
        ServiceUnavailableError: there is no catalog and `create` is false, it was made by a newer
            LungLoop, or the database cannot be reached.
    """
    path = Path(database.url.database or "") if database.is_sqlite else None
    if path is not None and not path.exists():
        if not create:
            raise _no_catalog(database)
        _make_folder(path.parent)
    if (path is None or path.exists()) and _revision(database) == HEAD:
        return
    with _one_process(path):
        if path is not None:
            _use_write_ahead_log(path)
        found = _revision(database)
        if found is None and not create:
            raise _no_catalog(database)
        if found != HEAD:
            with database.writing("migrations") as connection:
                _upgrade(connection)


def _revision(database: Database) -> str | None:
    with database.reading() as connection:
        if not sa.inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: sa.Connection) -> None:
    """All missing revisions in the connection's transaction; none where another just ran them."""
    config = Config()
    # A configuration value: a percent sign in the checkout's path must not read as interpolation.
    config.set_main_option("script_location", str(_SCRIPTS).replace("%", "%%"))
    config.attributes["connection"] = connection
    found = None
    if sa.inspect(connection).has_table("alembic_version"):
        found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    known = {script.revision for script in ScriptDirectory.from_config(config).walk_revisions()}
    if found is not None and found not in known:
        raise ServiceUnavailableError(
            "the database",
            f"its schema is {found!r}, made by a newer LungLoop than this one (newest known: {HEAD!r}); "
            "update this installation or point LUNGLOOP_DATABASE_URL elsewhere",
        )
    command.upgrade(config, "head")


@contextmanager
def _one_process(path: Path | None) -> Iterator[None]:
    """A lock file beside a SQLite database; PostgreSQL's own lock is taken by `writing`.

    SQLite's own locks do not cover the switch to a write-ahead log, which fails at once where
    another process is in the file.
    """
    if path is None:
        yield
        return
    lock_path = path.with_name(path.name + ".migrate.lock")
    with ExitStack() as stack:
        try:
            lock = stack.enter_context(exclusive_lock(lock_path, LOCK_TIMEOUT_SECONDS))
        except OSError as error:
            raise ServiceUnavailableError(
                "the database", f"{lock_path} cannot be written: {error}"
            ) from error
        if lock is None:
            raise ServiceUnavailableError(
                "the database", f"another process migrates {path} for too long; try again"
            )
        yield


def _use_write_ahead_log(path: Path) -> None:
    """Readers and the one writer then do not wait for each other; kept in the file itself."""
    try:
        with closing(sqlite3.connect(path, timeout=LOCK_TIMEOUT_SECONDS)) as connection:
            connection.execute("PRAGMA journal_mode = WAL")
    except sqlite3.Error as error:
        raise ServiceUnavailableError(
            "the database", f"{path}: {error}; check the file's rights and the disk"
        ) from error


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ServiceUnavailableError("the database", f"{folder} cannot be made: {error}") from error


def _no_catalog(database: Database) -> ServiceUnavailableError:
    address = database.url.render_as_string(hide_password=True)
    return ServiceUnavailableError(
        "the database", f"there is no catalog at {address} yet; run `lungloop up` or `lungloop import PATH`"
    )
