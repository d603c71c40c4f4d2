"""`export`: corrected masks as a dataset."""

import dataclasses
from pathlib import Path
from typing import Annotated

import typer

from chestct.settings import Settings
from lungloop.console import AsJson, answer, print_json, progress, say
from lungloop.context import open_catalog
from lungloop.exporting import ExportFormat, export_dataset

app = typer.Typer()


@app.command(epilog="Example: lungloop export corrected --format nifti")
def export(
    out: Annotated[Path, typer.Argument(help="Folder to make; an earlier export there is replaced.")],
    file_format: Annotated[
        ExportFormat,
        typer.Option(
            "--format",
            help="png: a picture a slice. nifti: a volume a study. npy: Kaggle's arrays. coco: COCO JSON. "
            "dicom-seg: DICOM SEG for studies that came as DICOM.",
        ),
    ] = "png",
    all_versions: Annotated[
        bool,
        typer.Option("--all-versions", help="Every version of a correction, not only the one that counts."),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Write the corrected masks with their pictures and a table that says whose they are."""
    with open_catalog(Settings.load()) as catalog, progress(f"export as {file_format}") as update:
        report = export_dataset(catalog, out, file_format, all_versions=all_versions, on_progress=update)
    for warning in report.warnings:
        say(f"warning: {warning}")
    if as_json:
        print_json({"out": str(out), **dataclasses.asdict(report)})
    else:
        answer(f"{report.rows} corrected slices in {out}")
