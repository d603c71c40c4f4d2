"""From a pool to the order in which readers see it: strategy, spreading, control arm, reasons."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from chestct.acquisition.allocation import Allocation, Arm, Shares, control_queue, interleaved
from chestct.acquisition.pool import Pool
from chestct.acquisition.reasons import Reason, reasons
from chestct.acquisition.spread import Spreading, spread
from chestct.acquisition.strategies import Strategy


@dataclass(frozen=True)
class Policy:
    """What an order is made by, besides its strategy.

    Args:
        shares: only `control` matters to the order: how many of the places it gets.
        spreading: how alike slices close to each other may be.
        round_number: how many models were promoted before, from 0; ClaSP-PE's noise shrinks with it.
    """

    shares: Shares = field(default_factory=Shares)
    spreading: Spreading = field(default_factory=Spreading)
    round_number: int = 0


@dataclass(frozen=True, eq=False)
class Ordered:
    """Every slice of a pool, first to read first.

    Args:
        slice_ids: (N,) int64.
        reasons: N sentences for people, of the slice at the same place.
    """

    slice_ids: npt.NDArray[np.int64]
    reasons: tuple[Reason, ...]


def order_pool(
    pool: Pool, strategy: Strategy, assignments: Mapping[int, Allocation], policy: Policy, seed: int
) -> Ordered:
    """The order in which readers see the slices of a pool.

    The strategy orders the active arm, which is then spread out; the control arm keeps its order
    (spreading it would make it less random) and is mixed in by its share.

    Args:
        assignments: what was drawn, by slice id; a slice without any is in the active arm.
        seed: 0 or more; with the same pool and assignments it gives the same order. Give every order that is
            made anew another one: with a fixed seed the first control place is always the same, and where
            orders are made anew more often than readers get to it, nothing of control is ever read.
    """
    of_strategy, of_places = (np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(2))
    control = [slice_id for slice_id, allocation in assignments.items() if allocation.arm == Arm.CONTROL]
    in_control = np.isin(pool.slice_ids, control)
    active = np.flatnonzero(~in_control).astype(np.int64)
    asked = active[strategy.order(pool.subset(active), of_strategy, policy.round_number)]
    active_order = spread(pool, asked, policy.spreading)
    order = interleaved(active_order, control_queue(pool, in_control), policy.shares.control, of_places)
    return Ordered(pool.slice_ids[order], tuple(map(reasons(pool).__getitem__, order.tolist())))


def served_score(place: int, count: int) -> float:
    """The score that makes Label Studio serve a task at this place: lowest first, never 0 or 1.

    Args:
        place: from 0; of `count` in the order.
    """
    return (place + 1) / (count + 1)
