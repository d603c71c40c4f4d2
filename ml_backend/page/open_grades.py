"""Uncertain grades, and the slices whose correction resolves them, for the state page."""

from collections.abc import Callable
from dataclasses import dataclass, field

from chestct.catalog.catalog import Catalog
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

    def open_grades(self, version: str) -> OpenGrades:
        """Studies whose grade is uncertain by a version, as the catalog stands.

        Raises:
            ServiceUnavailableError: the catalog does not answer.
        """
        stamp = (version, self.catalog.severities.evidence_stamp(version))
        return self._remembered.get(stamp, lambda: self._work_out(version))

    def _work_out(self, version: str) -> OpenGrades:
        calibration = self.calibration_of(version)
        plans = undecided_plans(open_studies(self.catalog, version, calibration))
        return OpenGrades(tuple(plans[:_STUDIES_SHOWN]), len(plans), calibration is not None)
