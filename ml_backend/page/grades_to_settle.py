"""Grades in doubt, and the slices to correct, for the state page.

The page asks for itself every few seconds and the answer takes seconds for a large catalog, so it is worked
out anew only when a correction or a severity has come.
"""

import threading
from collections.abc import Callable
from dataclasses import dataclass

from chestct.acquisition.settle import interval_percent, slices_to_settle
from chestct.catalog.catalog import Catalog
from chestct.catalog.settling import OpenStudy
from chestct.involvement_interval import InvolvementCalibration

# A longer list is no help: the study wants reading as a whole.
_MOST_SLICES = 20
_STUDIES_SHOWN = 10


@dataclass(frozen=True)
class GradeToSettle:
    """One study whose grade is in doubt.

    Args:
        grades: the mildest and the worst that are possible, "CT-1 or CT-2".
        interval_percent: of the deciding percent, in [0, 100].
        slices: indices to correct, first to correct first; empty where more than 20 would be needed.
    """

    study: str
    grades: str
    interval_percent: tuple[float, float]
    slices: tuple[int, ...]


@dataclass(frozen=True)
class GradesToSettle:
    """What the section shows.

    Args:
        rows: the studies that need the fewest corrections, first.
        in_doubt: how many studies there are in all.
        is_calibrated: whether held-out studies stand behind the intervals.
    """

    rows: tuple[GradeToSettle, ...]
    in_doubt: int
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
        self._kept: tuple[object, GradesToSettle] | None = None

    def shown(self, version: str) -> GradesToSettle:
        """What to show for a version.

        Raises:
            ServiceUnavailableError: the catalog does not answer.
        """
        with self._working:
            stamp = (version, self._catalog.settling_stamp(version))
            if self._kept is None or self._kept[0] != stamp:
                self._kept = (stamp, grades_to_settle(self._catalog, version, self._calibration_of(version)))
            return self._kept[1]


def grades_to_settle(
    catalog: Catalog, version: str, calibration: InvolvementCalibration | None
) -> GradesToSettle:
    """Studies whose grade is in doubt by a version, as the catalog stands."""
    found = [row for study in catalog.open_studies(version, calibration) if (row := _row(study)) is not None]
    found.sort(key=lambda row: (not row.slices, len(row.slices)))
    return GradesToSettle(tuple(found[:_STUDIES_SHOWN]), len(found), calibration is not None)


def _row(study: OpenStudy) -> GradeToSettle | None:
    found = slices_to_settle(study.doubt, _MOST_SLICES)
    if len(found.possible_grades) < 2:
        return None
    return GradeToSettle(
        study=study.name,
        grades=f"{found.possible_grades[0]} or {found.possible_grades[-1]}",
        interval_percent=interval_percent(study.doubt),
        slices=tuple(int(study.indices[at]) for at in found.slices),
    )
