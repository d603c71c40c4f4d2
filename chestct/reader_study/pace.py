"""How long a reader usually takes, and what to make of the times that are no reading times."""

from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from chestct.reader_study.reading import Reading

# Tukey's fence, on the logarithm because reading times are skewed: 1.5 times the distance between the
# quartiles beyond the upper one. Of log-normal times about 3 in 1000 lie beyond.
# Source: Tukey 1977, "Exploratory Data Analysis".
_FENCE = 1.5
# A hard slice, or one without its pre-label, may well take three times as long as three quarters of the
# others; a reader of very even times would have such readings cut.
_LEAST_TIMES_UPPER_QUARTILE = 3.0
# Quartiles of fewer times than this are luck; such a reader's times stay as they are.
_FEWEST_TIMES = 8


def capped_seconds(readings: Sequence[Reading]) -> dict[int, float]:
    """Correction id -> seconds, none longer than its reader's fence.

    A reader who left for lunch with a task open is taken to have spent the longest usual time on it:
    the reading happened, so leaving it out would lose its pixels.
    """
    timed = [(reading, seconds) for reading in readings if (seconds := reading.seconds) is not None]
    of_reader: dict[str, list[float]] = defaultdict(list)
    for reading, seconds in timed:
        of_reader[reading.annotator].append(seconds)
    fences = {reader: _fence(seconds) for reader, seconds in of_reader.items()}
    return {reading.correction_id: min(seconds, fences[reading.annotator]) for reading, seconds in timed}


def _fence(seconds: Sequence[float]) -> float:
    if len(seconds) < _FEWEST_TIMES:
        return float("inf")
    lower, upper = np.quantile(np.log(seconds), [0.25, 0.75])
    return float(np.exp(upper) * max(_LEAST_TIMES_UPPER_QUARTILE, np.exp(_FENCE * (upper - lower))))
