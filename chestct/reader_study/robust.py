"""The typical value of times that have long tails: means of the middle, and medians, with weights."""

import numpy as np

from chestct.reader_study.resampling import Draws, Floats

# A fifth of the shortest and a fifth of the longest times do not count: a reader who left for lunch moves
# nothing, and a shift of all times by N seconds moves the figure by exactly N.
# Source: Yuen 1974, "The two-sample trimmed t for unequal population variances", Biometrika 61.
TRIM = 0.2


def trimmed_means(values: Floats, weights: Floats, trim: float = TRIM) -> Floats:
    """Means of the middle of weighted values.

    Args:
        values: (n,).
        weights: (r, n), each 0 or more.
        trim: share of the weight that is left out at each end, in [0, 0.5).
    Returns:
        (r,); NaN where all weights are 0.
    """
    if not len(values):
        return np.full(len(weights), np.nan)
    order = np.argsort(values, kind="stable")
    ordered = values[order]
    upto = np.cumsum(weights[:, order], axis=1)
    total = upto[:, -1].copy()
    low, high = trim * total, (1 - trim) * total
    # The sum of the middle by parts: one pass over the weights instead of one for each of their edges.
    np.clip(upto, low[:, None], high[:, None], out=upto)
    middle = high * ordered[-1] - low * ordered[0] - upto[:, :-1] @ np.diff(ordered)
    with np.errstate(invalid="ignore", divide="ignore"):
        return middle / (high - low)


def medians(values: Floats, weights: Floats) -> Floats:
    """Weighted medians; between two middle values their mean.

    Args:
        values: (n,).
        weights: (r, n), each 0 or more.
    Returns:
        (r,); NaN where all weights are 0.
    """
    order = np.argsort(values, kind="stable")
    upto = np.cumsum(weights[:, order], axis=1)
    half = upto[:, -1:] / 2
    lower, upper = np.argmax(upto >= half, axis=1), np.argmax(upto > half, axis=1)
    middle = (values[order][lower] + values[order][upper]) / 2
    return np.where(half[:, 0] > 0, middle, np.nan)


def resampled_means(values: Floats, rows: np.ndarray, draws: Draws, trim: float) -> Floats:
    """(R,) trimmed means of some readings over all resamples.

    Args:
        values: (N,) of all readings.
        rows: (n,) int64 places of those that count.
    """
    if trim == 0:  # the plain mean needs no row by itself
        chosen = np.zeros(len(values))
        chosen[rows] = 1
        with np.errstate(invalid="ignore", divide="ignore"):
            return draws.totals(np.where(chosen > 0, values, 0.0)) / draws.totals(chosen)
    return np.concatenate([trimmed_means(values[rows], weights, trim) for weights in draws.weights(rows)])
