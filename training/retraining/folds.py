"""Which corrected slices a first fit holds back, so that benefit is measured on what it has not seen."""

from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from training.retraining.gate_evidence import FEWEST_PATIENTS

_SLICE_FOLDS, _PATIENT_FOLDS = 2, 3


@dataclass(frozen=True)
class Fold:
    """One first fit.

    Args:
        held_back: positions in the list of corrections that the fit does not see.
    """

    held_back: frozenset[int]


def slice_folds(places: Sequence[tuple[str, int]]) -> tuple[Fold, ...]:
    """Two fits, each on every other corrected slice of each study; every slice is held back once.

    A held-back slice lies between corrected ones as an open slice does, only farther from them, so the gain
    on it is, if anything, less than on the open slices.

    Args:
        places: study and index of each corrected slice.
    Returns:
        No fold where there is but one slice.

    >>> [sorted(fold.held_back) for fold in slice_folds([("a", 9), ("a", 2), ("a", 5), ("b", 1)])]
    [[0, 1], [2, 3]]
    """
    by_study: dict[str, list[int]] = defaultdict(list)
    for position in sorted(range(len(places)), key=lambda position: places[position]):
        by_study[places[position][0]].append(position)
    groups: list[list[int]] = [[] for _ in range(_SLICE_FOLDS)]
    turn = 0
    for positions in by_study.values():
        for position in positions:
            groups[turn].append(position)
            turn = (turn + 1) % _SLICE_FOLDS
    return _folds(groups)


def patient_folds(patients: Sequence[str]) -> tuple[Fold, ...]:
    """Three fits, each without a third of the patients; every patient is held back once and whole.

    Args:
        patients: of each corrected slice.
    Returns:
        No fold where there are fewer than three patients.

    >>> [sorted(fold.held_back) for fold in patient_folds(["a", "b", "a", "c"])]
    [[0, 2], [1], [3]]
    """
    sizes = Counter(patients)
    if len(sizes) < FEWEST_PATIENTS:
        return ()
    groups: list[list[int]] = [[] for _ in range(_PATIENT_FOLDS)]
    # The largest first, each to the smallest group: groups of about equal size.
    for patient in sorted(sizes, key=lambda patient: (-sizes[patient], patient)):
        smallest = min(groups, key=len)
        smallest += [position for position, other in enumerate(patients) if other == patient]
    return _folds(groups)


def _folds(groups: Sequence[Sequence[int]]) -> tuple[Fold, ...]:
    folds = tuple(Fold(frozenset(group)) for group in groups if group)
    # A fit that sees nothing is no fit.
    return folds if len(folds) > 1 else ()
