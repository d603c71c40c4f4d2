"""Which slices to correct to resolve the grades of studies, in words for people and scripts."""

from dataclasses import asdict, dataclass
from typing import Any

from chestct.acquisition.grade_resolution import grade_chances
from chestct.catalog.catalog import Catalog
from chestct.derived.grade_plan import GradePlan, plan_of, undecided_plans
from chestct.derived.grade_resolution import NOT_CALIBRATED, Calibrations, OpenStudy, open_studies
from chestct.errors import InputError


@dataclass(frozen=True)
class GradeResolution:
    """One study and the slices that resolve its grade.

    Args:
        plan: what is uncertain, and the slices to correct.
        is_calibrated: whether held-out studies stand behind the interval.
        grade_chance: index of each open slice -> chance in [0, 1] that correcting it moves the grade.
    """

    plan: GradePlan
    is_calibrated: bool
    grade_chance: dict[int, float]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        own = {"is_calibrated": self.is_calibrated, "grade_chance": self.grade_chance}
        grades = [grade.value for grade in self.plan.possible_grades]
        return {**asdict(self.plan), "possible_grades": grades, "slices": list(self.plan.slices), **own}

    def sentence(self) -> str:
        """What to do, for a person."""
        plan = self.plan
        low, high = plan.interval_percent
        percents = f"{low:.1f} to {high:.1f} % of the lung" + (
            "" if self.is_calibrated else ", not calibrated"
        )
        if plan.slices:
            named = ", ".join(str(index) for index in plan.slices)
            noun = "slice" if len(plan.slices) == 1 else "slices"
            return f"to resolve the grade of {plan.study} ({plan.grades}; {percents}): correct {noun} {named}"
        return f"{plan.study}: {plan.reason} ({percents})"


def undecided_grades(
    catalog: Catalog, release_name: str, calibrations: Calibrations = NOT_CALIBRATED
) -> list[GradeResolution]:
    """Every study whose grade is uncertain, those that need the fewest corrections first.

    Studies that too many corrections would resolve come last, with that reason.

    Args:
        release_name: whose predictions; or the name of one version.
        calibrations: of its versions; the normal approximation stands for one that has none.
    """
    studies = {study.name: study for study in open_studies(catalog, release_name, calibrations)}
    return [_resolution(studies[plan.study], plan) for plan in undecided_plans(studies.values())]


def grade_resolution_of(
    catalog: Catalog, release_name: str, name: str, calibrations: Calibrations = NOT_CALIBRATED
) -> GradeResolution:
    """One study, undecided or not.

    Raises:
        NotFoundError: there is no such study.
        InputError: it has no grade to resolve, or no open slice.
    """
    study = catalog.studies.by_name(name)
    studies = open_studies(catalog, release_name, calibrations, name)
    if studies:
        return _resolution(studies[0], plan_of(studies[0]))
    if study.geometry is None:
        raise InputError(name, "is pictures without geometry, which have no grade; expected a CT study")
    version = catalog.versions.version_of(release_name, study.id)
    severity = catalog.severities.of_study(study.id, version)
    if severity is None:
        raise InputError(name, f"has slices that {version} has not predicted; run `lungloop preannotate`")
    if severity.grade is None:
        raise InputError(name, "shows no lung, so it has no grade to resolve")
    raise InputError(
        name,
        "has no open slice, or was predicted before uncertainty was kept; "
        f"{version} grades it {severity.grade}",
    )


def _resolution(study: OpenStudy, plan: GradePlan) -> GradeResolution:
    chances = zip(study.indices, grade_chances(study.uncertainty), study.is_open, strict=True)
    return GradeResolution(
        plan,
        is_calibrated=study.uncertainty.calibration is not None,
        grade_chance={int(index): float(chance) for index, chance, is_open in chances if is_open},
    )
