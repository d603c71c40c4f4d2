"""Uncertain grades, and the slices whose correction resolves them, for the state page."""

from collections.abc import Callable
from dataclasses import dataclass, field

from chestct.catalog.catalog import Catalog
from chestct.catalog.records import versions_in
from chestct.derived.grade_plan import GradePlan, undecided_plans
from chestct.derived.grade_resolution import open_studies
from chestct.severity.interval import InvolvementCalibration
from ml_backend.page.remembered import Remembered

_STUDIES_SHOWN = 10


@dataclass(frozen=True)
class OpenGrades:
    """What the section shows.

    Args:
        rows: the studies that need the fewest corrections, first.
        undecided: how many studies there are in all.
        is_calibrated: whether held-out studies stand behind the intervals.
    """

    rows: tuple[GradePlan, ...]
    undecided: int
    is_calibrated: bool


@dataclass(frozen=True, eq=False)
class GradesBoard:
    """The section's content, kept until a correction or a severity has come."""

    catalog: Catalog
    calibration_of: Callable[[str], InvolvementCalibration | None]  # of a version, on its card
    _remembered: Remembered[OpenGrades] = field(default_factory=Remembered[OpenGrades])

    def open_grades(self, release_name: str) -> OpenGrades:
        """Studies whose grade is uncertain by a release, as the catalog stands.

        Raises:
            ServiceUnavailableError: the catalog does not answer.
        """
        stamp = (release_name, self.catalog.severities.evidence_stamp(release_name))
        return self._remembered.get(stamp, lambda: self._work_out(release_name))

    def _work_out(self, release_name: str) -> OpenGrades:
        calibrations = {version: self.calibration_of(version) for version in versions_in(release_name)}
        plans = undecided_plans(open_studies(self.catalog, release_name, calibrations))
        return OpenGrades(tuple(plans[:_STUDIES_SHOWN]), len(plans), None not in calibrations.values())
