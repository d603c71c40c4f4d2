"""`up` and `down`: the local stack."""

import os
import signal
from pathlib import Path
from typing import Annotated

import typer

from chestct.errors import ServiceUnavailableError
from chestct.settings import Settings
from lungloop.console import answer, say

# Label Studio, the backend and the workers each get a few seconds to end in order.
_DOWN_SECONDS = 90.0


def register(app: typer.Typer) -> None:
    """Adds the commands of this module."""
    app.command(epilog="Example: lungloop up --data ~/MosMedData --label-studio-port 8081")(up)
    app.command(epilog="Example: lungloop down")(down)


def up(
    data: Annotated[
        list[Path] | None, typer.Option(exists=True, help="Studies to import; without it, phantoms are made.")
    ] = None,
    layout: Annotated[
        str, typer.Option(help="auto, mosmed, nifti, dicom, kaggle, images, covid-ct-seg, medseg.")
    ] = "auto",
    port: Annotated[int, typer.Option(min=1, max=65535, help="Of the backend and its pages.")] = 9090,
    label_studio_port: Annotated[int, typer.Option(min=1, max=65535, help="Of Label Studio.")] = 8080,
    label_studio_env: Annotated[
        Path | None, typer.Option(help="Environment that Label Studio is installed in.")
    ] = None,
    wait_minutes: Annotated[
        float, typer.Option(min=0, help="For pre-annotation, before it goes on in the background.")
    ] = 15.0,
) -> None:
    """Start Label Studio, the queue, the backend and workers; pre-annotate; run until Ctrl-C."""
    # httpx, SQLAlchemy and RQ come with it: half a second that --help need not wait for.
    from lungloop.stack.up import UpOptions, run

    run(
        UpOptions(
            data=tuple(data or ()),
            layout=layout,
            port=port,
            label_studio_port=label_studio_port,
            label_studio_environment=label_studio_env,
            wait_minutes=wait_minutes,
        ),
        ready=answer,
    )


def down() -> None:
    """Stop the stack of this home, and what an interrupted one left running."""
    from lungloop.stack import home_lock, pidfiles, stack_file

    home = Settings.load().home
    supervisor = home_lock.holder(home)
    if supervisor is not None:
        say(f"stopping the stack on {home}")
        os.kill(supervisor.pid, signal.SIGTERM)
        if not home_lock.wait_until_released(home, _DOWN_SECONDS):
            raise ServiceUnavailableError(
                "the stack", f"process {supervisor.pid} does not end; look at {home / 'logs'}, then kill it"
            )
    leftovers = pidfiles.end_leftovers(home) if (home / "run").is_dir() else []
    stack_file.remove(home)
    if leftovers:
        say(f"ended what an interrupted stack had left running: {', '.join(leftovers)}")
    elif supervisor is None:
        say(f"no stack runs on {home}")
    else:
        say("stopped")
