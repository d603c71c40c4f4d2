"""`serve` alone has a model too: the newest shipped version serves where nobody chose one."""

from pathlib import Path

import pytest

from chestct.errors import WeightsError
from chestct.settings import Settings
from lungloop.context import ensure_champion, open_catalog
from lungloop.stack.work import bring_in


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    for version in ("base-2", "base-10", "mine-11"):
        (tmp_path / "weights" / version).mkdir(parents=True)
        (tmp_path / "weights" / version / "card.json").write_text("{}")
    return Settings.load(
        {"LUNGLOOP_HOME": str(tmp_path / "home"), "LUNGLOOP_WEIGHTS_DIR": str(tmp_path / "weights")}
    )


def test_the_newest_shipped_version_becomes_champion_where_there_is_none(settings: Settings) -> None:
    assert ensure_champion(settings) == "base-10"


def test_a_champion_stays(settings: Settings) -> None:
    with open_catalog(settings, create=True) as catalog:
        catalog.versions.ensure_base("mine-11")
    assert ensure_champion(settings) == "mine-11"


@pytest.mark.parametrize(
    "begin",
    [
        lambda settings, catalog: ensure_champion(settings),
        lambda settings, catalog: bring_in(catalog, settings, (), "auto"),
    ],
)
def test_an_old_home_whose_champion_left_the_project_is_told_how_to_go_on(settings: Settings, begin) -> None:
    with open_catalog(settings, create=True) as catalog:
        catalog.versions.ensure_base("base-3")
        with pytest.raises(
            WeightsError, match=r"base-3 no longer comes with LungLoop.*models promote base-4"
        ):
            begin(settings, catalog)
        assert catalog.versions.champion().version == "base-3", "who serves is a person's choice"


def test_without_weights_and_champion_it_is_an_error_that_says_what_to_do(tmp_path: Path) -> None:
    empty = {"LUNGLOOP_HOME": str(tmp_path / "home"), "LUNGLOOP_WEIGHTS_DIR": str(tmp_path / "none")}
    with pytest.raises(WeightsError, match="lungloop fit"):
        ensure_champion(Settings.load(empty))
