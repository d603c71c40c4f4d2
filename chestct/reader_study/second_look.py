"""Labels that somebody should look at again, the most suspicious first.

A reader who disagrees with the model is usually right: that is what readers are for. Two things are worth
a second look all the same: pixels that a reader changed of which a calibrated model was sure, and slices
of which a reader changed far more than that reader usually does. Neither says who is right.
"""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import log1p
from operator import itemgetter
from statistics import median
from typing import Any

from chestct.reader_study.changes import Changes
from chestct.reader_study.reading import Reading
from chestct.reader_study.wording import said
from chestct.wording import Message

# A z-score beyond this is rare for readings that resemble the others.
FARTHEST_USUAL = 3.0
# Sure pixels must be this share of all lesion that either side marks, and this many: edges are never sure.
LEAST_SURE_SHARE, LEAST_SURE_PIXELS = 0.25, 50
# The spread of fewer corrected slices than this is luck.
_FEWEST_USUAL = 10
# log1p of pixels; a reader who always changes alike would make every other slice an outlier.
_LEAST_SPREAD = 0.5
_MAD_OF_NORMAL = 1.4826


@dataclass(frozen=True)
class Suspicion:
    """One label to look at again.

    Args:
        score: 1 where it just counts as suspicious, more the farther beyond.
        evidence: why, the weightiest first.
    """

    reading: Reading
    score: float
    evidence: tuple[Message, ...]

    @property
    def reasons(self) -> tuple[str, ...]:
        """The evidence as English sentences."""
        return tuple(map(said, self.evidence))

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready: which label, and why."""
        return {
            "study": self.reading.study_name,
            "slice": self.reading.slice_index,
            "annotator": self.reading.annotator,
            "task_id": self.reading.task_id,
            "score": round(self.score, 2),
            "reasons": list(self.reasons),
        }


def second_look(readings: Sequence[Reading], most: int = 20) -> list[Suspicion]:
    """At most `most` suspicions; readings without counted changes cannot be judged."""
    usual = _usual_changes(readings)
    suspicions = [suspicion for reading in readings if (suspicion := _suspicion(reading, usual)) is not None]
    suspicions.sort(key=lambda suspicion: (-suspicion.score, suspicion.reading.correction_id))
    return suspicions[:most]


def unusual_changes(changed: int, centre: float, spread: float) -> float:
    """How far a slice's changed pixels lie above the usual, in spreads of their logarithm."""
    return (log1p(changed) - centre) / spread


def _usual_changes(readings: Sequence[Reading]) -> Mapping[str, tuple[float, float]]:
    """Reader -> median and spread (from the median distance to it) of log1p of corrected pixels."""
    logs: dict[str, list[float]] = defaultdict(list)
    for reading in readings:
        if reading.corrected_pixels is not None:
            logs[reading.annotator].append(log1p(reading.corrected_pixels))
    usual = {}
    for reader, values in logs.items():
        if len(values) >= _FEWEST_USUAL:
            centre = median(values)
            spread = _MAD_OF_NORMAL * median(abs(value - centre) for value in values)
            usual[reader] = (centre, max(spread, _LEAST_SPREAD))
    return usual


def _suspicion(reading: Reading, usual: Mapping[str, tuple[float, float]]) -> Suspicion | None:
    evidence = []
    if reading.corrected_pixels is not None and reading.annotator in usual:
        far = unusual_changes(reading.corrected_pixels, *usual[reading.annotator])
        if far >= FARTHEST_USUAL:
            message = Message("far_more", {"pixels": reading.corrected_pixels, "z": far})
            evidence.append((far / FARTHEST_USUAL, message))
    sure = [
        item
        for changes in (reading.champion_changes, reading.changes)
        if changes and (item := _sure(changes))
    ]
    if sure:
        evidence.append(max(sure, key=itemgetter(0)))
    if not evidence:
        return None
    evidence.sort(key=itemgetter(0), reverse=True)
    return Suspicion(
        reading, sum(weight for weight, _ in evidence), tuple(message for _, message in evidence)
    )


def _sure(changes: Changes) -> tuple[float, Message] | None:
    """Changed pixels of which the model was sure, beside the lesion that either side marks."""
    if changes.sure is None or changes.sure < LEAST_SURE_PIXELS:
        return None
    both = changes.lesion_before + changes.lesion_after
    # Pixels that either side marks, from the Dice: both - overlap.
    share = changes.sure / max(1, both - changes.dice * both / 2)
    if share < LEAST_SURE_SHARE:
        return None
    added, removed = changes.lesion_after - changes.lesion_before > 0, changes.lesion_after == 0
    kind = "sure_cleared" if removed else "sure_drew" if added else "sure_changed"
    values = {
        "pixels": changes.sure,
        "version": changes.model_version,
        "percent": 100 * min(share, 1.0),
        "dice": changes.dice,
    }
    return share / LEAST_SURE_SHARE, Message(kind, values)
