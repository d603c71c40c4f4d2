"""Grades in doubt, and the slices to correct, for the state page.

The page asks for itself every few seconds and the answer takes seconds for a large catalog, so it is worked
out anew only when a correction or a severity has come.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from chestct.catalog.catalog import Catalog
from chestct.derived.grade_plan import GradePlan, undecided_plans
from chestct.derived.grade_resolution import open_studies
from chestct.severity.interval import InvolvementCalibration

_STUDIES_SHOWN = 10


@dataclass(frozen=True)
class OpenGrades:
    """What the section shows.

    Args:
        rows: the studies that need the fewest corrections, first.
        in_doubt: how many studies there are in all.
        is_calibrated: whether held-out studies stand behind the intervals.
    """

    rows: tuple[GradePlan, ...]
    undecided: int
    is_calibrated: bool


class SettlingBoard:
    """The section's content, kept until something changes.

    Args:
        catalog: studies, predictions and corrections.
        calibration_of: version -> the calibration on its card.
    """

    def __init__(
        self, catalog: Catalog, calibration_of: Callable[[str], InvolvementCalibration | None]
    ) -> None:
        self._catalog = catalog
        self._calibration_of = calibration_of
        self._working = threading.Lock()
        self._kept: tuple[object, OpenGrades] | None = None

    def shown(self, version: str) -> OpenGrades:
        """What to show for a version.

        Raises:
            ServiceUnavailableError: the catalog does not answer.
        """
        with self._working:
            stamp = (version, self._catalog.severities.evidence_stamp(version))
            if self._kept is None or self._kept[0] != stamp:
                self._kept = (stamp, open_grades(self._catalog, version, self._calibration_of(version)))
            return self._kept[1]


def open_grades(catalog: Catalog, version: str, calibration: InvolvementCalibration | None) -> OpenGrades:
    """Studies whose grade is in doubt by a version, as the catalog stands."""
    plans = undecided_plans(open_studies(catalog, version, calibration))
    return OpenGrades(tuple(plans[:_STUDIES_SHOWN]), len(plans), calibration is not None)
