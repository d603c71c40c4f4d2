"""The share of the work by which active learning is measured, randomised and hidden from the reader.

A slice's allocation follows from its key (the hash of its pixels) and nothing else: not from the model, the
order of import or the machine. It is drawn once; only so are slices of the control arm comparable.
"""

import hashlib
from collections import Counter
from dataclasses import dataclass
from enum import StrEnum

import numpy as np
import numpy.typing as npt

from chestct.acquisition.pool import Pool
from chestct.acquisition.ranking import Order
from chestct.errors import InputError


class Arm(StrEnum):
    """Who decides when a slice is read."""

    ACTIVE = "active"
    CONTROL = "control"
    # A slice of a test patient that is read early and unassisted, to judge models by (docs/adr/0024).
    TEST = "test"


@dataclass(frozen=True)
class Shares:
    """Which part of the slices is drawn for what; the draws do not depend on each other.

    Args:
        control: read by chance (foreground-aware), as the baseline of what active learning gains.
        unassisted: shown without pre-label, to measure the seconds that one saves and its automation bias.
        double_read: read by two readers, to measure how far they agree.
    Raises:
        InputError: a share outside [0, 1); for control above a half, where nothing would be left to compare.
    """

    control: float = 0.10
    unassisted: float = 0.05
    double_read: float = 0.05

    def __post_init__(self) -> None:
        for name, most in (("control", 0.5), ("unassisted", 0.99), ("double_read", 0.99)):
            if not 0.0 <= getattr(self, name) <= most:
                raise InputError(f"share {name}", f"is {getattr(self, name)}; expected 0 to {most}")


@dataclass(frozen=True)
class Allocation:
    """What was drawn for one slice."""

    arm: Arm
    prelabelled: bool
    read_twice: bool


# A test slice shows no pre-label, so that its reading is not anchored to the model that it judges.
TEST_SLICE = Allocation(Arm.TEST, prelabelled=False, read_twice=False)


def draw(slice_key: str, shares: Shares) -> Allocation:
    """The allocation of one slice: the same on every machine and in every order.

    A larger share keeps all that a smaller one drew and adds to it.

    Args:
        slice_key: sha256 of the slice's pixels, as the catalog has it.
    """
    return Allocation(
        arm=Arm.CONTROL if _random_number("arm", slice_key) < shares.control else Arm.ACTIVE,
        prelabelled=_random_number("blank", slice_key) >= shares.unassisted,
        read_twice=_random_number("twice", slice_key) < shares.double_read,
    )


def queue_of_tests(pool: Pool, in_test: npt.NDArray[np.bool_]) -> Order:
    """The test slices in the order they are read: a slice of each patient, then a second one of each.

    No figure of a model decides: what is read first must not be what a model that is judged asks for. And
    patients are what a comparison lacks first. (Which slice of a patient is first follows from its id.)

    Args:
        pool: N slices.
        in_test: (N,) mask.
    Returns:
        int64 rows of the pool, one for each True.
    """
    rows = np.flatnonzero(in_test)
    rows = rows[np.argsort(_scrambled(pool.slice_ids[rows]))]
    turns, turn_of = Counter[int](), []
    for patient in pool.patients[rows].tolist():
        turn_of.append(turns[patient])
        turns[patient] += 1
    return rows[np.argsort(turn_of, kind="stable")].astype(np.int64)


def control_queue(pool: Pool, in_control: npt.NDArray[np.bool_]) -> Order:
    """The control slices in the order they are read: at random, those that may hold lesion first.

    Foreground-aware random, as the strategy of that name, but no place goes to a slice without lesion zone
    while there is one with: early empty slices would tell the reader which arm they are of. It follows
    from the slice's id, so a new model version changes the queue only where it sees lesion elsewhere.

    Args:
        pool: N slices.
        in_control: (N,) mask.
    Returns:
        int64 rows of the pool, one for each True.
    """
    rows = np.flatnonzero(in_control)
    ranks = _scrambled(pool.slice_ids[rows])
    return rows[np.lexsort([ranks, ~pool.may_hold_lesion[rows]])].astype(np.int64)


def interleaved(active: Order, control: Order, share: float, rng: np.random.Generator) -> Order:
    """Both arms in one order: each 1 / share places hold one of control, where by chance.

    When one arm has none left the other goes on alone. With a share of 0, control slices of former days come
    last, so that none is read because a model asked for it.

    Args:
        active, control: int64 indices, first to read first.
        share: of the places, in [0, 0.5].
    """
    # When each slice is due: control once in every window of 1 / share places, active evenly. Times are in
    # places x share x (1 - share): a share of 0 divides nothing and makes every active slice due first.
    control_due = (np.arange(len(control)) + rng.random(len(control))) * (1.0 - share)
    active_due = (np.arange(len(active)) + 0.5) * share
    both = np.concatenate([active, control])
    return both[np.argsort(np.concatenate([active_due, control_due]), kind="stable")]


def _random_number(purpose: str, slice_key: str) -> float:
    """A number in [0, 1) that the key alone decides, another for every purpose."""
    digest = hashlib.sha256(f"{purpose}:{slice_key}".encode()).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def _scrambled(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.uint64]:
    """Ids in an order that has nothing to do with their size (the finaliser of splitmix64)."""
    mixed = ids.astype(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    for shift, factor in ((30, 0xBF58476D1CE4E5B9), (27, 0x94D049BB133111EB)):
        mixed = (mixed ^ (mixed >> np.uint64(shift))) * np.uint64(factor)
    return mixed ^ (mixed >> np.uint64(31))
