"""How wrong the masks of a study may be, slice by slice, and what one slice tells of the others.

A Gaussian over the slices' errors (true minus predicted lesion pixels), conditioned on one slice after
another: a pivoted Cholesky factorisation, so that a thin-slice study does not cost the cube of its slices.
"""

import math

import numpy as np
import numpy.typing as npt

from chestct.severity.uncertainty import errors_together

Floats = npt.NDArray[np.float64]

# A slice that is wrong by more deviations than this says that the model's uncertainty is too small there, and
# nothing more of its neighbours (our choice); without it one missed lesion moves the whole study.
_MOST_DEVIATIONS = 3.0
# Of a slice's variance, what rounding may leave of nothing.
_NOTHING = 1e-9


class LesionErrors:
    """The errors of a study's slices as far as they are known.

    Args:
        deviation: (S,) pixels, of the number of lesion pixels of each slice.
        beyond: (S,) pixels that the model expects beyond its mask: one error of the whole study.
        slices_apart_mm: distance between slices.

    Attributes:
        mean: (S,) expected error of each slice, pixels; 0 before anything is learnt.
        total_variance: of the sum of all errors, pixels squared.
    """

    def __init__(self, deviation: Floats, beyond: Floats, slices_apart_mm: float) -> None:
        self._deviation, self._beyond = deviation, beyond
        self._together = errors_together(len(deviation), slices_apart_mm)
        # A row for each slice that was learnt: its covariance with all, by its deviation.
        self._learnt, self._count = np.empty_like(self._together), 0
        self._variance = deviation**2 + beyond**2
        self._smallest = _NOTHING * self._variance
        # Covariance of each slice's error with the sum of all.
        self._with_total = deviation * (self._together @ deviation) + beyond * beyond.sum()
        self.mean = np.zeros(len(deviation))
        self.total_variance = float(self._with_total.sum())
        self._smallest_total = _NOTHING * self.total_variance

    def moved_by_each(self) -> Floats:
        """(S,) what knowing a slice tells of the sum: deviation of the sum's new mean, signed, pixels."""
        uncertain = self._variance > self._smallest
        root = np.sqrt(np.where(uncertain, self._variance, 1.0))
        return np.where(uncertain, self._with_total / root, 0.0)

    def learn(self, at: int, error: float | None = None) -> None:
        """A slice is known from now on.

        Args:
            error: what it turned out to be, in pixels; by default what was expected.
        """
        if self._variance[at] <= self._smallest[at]:
            return
        covariance = (
            self._deviation * self._deviation[at] * self._together[at] + self._beyond * self._beyond[at]
        )
        earlier = self._learnt[: self._count]
        covariance -= earlier[:, at] @ earlier
        deviation = math.sqrt(self._variance[at])
        column = covariance / deviation
        if error is not None:
            surprise = (error - self.mean[at]) / deviation
            self.mean += column * min(_MOST_DEVIATIONS, max(-_MOST_DEVIATIONS, surprise))
        moved = self._with_total[at] / deviation
        left = self.total_variance - moved**2
        self.total_variance = left if left > self._smallest_total else 0.0
        self._with_total = self._with_total - column * moved
        self._variance = self._variance - column**2
        self._variance[at], self._with_total[at] = 0.0, 0.0
        self._learnt[self._count] = column
        self._count += 1
