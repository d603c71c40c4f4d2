"""`learning`: what each retrain brought, and what the next corrections may bring."""

from pathlib import Path
from typing import Annotated

import typer

from chestct.derived.learning import learning_of
from chestct.learning.figures import Learning, VersionLearning
from chestct.learning.sentences import sentences
from chestct.settings import Settings
from lungloop.console import AsJson, answer, print_json, print_table
from lungloop.context import open_catalog
from training.report.learning import NOT_KNOWN, learning_page
from training.report.rendering import write_whole

app = typer.Typer()


@app.command(epilog="Example: lungloop learning --out learning.html")
def learning(
    out: Annotated[Path | None, typer.Option(help="Also write the report there, one HTML file.")] = None,
    as_json: AsJson = False,
) -> None:
    """Show what each retrain brought and what the next corrections are expected to bring."""
    settings = Settings.load()
    with open_catalog(settings) as catalog:
        figures = learning_of(catalog, settings.weights_dir)
    if out is not None:
        write_whole(out, learning_page(figures))
    if as_json:
        print_json({**figures.as_dict(), "sentences": sentences(figures)})
        return
    _show(figures)
    if out is not None:
        answer(f"report: {out}")


def _show(figures: Learning) -> None:
    for sentence in sentences(figures):
        answer(sentence)
    if figures.versions:
        answer("")
        columns = ("version", "serves", "corrections", "reader seconds", "patients never seen", "open slices")
        print_table(columns, [_row(version) for version in figures.versions])
        answer("(gains in lesion Dice over the champion of then; reader seconds since the retrain before)")


def _row(version: VersionLearning) -> tuple[object, ...]:
    seconds = version.effort and version.effort.seconds
    return (
        version.version,
        version.serves,
        NOT_KNOWN if version.corrections is None else version.corrections,
        NOT_KNOWN if seconds is None else f"{seconds:,.0f}",
        *(
            NOT_KNOWN if change is None else f"{change.difference:+.3f}"
            for change in (version.unseen, version.open_slices)
        ),
    )
