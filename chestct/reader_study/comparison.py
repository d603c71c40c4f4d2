"""The difference between two ways in which slices were served, reader by reader.

Readers differ by more than anything that is compared here, so each figure is first taken relative to what
is usual for its reader on the side that has most readings; what is left is compared. So a reader with two
readings on the rare side counts for two, and one outlier among them cannot hide in a mean of two, as it
could if each reader were compared on their own.
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from chestct.reader_study.estimates import Estimate, Part, nothing
from chestct.reader_study.reading import Reading
from chestct.reader_study.resampling import RESAMPLES, Draws, Floats, percentile_interval
from chestct.reader_study.robust import resampled_means, trimmed_means
from chestct.wording import Message

# On the smaller side; under ten readings an interval says more about luck than about readers.
FEWEST_READINGS = 10


def difference(
    readings: Sequence[Reading],
    values: Sequence[float],
    on_first: Sequence[bool],
    names: tuple[str, str],
    *,
    unit: str,
    trim: float,
    seed: int = 0,
    resamples: int = RESAMPLES,
) -> Estimate:
    """First side minus second side.

    Readers who read on one side only have nothing to be compared with and do not count.

    Args:
        readings: N, each with its figure in `values` and its side in `on_first`.
        names: of the two sides, for people and as keys of the estimate's parts.
        trim: share left out at each end of each side's figures, see `typical`.
        seed, resamples: of the interval; the same readings always give the same one.
    """
    side = np.asarray(on_first, dtype=bool)
    readers = np.asarray([reading.annotator for reading in readings])
    useful = np.isin(readers, sorted(set(readers[side]) & set(readers[~side])))
    first, second = int((useful & side).sum()), int((useful & ~side).sum())
    if min(first, second) < FEWEST_READINGS:
        return nothing(unit, too_few("too_few", names, (first, second)), first + second)
    kept = [reading for reading, counts in zip(readings, useful, strict=True) if counts]
    side = side[useful]
    usual = _usual(np.asarray(values, dtype=np.float64)[useful], readers[useful], _larger(side), trim)
    relative = np.asarray(values, dtype=np.float64)[useful] - usual
    draws = Draws.of([one.patient for one in kept], [one.slice_id for one in kept], seed, resamples)
    sides = np.flatnonzero(side), np.flatnonzero(~side)
    drawn = [resampled_means(relative, rows, draws, trim) for rows in sides]
    interval = percentile_interval(drawn[0] - drawn[1], min(map(draws.units_of, (side, ~side))))
    one_unit = Message("one_unit", {"first_name": names[0], "second_name": names[1], "unit": draws.by})
    # What is usual for the readers of the rare side, so that the parts are figures that people know.
    level = float(usual[~_larger(side)].mean())
    means = [level + float(trimmed_means(relative[rows], np.ones((1, len(rows))), trim)[0]) for rows in sides]
    return Estimate(
        mean=means[0] - means[1],
        interval=interval,
        n=len(kept),
        patients=len({one.patient for one in kept}),
        unit=unit,
        resampled=draws.by,
        why=None if interval else one_unit,
        parts={names[0]: Part(means[0], first), names[1]: Part(means[1], second)},
    )


def too_few(kind: str, names: tuple[str, str], counts: tuple[int, int]) -> Message:
    """That a side has fewer readings than FEWEST_READINGS."""
    values = {"first": counts[0], "second": counts[1], "needed": FEWEST_READINGS}
    return Message(kind, {**values, "first_name": names[0], "second_name": names[1]})


def _larger(side: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Which readings are on the side that has most."""
    return side if 2 * np.count_nonzero(side) > len(side) else ~side


def _usual(
    values: Floats, readers: npt.NDArray[np.str_], larger: npt.NDArray[np.bool_], trim: float
) -> Floats:
    """(N,) what is usual for each reading's reader on the larger side.

    Taken once and not anew in each resample: readers' shares of the two sides are alike but for chance, so
    what is wrong with it falls out of the difference.
    """
    usual = np.empty(len(values))
    for reader in np.unique(readers):
        own = values[(readers == reader) & larger]
        usual[readers == reader] = trimmed_means(own, np.ones((1, len(own))), trim)[0]
    return usual
