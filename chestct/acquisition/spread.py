"""Keep a reader from seeing the same thing over and over: pushed behind, never dropped.

An order is dealt out into stretches of places. Slice by slice, in the order given, each goes into the first
stretch that has room for it: no more than a few of one patient, none beside its neighbour or its near copy.
What is pushed behind comes a stretch later, not at the end, and the next best slices move up into its room.
"""

from collections import Counter
from dataclasses import dataclass

import numpy as np

from chestct.acquisition.pool import Pool
from chestct.acquisition.ranking import Order
from chestct.errors import InputError

# A slice that is like others is pushed back over this many stretches at the most: where everything looks the
# same (a pool of one phantom) the order given matters more.
_FARTHEST_BACK = 8


@dataclass(frozen=True)
class Spreading:
    """How alike the slices of one stretch may be.

    Args:
        stretch: places in which likeness counts: about what a reader does in a sitting, or between two
            retrains.
        per_patient: slices of one patient in a stretch, at most; a tenth of it, enough for the three slices
            that may resolve a grade.
        neighbours: slices of a study this close along it are neighbours; 0 turns the rule off.
        near_duplicate_bits: fingerprints that differ in at most so many bits of 64 are near copies; -1 turns
            the rule off. At 3 most adjacent slices of a thin stack are (92 % in COVID-19-CT-Seg), and 2 of
            1,000 pairs of slices of different patients.
    Raises:
        InputError: a number that cannot be meant.
    """

    stretch: int = 50
    per_patient: int = 5
    neighbours: int = 1
    near_duplicate_bits: int = 3

    def __post_init__(self) -> None:
        smallest = {"stretch": 1, "per_patient": 1, "neighbours": 0, "near_duplicate_bits": -1}
        for name, least in smallest.items():
            if getattr(self, name) < least:
                raise InputError(f"spreading's {name}", f"is {getattr(self, name)}; expected {least} or more")


def spread(pool: Pool, order: Order, spreading: Spreading) -> Order:
    """The same slices, those that are alike apart from each other.

    Args:
        pool: N slices.
        order: (M,) int64, rows of the pool, first to read first.
    Returns:
        (M,) int64, a permutation of `order`: the stretches of `stretches` one after the other.
    """
    return np.concatenate([np.zeros(0, np.int64), *stretches(pool, order, spreading)])


def stretches(pool: Pool, order: Order, spreading: Spreading) -> list[Order]:
    """The order dealt out; within each stretch the order given is kept.

    No stretch holds more than `per_patient` slices of a patient. It may be shorter than `spreading.stretch`
    where nothing that is left fits, as in a pool of a single patient.
    """
    dealt = _Dealt(spreading)
    columns = (pool.patients, pool.study_ids, pool.positions, pool.fingerprints)
    for row in zip(order.tolist(), *(column[order].tolist() for column in columns), strict=True):
        dealt.put(*row)
    return [np.array(indices, np.int64) for indices in dealt.indices]


class _Dealt:
    """Stretches as they fill up.

    The work per slice does not grow with their number: full stretches are jumped over, and where a patient's
    next slice can go at the earliest is remembered.
    """

    def __init__(self, spreading: Spreading) -> None:
        self._spreading = spreading
        self.indices: list[list[int]] = []
        self._fingerprints: list[list[int]] = []
        self._jump: list[int] = []
        self._of_patient: Counter[tuple[int, int]] = Counter()
        self._earliest: dict[int, int] = {}
        self._stretch_of: dict[tuple[int, int], int] = {}

    def put(self, index: int, patient: int, study: int, position: int, fingerprint: int) -> None:
        """One slice into the first stretch that has room for it."""
        reach = range(1, self._spreading.neighbours + 1)
        beside = [(study, position + step * side) for step in reach for side in (-1, 1)]
        neighbours = {self._stretch_of.get(place) for place in beside}
        cap = self._spreading.per_patient

        stretch = earliest = self._earliest.get(patient, 0)
        passed_over = 0
        while True:
            stretch = self._not_full(stretch)
            if self._of_patient[patient, stretch] >= cap:
                stretch += 1
            elif passed_over < _FARTHEST_BACK and (
                stretch in neighbours or self._holds_copy(stretch, fingerprint)
            ):
                stretch += 1
                passed_over += 1
            else:
                break
        while self._of_patient[patient, earliest] >= cap:
            earliest += 1
        # Slices of a patient who has nothing but copies would pass over the same stretches again and again.
        self._earliest[patient] = earliest + (passed_over == _FARTHEST_BACK)

        self.indices[stretch].append(index)
        if fingerprint:
            self._fingerprints[stretch].append(fingerprint)
        self._of_patient[patient, stretch] += 1
        self._stretch_of[study, position] = stretch

    def _not_full(self, stretch: int) -> int:
        """The first stretch from here on that has a place left; a new one where none has."""
        free = stretch
        while free < len(self.indices) and len(self.indices[free]) == self._spreading.stretch:
            free = self._jump[free]
        while stretch < free:
            self._jump[stretch], stretch = free, self._jump[stretch]
        while free >= len(self.indices):
            self._jump.append(len(self.indices) + 1)
            self.indices.append([])
            self._fingerprints.append([])
        return free

    def _holds_copy(self, stretch: int, fingerprint: int) -> bool:
        bits = self._spreading.near_duplicate_bits
        return fingerprint != 0 and any(
            (fingerprint ^ other).bit_count() <= bits for other in self._fingerprints[stretch]
        )
