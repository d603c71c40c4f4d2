"""How many patients a home holds back to judge models by, as its settings and its kind of tasks say."""

import json
from pathlib import Path

import pytest

from chestct.catalog.splits import OwnTesting
from chestct.settings import Settings
from lungloop.stack.work import own_testing


def _settings(home: Path, **variables: str) -> Settings:
    return Settings.load({"LUNGLOOP_HOME": str(home), **variables})


def test_a_fifth_of_the_patients_and_five_slices_of_each_unless_the_settings_say_otherwise(
    tmp_path: Path,
) -> None:
    assert own_testing(_settings(tmp_path)) == OwnTesting(0.2, 5)
    chosen = _settings(tmp_path, LUNGLOOP_TEST_PERCENT="0", LUNGLOOP_TEST_SLICES="3")
    assert own_testing(chosen) == OwnTesting(0.0, 3)


@pytest.mark.parametrize("how", ["settings", "before"])
def test_nobody_is_held_back_where_tasks_show_whole_studies(tmp_path: Path, how: str) -> None:
    if how == "before":
        note = {"in_use": "study", "study": {"project_id": 1, "uid": "1:t"}}
        (tmp_path / "label-studio-project.json").write_text(json.dumps(note))
        assert own_testing(_settings(tmp_path)) == OwnTesting()
    assert own_testing(_settings(tmp_path, LUNGLOOP_TASKS="study")) == OwnTesting()
    assert own_testing(_settings(tmp_path, LUNGLOOP_TASKS="slice")) == OwnTesting(0.2, 5)
