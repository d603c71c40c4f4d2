"""A home from before the test arm gets it, and keeps what was drawn."""

import contextlib
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config

from chestct.acquisition.allocation import Allocation, Arm
from chestct.catalog import migrate
from chestct.catalog.catalog import Catalog
from chestct.catalog.database import Database

BEFORE = "0007"


def test_what_was_drawn_before_there_was_a_test_arm_stays(empty_database_url, storage_url):
    config = Config()
    config.set_main_option("script_location", str(Path(migrate.__file__).parent / "migrations"))
    rows = (
        "INSERT INTO patients VALUES ('p', 'train', 't')",
        "INSERT INTO studies (id, key, name, patient, layout, source, intensity, slice_count, created_at) "
        "VALUES (1, 'k', 's', 'p', 'nifti', '/in', 'hu', 2, 't')",
        'INSERT INTO slices (id, study_id, "index", key, width, height, pixels_path, picture_path) '
        "VALUES (1, 1, 0, 'a', 4, 4, 'x', 'y'), (2, 1, 1, 'b', 4, 4, 'x', 'y')",
        "INSERT INTO assignments VALUES (1, 'active', true, false, 't')",
    )
    with contextlib.closing(Database(empty_database_url)) as database:
        with database.writing() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, BEFORE)
            for row in rows:
                connection.exec_driver_sql(row)
        with Catalog.open(empty_database_url, storage_url) as catalog:
            assert catalog.allocations.all() == {1: Allocation(Arm.ACTIVE, True, False)}
        draw = "INSERT INTO assignments VALUES (2, '{}', false, false, 't')"
        with (
            pytest.raises(sa.exc.DBAPIError, match="ck_assignments_arm"),
            database.writing() as connection,
        ):
            connection.exec_driver_sql(draw.format("nonsense"))
        with database.writing() as connection:
            connection.exec_driver_sql(draw.format("test"))
