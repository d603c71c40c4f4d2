import json

import pytest

from chestct.acquisition.strategies import STRATEGIES
from chestct.errors import SettingsError
from chestct.settings import STRATEGY_NAMES, Settings


def test_the_environment_wins_over_the_running_stack_and_that_over_defaults(tmp_path):
    (tmp_path / "stack.json").write_text(json.dumps({"project_id": 7, "redis_url": "redis://stack"}))
    settings = Settings.load({"LUNGLOOP_HOME": str(tmp_path), "LUNGLOOP_REDIS_URL": "redis://mine"})
    assert settings.redis_url == "redis://mine"
    assert settings.project_id == 7
    assert settings.database_url == f"sqlite:///{tmp_path / 'catalog.sqlite3'}"


def test_a_seed_of_zero_is_a_seed(tmp_path):
    assert Settings.load({"LUNGLOOP_HOME": str(tmp_path), "LUNGLOOP_TRAIN_SEED": "0"}).train_seed == 0


@pytest.mark.parametrize(
    ("name", "value"), [("RETRAIN_STEPS", "-1"), ("RETRAIN_EVERY", "-1"), ("SYNC_SECONDS", "soon")]
)
def test_a_number_that_cannot_be_used_names_its_variable(tmp_path, name, value):
    with pytest.raises(SettingsError, match=f"LUNGLOOP_{name} is '{value}'"):
        Settings.load({"LUNGLOOP_HOME": str(tmp_path), f"LUNGLOOP_{name}": value})


@pytest.mark.parametrize(
    ("name", "known"), [("TASKS", "slice or study"), ("LANGUAGE", "en or ru"), ("LOG", "text or json")]
)
def test_a_word_that_is_none_of_the_known_ones_is_answered_with_them(tmp_path, name, known):
    with pytest.raises(SettingsError, match=f"LUNGLOOP_{name} is 'other'; expected {known}"):
        Settings.load({"LUNGLOOP_HOME": str(tmp_path), f"LUNGLOOP_{name}": "other"})
    assert Settings.load({"LUNGLOOP_HOME": str(tmp_path)}).tasks is None
    given = Settings.load({"LUNGLOOP_HOME": str(tmp_path), "LUNGLOOP_TASKS": "study"})
    assert given.tasks == "study"


@pytest.mark.parametrize(
    ("name", "most"),
    [
        ("CONTROL_PERCENT", 50),
        ("BLANK_PERCENT", 99),
        ("TWICE_PERCENT", 99),
        ("TEST_PERCENT", 50),
        ("TEST_SLICES", 20),
    ],
)
def test_a_share_of_the_work_may_be_nothing_but_not_all(tmp_path, name, most):
    given = Settings.load({"LUNGLOOP_HOME": str(tmp_path), f"LUNGLOOP_{name}": "0"})
    assert getattr(given, name.lower()) == 0
    with pytest.raises(SettingsError, match=f"LUNGLOOP_{name} is '{most + 1}'.*from 0 to {most}"):
        Settings.load({"LUNGLOOP_HOME": str(tmp_path), f"LUNGLOOP_{name}": str(most + 1)})


def test_every_strategy_can_be_asked_for_by_its_name(tmp_path):
    assert set(STRATEGY_NAMES) == set(STRATEGIES)
    assert Settings.load({"LUNGLOOP_HOME": str(tmp_path)}).strategy is None
    given = Settings.load({"LUNGLOOP_HOME": str(tmp_path), "LUNGLOOP_STRATEGY": "entropy"})
    assert given.strategy == "entropy"
    with pytest.raises(SettingsError, match="LUNGLOOP_STRATEGY is 'best'; expected random or"):
        Settings.load({"LUNGLOOP_HOME": str(tmp_path), "LUNGLOOP_STRATEGY": "best"})


def test_a_damaged_stack_file_says_what_to_do(tmp_path):
    (tmp_path / "stack.json").write_text("{")
    with pytest.raises(SettingsError, match="stop the stack and delete it"):
        Settings.load({"LUNGLOOP_HOME": str(tmp_path)})


def test_what_is_loaded_from_nothing_is_what_the_fields_declare(tmp_path):
    # Nine defaults were written twice: in the class, and in the function that loads it.
    loaded = Settings.load({"LUNGLOOP_HOME": str(tmp_path)})
    derived = ("home", "database_url", "storage_url", "weights_dir", "shared_data")
    declared = Settings(**{name: getattr(loaded, name) for name in derived})
    assert loaded == declared


def test_a_zero_of_the_running_stack_is_a_number_and_an_empty_variable_is_none(tmp_path):
    (tmp_path / "stack.json").write_text(json.dumps({"project_id": 0, "retrain_every": None}))
    given = Settings.load({"LUNGLOOP_HOME": str(tmp_path), "LUNGLOOP_LOG": ""})
    assert (given.project_id, given.retrain_every, given.log) == (0, 0, "text")
