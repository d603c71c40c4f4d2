import contextlib
import sqlite3
from pathlib import Path

import pg8000
import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory

from chestct.catalog import engines, migrate, tables
from chestct.catalog.catalog import Catalog
from chestct.catalog.database import Database
from chestct.errors import ServiceUnavailableError, SettingsError


def test_the_migrations_make_what_the_tables_describe(empty_database_url, storage_url):
    Catalog.open(empty_database_url, storage_url).close()
    with contextlib.closing(Database(empty_database_url)) as database, database.reading() as connection:
        assert compare_metadata(MigrationContext.configure(connection), tables.metadata) == []


def test_the_newest_revision_is_the_one_that_opening_expects():
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_heads() == [migrate.HEAD]


def test_opening_again_keeps_everything(catalog, make_study, database_url, storage_url):
    catalog.studies.add(make_study(), "nifti")
    with Catalog.open(database_url, storage_url, create=False) as again:
        assert again.studies.all() == catalog.studies.all()


def test_a_catalog_is_begun_only_where_that_is_wanted(empty_database_url, storage_url, tmp_path):
    with pytest.raises(ServiceUnavailableError, match="no catalog"):
        Catalog.open(empty_database_url, storage_url, create=False)
    assert list(tmp_path.rglob("*.sqlite3")) == []


def test_a_catalog_of_a_newer_lungloop_is_left_alone(catalog, database_url, storage_url):
    database = Database(database_url)
    with contextlib.closing(database), database.writing() as connection:
        connection.execute(sa.text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(ServiceUnavailableError, match="newer LungLoop"):
        Catalog.open(database_url, storage_url)


def test_counts_of_an_empty_and_of_a_worked_on_catalog(catalog, make_study, make_prediction, correct):
    assert set(catalog.counts().values()) == {0}
    catalog.studies.add(make_study(slice_count=3), "nifti")
    first, second, _ = catalog.slices.all()
    catalog.versions.ensure_base("base-1")
    catalog.predictions.add(first.id, "base-1", make_prediction())
    catalog.predictions.add(second.id, "base-1", make_prediction())
    catalog.predictions.add(second.id, "v2", make_prediction())
    correct(second.id)
    assert catalog.counts() == {
        "studies": 1,
        "slices": 3,
        "predicted": 2,
        "corrected": 1,
        "accepted": 0,
        "graded": 0,
        "open": 2,
    }


@pytest.mark.parametrize(
    "url",
    ["", "sqlite://", "sqlite:///:memory:", "mysql://host/db", "postgresql+psycopg://host/db", "nonsense"],
)
def test_a_url_that_cannot_hold_a_catalog_is_a_settings_error(url):
    with pytest.raises(SettingsError, match="LUNGLOOP_DATABASE_URL"):
        Database(url)


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+pg8000"])
def test_every_way_to_say_postgresql_uses_our_driver(scheme):
    assert engines.normal_url(f"{scheme}://u:p@host/db").drivername == "postgresql+pg8000"


def test_an_sslmode_of_libpq_is_understood(monkeypatch):
    contexts = []
    create = engines.sa.create_engine

    def noted(url, **given):
        contexts.append((url, given))
        return create(url, **given)

    monkeypatch.setattr(engines.sa, "create_engine", noted)
    for mode in ("disable", "require", "verify-full"):
        engines.build_engine(engines.normal_url(f"postgresql://host/db?sslmode={mode}"))
    (url, off), (_, on), (_, checked) = contexts
    assert dict(url.query) == {}
    assert off["connect_args"]["ssl_context"] is False
    assert not on["connect_args"]["ssl_context"].check_hostname
    assert checked["connect_args"]["ssl_context"].check_hostname


def test_a_server_that_does_not_answer_is_unavailable_and_its_password_is_not_told(storage_url):
    with pytest.raises(ServiceUnavailableError, match="LUNGLOOP_DATABASE_URL") as raised:
        Catalog.open("postgresql://lungloop:secret@127.0.0.1:9/nothing", storage_url)
    assert "secret" not in str(raised.value)


def test_a_missing_database_or_wrong_password_is_unavailable(postgres_url, storage_url):
    for url in (f"{postgres_url}/nothing", postgres_url.replace("lungloop:", "lungloop:wrong") + "/postgres"):
        with pytest.raises(ServiceUnavailableError, match="the database"):
            Catalog.open(url, storage_url)


def test_a_file_that_is_no_database_is_unavailable(tmp_path, storage_url):
    (tmp_path / "catalog.sqlite3").write_bytes(b"this is a letter, not a database, " * 100)
    with pytest.raises(ServiceUnavailableError, match="not a database"):
        Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite3'}", storage_url)


def test_a_folder_that_cannot_be_made_is_unavailable(tmp_path, storage_url):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ServiceUnavailableError, match="cannot be made"):
        Catalog.open(f"sqlite:///{tmp_path / 'file' / 'catalog.sqlite3'}", storage_url)


