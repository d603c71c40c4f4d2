"""The figures of readers are said in Russian with the same numbers and no word of English."""

import re
from string import Formatter

import pytest
from _reader_log import PhantomReaders, phantom_log

from chestct.reader_study.agreement import ReadingPair
from chestct.reader_study.figures import figures_of
from chestct.reader_study.sentences import sentences
from chestct.reader_study.wording import TEXTS, said


def blanks(text: str) -> list[tuple[str | None, str | None]]:
    return sorted((name, form) for _, name, form, _ in Formatter().parse(text) if name)


@pytest.mark.parametrize("key", sorted(TEXTS))
def test_a_text_is_there_in_both_languages_with_the_same_blanks(key: str) -> None:
    english, russian = TEXTS[key]
    assert blanks(english) == blanks(russian)
    assert not re.search("[а-яА-Я]", english)


@pytest.mark.parametrize("patients", [1, 2, 20])
@pytest.mark.parametrize("pairs", [0, 6])
def test_russian_sentences_have_no_english_word(patients: int, pairs: int) -> None:
    dice = {"lesion": 0.75, "ground_glass": 0.7, "consolidation": None}
    read_twice = [ReadingPair(number, f"p{number}", ("a", "b"), True, dice) for number in range(pairs)]
    log = phantom_log(3, PhantomReaders(patients=patients))
    figures = figures_of(log, read_twice, ["base-1"])
    spoken = sentences(figures.estimates, "ru") + sentences(figures_of([], [], []).estimates, "ru")
    spoken += [said(reason, "ru") for look in figures.second_look for reason in look.evidence]
    for sentence in spoken:
        assert re.search("[а-я]", sentence)
        assert not re.search("[A-Za-z]{2}", re.sub(r"Dice|base-\d", "", sentence)), sentence
        assert not re.search(r"\d\.\d", sentence), sentence
