"""An interval around a measured involvement that holds the truth at a stated rate.

Split conformal: held-out studies say how far the truth lies from the model in units of the model's own
uncertainty; the interval of a new study is that many units wide. It rests on the new study being like the
held-out ones, and on nothing about the network.
Source: Lei et al. 2018, "Distribution-free predictive inference for regression".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Where a version's card keeps it, below `calibration`.
CARD_KEY = "involvement"


@dataclass(frozen=True)
class InvolvementCalibration:
    """What the held-out studies said.

    Args:
        quantile: of s = |true - measured| / (uncertainty + eps) over them.
        level: rate at which the interval holds the truth, in (0, 1).
        studies: how many there were.
        eps: percentage points added to every uncertainty, so that a sure model is never infinitely sure.
    """

    quantile: float
    level: float
    studies: int
    eps: float

    @classmethod
    def of_card(cls, calibration: Mapping[str, Any]) -> "InvolvementCalibration | None":
        """From the `calibration` of a model card; None where the version's interval was never calibrated."""
        if not (stored := calibration.get(CARD_KEY)):
            return None
        quantile, level, eps = (float(stored[key]) for key in ("quantile", "level", "eps"))
        return cls(quantile, level, int(stored["studies"]), eps)

    def interval(self, percent: float, uncertainty_percent: float) -> tuple[float, float]:
        """Lower and upper end in [0, 100] around a measured percent.

        Args:
            percent: measured, in [0, 100].
            uncertainty_percent: the model's own, in percentage points, 0 or more.
        """
        half = self.quantile * (uncertainty_percent + self.eps)
        return max(0.0, percent - half), min(100.0, percent + half)
