"""Figures and sentences: what is known with its interval, "not known yet" elsewhere, in both languages."""

import json
import re
from typing import Any

import pytest

from chestct.learning.figures import Effort, Learning, Retrain, comparable_gains, learning_figures
from chestct.learning.sentences import TEXTS, sentences

NOTHING = (0, 0)


def retrain(
    number: int, corrections: int | None, gain: float | None, *, parent: str = "base-4", unseen: bool = False
) -> Retrain:
    figures: dict[str, Any] = {}
    if gain is not None:
        ends = [gain - 0.02, gain + 0.02]
        means = {"champion": 0.7, "challenger": 0.7 + gain, "difference": gain, "interval": ends}
        figures["open_studies"] = {"slices": 30, "studies": 4, **means}
        if unseen:
            figures["unseen"] = {"evidence": "own test patients", "patients": 5, "looks": 1, **means}
    decision = {"promote": False, "serves": "open studies", "reasons": ["why"], "figures": figures}
    return Retrain(f"v{number}", parent, f"2026-03-0{number}", "refused", decision, corrections)


def learned(*retrains: Retrain) -> Learning:
    return learning_figures(retrains, Effort(), NOTHING)


def test_before_the_first_retrain_nothing_is_known() -> None:
    learning = learned()
    assert sentences(learning) == ["What corrections bring is not known yet: no version was retrained."]
    assert (learning.newest, learning.expected) == (None, None)


def test_three_retrains_with_gains_on_open_slices_give_an_expectation() -> None:
    learning = learned(retrain(1, 20, 0.03), retrain(2, 40, 0.05), retrain(3, 60, 0.06, unseen=True))
    assert learning.expected is not None
    unseen, opened, expected = sentences(learning)
    assert unseen == (
        "Patients never seen: lesion Dice 0.700 to 0.760 with v3, +0.060 (95 % interval +0.040 to +0.080), "
        "on own test patients (5)."
    )
    assert opened.startswith("Open slices of corrected studies: lesion Dice 0.700 to 0.760 with v3, +0.060")
    assert re.match(r"The next 50 corrections are expected to bring \+0\.0\d\d lesion Dice", expected)
    assert "not known" not in " ".join(sentences(learning))


@pytest.mark.parametrize(
    ("retrains", "why"),
    [
        ([retrain(1, 20, 0.03), retrain(2, 40, 0.05)], "2 so far"),
        ([retrain(1, 20, 0.03), retrain(2, 40, None), retrain(3, None, 0.06)], "1 so far"),
        ([retrain(n, 5 * n, 0.03) for n in (1, 2, 3)], "it takes 25 corrections"),
        ([retrain(n, 60, 0.03) for n in (1, 2, 3)], "all retrains so far learned from 60 corrections"),
    ],
)
def test_what_is_missing_for_an_expectation_is_said(retrains: list[Retrain], why: str) -> None:
    *_, expected = sentences(learned(*retrains))
    assert expected.startswith("What the next 50 corrections bring is not known yet: ")
    assert why in expected


def test_the_newest_version_that_was_measured_is_told_even_if_a_later_one_was_not() -> None:
    first, *_ = sentences(learned(retrain(1, 20, 0.03, unseen=True), retrain(2, 40, None)))
    assert "with v1" in first
    first, second, _ = sentences(learned(retrain(1, 20, None)))
    assert "not known yet" in first
    assert "not known yet" in second


def test_gains_over_another_champion_lie_on_no_common_curve() -> None:
    rows = [retrain(1, 20, 0.03), retrain(2, 40, 0.05, parent="v1"), retrain(3, 60, 0.06, parent="v1")]
    assert [gain.corrections for gain in comparable_gains(learned(*rows).versions)] == [40, 60]


def test_everything_is_told_to_machines_with_null_for_what_is_not_known() -> None:
    told = json.loads(json.dumps(learned(retrain(1, None, None)).as_dict()))
    (version,) = told["versions"]
    assert [version[name] for name in ("unseen", "open_slices", "corrections", "effort")] == [None] * 4
    assert told["expected"] is None
    assert told["test_readings"] == {"done": 0, "of": 0}


@pytest.mark.parametrize("key", TEXTS)
def test_each_sentence_is_there_in_both_languages_with_the_same_values(key: str) -> None:
    english, russian = TEXTS[key]
    blanks = [sorted(re.findall(r"\{[^}]+\}", text)) for text in (english, russian)]
    assert blanks[0] == blanks[1]
    assert not re.search("[а-яА-Я]", english)
    assert re.search("[а-я]", russian)


def test_russian_sentences_write_numbers_as_russian_does() -> None:
    unseen, *_ = sentences(learned(retrain(1, 20, 0.03, unseen=True)), "ru")
    assert "0,700 → 0,730" in unseen
    assert "свои тестовые пациенты (5)" in unseen
