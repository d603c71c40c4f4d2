"""`doctor` compares what Label Studio names with the release, and says how to make it follow."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from chestct.intensity import Intensity
from chestct.settings import Settings
from chestct.study import Study
from lungloop.context import open_catalog
from lungloop.diagnosis import stack
from lungloop.diagnosis.finding import FaultError

CHECK = stack.STACK_CHECKS["champion in Label Studio"]


@pytest.fixture
def label_studio(monkeypatch: pytest.MonkeyPatch) -> Any:
    """What its two rows say."""
    said = SimpleNamespace(title="base-1", model_version="base-1")
    client = SimpleNamespace(
        backends=lambda project_id: [{"id": 3, "title": said.title}],
        project=lambda project_id: SimpleNamespace(model_version=said.model_version),
    )

    @contextmanager
    def connected(settings: Settings) -> Iterator[tuple[Any, int]]:
        yield client, 7

    monkeypatch.setattr(stack, "_label_studio", connected)
    return said


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    settings = replace(Settings.load({"LUNGLOOP_HOME": str(tmp_path / "home")}), ml_backend_id=3)
    pictures = [np.full((64, 64), grey, np.uint8) for grey in range(2)]
    with open_catalog(settings, create=True) as catalog:
        study = Study("case 1", "patient 1", pictures, Intensity.PICTURE, tmp_path / "case")
        stored, _ = catalog.studies.add(study, "images")
        catalog.versions.ensure_base("base-1")
        catalog.versions.register("v2", "base-1", None, study_ids=[stored.id])
    return settings


def test_label_studio_that_follows_is_fine(settings: Settings, label_studio: Any) -> None:
    assert CHECK(settings) == "Label Studio orders the worklist by base-1"
    with open_catalog(settings) as catalog:
        catalog.versions.serve_open_studies("v2")
    label_studio.title = label_studio.model_version = "base-1+v2"
    assert CHECK(settings) == "Label Studio orders the worklist by base-1+v2"


def test_label_studio_that_lags_behind_is_a_fault_with_the_command_that_mends_it(
    settings: Settings, label_studio: Any
) -> None:
    label_studio.title = "v9"
    with pytest.raises(FaultError, match=r"'base-1'.*title says 'v9'") as raised:
        CHECK(settings)
    assert raised.value.mend == "lungloop models promote base-1"
    with open_catalog(settings) as catalog:
        catalog.versions.serve_open_studies("v2")
    with pytest.raises(FaultError, match=r"'base-1\+v2'") as raised:
        CHECK(settings)
    assert raised.value.mend == "lungloop models promote v2 --open-studies"
