"""Seconds a slice over model versions as inline SVG: no script, colours from the page's own style.

Drawn 360 wide, so that its letters stay readable on a phone.
"""

from collections.abc import Iterator, Sequence
from html import escape

from markupsafe import Markup

from chestct.reader_study.effort import Typical
from ml_backend.page.language import Translator

_WIDTH, _LEFT, _RIGHT, _ROW = 360, 8.0, 344.0, 42
_ENDS = (10, 20, 30, 60, 90, 120, 180, 240, 300, 600, 1200, 1800, 3600)
# Longer names of versions are cut; the whole name stands in the tooltip.
_LONGEST_NAME = 34


def times_plot(rows: Sequence[tuple[str, Typical]], text: Translator) -> Markup:
    """One row a version: the median and its interval, in seconds.

    Args:
        rows: (version, what its slices took), the oldest first; at least one.
    """
    largest = max(max(seconds.interval or (0.0, seconds.median)) for _, seconds in rows)
    end = next((nice for nice in _ENDS if largest <= nice), largest)
    bottom = _ROW * len(rows) + 4
    drawn = [*_axis(end, bottom, text)]
    for number, row in enumerate(rows):
        drawn += _row(number, *row, end, text)
    return Markup(
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {bottom + 34}" role="img" '
        f'aria-label="{escape(text("plot"))}">{"".join(drawn)}</svg>'
    )


def _axis(end: float, bottom: float, text: Translator) -> Iterator[str]:
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = _across(share * end, end)
        anchor = "start" if share == 0 else "end" if share == 1 else "middle"
        yield f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{bottom}" class="axis"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="{anchor}">{share * end:g}</text>'
    middle = _across(end / 2, end)
    yield f'<text x="{middle:.1f}" y="{bottom + 29}" text-anchor="middle">{escape(text("plot_axis"))}</text>'


def _row(number: int, name: str, seconds: Typical, end: float, text: Translator) -> Iterator[str]:
    top = _ROW * number
    label = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    note = text("plot_note", version=name, seconds=seconds.median, slices=seconds.n)
    if seconds.interval is not None:
        note += text("plot_interval", low=seconds.interval[0], high=seconds.interval[1])
    yield f"<g><title>{escape(note)}</title>"
    yield f'<text x="{_LEFT}" y="{top + 15}" class="name">{escape(label)}</text>'
    median = text("plot_median", seconds=seconds.median, slices=seconds.n)
    yield f'<text x="{_RIGHT}" y="{top + 15}" text-anchor="end">{escape(median)}</text>'
    if seconds.interval is not None:
        low, high = (_across(side, end) for side in seconds.interval)
        yield f'<line x1="{low:.1f}" y1="{top + 28}" x2="{high:.1f}" y2="{top + 28}" class="range"/>'
    middle = _across(seconds.median, end)
    yield f'<circle cx="{middle:.1f}" cy="{top + 28}" r="4.5" class="dot"/></g>'


def _across(seconds: float, end: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * seconds / end
