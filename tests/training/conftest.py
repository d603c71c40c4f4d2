"""A small hospital, whose model is one threshold."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

# Test folders are no packages (import mode importlib): neighbours are found by their folder.
sys.path.append(str(Path(__file__).parent))

from retrain_stand_in import Hospital

from chestct.settings import Settings


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings.load(
        {"LUNGLOOP_HOME": str(tmp_path / "home"), "LUNGLOOP_WEIGHTS_DIR": str(tmp_path / "weights")}
    )


@pytest.fixture
def hospital(settings: Settings) -> Iterator[Hospital]:
    hospital = Hospital.build(settings)
    yield hospital
    hospital.catalog.close()
