"""Pieces of an inline SVG: no script, colours from the page's own style.

Each plot is drawn 360 wide, so that its letters stay readable on a phone.
"""

from collections.abc import Iterable
from html import escape

from markupsafe import Markup

WIDTH = 360


def svg(height: float, title: str, parts: Iterable[str]) -> Markup:
    """The whole picture."""
    drawn = "".join(parts)
    return Markup(
        f'<svg viewBox="0 0 {WIDTH} {height:.0f}" role="img" aria-label="{escape(title)}">{drawn}</svg>'
    )


def line(x1: float, y1: float, x2: float, y2: float, style: str) -> str:
    """A straight line of a class of the page's style."""
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" class="{style}"/>'


def text(x: float, y: float, words: str, style: str, anchor: str = "") -> str:
    """Words at a place; names begin there, all else is centred."""
    place = anchor or ("start" if style == "name" else "middle")
    return f'<text x="{x:.1f}" y="{y:.1f}" class="{style}" text-anchor="{place}">{escape(words)}</text>'


def upright(y: float, words: str) -> str:
    """What an axis is, beside it."""
    return (
        f'<text class="axis" text-anchor="middle" transform="translate(12 {y:.1f}) '
        f'rotate(-90)">{escape(words)}</text>'
    )


def dot(x: float, y: float, radius: float, style: str, note: str) -> str:
    """A dot that says what it is where a pointer rests on it."""
    return (
        f'<circle cx="{x:.1f}" cy="{y:.1f}" r="{radius:.1f}" class="{style}">'
        f"<title>{escape(note)}</title></circle>"
    )
