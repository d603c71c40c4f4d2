"""A fresh catalog for each test, over SQLite and over a real PostgreSQL."""

import importlib.util
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
import sqlalchemy as sa

from chestct.catalog import migrate, tables
from chestct.catalog.catalog import Catalog
from chestct.catalog.records import CorrectionRecord, CorrectionState, SliceRecord
from chestct.intensity import Intensity
from chestct.prediction import SlicePrediction
from chestct.study import Study


def _postgres_server():
    # Test folders are no packages (import mode importlib), so a neighbour is loaded by its path.
    path = Path(__file__).with_name("postgres_server.py")
    spec = importlib.util.spec_from_file_location("catalog_postgres_server", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def postgres_url() -> Iterator[str]:
    server = _postgres_server()
    try:
        with server.running_postgres() as url:
            yield url
    except server.PostgresMissingError as error:
        if os.environ.get("CI", "").lower() in ("1", "true"):
            pytest.fail(f"CI must test on PostgreSQL: {error}")
        pytest.skip(str(error))


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture
def empty_database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database without a catalog."""
    if backend == "sqlite":
        return f"sqlite:///{tmp_path / 'catalog.sqlite3'}"
    url = f"{request.getfixturevalue('postgres_url')}/postgres"
    _execute(url, "DROP SCHEMA public CASCADE", "CREATE SCHEMA public")
    return url


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """URL of a database with an empty catalog, migrated once in a test run to save minutes."""
    if backend == "sqlite":
        path = tmp_path / "catalog.sqlite3"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), path)
        return f"sqlite:///{path}"
    url = request.getfixturevalue("migrated_postgres_url")
    # Only a superuser's session may switch the triggers off that keep corrections for good. (DELETE,
    # since TRUNCATE makes new files for every table.)
    emptied = [f"DELETE FROM {table.name}" for table in reversed(tables.metadata.sorted_tables)]
    version = f"UPDATE alembic_version SET version_num = '{migrate.HEAD}'"
    _execute(url, "SET LOCAL session_replication_role = replica", *emptied, version)
    return url


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("migrated") / "catalog.sqlite3"
    Catalog.open(f"sqlite:///{path}", str(path.parent)).close()
    return path


@pytest.fixture(scope="session")
def migrated_postgres_url(postgres_url: str, tmp_path_factory: pytest.TempPathFactory) -> str:
    engine = _administration(f"{postgres_url}/postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(sa.text("CREATE DATABASE migrated"))
    engine.dispose()
    Catalog.open(f"{postgres_url}/migrated", str(tmp_path_factory.mktemp("unused"))).close()
    return f"{postgres_url}/migrated?sslmode=disable"


def _execute(url: str, *statements: str) -> None:
    engine = _administration(url)
    with engine.begin() as connection:
        for statement in statements:
            connection.exec_driver_sql(statement)
    engine.dispose()


def _administration(url: str, **options: object) -> sa.Engine:
    driver_url = url.partition("?")[0].replace("postgresql://", "postgresql+pg8000://")
    return sa.create_engine(driver_url, connect_args={"ssl_context": False}, **options)


@pytest.fixture(autouse=True)
def _no_fsync(monkeypatch: pytest.MonkeyPatch) -> None:
    # It guards against power cuts, which no test makes, and takes most of a test's time.
    monkeypatch.setattr(os, "fsync", lambda _descriptor: None)


@pytest.fixture
def storage_url(tmp_path: Path) -> str:
    return str(tmp_path / "storage")


@pytest.fixture
def catalog(database_url: str, storage_url: str) -> Iterator[Catalog]:
    with Catalog.open(database_url, storage_url) as opened:
        yield opened


@pytest.fixture
def make_study() -> Callable[..., Study]:
    """Studies of 4 x 4 slices; `seed` decides the pixels, everything else can be given."""

    def make(name: str = "study_0001", *, slice_count: int = 2, seed: int = 0, **given: object) -> Study:
        random = np.random.default_rng(seed)
        slices = [random.integers(-1000, 400, (4, 4)).astype(np.int16) for _ in range(slice_count)]
        fields = {"patient": name, "slices": slices, "intensity": Intensity.HU, "source": Path("/in") / name}
        return Study(name=name, **{**fields, **given})

    return make


@pytest.fixture
def one_slice(catalog: Catalog, make_study: Callable[..., Study]) -> SliceRecord:
    """The only slice of a catalog with one study."""
    record, _ = catalog.studies.add(make_study(slice_count=1), "nifti")
    return catalog.slices.of_study(record.id)[0]


@pytest.fixture
def make_prediction() -> Callable[..., SlicePrediction]:
    def make(label: int = 3, score: float = 0.5) -> SlicePrediction:
        return SlicePrediction(np.full((4, 4), label, np.uint8), score, 0.25)

    return make


@pytest.fixture
def correct(catalog: Catalog) -> Callable[..., tuple[CorrectionRecord, bool]]:
    """Append a correction; whatever a test does not care for is filled in."""

    def add(slice_id: int, minute: int = 0, **given: object) -> tuple[CorrectionRecord, bool]:
        state = given.get("state", CorrectionState.SUBMITTED)
        fields = {
            "project_uid": "1:2026-01-01",
            "task_id": 10,
            "annotation_id": 100,
            "annotation_updated_at": f"2026-03-01T09:{minute:02}:00Z",
            "state": state,
            "annotator": "reader@hospital",
            "via": "sync",
            "label_map": np.ones((4, 4), np.uint8) if state is CorrectionState.SUBMITTED else None,
        }
        return catalog.corrections.add(slice_id=slice_id, **{**fields, **given})

    return add
