"""Seconds a slice over model versions as inline SVG: no script, colours from the page's own style.

Drawn 360 wide, so that its letters stay readable on a phone.
"""

from collections.abc import Iterator, Sequence
from html import escape

from markupsafe import Markup

from chestct.reader_study.effort import Typical

_WIDTH, _LEFT, _RIGHT, _ROW = 360, 8.0, 344.0, 42
_ENDS = (10, 20, 30, 60, 90, 120, 180, 240, 300, 600, 1200, 1800, 3600)
# Longer names of versions are cut; the whole name stands in the tooltip.
_LONGEST_NAME = 34


def times_plot(rows: Sequence[tuple[str, Typical]]) -> Markup:
    """One row a version: the median and its interval, in seconds.

    Args:
        rows: (version, what its slices took), the oldest first; at least one.
    """
    largest = max(max(found.interval or (0.0, found.median)) for _, found in rows)
    end = next((nice for nice in _ENDS if largest <= nice), largest)
    bottom = _ROW * len(rows) + 4
    drawn = "".join(
        [*_axis(end, bottom), *(part for at, row in enumerate(rows) for part in _row(at, *row, end))]
    )
    return Markup(
        f'<svg class="plot" viewBox="0 0 {_WIDTH} {bottom + 34}" role="img" '
        f'aria-label="Median seconds a slice by model version, with 95 % intervals">{drawn}</svg>'
    )


def _axis(end: float, bottom: float) -> Iterator[str]:
    for share in (0, 0.25, 0.5, 0.75, 1):
        x = _across(share * end, end)
        anchor = "start" if share == 0 else "end" if share == 1 else "middle"
        yield f'<line x1="{x:.1f}" y1="0" x2="{x:.1f}" y2="{bottom}" class="axis"/>'
        yield f'<text x="{x:.1f}" y="{bottom + 14}" text-anchor="{anchor}">{share * end:g}</text>'
    middle = _across(end / 2, end)
    yield f'<text x="{middle:.1f}" y="{bottom + 29}" text-anchor="middle">seconds a slice</text>'


def _row(number: int, name: str, found: Typical, end: float) -> Iterator[str]:
    top = _ROW * number
    shown = name if len(name) <= _LONGEST_NAME else f"{name[: _LONGEST_NAME - 1]}…"
    note = f"{name}: median {found.median:.0f} s over {found.n} slices"
    if found.interval is not None:
        note += f", 95 % interval {found.interval[0]:.0f} to {found.interval[1]:.0f} s"
    yield f"<g><title>{escape(note)}</title>"
    yield f'<text x="{_LEFT}" y="{top + 15}" class="name">{escape(shown)}</text>'
    said = f"{found.median:.0f} s, {found.n} slice{'' if found.n == 1 else 's'}"
    yield f'<text x="{_RIGHT}" y="{top + 15}" text-anchor="end">{said}</text>'
    if found.interval is not None:
        low, high = (_across(side, end) for side in found.interval)
        yield f'<line x1="{low:.1f}" y1="{top + 28}" x2="{high:.1f}" y2="{top + 28}" class="range"/>'
    middle = _across(found.median, end)
    yield f'<circle cx="{middle:.1f}" cy="{top + 28}" r="4.5" class="dot"/></g>'


def _across(seconds: float, end: float) -> float:
    return _LEFT + (_RIGHT - _LEFT) * seconds / end
