"""From the diseased percent of a lung to a grade: the thresholds, and where they come from."""

from dataclasses import dataclass
from itertools import pairwise
from typing import Literal, get_args

from chestct.errors import InputError
from chestct.labels import SeverityGrade

Deciding = Literal["worst_lung", "whole"]
DECIDING: tuple[Deciding, ...] = get_args(Deciding)
_GRADES = tuple(SeverityGrade)


@dataclass(frozen=True)
class SeverityRule:
    """How a study's grade follows from its involvement.

    Args:
        deciding: whose percent decides: the worse lung's, or both lungs' together. The Moscow group's
            published code takes the worse lung.
        ct_0_percent: up to here a study counts as free of disease: 98 of 100 healthy people measure
            less than 1 %.
        boundaries_percent: CT-1 ends below the first, CT-2 below the second, CT-3 at the third
            (included), the rest is CT-4. 25 and 75 are MosMedData's, 50 is our choice: its README
            gives CT-2 and CT-3 as 25-50 and 50-75 %.
        smallest_lung_share: a lung below this share of both is flagged and does not decide (our choice).
    Raises:
        InputError: an unknown `deciding`, or thresholds that do not rise from 0 to 100.
    Source: MosMedData README; Morozov et al. 2020, arXiv 2005.06465; 1 %: a study of CT pneumonia
        analysis in healthy people.
    """

    deciding: Deciding = "worst_lung"
    ct_0_percent: float = 1.0
    boundaries_percent: tuple[float, float, float] = (25.0, 50.0, 75.0)
    smallest_lung_share: float = 0.15

    def __post_init__(self) -> None:
        if self.deciding not in DECIDING:
            raise InputError("deciding", f"is {self.deciding!r}; expected one of {', '.join(DECIDING)}")
        steps = (self.ct_0_percent, *self.boundaries_percent, 100.0)
        if steps[0] < 0.0 or not all(low < high for low, high in pairwise(steps)):
            raise InputError("severity rule", f"has the thresholds {steps[:-1]} %; expected rising ones")
        if not 0.0 <= self.smallest_lung_share < 0.5:
            share = self.smallest_lung_share
            raise InputError("smallest_lung_share", f"is {share}; expected 0 up to below 0.5")

    def grade_of(self, percent: float) -> SeverityGrade:
        """The grade of a deciding percent in [0, 100].

        CT-0 up to `ct_0_percent`, CT-1 below 25, CT-2 [25, 50), CT-3 [50, 75], CT-4 above 75.
        """
        first, second, third = self.boundaries_percent
        if percent <= self.ct_0_percent:
            return SeverityGrade.CT_0
        if percent < first:
            return SeverityGrade.CT_1
        if percent < second:
            return SeverityGrade.CT_2
        return SeverityGrade.CT_3 if percent <= third else SeverityGrade.CT_4

    def grades_touched(self, low_percent: float, high_percent: float) -> tuple[SeverityGrade, ...]:
        """Every grade that an interval of percents touches, mildest first."""
        mildest, worst = (_GRADES.index(self.grade_of(end)) for end in (low_percent, high_percent))
        return _GRADES[mildest : worst + 1]

    def bounds_of(self, grade: SeverityGrade) -> tuple[float, float]:
        """Lowest and highest percent of a grade, open and closed ends not told apart."""
        steps = (0.0, self.ct_0_percent, *self.boundaries_percent, 100.0)
        number = _GRADES.index(grade)
        return steps[number], steps[number + 1]
