"""Secrets are random, made once, and nobody else's."""

from pathlib import Path

import pytest

from chestct.errors import SettingsError
from chestct.settings import Settings
from lungloop.stack import stack_file
from lungloop.stack.credentials import load_or_create


def test_credentials_are_made_once_and_differ_between_homes(tmp_path: Path) -> None:
    first = load_or_create(tmp_path / "a")
    assert load_or_create(tmp_path / "a") == first
    other = load_or_create(tmp_path / "b")
    assert (other.password, other.token, other.queue_password) != (
        first.password,
        first.token,
        first.queue_password,
    )


def test_only_the_owner_can_read_them(tmp_path: Path) -> None:
    load_or_create(tmp_path)
    assert (tmp_path / "secrets.json").stat().st_mode & 0o777 == 0o600


def test_damaged_credentials_say_how_to_mend_them(tmp_path: Path) -> None:
    (tmp_path / "secrets.json").write_text('{"user": "a"}')
    with pytest.raises(SettingsError, match=r"secrets.json is damaged.*restore it, or delete it"):
        load_or_create(tmp_path)


def test_settings_find_a_published_stack_and_lose_a_removed_one(tmp_path: Path) -> None:
    stack = Settings(
        home=tmp_path,
        weights_dir=tmp_path,
        label_studio_url="http://127.0.0.1:1",
        label_studio_token="t",
        label_studio_files_root="/files",
        project_id=3,
        ml_backend_id=4,
        backend_url="http://127.0.0.1:2",
        redis_url="redis://127.0.0.1:3/0",
        database_url="sqlite:///x",
        storage_url="/files/storage",
    )
    names = {
        "label_studio_url",
        "label_studio_token",
        "label_studio_files_root",
        "project_id",
        "ml_backend_id",
    }
    addresses = {"backend_url", "page_url", "redis_url", "database_url", "storage_url"}
    assert set(stack_file.write(stack, stack_file.LOCAL)) == names | addresses
    assert (tmp_path / "stack.json").stat().st_mode & 0o777 == 0o600
    environment = {"LUNGLOOP_HOME": str(tmp_path)}
    found = Settings.load(environment)
    assert (found.project_id, found.ml_backend_id, found.redis_url) == (3, 4, "redis://127.0.0.1:3/0")
    stack_file.remove(tmp_path)
    assert Settings.load(environment).redis_url is None
