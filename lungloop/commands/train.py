"""`fit`: training from scratch."""

from pathlib import Path
from typing import Annotated

import typer

from chestct.settings import Settings
from lungloop.console import AsJson, answer, print_json, progress, say
from training.data.sample_check import SetAside
from training.fitting.options import FitOptions

app = typer.Typer()


@app.command(epilog="Example: lungloop fit mine --steps 1800 --work-dir fit-mine")
def fit(
    version: Annotated[str, typer.Argument(help="Name of the new version.")],
    steps: Annotated[int, typer.Option(min=1, help="Optimiser steps.")] = FitOptions.steps,
    seed: Annotated[int | None, typer.Option(help="LUNGLOOP_TRAIN_SEED where not given.")] = None,
    encoder: Annotated[str, typer.Option(help="Of segmentation-models-pytorch.")] = FitOptions.encoder,
    start_from: Annotated[
        str | None, typer.Option(help="Version to go on from; ImageNet's features where not given.")
    ] = None,
    kinds_from: Annotated[
        list[str] | None,
        typer.Option(help="Version whose guess of a lesion's kind is fitted on where labels leave it open."),
    ] = None,
    transplant: Annotated[
        float, typer.Option(min=0, max=1, help="Chance of setting one slice's lesion into another's lung.")
    ] = FitOptions.transplant,
    input_size: Annotated[
        int, typer.Option(min=32, help="Side of the square that the network sees; a multiple of 32.")
    ] = FitOptions.input_size,
    phantoms: Annotated[
        int, typer.Option(min=0, help="Synthetic studies fitted on beside the data.")
    ] = FitOptions.phantoms,
    devices: Annotated[
        int, typer.Option(min=1, help="GPUs to fit on; more than 1 needs the extra `multi-gpu`.")
    ] = FitOptions.devices,
    checkpoint_every: Annotated[
        int, typer.Option(min=1, help="Steps between checkpoints.")
    ] = FitOptions.checkpoint_every,
    work_dir: Annotated[
        Path | None, typer.Option(help="Keeps the checkpoint: the same command goes on after a kill.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Train a model on the shared labelled data (LUNGLOOP_SHARED_DATA)."""
    from training.commands.fit import run_fit  # loads torch

    settings = Settings.load()
    options = FitOptions(
        steps=steps,
        seed=settings.train_seed if seed is None else seed,
        encoder=encoder,
        start_from=start_from,
        kinds_from=tuple(kinds_from or ()),
        transplant=transplant,
        input_size=input_size,
        phantoms=phantoms,
        devices=devices,
        checkpoint_every=checkpoint_every,
    )
    with progress(f"fit {version}") as update:
        card = run_fit(
            settings, version, options, work_dir=work_dir, on_progress=update, on_set_aside=_say_set_aside
        )
    if as_json:
        print_json(card.as_dict())
    else:
        answer(f"{card.version} is in {settings.weights_dir / card.version}")


def _say_set_aside(aside: SetAside) -> None:
    say(f"set aside: {aside.name}: {aside.reason}")
