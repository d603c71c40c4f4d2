"""A figure with its interval, or the reason why there is none."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from chestct.reader_study.wording import said
from chestct.wording import Message


@dataclass(frozen=True)
class Part:
    """One side of a comparison: its own figure, over so many readings."""

    mean: float
    n: int


@dataclass(frozen=True)
class Estimate:
    """What the readings say of one question.

    Args:
        mean: the figure; None where `why` says why nothing can be said.
        interval: of 95 %, lower and upper end.
        n: readings (or pairs of readings) that it rests on.
        patients: whom they are of.
        resampled: "patient", or "slice" where there are too few patients: then it speaks of these alone.
        unit: of the mean.
        why: where the mean or the interval is missing.
        parts: what was compared, by name.
    """

    mean: float | None
    interval: tuple[float, float] | None
    n: int
    patients: int
    unit: str
    resampled: str = ""
    why: Message | None = None
    parts: Mapping[str, Part] = field(default_factory=dict)

    @property
    def reason(self) -> str:
        """`why` as one English sentence, else empty."""
        return "" if self.why is None else said(self.why)

    @property
    def excludes_zero(self) -> bool:
        """Whether the interval lies on one side of nothing."""
        return self.interval is not None and (self.interval[0] > 0 or self.interval[1] < 0)

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        interval = None if self.interval is None else list(self.interval)
        values = {**asdict(self), "interval": interval, "why": self.reason}
        return {"reason" if name == "why" else name: value for name, value in values.items()}


def nothing(unit: str, why: Message, n: int = 0, patients: int = 0) -> Estimate:
    """No figure, and why."""
    return Estimate(None, None, n, patients, unit, why=why)
