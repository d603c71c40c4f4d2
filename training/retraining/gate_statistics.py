"""How large a mean change must be before the gate believes it. Numbers in, numbers out.

Source: docs/gate.md, where the error rates of these rules are measured (benchmarks/gate_error_rates.py).
"""

from dataclasses import dataclass
from functools import lru_cache
from math import inf, sqrt

import numpy as np
import numpy.typing as npt
from scipy import special

# A version that is worse than the champion by more than this is worse; our choice: readers' own
# Dice differs by far more (inter-reader 0.70, Bartoli et al.).
MARGIN = 0.02
# Largest chance, over all looks at the same patients together, of promoting a version that is worse by
# more than the margin, and of promoting an equal one.
WORSE_PROMOTED, EQUAL_PROMOTED = 0.05, 0.20
# Decisions that may be taken on the same patients; after that, fresh readings.
LOOKS = 10
# A version may help nine patients a little and lose this much in the tenth: then few patients often show
# nothing of it, and what they show must be more than such a version would.
RARE_SHARE, RARE_LOSS = 0.1, 0.25
# Spreads below these are luck: of patients, and of slices.
SMALLEST_PATIENT_SD, SMALLEST_SLICE_SD = 0.01, 0.05
# Changes of neighbouring slices go together; the correlation falls by this factor a slice. Measured from
# base-3 to base-4 on three held-out volumes of COVID-19-CT-Seg (about a millimetre a slice): at most 0.47,
# 0.32 and 0.26 at 1, 3 and 6 slices.
NEIGHBOUR_CORRELATION = 0.75


@dataclass(frozen=True)
class MeanChange:
    """A mean difference, challenger - champion, and how well it is known.

    Args:
        difference: the mean.
        standard_error: of the mean.
        freedom: degrees of freedom of the standard error; 0 where there is too little to know one.
    """

    difference: float
    standard_error: float
    freedom: float

    def lower(self, error: float) -> float:
        """One-sided lower bound that is too high with the chance `error`."""
        return self.difference - _quantile(error, self.freedom) * self.standard_error

    def upper(self, error: float) -> float:
        """One-sided upper bound that is too low with the chance `error`."""
        return self.difference + _quantile(error, self.freedom) * self.standard_error

    def interval(self) -> list[float] | None:
        """95 % interval by Student's t, JSON-ready; None where the spread is not known."""
        if self.freedom <= 0:
            return None
        return [round(self.lower(0.025), 6), round(self.upper(0.025), 6)]


def share_of_look(look: int) -> float:
    """Share of the allowed error that one look may use up; the shares of ten looks sum to 1.

    The first look has most of it (0.65), since later ones compare versions that learned from more.

    Args:
        look: 1 for the first decision on these patients.
    Source: alpha spending, Lan & DeMets 1983, over looks instead of time.
    """
    if look > LOOKS:
        return 0.0
    return look**-2 / sum(number**-2 for number in range(1, LOOKS + 1))


def change_of_patients(differences: npt.NDArray[np.float64]) -> MeanChange:
    """The mean over patients.

    Args:
        differences: (patients,) challenger - champion.
    """
    count = len(differences)
    if count < 2:
        return MeanChange(float(differences.mean()) if count else 0.0, inf, 0.0)
    deviation = max(float(differences.std(ddof=1)), SMALLEST_PATIENT_SD)
    return MeanChange(float(differences.mean()), deviation / sqrt(count), count - 1.0)


def change_of_slices(
    differences: npt.NDArray[np.float64],
    weights: npt.NDArray[np.float64],
    correlation: npt.NDArray[np.float64],
) -> MeanChange:
    """The weighted mean over slices of which neighbours err together.

    With R the correlation and w the weights (sum 1), the mean has the variance sigma^2 w'Rw, and the
    weighted squares about it have the expectation sigma^2 (1 - w'Rw); degrees of freedom by
    Satterthwaite.

    Args:
        differences, weights: (slices,).
        correlation: (slices, slices), assumed.
    """
    count = len(differences)
    if count < 2:
        return MeanChange(float(differences.mean()) if count else 0.0, inf, 0.0)
    weights = weights / weights.sum()
    mean = float(weights @ differences)
    of_mean = float(weights @ correlation @ weights)
    variance = float(weights @ (differences - mean) ** 2) / (1.0 - of_mean)
    centring = np.eye(count) - weights[None, :]
    quadratic = centring.T @ np.diag(weights) @ centring @ correlation
    freedom = float(np.trace(quadratic) ** 2 / np.trace(quadratic @ quadratic))
    deviation = max(sqrt(variance), SMALLEST_SLICE_SD)
    return MeanChange(mean, deviation * sqrt(of_mean), freedom)


def neighbour_correlation(studies: list[str], indices: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    """(slices, slices) assumed correlation: falls with the distance inside a study, 0 between studies."""
    distance = np.abs(indices[:, None] - indices[None, :]).astype(np.float64)
    names = np.array(studies)
    return np.where(names[:, None] == names[None, :], NEIGHBOUR_CORRELATION**distance, 0.0)


def needed_of_patients(change: MeanChange, patients: int, look: int) -> float:
    """Smallest mean difference that shows a gain on this many patients, at the spread that was seen.

    Args:
        patients: with a lesion, none of whom has lost much (see the rule on single patients).
        look: 1 for the first decision on these patients.
    """
    share = share_of_look(look)
    needed = needed_difference(change, share)
    unseen = (1.0 - RARE_SHARE) ** patients
    for error, mean in ((EQUAL_PROMOTED, 0.0), (WORSE_PROMOTED, -MARGIN)):
        # Had one in ten lost much, none would be here with the chance `unseen`, and the others gain `others`.
        others = (mean + RARE_SHARE * RARE_LOSS) / (1.0 - RARE_SHARE)
        level = error * share / unseen
        if level < 1.0:
            needed = max(needed, others + _quantile(level, change.freedom) * change.standard_error)
    return needed


def needed_difference(change: MeanChange, share: float = 1.0) -> float:
    """Smallest mean difference that is above 0, and surely not worse by more than the margin.

    Args:
        change: its spread is used, not its mean.
        share: of the allowed errors that may be used up.
    """
    better = _quantile(EQUAL_PROMOTED * share, change.freedom) * change.standard_error
    not_worse = _quantile(WORSE_PROMOTED * share, change.freedom) * change.standard_error - MARGIN
    return max(better, not_worse)


@lru_cache(maxsize=4096)
def _quantile(error: float, freedom: float) -> float:
    if freedom <= 0 or error <= 0.0:
        return inf
    return float(special.stdtrit(freedom, 1.0 - error))
