"""Uncertain grades, and the slices whose correction resolves them, for the state page."""

from collections.abc import Callable
from dataclasses import dataclass

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


class GradesBoard:
    """The section's content, kept until a correction or a severity has come.

    Args:
        catalog: studies, predictions and corrections.
        calibration_of: version -> the calibration on its card.
    """

    def __init__(
        self, catalog: Catalog, calibration_of: Callable[[str], InvolvementCalibration | None]
    ) -> None:
        self._catalog = catalog
        self._calibration_of = calibration_of
        self._remembered = Remembered[OpenGrades]()

    def open_grades(self, version: str) -> OpenGrades:
        """Studies whose grade is uncertain by a version, as the catalog stands.

        Raises:
            ServiceUnavailableError: the catalog does not answer.
        """
        stamp = (version, self._catalog.severities.evidence_stamp(version))
        return self._remembered.get(stamp, lambda: self._work_out(version))

    def _work_out(self, version: str) -> OpenGrades:
        calibration = self._calibration_of(version)
        plans = undecided_plans(open_studies(self._catalog, version, calibration))
        return OpenGrades(tuple(plans[:_STUDIES_SHOWN]), len(plans), calibration is not None)
