"""`readers`: what readers' times and corrections say of pre-labels, of the order of work, of each other."""

from typing import TYPE_CHECKING

import typer

from chestct.settings import Settings
from lungloop.console import AsJson, answer, print_json, print_table

if TYPE_CHECKING:
    from chestct.reader_study.effort import Effort, Typical
    from chestct.reader_study.figures import ReadersFigures


def register(app: typer.Typer) -> None:
    """Adds the command of this module."""
    app.command(epilog="Example: lungloop readers --json")(readers)


def readers(as_json: AsJson = False) -> None:
    """Show what pre-labels and active learning bring, what slices take, and labels to look at again."""
    # numpy and SQLAlchemy: not for --help.
    from chestct.reader_study.figures import figures_of
    from lungloop.context import open_catalog

    with open_catalog(Settings.load()) as catalog:
        versions = [version.version for version in catalog.versions.all()]
        readings = catalog.reader_log.readings()
        figures = figures_of(readings, catalog.reader_log.pairs(readings), versions)
    if as_json:
        print_json(figures.as_dict())
    else:
        _show(figures)


def _show(figures: "ReadersFigures") -> None:
    from chestct.reader_study.sentences import sentences

    for sentence in sentences(figures.estimates):
        answer(sentence)
    for title, rows in (("reader", figures.by_reader), ("pre-label of", figures.by_version)):
        if rows:
            answer("")
            columns = (title, "slices", "seconds", "pixels changed", "ground-glass", "consolidation")
            print_table(columns, [_row(row) for row in rows])
    if figures.by_reader:
        answer("(medians with 95 % intervals; pixels that were changed of a model's pre-label)")
    for one in figures.second_look:
        reading = one.reading
        answer("")
        answer(
            f"second look: {reading.study_name} slice {reading.slice_index}, task {reading.task_id}, "
            f"read by {reading.annotator}"
        )
        for reason in one.reasons:
            answer(f"  {reason}")


def _row(row: "Effort") -> tuple[object, ...]:
    classes = (row.class_pixels.get(name) for name in ("ground_glass", "consolidation"))
    return row.name, row.readings, _typical(row.seconds), _typical(row.pixels), *map(_typical, classes)


def _typical(found: "Typical | None") -> str:
    if found is None:
        return ""
    if found.interval is None:
        return f"{found.median:,.0f}"
    return f"{found.median:,.0f} ({found.interval[0]:,.0f} to {found.interval[1]:,.0f})"
