"""Is one strategy better than another? Areas under curves, paired over seeds and test patients.

Pairs are differences of one seed's and one test patient's area between a strategy and the baseline. At one
seed both start from the same labelled slices and the same first weights, so a pair holds what the choice of
slices made of them, and luck.
"""

from collections.abc import Sequence
from itertools import product

import numpy as np
import numpy.typing as npt

from chestct.errors import InputError

# Up to so many pairs all sign patterns are counted (2 ** 14 = 16,384); beyond, patterns are drawn.
_EXACT_PAIRS = 14
_DRAWN_PATTERNS = 20_000
_RESAMPLES = 10_000

Differences = npt.NDArray[np.float64]


def area(x: Sequence[float], y: Sequence[float], first: float, last: float) -> float:
    """Mean height of a curve of straight lines between two places of x.

    Args:
        x: ascending; equal neighbours are a step.
        y: heights at x.
        first, last: both inside x's range.
    Returns:
        The area between them over their distance; the height there where they are equal.
    Raises:
        InputError: the curve does not reach that far.
    """
    if len(x) != len(y) or not x or first < x[0] or last > x[-1] or first > last:
        reach = f"{x[0]:g} to {x[-1]:g}" if x else "nothing"
        raise InputError("curve", f"covers {reach}; its area was asked from {first:g} to {last:g}")
    if first == last:
        return float(np.interp(first, x, y))
    places = np.array([first, *(place for place in x if first < place < last), last])
    return float(np.trapezoid(np.interp(places, x, y), places) / (last - first))


def patient_weights(sources: Sequence[str]) -> npt.NDArray[np.float64]:
    """Each source of test patients weighs the same, and so does each patient of one; the sum is 1.

    Args:
        sources: one for each test patient.
    """
    _, index, counts = np.unique(np.array(sources), return_inverse=True, return_counts=True)
    return 1.0 / (len(counts) * counts[index])


def sign_flip_p(differences: Differences, weights: npt.NDArray[np.float64]) -> float:
    """Two-sided p of a paired sign-flip permutation test.

    Under the hypothesis that strategy and baseline are exchangeable each pair's difference is as likely to
    have the other sign. p is the share of sign patterns whose weighted mean is at least as far from 0 as
    the one seen; all patterns are counted for up to 14 pairs, 20,000 are drawn (fixed seed, the seen one
    counted in) beyond. Patients of one seed share its networks, so pairs are not quite independent and p
    is rather too small than too large: read it beside `two_way_interval`.

    Args:
        differences: (seeds, patients) float64.
        weights: (patients,) float64 of `patient_weights`.
    Returns:
        In (0, 1].
    Source: Fisher 1935, The Design of Experiments, section 21; the drawn form's + 1 as in Phipson and
        Smyth 2010, arXiv 1603.05766.
    """
    weighted = (differences * weights).ravel()
    weighted = weighted[weighted != 0]
    if not len(weighted):
        return 1.0
    exact = len(weighted) <= _EXACT_PAIRS
    if exact:
        signs = np.array(list(product((-1.0, 1.0), repeat=len(weighted))))
    else:
        signs = np.random.default_rng(0).choice((-1.0, 1.0), size=(_DRAWN_PATTERNS, len(weighted)))
    # A hair of tolerance: a sum in another order is the same sum.
    as_far = int((np.abs(signs @ weighted) >= abs(weighted.sum()) * (1 - 1e-9)).sum())
    return as_far / len(signs) if exact else (as_far + 1) / (len(signs) + 1)


def two_way_interval(
    differences: Differences, sources: Sequence[str], *, level: float = 0.95, seed: int = 0
) -> tuple[float, float]:
    """Percentile bootstrap interval of the weighted mean: seeds are resampled, and patients within a source.

    Seeds that share a patient, and patients that share a seed's network, are not independent, so whole
    rows and whole columns are drawn: wider than resampling pairs.

    Args:
        differences: (seeds, patients) float64.
        level: share of the resamples inside.
    Source: the "pigeonhole bootstrap", Owen 2007, arXiv 0712.1111.
    """
    rng = np.random.default_rng(seed)
    seeds = len(differences)
    rows = rng.multinomial(seeds, np.full(seeds, 1 / seeds), size=_RESAMPLES) / seeds
    columns = np.zeros((_RESAMPLES, len(sources)))
    names = np.array(sources)
    for source in np.unique(names):
        own = np.flatnonzero(names == source)
        columns[:, own] = rng.multinomial(len(own), np.full(len(own), 1 / len(own)), size=_RESAMPLES)
    means = np.einsum("rs,sp,rp->r", rows, differences, columns * patient_weights(sources))
    tail = (1 - level) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def holm(p_values: Sequence[float]) -> list[float]:
    """p adjusted for as many comparisons as there are.

    Source: Holm 1979, Scandinavian Journal of Statistics 6, 65-70.
    """
    adjusted, largest = [0.0] * len(p_values), 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted
