"""`readers`: what readers' times and corrections say of pre-labels, of the worklist, of each other."""

import typer

from chestct.reader_study.effort import Effort, Typical
from chestct.reader_study.figures import ReadersFigures, figures_of
from chestct.reader_study.sentences import sentences
from chestct.settings import Settings
from lungloop.console import AsJson, answer, print_json, print_table
from lungloop.context import open_catalog

app = typer.Typer()


@app.command(epilog="Example: lungloop readers --json")
def readers(as_json: AsJson = False) -> None:
    """Show what pre-labels and active learning bring, what slices take, and labels to look at again."""
    with open_catalog(Settings.load()) as catalog:
        versions = [version.version for version in catalog.versions.all()]
        readings = catalog.reader_log.readings()
        figures = figures_of(readings, catalog.reader_log.pairs(readings), versions)
    if as_json:
        print_json(figures.as_dict())
    else:
        _show(figures)


def _show(figures: ReadersFigures) -> None:
    for sentence in sentences(figures.estimates):
        answer(sentence)
    for title, rows in (("reader", figures.by_reader), ("pre-label of", figures.by_version)):
        if rows:
            answer("")
            columns = (title, "slices", "seconds", "pixels changed", "ground-glass", "consolidation")
            print_table(columns, [_row(row) for row in rows])
    if figures.by_reader:
        answer("(medians with 95 % intervals; pixels that were changed of a model's pre-label)")
    for entry in figures.second_look:
        reading = entry.reading
        answer("")
        answer(
            f"second look: {reading.study_name} slice {reading.slice_index}, task {reading.task_id}, "
            f"read by {reading.annotator}"
        )
        for reason in entry.reasons:
            answer(f"  {reason}")


def _row(row: Effort) -> tuple[object, ...]:
    classes = (row.class_pixels.get(name) for name in ("ground_glass", "consolidation"))
    return row.name, row.readings, _typical(row.seconds), _typical(row.pixels), *map(_typical, classes)


def _typical(typical: Typical | None) -> str:
    if typical is None:
        return ""
    if typical.interval is None:
        return f"{typical.median:,.0f}"
    return f"{typical.median:,.0f} ({typical.interval[0]:,.0f} to {typical.interval[1]:,.0f})"
