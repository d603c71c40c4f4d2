"""What each retrain brought, as the catalog keeps it: decisions, corrections and time in; figures out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from chestct.learning.decisions import Change, open_slices_change, serves_of, unseen_change
from chestct.learning.expectation import (
    FEWEST_CORRECTIONS,
    FEWEST_RETRAINS,
    Expectation,
    MeasuredGain,
    expected_gain,
)
from chestct.wording import Message

# The interval at 95 % is about so many standard errors wide.
_ERRORS_IN_INTERVAL = 2 * 1.959964


@dataclass(frozen=True)
class Effort:
    """What readers gave between two retrains.

    Args:
        corrections: slices newly corrected, or corrected anew, that are learned from.
        test_readings: the same of test slices, which only judge.
        seconds: of both; None where no time is known.
        timed: of both, those whose time is known.
    """

    corrections: int = 0
    test_readings: int = 0
    seconds: float | None = None
    timed: int = 0

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready."""
        return {
            "corrections": self.corrections,
            "test_readings": self.test_readings,
            "seconds": None if self.seconds is None else round(self.seconds, 1),
            "timed": self.timed,
        }


@dataclass(frozen=True)
class Retrain:
    """A retrained version as it is kept.

    Args:
        state: what it is now, a VersionState.
        decision: of the gate, or of a person.
        corrections: slices that it learned from; None where its snapshot cannot be read.
        effort: since the retrain before; None likewise.
        metrics: of its card, for the interval of its own score.
    """

    version: str
    parent: str | None
    created_at: str
    state: str
    decision: Mapping[str, Any] | None = None
    corrections: int | None = None
    effort: Effort | None = None
    metrics: Mapping[str, Any] | None = None


@dataclass(frozen=True)
class VersionLearning:
    """What one retrain brought.

    Args:
        serves: "all", "open studies" or "nothing", as it was decided; None before.
        unseen: lesion Dice on patients that it has not learned from; None where not measured.
        open_slices: on corrected slices kept from the compared fits; None likewise.
        reasons: of the decision.
    """

    version: str
    parent: str | None
    created_at: str
    state: str
    serves: str | None
    unseen: Change | None
    open_slices: Change | None
    corrections: int | None
    effort: Effort | None
    reasons: tuple[str, ...]

    @classmethod
    def of(cls, retrain: Retrain) -> "VersionLearning":
        """What its decision says."""
        decision = retrain.decision or {}
        return cls(
            version=retrain.version,
            parent=retrain.parent,
            created_at=retrain.created_at,
            state=retrain.state,
            serves=serves_of(decision),
            unseen=unseen_change(decision, retrain.metrics or {}),
            open_slices=open_slices_change(decision),
            corrections=retrain.corrections,
            effort=retrain.effort,
            reasons=tuple(map(str, decision.get("reasons", ()))),
        )

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; null is what is not known."""
        return {
            "version": self.version,
            "parent": self.parent,
            "created_at": self.created_at,
            "state": self.state,
            "serves": self.serves,
            "unseen": self.unseen and self.unseen.as_dict(),
            "open_slices": self.open_slices and self.open_slices.as_dict(),
            "corrections": self.corrections,
            "effort": self.effort and self.effort.as_dict(),
            "reasons": list(self.reasons),
        }


@dataclass(frozen=True)
class Learning:
    """All of it.

    Args:
        versions: retrained ones, the oldest first.
        expected: of the next corrections; None where it is not known yet.
        why_not: then, what is missing.
        since: what readers gave after the newest retrain.
        test_readings: done and wanted, of own test patients.
    """

    versions: tuple[VersionLearning, ...]
    expected: Expectation | None
    why_not: Message | None
    since: Effort
    test_readings: tuple[int, int]

    @property
    def newest(self) -> VersionLearning | None:
        """The last retrain."""
        return self.versions[-1] if self.versions else None

    def as_dict(self) -> dict[str, Any]:
        """JSON-ready; null is what is not known yet."""
        done, wanted = self.test_readings
        return {
            "versions": [version.as_dict() for version in self.versions],
            "expected": self.expected and self.expected.as_dict(),
            "since": self.since.as_dict(),
            "test_readings": {"done": done, "of": wanted},
        }


def learning_figures(retrains: Sequence[Retrain], since: Effort, test_readings: tuple[int, int]) -> Learning:
    """The figures of an installation.

    Args:
        retrains: the oldest first.
    """
    versions = tuple(map(VersionLearning.of, retrains))
    gains = comparable_gains(versions)
    expected = expected_gain(gains)
    return Learning(versions, expected, None if expected else _why_not(gains), since, test_readings)


def comparable_gains(versions: Sequence[VersionLearning]) -> list[MeasuredGain]:
    """Of the retrains that started where the newest did.

    A champion that has learned from the earlier corrections has seen those slices and leaves less to gain,
    so gains over two champions lie on no common curve.
    """
    return [
        MeasuredGain(
            version.corrections,
            change.difference,
            (change.interval[1] - change.interval[0]) / _ERRORS_IN_INTERVAL,
        )
        for version in versions
        if version.parent == versions[-1].parent
        and version.corrections
        and (change := version.open_slices) is not None
        and change.interval is not None
        and change.interval[1] > change.interval[0]
    ]


def _why_not(gains: Sequence[MeasuredGain]) -> Message:
    if len(gains) < FEWEST_RETRAINS:
        return Message("too_few_retrains", {"needed": FEWEST_RETRAINS, "known": len(gains)})
    most = max(gain.corrections for gain in gains)
    if most < FEWEST_CORRECTIONS:
        return Message("too_few_corrections", {"needed": FEWEST_CORRECTIONS, "known": most})
    return Message("same_corrections", {"known": most})
