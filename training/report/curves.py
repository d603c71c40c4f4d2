"""Curves with bands as SVG: inside a page, or as a file of its own."""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape

from markupsafe import Markup

from training.report.svg import WIDTH, line, svg, text, upright

_HEIGHT = 300.0
_LEFT, _RIGHT, _TOP, _BOTTOM = 46.0, 350.0, 12.0, 256.0
# Told apart by the colour-blind, on white and on dark (Okabe and Ito 2008).
COLOURS = ("#0072b2", "#d55e00", "#cc79a7", "#009e73", "#e69f00", "#56b4e9")
_BASELINE_COLOUR = "#808080"
_STEPS = (1, 2, 2.5, 5, 10)
_STANDALONE_STYLE = (
    "text{font:12px system-ui,sans-serif;fill:#51606f}.axis{font-size:13px}"
    ".grid{stroke:#d5dce3;stroke-width:1}"
)


@dataclass(frozen=True)
class Band:
    """One curve: its name, places along x, and the mean, lowest and highest height there.

    The baseline is grey and dashed.
    """

    name: str
    x: Sequence[float]
    mean: Sequence[float]
    low: Sequence[float]
    high: Sequence[float]
    is_baseline: bool = False

    def stroke(self, number: int) -> str:
        """Colour and dashes of the curve with that number, as SVG attributes."""
        return f'stroke="{self.fill(number)}"' + (' stroke-dasharray="6 4"' if self.is_baseline else "")

    def fill(self, number: int) -> str:
        """Colour of its band."""
        return _BASELINE_COLOUR if self.is_baseline else COLOURS[number % len(COLOURS)]


def curves_plot(bands: Sequence[Band], below: str, beside: str) -> Markup:
    """The plot for a page that has the report's style and a legend of its own.

    Args:
        bands: at least one.
        below, beside: what x and y are.
    """
    return svg(_HEIGHT, f"{beside} over {below}", _parts(bands, below, beside))


def curves_file(bands: Sequence[Band], below: str, beside: str) -> str:
    """The same as an SVG file with its own style, a white ground and a legend."""
    rows = math.ceil(len(bands) / 2)
    height = _HEIGHT + 18 * rows + 6
    legend = [
        f'<line x1="{x:.0f}" y1="{y:.0f}" x2="{x + 22:.0f}" y2="{y:.0f}" stroke-width="2.5" '
        f"{band.stroke(number)}/>"
        f'<text x="{x + 28:.0f}" y="{y + 4:.0f}">{escape(band.name)}</text>'
        for number, band in enumerate(bands)
        for x, y in [(_LEFT + 155 * (number % 2), _HEIGHT + 6 + 18 * (number // 2))]
    ]
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height:.0f}" width="720" '
        f'role="img" aria-label="{escape(f"{beside} over {below}")}"><style>{_STANDALONE_STYLE}</style>'
        f'<rect width="100%" height="100%" fill="#ffffff"/>'
        f"{''.join(_parts(bands, below, beside))}{''.join(legend)}</svg>\n"
    )


def _parts(bands: Sequence[Band], below: str, beside: str) -> Iterable[str]:
    x_first, x_last = min(band.x[0] for band in bands), max(band.x[-1] for band in bands)
    y_ticks = ticks(min(min(band.low) for band in bands), max(max(band.high) for band in bands))
    x_ticks = [tick for tick in ticks(x_first, x_last) if x_first <= tick <= x_last]
    y_first, y_last = y_ticks[0], y_ticks[-1]

    def across(value: float) -> float:
        return _LEFT + (_RIGHT - _LEFT) * (value - x_first) / ((x_last - x_first) or 1.0)

    def up(value: float) -> float:
        return _BOTTOM - (_BOTTOM - _TOP) * (value - y_first) / ((y_last - y_first) or 1.0)

    def points(xs: Sequence[float], ys: Sequence[float]) -> list[str]:
        return [f"{across(x):.1f},{up(y):.1f}" for x, y in zip(xs, ys, strict=True)]

    for tick in y_ticks:
        yield line(_LEFT, up(tick), _RIGHT, up(tick), "grid")
        yield text(_LEFT - 5, up(tick) + 4, f"{tick:g}", "tick", anchor="end")
    for tick in x_ticks:
        yield line(across(tick), _TOP, across(tick), _BOTTOM, "grid")
        yield text(across(tick), _BOTTOM + 15, f"{tick:g}", "tick")
    yield text((_LEFT + _RIGHT) / 2, _BOTTOM + 33, below, "axis")
    yield upright((_TOP + _BOTTOM) / 2, beside)
    for number, band in enumerate(bands):
        outline = [*points(band.x, band.high), *reversed(points(band.x, band.low))]
        yield f'<polygon points="{" ".join(outline)}" fill="{band.fill(number)}" fill-opacity="0.13"/>'
    for number, band in enumerate(bands):
        joined = " ".join(points(band.x, band.mean))
        yield (
            f'<polyline points="{joined}" fill="none" stroke-width="2.5" {band.stroke(number)}>'
            f"<title>{escape(band.name)}</title></polyline>"
        )


def ticks(low: float, high: float) -> list[float]:
    """Round numbers from at or below `low` to at or above `high`, four to seven of them."""
    span = max(high - low, 1e-6)
    power = 10.0 ** math.floor(math.log10(span / 4))
    step = next(factor * power for factor in _STEPS if factor * power >= span / 5)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(step * number, 10) for number in range(first, last + 1)]
