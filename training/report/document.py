"""A page of text and tables that is written once and read as Markdown or as HTML."""

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup, escape

from training.report.rendering import rendered


@dataclass(frozen=True)
class Section:
    """Text under one heading, in this order.

    Args:
        heading: empty for what stands before the first heading.
        paragraphs: plain text; `code` between backticks.
        table: header and rows of equal length; empty for none.
        bullets: as paragraphs.
        code: lines to type.
        after: paragraphs below the rest.
    """

    heading: str
    paragraphs: Sequence[str] = ()
    table: Sequence[Sequence[str]] = ()
    bullets: Sequence[str] = ()
    code: Sequence[str] = ()
    after: Sequence[str] = ()


@dataclass(frozen=True)
class Document:
    """A title and its sections."""

    title: str
    sections: Sequence[Section] = ()


def as_markdown(document: Document) -> str:
    """The document as GitHub's Markdown, ending in one newline."""
    blocks = [f"# {document.title}"]
    for section in document.sections:
        if section.heading:
            blocks.append(f"## {section.heading}")
        blocks += section.paragraphs
        if section.table:
            header, *rows = ([_one_line(cell) for cell in row] for row in section.table)
            rule = ["---"] * len(header)
            blocks.append("\n".join(f"| {' | '.join(row)} |" for row in (header, rule, *rows)))
        if section.bullets:
            blocks.append("\n".join(f"- {bullet}" for bullet in section.bullets))
        if section.code:
            blocks.append("\n".join(("```bash", *section.code, "```")))
        blocks += section.after
    return "\n\n".join(blocks) + "\n"


def as_html(document: Document) -> str:
    """The document as one HTML file that asks nothing of any other."""
    return rendered("document.html", document=document, inline=_inline)


def _one_line(text: str) -> str:
    """Text that cannot end its cell or its row."""
    return text.replace("|", "\\|").replace("\n", " ")


def _inline(text: str) -> Markup:
    """Escaped text with `code` between backticks."""
    pieces = text.split("`")
    if len(pieces) % 2 == 0:  # a lone backtick is only a character
        return escape(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(piece) if number % 2 else escape(piece)
        for number, piece in enumerate(pieces)
    )
