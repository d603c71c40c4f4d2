"""Orders out of scores, and one order out of several."""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Order = npt.NDArray[np.int64]


def highest_first(rng: np.random.Generator, *scores: npt.NDArray[np.float64]) -> Order:
    """Indices by the first score, highest first; its ties by the second, and so on.

    What is equal in all is shuffled, so that no study comes first for having been imported first. NaN comes
    behind every number (minus infinity included), and among themselves such rows go by the next score.

    Args:
        scores: each (N,) float64.
    Returns:
        (N,) int64, a permutation of range(N).
    """
    shuffled = rng.random(len(scores[0]))
    keys: list[npt.NDArray[np.float64]] = [shuffled]
    for score in reversed(scores):
        unknown = np.isnan(score)
        keys += [np.where(unknown, 0.0, -score), unknown.astype(np.float64)]
    return np.lexsort(keys).astype(np.int64)


def merged(orders: Sequence[Order], shares: Sequence[float]) -> Order:
    """One order that takes its places from several, each by its share, and no index twice.

    The next place goes to the order that is the farthest behind its share, which gives its first index
    that is not taken yet; so every start of the result keeps the shares to within one place each. An order
    that has nothing left leaves its places to the others.

    Args:
        orders: arrays of indices; together they hold every index of range(N), where N is the largest + 1.
        shares: of the places, one for each order, positive.
    Returns:
        (N,) int64, a permutation of range(N).
    """
    count = 1 + max((int(order.max()) for order in orders if len(order)), default=-1)
    taken = bytearray(count)
    waiting = [iter(order.tolist()) for order in orders]
    # The place, counted from 0, at which each order is due next.
    due = [0.5 / share for share in shares]
    merged_order: list[int] = []
    left = list(range(len(orders)))
    while left:
        source = min(left, key=due.__getitem__)
        index = next((index for index in waiting[source] if not taken[index]), None)
        if index is None:
            left.remove(source)
            continue
        taken[index] = 1
        merged_order.append(index)
        due[source] += 1.0 / shares[source]
    return np.array(merged_order, np.int64)
