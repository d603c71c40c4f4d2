"""Plots of an evaluation: scores by patient, reliability, involvement."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from operator import itemgetter
from typing import Any

from markupsafe import Markup

from training.report.svg import dot, line, svg, text, upright

_ROW_HEIGHT = 48
# Dots of one row stand on several lines, so that equal values do not hide each other.
_LINES, _LINE_STEP = 5, 4.0
_LEFT, _RIGHT, _TOP, _SIDE = 46.0, 350.0, 12.0, 304.0
_SMALLEST_DOT, _LARGEST_DOT = 2.5, 9.0
_TICKS = (0, 0.25, 0.5, 0.75, 1)

Scale = Callable[[float], float]


def dots_plot(rows: Sequence[tuple[str, Mapping[str, Any], Sequence[tuple[str, float]]]]) -> Markup:
    """One row a figure: a dot a patient, the mean and its interval.

    Args:
        rows: name; `mean` and `interval` as `summarise` gives them; (patient, value in [0, 1]).
    """
    left, right = 112.0, 346.0
    bottom = _ROW_HEIGHT * len(rows) + 6

    def across(value: float) -> float:
        return left + (right - left) * value

    parts = [line(across(tick), 4, across(tick), bottom, "grid") for tick in _TICKS]
    parts += [text(across(tick), bottom + 15, f"{tick:g}", "tick") for tick in _TICKS]
    for number, (name, summary, values) in enumerate(rows):
        middle = 6 + _ROW_HEIGHT * number + 20
        parts += [
            text(0, middle - 2, name, "name"),
            text(0, middle + 13, f"mean {summary['mean']:.3f}", "tick", anchor="start"),
        ]
        for rank, (patient, value) in enumerate(sorted(values, key=itemgetter(1))):
            height = middle + (rank % _LINES - _LINES // 2) * _LINE_STEP
            parts.append(dot(across(value), height, 3.2, "dot", f"{patient}: {value:.3f}"))
        if summary["interval"]:
            low, high = (across(end) for end in summary["interval"])
            parts.append(line(low, middle + 17, high, middle + 17, "range"))
        mean = across(summary["mean"])
        parts.append(line(mean, middle - 13, mean, middle + 21, "mean"))
    return svg(bottom + 20, "Scores by patient, with means and 95 % intervals", parts)


def reliability_plot(
    served: Sequence[Mapping[str, float]], without_temperature: Sequence[Mapping[str, float]]
) -> Markup:
    """How often the model is right against how sure it is; larger dots stand for more pixels."""
    across, up = _square(1.0)
    parts = [*_frame(1.0, across, up, "the model is so sure", "and is so often right")]
    for rows, style in ((without_temperature, "raw"), (served, "served")):
        total = sum(row["pixels"] for row in rows) or 1
        places = [(across(row["confidence"]), up(row["accuracy"]), row) for row in rows]
        joined = " ".join(f"{x:.1f},{y:.1f}" for x, y, _ in places)
        parts.append(f'<polyline points="{joined}" class="{style}-line"/>')
        for x, y, row in places:
            size = max(_SMALLEST_DOT, _LARGEST_DOT * (row["pixels"] / total) ** 0.5)
            note = f"sure {row['confidence']:.3f}, right {row['accuracy']:.3f}, {row['pixels']} pixels"
            parts.append(dot(x, y, size, style, note))
    return svg(_TOP + _SIDE + 38, "Reliability of the model's probabilities", parts)


def involvement_plot(points: Sequence[tuple[str, float, float]]) -> Markup:
    """Involvement by the model against that of the labels.

    Args:
        points: (patient, labels, model), both in percent of the lung.
    """
    largest = max((value for _, *both in points for value in both), default=0.0)
    limit = next((nice for nice in (5, 10, 20, 30, 40, 60, 80) if largest <= nice), 100)
    across, up = _square(float(limit))
    parts = [*_frame(float(limit), across, up, "involvement by the labels, %", "by the model, %")]
    for patient, labels, model in points:
        note = f"{patient}: labels {labels:.1f} %, model {model:.1f} %"
        parts.append(dot(across(labels), up(model), 4.5, "dot", note))
    return svg(_TOP + _SIDE + 38, "Involvement of the lung, model against labels", parts)


def _square(limit: float) -> tuple[Scale, Scale]:
    return (
        lambda value: _LEFT + (_RIGHT - _LEFT) * value / limit,
        lambda value: _TOP + _SIDE * (1 - value / limit),
    )


def _frame(limit: float, across: Scale, up: Scale, below: str, beside: str) -> Iterable[str]:
    for share in _TICKS:
        value = share * limit
        yield line(across(value), up(0), across(value), up(limit), "grid")
        yield line(across(0), up(value), across(limit), up(value), "grid")
        anchor = "end" if share == 1 else "middle"
        yield text(across(value), up(0) + 15, f"{value:g}", "tick", anchor=anchor)
        if share:
            yield text(across(0) - 5, up(value) + 4, f"{value:g}", "tick", anchor="end")
    yield line(across(0), up(0), across(limit), up(limit), "diagonal")
    yield text((across(0) + across(limit)) / 2, up(0) + 32, below, "axis")
    yield upright(up(limit / 2), beside)
