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
    sides: Sequence[tuple[Reading, float, bool]],
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
        sides: N readings, each with its figure and whether it is on the first side.
        names: of the two sides, for people and as keys of the estimate's parts.
        trim: share left out at each end of each side's figures, see `typical`.
        seed, resamples: of the interval; the same readings always give the same one.
    """
    on_first = {reading.annotator for reading, _, first in sides if first}
    on_both = on_first & {reading.annotator for reading, _, first in sides if not first}
    useful = [row for row in sides if row[0].annotator in on_both]
    readings = [reading for reading, _, _ in useful]
    side = np.asarray([first for *_, first in useful], dtype=bool)
    if (reason := too_few("too_few", names, side)) is not None:
        return nothing(unit, reason, len(useful))
    values = np.asarray([value for _, value, _ in useful], dtype=np.float64)
    usual = _usual(values, np.asarray([reading.annotator for reading in readings]), _larger(side), trim)
    relative = values - usual
    draws = Draws.of(
        [reading.patient for reading in readings], [reading.slice_id for reading in readings], seed, resamples
    )
    rows_of_sides = np.flatnonzero(side), np.flatnonzero(~side)
    drawn = [resampled_means(relative, rows, draws, trim) for rows in rows_of_sides]
    one_unit = Message("one_unit", {"first_name": names[0], "second_name": names[1], "unit": draws.by})
    # What is usual for the readers of the rare side, so that the parts are figures that people know.
    level = float(usual[~_larger(side)].mean())
    means = [
        level + float(trimmed_means(relative[rows], np.ones((1, len(rows))), trim)[0])
        for rows in rows_of_sides
    ]
    return compared(readings, side, means, drawn, draws, names, unit=unit, no_interval=one_unit)


def compared(
    readings: Sequence[Reading],
    side: npt.NDArray[np.bool_],
    means: Sequence[float],
    drawn: Sequence[Floats],
    draws: Draws,
    names: tuple[str, str],
    *,
    unit: str,
    no_interval: Message,
) -> Estimate:
    """First minus second of two sides' `means`, with the interval of their `drawn` (R,) resamples."""
    interval = percentile_interval(drawn[0] - drawn[1], min(map(draws.units_of, (side, ~side))))
    counts = int(side.sum()), int((~side).sum())
    return Estimate(
        mean=means[0] - means[1],
        interval=interval,
        n=len(readings),
        patients=len({reading.patient for reading in readings}),
        unit=unit,
        resampled=draws.by,
        why=None if interval else no_interval,
        parts={name: Part(mean, n) for name, mean, n in zip(names, means, counts, strict=True)},
    )


def too_few(kind: str, names: tuple[str, str], side: npt.NDArray[np.bool_]) -> Message | None:
    """That a side has fewer readings than FEWEST_READINGS; None where both have enough."""
    first, second = int(side.sum()), int((~side).sum())
    if min(first, second) >= FEWEST_READINGS:
        return None
    values = {"first": first, "second": second, "needed": FEWEST_READINGS}
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
