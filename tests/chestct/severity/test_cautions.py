"""Every caution has its sentence in both languages; the English ones are read by scripts."""

import re
from string import Formatter

import pytest

from chestct.labels import SeverityGrade
from chestct.severity.cautions import TEXTS, Caution, CautionKind, sentence

# As `lungloop severity --json`, reports and the catalog have always held them.
ENGLISH = {
    CautionKind.NO_LUNG: "no lung: there is no share of it and no grade",
    CautionKind.ONE_SLICE: "one slice: a grade belongs to a whole study",
    CautionKind.NO_GEOMETRY: "pictures without geometry: no volumes, and no grade",
    CautionKind.FEW_SLICES: "4 slices only: shares and volumes are rough",
    CautionKind.UNKNOWN_WINDOW: (
        "8-bit pictures of an unknown window: density is not known, so the masks are less sure"
    ),
    CautionKind.NO_RIGHT_LUNG: "no right lung",
    CautionKind.NO_LEFT_LUNG: "no left lung",
    CautionKind.SMALL_RIGHT_LUNG: "the right lung is small (13 % of both): it does not decide",
    CautionKind.SMALL_LEFT_LUNG: "the left lung is small (13 % of both): it does not decide",
    CautionKind.CUT_OFF_AT_TOP: "the lung is cut off at the top of the stack",
    CautionKind.CUT_OFF_AT_BOTTOM: "the lung is cut off at the bottom of the stack",
    CautionKind.UNEVEN_SLICES: "slices are unevenly apart, 8.2 mm in the mean",
    CautionKind.SPARSE_SLICES: "slices are 8.2 mm apart: small lesions between them are missed",
    CautionKind.NOT_CALIBRATED: "interval not calibrated: other grades may be possible",
    CautionKind.NO_UNCERTAINTY: "the predictions carry no doubt: other grades may be possible",
    CautionKind.SEVERAL_GRADES: "CT-1 to CT-3 are possible: a radiologist must look",
}
VALUES = {
    "slices": 4,
    "percent": 13.2,
    "apart_mm": 8.25,
    "mildest": SeverityGrade.CT_1,
    "worst": SeverityGrade.CT_3,
}


def blanks(text: str) -> list[tuple[str | None, str | None]]:
    return sorted((name, form) for _, name, form, _ in Formatter().parse(text) if name)


@pytest.mark.parametrize("kind", CautionKind)
def test_a_caution_has_both_languages_with_the_same_blanks(kind: CautionKind) -> None:
    english, russian = TEXTS[kind]
    assert blanks(english) == blanks(russian)
    caution = Caution(kind, {name: VALUES[name] for name, _ in blanks(english) if name})
    assert sentence(caution) == ENGLISH[kind]
    assert not re.search(r"[A-Za-z]|\d\.\d", sentence(caution, "ru"))
    assert re.search("[а-я]", sentence(caution, "ru"))


def test_no_sentence_is_left_of_a_kind_that_is_gone() -> None:
    assert set(TEXTS) == set(CautionKind)


def test_numbers_and_grades_are_written_as_the_language_does() -> None:
    sparse = Caution(CautionKind.SPARSE_SLICES, {"apart_mm": 8.25})
    assert sentence(sparse, "ru") == "между срезами 8,2 мм: мелкие очаги между ними не видны"
    several = Caution(CautionKind.SEVERAL_GRADES, {"mildest": VALUES["mildest"], "worst": VALUES["worst"]})
    assert "от КТ-1 до КТ-3" in sentence(several, "ru")
