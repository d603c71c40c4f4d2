"""The warnings of a severity in the language of the page.

`chestct.severity.grading` says them in English sentences, for scripts and the command line too; here each
pattern has its Russian twin. A sentence that no pattern knows is shown as it came.
"""

import re
from collections.abc import Mapping
from typing import Any

from ml_backend.page.language import number

# Told by the page itself, beside the grade and louder.
_TOLD_ELSEWHERE = re.compile(r"CT-\d to CT-\d are possible: a radiologist must look")
_SIDES = {"left": ("левое", "левого"), "right": ("правое", "правого")}
_ENDS = {"top": "сверху", "bottom": "снизу"}
_RUSSIAN = (
    (r"no lung: there is no share of it and no grade", "лёгкое не найдено: нет ни доли, ни степени"),
    (r"one slice: a grade belongs to a whole study", "один срез: степень относится к целому исследованию"),
    (r"pictures without geometry: no volumes, and no grade", "снимки без геометрии: нет объёмов и степени"),
    (
        r"(?P<n>\d+) slices only: shares and volumes are rough",
        "срезов всего {n}: доли и объёмы приблизительны",
    ),
    (
        r"8-bit pictures of an unknown window: density is not known, so the masks are less sure",
        "8-битные снимки с неизвестным окном: плотность неизвестна, маски менее надёжны",
    ),
    (r"no (?P<side>left|right) lung", "{of_side} лёгкого нет"),
    (
        r"the (?P<side>left|right) lung is small \((?P<n>\d+) % of both\): it does not decide",
        "{side} лёгкое мало ({n} % обоих): степень по нему не определяется",
    ),
    (r"the lung is cut off at the (?P<end>top|bottom) of the stack", "лёгкое обрезано {end}"),
    (r"slices are unevenly apart, (?P<mm>[\d.]+) mm in the mean", "срезы неравномерны, в среднем {mm} мм"),
    (
        r"slices are (?P<mm>[\d.]+) mm apart: small lesions between them are missed",
        "между срезами {mm} мм: мелкие очаги между ними не видны",
    ),
    (
        r"interval not calibrated: other grades may be possible",
        "интервал не калиброван: возможны и другие степени",
    ),
    (
        r"the predictions carry no doubt: other grades may be possible",
        "неуверенность модели неизвестна: возможны и другие степени",
    ),
)


def cautions(severity: Mapping[str, Any] | None, language: str) -> tuple[str, ...]:
    """The warnings that the page lists.

    Args:
        severity: as `Severity.as_dict`; None where there is none.
    """
    said = [] if severity is None else severity["warnings"]
    kept = [one for one in said if not _TOLD_ELSEWHERE.fullmatch(one)]
    return tuple(_in_russian(one) if language == "ru" else one for one in kept)


def _in_russian(sentence: str) -> str:
    for pattern, russian in _RUSSIAN:
        found = re.fullmatch(pattern, sentence)
        if found:
            values = found.groupdict()
            side, of_side = _SIDES.get(values.get("side", ""), ("", ""))
            mm = number(float(values.get("mm", 0)), "ru")
            end = _ENDS.get(values.get("end", ""), "")
            return russian.format(side=side, of_side=of_side, n=values.get("n"), mm=mm, end=end)
    return sentence
