"""Plots of what retrains brought: scores before and after, and gains over corrections."""

from collections.abc import Iterator, Sequence

from markupsafe import Markup

from chestct.learning.decisions import Change
from chestct.learning.expectation import Expectation
from training.report.curves import ticks
from training.report.svg import dot, line, svg, text, upright

_ROW, _SIDE_LEFT, _SIDE_RIGHT = 46, 14.0, 346.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 62.0, 344.0, 12.0, 236.0
_HEIGHT = 276.0


def changes_plot(rows: Sequence[tuple[str, Change]], title: str) -> Markup:
    """One row a version: champion hollow, version filled, the interval of the change beside the champion.

    Args:
        rows: (version, its change), the oldest first; at least one.
    """
    ends = [end for _, change in rows for end in (change.before, change.after, *(_range(change) or ()))]
    marks = ticks(max(0.0, min(ends)), min(1.0, max(ends)))
    bottom = _ROW * len(rows) + 4

    def across(value: float) -> float:
        inside = min(max(value, marks[0]), marks[-1])
        return _SIDE_LEFT + (_SIDE_RIGHT - _SIDE_LEFT) * (inside - marks[0]) / (marks[-1] - marks[0])

    parts = [line(across(mark), 2, across(mark), bottom, "grid") for mark in marks]
    parts += [text(across(mark), bottom + 15, f"{mark:g}", "tick") for mark in marks]
    for number, (version, change) in enumerate(rows):
        top, middle = _ROW * number, _ROW * number + 32
        parts.append(text(0, top + 15, version, "name"))
        figures = f"{change.before:.3f} to {change.after:.3f}"
        parts.append(text(_SIDE_RIGHT, top + 15, figures, "tick", anchor="end"))
        if (interval := _range(change)) is not None:
            parts.append(line(across(interval[0]), middle, across(interval[1]), middle, "range soft"))
        note = f"{version}: {change.before:.3f} to {change.after:.3f} on {change.cases}, {change.evidence}"
        parts.append(dot(across(change.before), middle, 4.5, "hollow", note))
        parts.append(dot(across(change.after), middle, 4.5, "served", note))
    return svg(bottom + 20, title, parts)


def gains_plot(points: Sequence[tuple[str, int, Change]], expected: Expectation | None) -> Markup:
    """Gains on open slices over corrections, with what is expected of the next ones.

    Args:
        points: (version, corrections, change), the oldest first; at least one.
    """
    gains = [(n, change.difference, change.interval, version) for version, n, change in points]
    if expected is not None:
        newest = max(gains)[1]
        low, high = (newest + end for end in expected.interval)
        place = expected.corrections + expected.more_corrections
        gains.append((place, newest + expected.difference, (low, high), ""))
    heights = [0.0, *(end for _, gain, interval, _ in gains for end in (gain, *(interval or ())))]
    x_marks, y_marks = ticks(0.0, max(n for n, *_ in gains)), ticks(min(heights), max(heights))

    def across(value: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * value / x_marks[-1]

    def up(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (value - y_marks[0]) / (y_marks[-1] - y_marks[0])

    def drawn() -> Iterator[str]:
        for mark in y_marks:
            yield line(_LEFT, up(mark), _RIGHT, up(mark), "diagonal" if mark == 0 else "grid")
            yield text(_LEFT - 5, up(mark) + 4, f"{mark:g}", "tick", anchor="end")
        for mark in x_marks:
            yield text(across(mark), _BOTTOM + 15, f"{mark:g}", "tick")
        yield text((_LEFT + _RIGHT) / 2, _BOTTOM + 33, "corrections learned from", "axis")
        yield upright((_TOP + _BOTTOM) / 2, "gain in lesion Dice")
        for n, gain, interval, version in gains:
            if interval is not None:
                yield line(
                    across(n), up(interval[0]), across(n), up(interval[1]), "range" if version else "dashed"
                )
            note = f"{version or 'expected'}: {gain:+.3f} with {n} corrections"
            yield dot(across(n), up(gain), 4.5, "served" if version else "hollow", note)

    return svg(_HEIGHT, "Gain on open slices over corrections", drawn())


def _range(change: Change) -> tuple[float, float] | None:
    if change.interval is None:
        return None
    low, high = change.interval
    return change.before + low, change.before + high
