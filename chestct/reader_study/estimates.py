"""A figure with its interval, or the reason why there is none."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any


@dataclass(frozen=True)
class Part:
    """One side of a comparison: its own figure, over so many readings."""

    mean: float
    n: int


@dataclass(frozen=True)
class Estimate:
    """What the readings say of one question.

    Args:
        mean: the figure; None where `reason` says why nothing can be said.
        interval: of 95 %, lower and upper end.
        n: readings (or pairs of readings) that it rests on.
        patients: whom they are of.
        resampled: "patient", or "slice" where there are too few patients: then it speaks of these alone.
        unit: of the mean.
        reason: one sentence where the mean or the interval is missing, else empty.
        parts: what was compared, by name.
    """

    mean: float | None
    interval: tuple[float, float] | None
    n: int
    patients: int
    unit: str
    resampled: str = ""
    reason: str = ""
    parts: Mapping[str, Part] = field(default_factory=dict)

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of nothing."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {**asdict(self), "interval": None if self.interval is None else list(self.interval)}


def nothing(unit: str, reason: str, n: int = 0, patients: int = 0) -> Estimate:
    """No figure, and why."""
    return Estimate(None, None, n, patients, unit, reason=reason)
