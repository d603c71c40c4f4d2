import json

import pytest
from _reader_log import phantom_log

from chestct.reader_study.agreement import ReadingPair
from chestct.reader_study.figures import estimates_of, figures_of
from chestct.reader_study.sentences import sentences


@pytest.fixture(scope="module")
def log():
    return phantom_log(3)


def _pairs():
    dice = {"lesion": 0.75, "ground_glass": 0.7, "consolidation": None}
    return [ReadingPair(number, f"p{number}", ("a", "b"), True, dice) for number in range(6)]


def test_each_question_is_a_sentence_with_its_interval(log):
    found = sentences(estimates_of(log, _pairs()))
    assert len(found) == 4
    for sentence in found:
        assert "95 % interval" in sentence
        assert sentence.endswith(".")
        assert ".." not in sentence
    assert found[0].startswith("A pre-label saves")
    assert "agree with a lesion Dice of 0.75" in found[3]


def test_without_readings_each_sentence_says_why(log):
    for sentence in sentences(estimates_of([], [])):
        assert "not known yet" in sentence
        assert "needed" in sentence


def test_a_cost_is_said_as_a_cost_with_its_interval_turned_round(reading):
    costs = [reading(60.0 + number % 3) for number in range(30)]
    costs += [reading(30.0 + number % 3, prelabelled=False) for number in range(12)]
    said = sentences(estimates_of(costs, []))[0]
    assert said.startswith("A pre-label costs 30 s")
    assert "-" not in said.split("interval")[1].split(":")[0]


def test_the_figures_are_json_under_the_names_of_status(log):
    found = json.loads(json.dumps(figures_of(log, _pairs(), ["base-1"]).as_dict()))
    for name in ("seconds_saved", "pull", "active_gain", "agreement"):
        assert found[name]["mean"] is not None
        assert len(found[name]["interval"]) == 2
        assert found[name]["n"] > 0
        assert found[name]["reason"] == ""
    assert found["active_gain"]["per_minute"]["unit"] == "corrected pixels a minute"
    assert found["agreement"]["consolidation"]["mean"] is None
    assert found["agreement"]["consolidation"]["reason"]
    assert [row["name"] for row in found["effort"]["by_version"]] == ["base-1", "no pre-label"]
