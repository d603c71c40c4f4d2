"""`evaluate`: scores of a model version on labelled data."""

from pathlib import Path
from typing import Annotated

import typer

from chestct.settings import Settings
from lungloop.console import AsJson, answer, print_json, print_table, progress, say
from lungloop.context import serving_version

app = typer.Typer()


@app.command(epilog="Example: lungloop evaluate exported-dataset --model base-4 --out scores")
def evaluate(
    folder: Annotated[Path, typer.Argument(help="Labelled data, or an export of this project.")],
    model: Annotated[str | None, typer.Option(help="Version; the champion where not given.")] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Folder for evaluation.json and evaluation.html, which shows your pictures."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Score a model version on labelled data, by patient, with intervals."""
    from training.commands.evaluate import run_evaluate  # loads torch

    settings = Settings.load()
    version = model or serving_version(settings)
    with progress(f"evaluate {version}") as update:
        report = run_evaluate(folder, version, settings, lambda scored: update(scored.in_percent()), out=out)
    for failed in report["failed"]:
        say(f"not read: {failed['input']}: {failed['error']}")
    if as_json:
        print_json(report)
    else:
        print_table(("split", "figure", "mean", "95 % interval", "patients"), _rows(report))
        if out is not None:
            answer(f"report: {out / 'evaluation.html'}")
    if report["failed"]:
        raise typer.Exit(1)


def _rows(report: dict[str, dict[str, dict[str, object]]]) -> list[tuple[object, ...]]:
    return [
        (side, figure, value["mean"], value["interval"], value["patients"])
        for side, figures in report["splits"].items()
        for figure, value in figures.items()
        if isinstance(value, dict)
    ]
