"""How each open study's grade is resolved: what the command line and the state page both tell."""

from collections.abc import Iterable
from dataclasses import dataclass

from chestct.acquisition.grade_resolution import slices_to_correct
from chestct.derived.grade_resolution import OpenStudy
from chestct.errors import InputError
from chestct.labels import SeverityGrade

# A longer list is no help: the study wants reading as a whole.
MOST_SLICES = 20


@dataclass(frozen=True)
class GradePlan:
    """One study and the slices that resolve its grade.

    Args:
        possible_grades: that its interval touches now, mildest first.
        interval_percent: of the deciding percent, in [0, 100].
        slices: indices of the slices to correct, first to correct first; empty where `reason` says why.
        reason: one clause for people.
    """

    study: str
    possible_grades: tuple[SeverityGrade, ...]
    interval_percent: tuple[float, float]
    slices: tuple[int, ...]
    reason: str

    @property
    def is_undecided(self) -> bool:
        """True where more than one grade is possible."""
        return len(self.possible_grades) > 1

    @property
    def grades(self) -> str:
        """The mildest and the worst that are possible, "CT-1 or CT-3"; one alone where it is resolved."""
        return " or ".join(dict.fromkeys((str(self.possible_grades[0]), str(self.possible_grades[-1]))))


def plan_of(study: OpenStudy) -> GradePlan:
    """The plan of one study, undecided or not.

    Raises:
        InputError: the study has no lung.
    """
    answer = slices_to_correct(study.uncertainty, MOST_SLICES)
    if answer.interval_percent is None:
        raise InputError(study.name, "has no lung, so a share of it has no meaning")
    return GradePlan(
        study=study.name,
        possible_grades=answer.possible_grades,
        interval_percent=answer.interval_percent,
        slices=tuple(int(study.indices[at]) for at in answer.slices),
        reason=answer.reason,
    )


def undecided_plans(studies: Iterable[OpenStudy]) -> list[GradePlan]:
    """Plans of the undecided studies, fewest corrections first; those that would take too many come last."""
    plans = [plan for study in studies if (plan := plan_of(study)).is_undecided]
    return sorted(plans, key=lambda plan: (not plan.slices, len(plan.slices)))
