"""`segment`: label maps and overlays of files, without any service."""

from pathlib import Path
from typing import Annotated

import typer

from chestct.model.views import THOROUGH
from chestct.settings import Settings
from lungloop.console import AsJson, answer, print_json, progress, say
from lungloop.context import serving_version
from lungloop.segmenting import find_inputs, segment_inputs

app = typer.Typer()


@app.command(epilog="Example: lungloop segment ~/slices --out segmented")
def segment(
    inputs: Annotated[
        list[Path],
        typer.Argument(
            metavar="INPUT...",
            help="Pictures, NIfTI and DICOM files, zip archives, folders.",
            show_default=False,
        ),
    ],
    out: Annotated[Path, typer.Option(help="Folder for the results; a folder's tree is mirrored in it.")],
    model: Annotated[str | None, typer.Option(help="Version; the champion where not given.")] = None,
    tta: Annotated[
        bool, typer.Option("--tta", help="Average four views of each slice: more exact, four times as long.")
    ] = False,
    uncertainty: Annotated[
        bool,
        typer.Option(
            "--uncertainty",
            "--doubt",
            help="Beside each overlay a picture of where the model is unsure (name.doubt.png).",
        ),
    ] = False,
    as_json: AsJson = False,
) -> None:
    """Segment ground-glass, consolidation and lung; needs no services."""
    from chestct.inference.unet_segmenter import UNetSegmenter  # loads torch

    settings = Settings.load()
    version = model or serving_version(settings)
    segmenter = UNetSegmenter.load(settings.weights_dir, version, views=THOROUGH if tta else None)
    files = find_inputs(inputs, out)
    with progress(f"segment with {segmenter.version}") as update:
        report = segment_inputs(files, out, segmenter, update, uncertainty=uncertainty)
    for entry in report:
        for note in entry.get("notes", ()):
            say(f"note: {entry['input']}: {note}")
    failed = [entry for entry in report if "error" in entry]
    for entry in failed:
        say(f"not segmented: {entry['input']}: {entry['error']}")
    if as_json:
        print_json(report)
    else:
        answer(
            f"{len(report) - len(failed)} of {len(report)} segmented into {out}; see {out / 'report.json'}"
        )
    if failed:
        raise typer.Exit(1)