def test_a_write_that_waits_too_long_for_another_is_unavailable(tmp_path, storage_url, monkeypatch):
    monkeypatch.setattr(engines, "LOCK_TIMEOUT_SECONDS", 0.2)
    path = tmp_path / "catalog.sqlite3"
    with (
        Catalog.open(f"sqlite:///{path}", storage_url) as catalog,
        contextlib.closing(sqlite3.connect(path, isolation_level=None)) as other,
    ):
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(ServiceUnavailableError, match="locked"):
            catalog.requests.add("reader")
        assert catalog.requests.all() == []  # readers do not wait
        other.execute("ROLLBACK")
        catalog.requests.add("reader")


def test_a_lock_on_postgresql_that_waits_too_long_is_unavailable(postgres_url, storage_url, monkeypatch):
    monkeypatch.setattr(engines, "LOCK_TIMEOUT_SECONDS", 0.2)
    holder = Database(f"{postgres_url}/postgres")
    waiter = Database(f"{postgres_url}/postgres")
    with contextlib.closing(holder), contextlib.closing(waiter), holder.writing("one topic"):
        with waiter.writing("another topic"):
            pass
        with pytest.raises(ServiceUnavailableError, match="locked"), waiter.writing("one topic"):
            pass


def test_sqlite_keeps_a_log_ahead_checks_keys_and_commits_for_good(tmp_path, storage_url):
    path = tmp_path / "new folder" / "catalog.sqlite3"
    with Catalog.open(f"sqlite:///{path}", storage_url) as catalog, catalog._database.reading() as connection:
        asked = ("journal_mode", "foreign_keys", "synchronous")
        found = [connection.exec_driver_sql(f"PRAGMA {pragma}").scalar() for pragma in asked]
    assert found == ["wal", 1, 2]


def test_a_path_that_cannot_be_a_database_is_unavailable(tmp_path, storage_url):
    (tmp_path / "catalog.sqlite3").mkdir()
    with pytest.raises(ServiceUnavailableError, match="unable to open"):
        Catalog.open(f"sqlite:///{tmp_path / 'catalog.sqlite3'}", storage_url)


def test_a_catalog_goes_on_after_its_server_dropped_the_connections(migrated_postgres_url, storage_url):
    other = Database(migrated_postgres_url)
    with Catalog.open(migrated_postgres_url, storage_url) as catalog, contextlib.closing(other):
        catalog.counts()
        drop_the_rest = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'migrated' "
        with other.writing() as connection:
            connection.execute(sa.text(drop_the_rest + "AND pid <> pg_backend_pid()"))
        assert catalog.counts().keys() >= {"studies", "slices", "predicted", "corrected", "open"}


def test_a_connection_reset_at_the_first_look_counts_as_lost():
    url = engines.normal_url("postgresql://nobody@127.0.0.1:1/none")
    dialect = engines.build_engine(url).dialect

    class Reset:
        autocommit = True

        def cursor(self) -> None:
            raise ConnectionResetError(104, "Connection reset by peer")

    with pytest.raises(pg8000.InterfaceError) as raised:
        dialect.do_ping(Reset())
    assert dialect.is_disconnect(raised.value, None, None)


def test_a_connection_that_breaks_inside_a_transaction_is_unavailable(migrated_postgres_url, storage_url):
    with (
        contextlib.closing(Database(migrated_postgres_url)) as database,
        pytest.raises(ServiceUnavailableError, match="the database"),
        database.writing() as connection,
    ):
        connection.execute(sa.text("SELECT pg_terminate_backend(pg_backend_pid())"))
        connection.execute(sa.text("SELECT 1"))
