"""What more corrections are expected to bring: the gains of retrains, continued along learning curves."""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

MORE_CORRECTIONS = 50
# Two points lie on any line.
FEWEST_RETRAINS = 3
# No further than three times the corrections that were measured: our choice.
FEWEST_CORRECTIONS = MORE_CORRECTIONS // 2
# 95 % of a normal distribution, two-sided, and of chi squared with one degree of freedom.
_NORMAL_QUANTILE, _CHI_SQUARED_QUANTILE = 1.959964, 3.841459
# Corrections over which what is left to gain falls to 1/e: from levelling off soon to nearly straight.
_SATURATION = (15.0, 22.0, 30.0, 45.0, 60.0, 90.0, 120.0, 240.0, 480.0)


@dataclass(frozen=True)
class MeasuredGain:
    """What one retrain gained on open slices over the champion that it started from.

    Args:
        corrections: that it learned from.
        gain: in lesion Dice.
        standard_error: of the gain, above 0.
    """

    corrections: int
    gain: float
    standard_error: float


@dataclass(frozen=True)
class Expectation:
    """By how much more than the newest retrain one would gain on open slices.

    Args:
        more_corrections: beyond `corrections`.
        difference, interval: lesion Dice, the interval at 95 %.
        retrains: measured ones behind it.
    """

    more_corrections: int
    corrections: int
    difference: float
    interval: tuple[float, float]
    retrains: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        low, high = self.interval
        return {
            **asdict(self),
            "difference": round(self.difference, 6),
            "interval": [round(low, 6), round(high, 6)],
        }


def expected_gain(gains: Sequence[MeasuredGain], more: int = MORE_CORRECTIONS) -> Expectation | None:
    """The gain of `more` corrections beyond the most so far, by learning curves fitted to the gains.

    The curves are a logarithm and exponentials that level off sooner or later; each has a height and a
    slope fitted by weighted least squares. The figure is their mean weighted by likelihood; the interval
    spans those that the gains do not rule out, since few retrains hardly tell one curve from another. Where
    the gains scatter about the best of them by more than their errors, it widens by as much. Gains of
    successive retrains rest on much the same slices, so their errors go together and the true uncertainty
    is smaller, not larger.

    Args:
        gains: of retrains that started from one champion, in any order.
    Returns:
        None where there are too few retrains, all of them on equally many corrections, or too few
        corrections to look so far ahead.
    Source: Birge, Phys. Rev. 40 (1932) 207, for the widening.
    """
    counts = np.array([gain.corrections for gain in gains], dtype=np.float64)
    if len(gains) < FEWEST_RETRAINS or counts.max() < FEWEST_CORRECTIONS or np.ptp(counts) == 0.0:
        return None
    fits = np.array([_fitted(shape, counts, gains, more) for shape in _shapes(counts)])
    misfit, difference, error = fits.T
    widening = max(1.0, (misfit.min() / (len(gains) - 2)) ** 0.5)
    beyond_best = (misfit - misfit.min()) / widening**2
    kept = beyond_best <= _CHI_SQUARED_QUANTILE
    half = _NORMAL_QUANTILE * widening * error
    likelihood = np.exp(-beyond_best / 2.0)
    return Expectation(
        more_corrections=more,
        corrections=int(counts.max()),
        difference=float(np.average(difference, weights=likelihood)),
        interval=(float((difference - half)[kept].min()), float((difference + half)[kept].max())),
        retrains=len(gains),
    )


def _shapes(counts: Floats) -> list[Callable[[Floats], Floats]]:
    """Curves up to height and slope."""
    return [
        lambda places: np.log1p(places),
        # Counted from the first retrain, so that the exponential does not vanish for many corrections.
        *(partial(_levelling_off, first=float(counts.min()), scale=scale) for scale in _SATURATION),
    ]


def _levelling_off(places: Floats, first: float, scale: float) -> Floats:
    return -np.exp(-(places - first) / scale)


def _fitted(
    shape: Callable[[Floats], Floats], counts: Floats, gains: Sequence[MeasuredGain], more: int
) -> tuple[float, float, float]:
    """How badly a curve fits (chi squared), what it expects, and the standard error of that."""
    places = shape(counts)
    heights = np.array([gain.gain for gain in gains])
    weights = np.array([gain.standard_error for gain in gains]) ** -2.0
    from_middle = places - np.average(places, weights=weights)
    from_mean = heights - np.average(heights, weights=weights)
    spread = float(weights @ from_middle**2)
    slope = float(weights @ (from_middle * from_mean)) / spread
    misfit = float(weights @ (from_mean - slope * from_middle) ** 2)
    ahead = float(shape(counts.max() + more) - shape(counts.max()))
    return misfit, ahead * slope, ahead * spread**-0.5
