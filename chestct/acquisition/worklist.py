"""From a pool to the order in which readers see it: strategy, spreading, control and test arm, reasons."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from chestct.acquisition.allocation import (
    Allocation,
    Arm,
    Shares,
    control_queue,
    interleaved,
    queue_of_tests,
)
from chestct.acquisition.pool import Pool
from chestct.acquisition.ranking import Order
from chestct.acquisition.reasons import Reason, reasons
from chestct.acquisition.spread import Spreading, spread
from chestct.acquisition.strategies import Strategy

# One of each three places is a test slice until all are read: early enough that the first retrain can be
# judged, and two of three readings still teach (our choice).
_TEST_SHARE = 1 / 3


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
    (spreading it would make it less random) and is mixed in by its share. Test slices are mixed in so that
    a reader cannot tell them from other unassisted ones; the other slices of test patients come last, for no
    model learns from them.

    Args:
        assignments: what was drawn, by slice id; a slice without any is in the active arm.
        seed: 0 or more; with the same pool and assignments it gives the same order. Give every order that is
            made anew another one: with a fixed seed the first control place is always the same, and where
            orders are made anew more often than readers get to it, nothing of control is ever read.
    """
    of_strategy, of_places, of_last, of_tests = (
        np.random.default_rng(child) for child in np.random.SeedSequence(seed).spawn(4)
    )

    def by_strategy(wanted: npt.NDArray[np.bool_], rng: np.random.Generator) -> Order:
        rows = np.flatnonzero(wanted).astype(np.int64)
        asked = rows[strategy.order(pool.subset(rows), rng, policy.round_number)]
        return spread(pool, asked, policy.spreading)

    in_test, in_control = (_in_arm(pool, assignments, arm) for arm in (Arm.TEST, Arm.CONTROL))
    last = pool.held_back & ~in_test
    active, control = ~(in_test | in_control | last), in_control & ~last
    active_order = by_strategy(active, of_strategy)
    teaching = interleaved(active_order, control_queue(pool, control), policy.shares.control, of_places)
    early = interleaved(teaching, queue_of_tests(pool, in_test), _TEST_SHARE, of_tests)
    order = np.concatenate([early, by_strategy(last, of_last)])
    return Ordered(pool.slice_ids[order], tuple(map(reasons(pool).__getitem__, order.tolist())))


def _in_arm(pool: Pool, assignments: Mapping[int, Allocation], arm: Arm) -> npt.NDArray[np.bool_]:
    drawn = [slice_id for slice_id, allocation in assignments.items() if allocation.arm == arm]
    return np.isin(pool.slice_ids, drawn)


def served_score(place: int, count: int) -> float:
    """The score that makes Label Studio serve a task at this place: lowest first, never 0 or 1.

    Args:
        place: from 0; of `count` in the order.
    """
    return (place + 1) / (count + 1)
