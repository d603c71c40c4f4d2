"""All readers' figures at once, as status and page show them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chestct.readers.agreement import CLASSES, ReadingPair, agreement
from chestct.readers.effort import Effort, effort_by_reader, effort_by_version
from chestct.readers.estimate import Estimate
from chestct.readers.gain import gain_per_minute, gain_per_slice
from chestct.readers.pull import pull
from chestct.readers.reading import Reading
from chestct.readers.second_look import Suspicion, second_look
from chestct.readers.seconds_saved import seconds_saved

# The class whose agreement stands for all; the others stand beside it.
_WHOLE = CLASSES[0]


@dataclass(frozen=True)
class ReadersFigures:
    """Everything that the readings say.

    Args:
        agreement: by class.
        by_reader, by_version: what slices took.
        second_look: labels to look at again, the most suspicious first.
    """

    seconds_saved: Estimate
    pull: Estimate
    gain_per_slice: Estimate
    gain_per_minute: Estimate
    agreement: Mapping[str, Estimate]
    by_reader: tuple[Effort, ...]
    by_version: tuple[Effort, ...]
    second_look: tuple[Suspicion, ...]
    readings: int

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; the names are those of `lungloop status --json`."""
        return {
            "readings": self.readings,
            "seconds_saved": self.seconds_saved.as_dict(),
            "pull": self.pull.as_dict(),
            "active_gain": {
                **self.gain_per_slice.as_dict(),
                "per_minute": self.gain_per_minute.as_dict(),
            },
            "agreement": {
                **self.agreement[_WHOLE].as_dict(),
                **{name: self.agreement[name].as_dict() for name in CLASSES[1:]},
            },
            "effort": {
                "by_reader": [row.as_dict() for row in self.by_reader],
                "by_version": [row.as_dict() for row in self.by_version],
            },
            "second_look": [_suspicion_dict(one) for one in self.second_look],
        }


def figures_of(
    readings: Sequence[Reading], pairs: Sequence[ReadingPair], versions: Sequence[str]
) -> ReadersFigures:
    """Works everything out; the same readings always give the same figures.

    Args:
        versions: all model versions, the oldest first.
    """
    return ReadersFigures(
        seconds_saved=seconds_saved(readings),
        pull=pull(readings),
        gain_per_slice=gain_per_slice(readings),
        gain_per_minute=gain_per_minute(readings),
        agreement={name: agreement(pairs, name) for name in CLASSES},
        by_reader=tuple(effort_by_reader(readings)),
        by_version=tuple(effort_by_version(readings, versions)),
        second_look=tuple(second_look(readings)),
        readings=len(readings),
    )


def _suspicion_dict(one: Suspicion) -> dict[str, Any]:
    reading = one.reading
    return {
        "study": reading.study_name,
        "slice": reading.slice_index,
        "annotator": reading.annotator,
        "task_id": reading.task_id,
        "score": round(one.score, 2),
        "reasons": list(one.reasons),
    }
