"""Which slices to correct to settle the grades of studies, in words for people and scripts."""

from dataclasses import asdict, dataclass
from typing import Any

from chestct.acquisition.settle import grade_chances, interval_percent, slices_to_settle
from chestct.catalog.catalog import Catalog
from chestct.catalog.settling import OpenStudy
from chestct.errors import InputError
from chestct.involvement_interval import InvolvementCalibration

# A longer list is no help: the study wants reading as a whole.
MOST_SLICES = 20


@dataclass(frozen=True)
class SettledBy:
    """One study and the slices that settle its grade.

    Args:
        possible_grades: that its interval touches now, mildest first.
        interval_percent: of the deciding percent, in [0, 100].
        is_calibrated: whether held-out studies stand behind the interval.
        slices: indices of the slices to correct, first to correct first; empty where `reason` says why.
        reason: one clause for people.
        grade_chance: index of each open slice -> chance in [0, 1] that correcting it moves the grade.
    """

    study: str
    possible_grades: tuple[str, ...]
    interval_percent: tuple[float, float]
    is_calibrated: bool
    slices: tuple[int, ...]
    reason: str
    grade_chance: dict[int, float]

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "possible_grades": list(self.possible_grades), "slices": list(self.slices)}

    def sentence(self) -> str:
        """What to do, for a person."""
        grades = " or ".join((self.possible_grades[0], self.possible_grades[-1]))
        low, high = self.interval_percent
        percents = f"{low:.1f} to {high:.1f} % of the lung" + (
            "" if self.is_calibrated else ", not calibrated"
        )
        if self.slices:
            named = ", ".join(str(index) for index in self.slices)
            noun = "slice" if len(self.slices) == 1 else "slices"
            return f"to settle the grade of {self.study} ({grades}; {percents}): correct {noun} {named}"
        return f"{self.study}: {self.reason} ({percents})"


def settle_studies(
    catalog: Catalog, version: str, calibration: InvolvementCalibration | None = None
) -> list[SettledBy]:
    """Every study whose grade is in doubt, those that need the fewest corrections first.

    Studies that more than `MOST_SLICES` corrections would settle come last, with that reason.

    Args:
        version: whose predictions.
        calibration: of its card; None for the normal approximation.
    """
    found = [_settled_by(study) for study in catalog.open_studies(version, calibration)]
    in_doubt = [one for one in found if len(one.possible_grades) > 1]
    return sorted(in_doubt, key=lambda one: (not one.slices, len(one.slices)))


def settle_study(
    catalog: Catalog, version: str, name: str, calibration: InvolvementCalibration | None = None
) -> SettledBy:
    """One study, in doubt or not.

    Raises:
        NotFoundError: there is no such study.
        InputError: it has no grade to settle, or no open slice.
    """
    study = catalog.study(name)
    found = catalog.open_studies(version, calibration, name)
    if found:
        return _settled_by(found[0])
    if study.geometry is None:
        raise InputError(name, "is pictures without geometry, which have no grade; expected a CT study")
    severity = catalog.severity(study.id, version)
    if severity is None:
        raise InputError(name, f"has slices that {version} has not predicted; run `lungloop preannotate`")
    if severity.grade is None:
        raise InputError(name, "shows no lung, so it has no grade to settle")
    raise InputError(
        name,
        f"has no open slice, or was predicted before doubt was kept; {version} grades it {severity.grade}",
    )


def _settled_by(study: OpenStudy) -> SettledBy:
    found = slices_to_settle(study.doubt, MOST_SLICES)
    chances = grade_chances(study.doubt)
    return SettledBy(
        study=study.name,
        possible_grades=tuple(grade.value for grade in found.possible_grades),
        interval_percent=interval_percent(study.doubt),
        is_calibrated=study.doubt.calibration is not None,
        slices=tuple(int(study.indices[at]) for at in found.slices),
        reason=found.reason,
        grade_chance={
            int(index): float(chance)
            for index, chance, is_open in zip(study.indices, chances, study.is_open, strict=True)
            if is_open
        },
    )
