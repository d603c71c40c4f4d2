"""How many seconds a pre-label saves its reader."""

from collections.abc import Sequence

from chestct.reader_study.comparison import difference
from chestct.reader_study.estimates import Estimate
from chestct.reader_study.pace import capped_seconds
from chestct.reader_study.reading import Reading
from chestct.reader_study.resampling import RESAMPLES
from chestct.reader_study.robust import TRIM

UNIT = "seconds a slice"


def seconds_saved(readings: Sequence[Reading], *, seed: int = 0, resamples: int = RESAMPLES) -> Estimate:
    """Seconds on slices without a pre-label minus seconds on slices with one; above 0 it saves time.

    Which slices are shown unassisted was drawn from a hash of each, so the two kinds differ in nothing else.
    What counts is what was drawn, whether or not the reader then used the pre-label: leaving out those
    who wiped it would leave out the cases in which it cost time.

    The figure is the difference of 20 % trimmed means of times relative to what is usual for each reader,
    after lunch breaks were cut to the reader's longest usual time (`pace`). Means of all times are at the
    mercy of one lunch break, logarithms answer in percent, and medians waste half of the few unassisted
    readings there are; a trimmed mean moves by N seconds where every task takes N longer. Where a
    pre-label saves more on slices that take long, the figure is the saving on a middling slice: less than
    the mean saving.

    Args:
        readings: all; those that were not drawn, of study tasks, or without a time do not count.
        seed, resamples: of the interval.
    """
    capped = capped_seconds(readings)
    sides = [
        (reading, capped[reading.correction_id], not reading.prelabelled)
        for reading in readings
        if reading.is_drawn and reading.correction_id in capped
    ]
    names = ("blank", "pre-labelled")
    return difference(sides, names, unit=UNIT, trim=TRIM, seed=seed, resamples=resamples)
