"""What a person reads goes to stderr, what a script reads goes to stdout."""

import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer

from chestct.progress import OnProgress, Progress

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
def progress(title: str) -> Iterator[OnProgress]:
    """A progress bar on stderr; yields what moves it."""
    if sys.stderr.isatty():
        with _bar(title) as update:
            yield update
    else:
        yield _lines(title)


@contextmanager
def _bar(title: str) -> Iterator[OnProgress]:
    # rich costs 0.1 s, and only a terminal needs it.
    from rich import progress as rich
    from rich.console import Console

    columns = (
        rich.TextColumn(title),
        rich.BarColumn(),
        rich.MofNCompleteColumn(),
        rich.TimeRemainingColumn(),
    )
    with rich.Progress(
        *columns, rich.TextColumn("{task.fields[stage]}"), console=Console(stderr=True)
    ) as bar:
        task = bar.add_task(title, total=None, stage="")
        yield lambda now: bar.update(task, completed=round(now.done), total=now.total, stage=now.stage)


def _lines(title: str) -> OnProgress:
    shown_at, shown = time.monotonic(), 0

    def update(progress: Progress) -> None:
        nonlocal shown_at, shown
        now, done, total = time.monotonic(), round(progress.done), progress.total
        whole = bool(total) and done == total
        if done != shown and (whole or now - shown_at >= _SECONDS_BETWEEN_LINES):
            shown_at, shown = now, done
            say(f"{title}: {done}{f' of {total}' if total is not None else ''} {progress.stage}".rstrip())

    return update
