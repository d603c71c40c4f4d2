"""Intervals by resampling patients, with weights in place of copies of rows.

Readings of one patient resemble each other, so patients are drawn, not readings. The percentile interval
of few patients is too narrow; it is widened to what Student's t would ask for.
Source: Hesterberg 2015, "What teachers should know about the bootstrap", section 4.3 (expanded percentile).
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import sqrt
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

LEVEL, RESAMPLES = 0.95, 1000
# Fewer patients than this cannot speak for others: their slices are resampled instead.
FEWEST_PATIENTS = 5
# Weights held at once, few enough for a processor's cache.
_WEIGHTS_AT_ONCE = 200_000

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Draws:
    """Resamples of the readings that an estimate rests on.

    Args:
        counts: (R, G) how often each patient (or slice) is in each resample.
        groups: (N,) int64, the patient (or slice) of each reading.
        by: "patient" or "slice".
    """

    counts: npt.NDArray[np.int32]
    groups: npt.NDArray[np.int64]
    by: str

    @classmethod
    def of(
        cls, patients: Sequence[str], slice_ids: Sequence[int], seed: int = 0, resamples: int = RESAMPLES
    ) -> "Draws":
        """Resamples patients, or slices where the patients are too few.

        Args:
            patients, slice_ids: of each reading, at least one.
        """
        by = "patient" if len(set(patients)) >= FEWEST_PATIENTS else "slice"
        names = np.asarray(patients if by == "patient" else slice_ids)
        _, groups = np.unique(names, return_inverse=True)
        count = int(groups.max()) + 1
        drawn = np.random.default_rng(seed).multinomial(count, np.full(count, 1 / count), size=resamples)
        return cls(drawn.astype(np.int32), groups.astype(np.int64), by)

    @property
    def units(self) -> int:
        """How many patients (or slices) there are to draw from."""
        return self.counts.shape[1]

    def units_of(self, rows: npt.NDArray[np.bool_]) -> int:
        """How many of them have a reading among those rows."""
        return len(np.unique(self.groups[rows]))

    def totals(self, values: Floats) -> Floats:
        """(R,) sums of a figure of each reading, (N,), over the resamples."""
        of_group = np.bincount(self.groups, weights=values, minlength=self.units)
        return self.counts.astype(np.float64) @ of_group

    def weights(self, rows: npt.NDArray[np.int64]) -> Iterator[Floats]:
        """(r, n) how often each of those readings is in a resample, some resamples at a time."""
        step = max(1, _WEIGHTS_AT_ONCE // max(1, len(rows)))
        for start in range(0, len(self.counts), step):
            yield self.counts[start : start + step][:, self.groups[rows]].astype(np.float64)


def percentile_interval(drawn: Floats, units: int) -> tuple[float, float] | None:
    """The middle 95 % of the resampled figures, widened for few units; None for fewer than two.

    Args:
        drawn: (R,); resamples in which the figure has no meaning are NaN and do not count.
        units: patients (or slices) of the side that has fewest of them.
    """
    held = drawn[np.isfinite(drawn)]
    if units < 2 or not len(held):
        return None
    reach = sqrt(units / (units - 1)) * student_t((1 + LEVEL) / 2, units - 1)
    tail = NormalDist().cdf(-reach)
    low, high = np.quantile(held, [tail, 1 - tail])
    return float(low), float(high)


def student_t(probability: float, freedom: int) -> float:
    """Quantile of Student's t, within 1 % from 3 degrees of freedom on.

    Source: Abramowitz and Stegun 1964, 26.7.5.
    """
    z = NormalDist().inv_cdf(probability)
    terms = (
        (z**3 + z) / 4,
        (5 * z**5 + 16 * z**3 + 3 * z) / 96,
        (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / 384,
        (79 * z**9 + 776 * z**7 + 1482 * z**5 - 1920 * z**3 - 945 * z) / 92160,
    )
    return z + sum(term / freedom ** (power + 1) for power, term in enumerate(terms))
