"""What a person reads goes to stderr, what a script reads goes to stdout."""

import json
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

AsJson = Annotated[bool, typer.Option("--json", help="One JSON value on stdout, all else on stderr.")]

# Where stderr is a log file, a line now and then shows that work goes on.
_SECONDS_BETWEEN_LINES = 10.0


def say(sentence: str) -> None:
    """Tells the user something; never part of what a script parses."""
    typer.echo(sentence, err=True)


def answer(text: str) -> None:
    """The command's answer for a person, on stdout."""
    typer.echo(text)


def print_json(value: object) -> None:
    """The command's one JSON value."""
    answer(json.dumps(value, indent=2, ensure_ascii=False))


def print_table(columns: tuple[str, ...], rows: list[tuple[object, ...]]) -> None:
    """A plain table on stdout; columns as wide as their widest cell."""
    lines = [columns, *(tuple("" if cell is None else str(cell) for cell in row) for row in rows)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(columns))]
    for line in lines:
        answer("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


@contextmanager
def progress(title: str) -> Iterator[Callable[[int, int | None, str], None]]:
    """A progress bar on stderr; yields `update(done, total, what)`, total None where unknown."""
    if sys.stderr.isatty():
        with _bar(title) as update:
            yield update
    else:
        yield _lines(title)


@contextmanager
def _bar(title: str) -> Iterator[Callable[[int, int | None, str], None]]:
    # rich costs 0.1 s, and only a terminal needs it.
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, TextColumn("{task.fields[what]}"), console=Console(stderr=True)) as bar:
        task = bar.add_task(title, total=None, what="")
        yield lambda done, total, what: bar.update(task, completed=done, total=total, what=what)


def _lines(title: str) -> Callable[[int, int | None, str], None]:
    shown_at, shown = time.monotonic(), 0

    def update(done: int, total: int | None, what: str) -> None:
        nonlocal shown_at, shown
        now = time.monotonic()
        whole = bool(total) and done == total
        if done != shown and (whole or now - shown_at >= _SECONDS_BETWEEN_LINES):
            shown_at, shown = now, done
            say(f"{title}: {done}{f' of {total}' if total is not None else ''} {what}".rstrip())

    return update
