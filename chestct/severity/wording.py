"""Cautions as sentences: English for scripts and the terminal, both languages for pages."""

from chestct.severity.cautions import Caution
from chestct.severity.cautions import CautionKind as Kind
from chestct.wording import worded

TEXTS: dict[str, tuple[str, str]] = {
    Kind.NO_LUNG: (
        "no lung: there is no share of it and no grade",
        "лёгкое не найдено: нет ни доли, ни степени",
    ),
    Kind.ONE_SLICE: (
        "one slice: a grade belongs to a whole study",
        "один срез: степень относится к целому исследованию",
    ),
    Kind.NO_GEOMETRY: (
        "pictures without geometry: no volumes, and no grade",
        "снимки без геометрии: нет объёмов и степени",
    ),
    Kind.FEW_SLICES: (
        "{slices} slices only: shares and volumes are rough",
        "срезов всего {slices}: доли и объёмы приблизительны",
    ),
    Kind.UNKNOWN_WINDOW: (
        "8-bit pictures of an unknown window: density is not known, so the masks are less sure",
        "8-битные снимки с неизвестным окном: плотность неизвестна, маски менее надёжны",
    ),
    Kind.NO_RIGHT_LUNG: ("no right lung", "правого лёгкого нет"),
    Kind.NO_LEFT_LUNG: ("no left lung", "левого лёгкого нет"),
    Kind.SMALL_RIGHT_LUNG: (
        "the right lung is small ({percent:.0f} % of both): it does not decide",
        "правое лёгкое мало ({percent:.0f} % обоих): степень по нему не определяется",
    ),
    Kind.SMALL_LEFT_LUNG: (
        "the left lung is small ({percent:.0f} % of both): it does not decide",
        "левое лёгкое мало ({percent:.0f} % обоих): степень по нему не определяется",
    ),
    Kind.CUT_OFF_AT_TOP: ("the lung is cut off at the top of the stack", "лёгкое обрезано сверху"),
    Kind.CUT_OFF_AT_BOTTOM: ("the lung is cut off at the bottom of the stack", "лёгкое обрезано снизу"),
    Kind.UNEVEN_SLICES: (
        "slices are unevenly apart, {apart_mm:.1f} mm in the mean",
        "срезы неравномерны, в среднем {apart_mm:.1f} мм",
    ),
    Kind.SPARSE_SLICES: (
        "slices are {apart_mm:.1f} mm apart: small lesions between them are missed",
        "между срезами {apart_mm:.1f} мм: мелкие очаги между ними не видны",
    ),
    Kind.NOT_CALIBRATED: (
        "interval not calibrated: other grades may be possible",
        "интервал не калиброван: возможны и другие степени",
    ),
    Kind.NO_UNCERTAINTY: (
        "the predictions carry no doubt: other grades may be possible",
        "неопределённость модели неизвестна: возможны и другие степени",
    ),
    Kind.SEVERAL_GRADES: (
        "{mildest} to {worst} are possible: a radiologist must look",
        "возможны степени от {mildest} до {worst}: решение за врачом-рентгенологом",
    ),
}


def sentence(caution: Caution, language: str = "en") -> str:
    """A caution in one clause."""
    return worded(caution, TEXTS, language)
